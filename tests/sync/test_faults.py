"""Every fault on every target: named on the page at its first occurrence, probed while it lasts, and gone by itself.

Real servers stand behind a relay or a server that misbehaves; the pauses are those of a test, the code is the box's.
In each case everything has arrived at the end, and nothing was stored twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import os
import shutil
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.sync.faults import Why
from appliance.sync.folder import Folder
from appliance.sync.port import Place
from appliance.sync.s3 import S3
from appliance.sync.settings import Target
from appliance.sync.sftp import Sftp
from appliance.sync.smb import Smb
from tests.support.authority import Authority
from tests.support.bad_http import BadHttp, Instead, Seen
from tests.support.relay import Relay
from tests.support.samba import Samba
from tests.support.seaweed import Seaweed
from tests.support.sshd import Sshd
from tests.sync.workshop import QUICK, Workshop

ROOT = [] if os.geteuid() == 0 else ["sudo", "-n"]
SIZES = (300_000, 40_000, 0)
LASTS_SECONDS = 1.5
BUDGET = 1000  # a busy machine tries more often than the budget of a day allows (test_plan.py)
SLACK_SECONDS = 3.0  # of a machine that does something else as well


@pytest.fixture(scope="module")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    with Seaweed(tmp_path_factory.mktemp("s3")) as server:
        server.make_bucket("upstream")
        yield server


@pytest.fixture
def bucket(seaweed: Seaweed, request: pytest.FixtureRequest) -> str:
    name = f"b{zlib.crc32(request.node.nodeid.encode())}"
    seaweed.make_bucket(name)
    return name


def s3(
    seaweed: Seaweed, port: int, bucket: str, seconds: float = QUICK.answer_seconds
) -> tuple[Target, Callable[[], Place]]:
    target = Target(name="there", kind="s3", url=f"http://127.0.0.1:{port}", bucket=bucket, budget=BUDGET)
    return target, lambda: S3(target, "office", f"{seaweed.access} {seaweed.secret}", seconds)


def sftp(ssh: Sshd, port: int, seconds: float = QUICK.answer_seconds) -> tuple[Target, Callable[[], Place]]:
    target = Target(
        name="there", kind="sftp", host="127.0.0.1", port=port, user=ssh.user, host_key=ssh.host_key, budget=BUDGET
    )
    return target, lambda: Sftp(target, "office", ssh.key, seconds)


def smb(share: Samba, port: int, seconds: float = QUICK.answer_seconds) -> tuple[Target, Callable[[], Place]]:
    target = Target(
        name="there", kind="smb", host="127.0.0.1", port=port, user=share.user, share="files", budget=BUDGET
    )
    return target, lambda: Smb(target, "office", share.password, seconds)


def stored(seaweed: Seaweed, bucket: str) -> dict[str, bytes]:
    """What lies in a bucket, but for the box's marker."""
    client = seaweed.client()
    keys = [one["Key"] for one in client.list_objects_v2(Bucket=bucket).get("Contents", [])]
    return {
        key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys if not key.endswith("box.json")
    }


def files(root: Path) -> dict[str, bytes]:
    found = {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*") if file.is_file()}
    return {key: content for key, content in found.items() if not key.endswith("box.json")}


# The line -------------------------------------------------------------------------------------------------------------

LINES = {"refuse": ("unreachable", "cut"), "hang": ("silent",), "cut": ("cut",)}


class Behind:
    """A real server with a relay before it."""

    def __init__(
        self, kind: str, folder: Path, seaweed: Seaweed, bucket: str, seconds: float = QUICK.answer_seconds
    ) -> None:
        self._seconds = seconds
        self._is_narrow = seconds > QUICK.answer_seconds
        self._kind, self._folder, self._seaweed, self._bucket = kind, folder, seaweed, bucket
        self._server: Sshd | Samba | None = None

    def __enter__(self) -> Behind:
        match self._kind:
            case "sftp":
                self._server = Sshd(self._folder / "server").__enter__()
                self.relay = Relay(self._server.port, is_narrow=self._is_narrow)
                self.settings = sftp(self._server, self.relay.port, self._seconds)
            case "smb":
                self._server = Samba(self._folder / "server").__enter__()
                self.relay = Relay(self._server.port, is_narrow=self._is_narrow)
                self.settings = smb(self._server, self.relay.port, self._seconds)
            case _:
                self.relay = Relay(int(self._seaweed.url.rpartition(":")[2]), is_narrow=self._is_narrow)
                self.settings = s3(self._seaweed, self.relay.port, self._bucket, self._seconds)
        return self

    def __exit__(self, *_: object) -> None:
        self.relay.__exit__(None, None, None)
        if self._server is not None:
            self._server.stop()

    def found(self) -> dict[str, bytes]:
        return stored(self._seaweed, self._bucket) if self._server is None else files(self._server.root)


@pytest.mark.parametrize("mode", LINES)
@pytest.mark.parametrize("kind", ["s3", "sftp", "smb"])
def test_a_line_that_fails_is_named_probed_and_used_again(
    kind: str, mode: str, tmp_path: Path, seaweed: Seaweed, bucket: str
) -> None:
    async def scenario(behind: Behind) -> None:
        shop = Workshop(tmp_path / "box")
        worker = shop.worker(*behind.settings)
        async with shop.running():
            shop.add(20_000)  # while all is well
            await shop.until_all_verified()
            behind.relay.mode = mode  # type: ignore[assignment] # one of its words
            behind.relay.cut_after = (30_000, 200_000)
            if mode == "refuse":
                behind.relay.drop()
            shop.add(*SIZES, first=2)
            await shop.until(lambda: any(shop.names(f"fault_{word}") for word in LINES[mode]), 25)
            if mode != "cut":
                await shop.until(lambda: len(behind.relay.connections) >= 4, 30)
                gaps = [b - a for a, b in itertools.pairwise(behind.relay.connections[-3:])]
                assert max(gaps) < QUICK.probe_seconds + 2 * QUICK.answer_seconds + SLACK_SECONDS
                assert worker.plan.parked is not None
            behind.relay.mode = "pass"
            behind.relay.drop()
            await shop.until_all_verified()
        assert behind.found() == shop.sent

    with Behind(kind, tmp_path, seaweed, bucket) as behind:
        asyncio.run(scenario(behind))


@pytest.mark.parametrize("kind", ["s3", "sftp", "smb"])
def test_a_line_of_a_kilobyte_a_second_is_said_and_waited_for(
    kind: str, tmp_path: Path, seaweed: Seaweed, bucket: str
) -> None:
    async def scenario(behind: Behind) -> None:
        shop = Workshop(tmp_path / "box", dataclasses.replace(QUICK, answer_seconds=6.0))
        worker = shop.worker(*behind.settings)
        async with shop.running():
            shop.add(10)
            await shop.until_all_verified()
            behind.relay.mode = "slow"
            shop.add(60_000, first=2)
            await shop.until_named("slow", 60)
            assert worker.plan.parked is None or worker.plan.parked.why in (Why.SILENT, Why.CUT)
            behind.relay.mode = "pass"
            await shop.until_all_verified()
        assert behind.found() == shop.sent

    with Behind(kind, tmp_path, seaweed, bucket, 6.0) as behind:
        asyncio.run(scenario(behind))


def test_twelve_recordings_arrive_once_over_a_line_that_is_cut_again_and_again(
    tmp_path: Path, seaweed: Seaweed, bucket: str
) -> None:
    async def scenario(behind: Behind) -> None:
        behind.relay.mode = "cut"
        behind.relay.cut_after = (50_000, 12_000_000)
        shop = Workshop(tmp_path / "box")
        shop.worker(*behind.settings)
        async with shop.running():
            shop.add(*(200_000 * number for number in range(11)), 12_000_000)
            await shop.until_all_verified()
        assert behind.relay.cuts >= 3 and behind.found() == shop.sent

    with Behind("s3", tmp_path, seaweed, bucket) as behind:
        asyncio.run(scenario(behind))
    assert not seaweed.client().list_multipart_uploads(Bucket=bucket).get("Uploads")


# The server -----------------------------------------------------------------------------------------------------------


def _is_write(seen: Seen) -> bool:
    return seen.method == "PUT" and "box.json" not in seen.path


def _status(status: int, code: str = "") -> Callable[[Seen], Instead | None]:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    return lambda seen: Instead(status, body) if _is_write(seen) else None


_REVOKED = b"<Error><Code>InvalidAccessKeyId</Code><Message>no</Message></Error>"
SERVER_FAULTS: dict[str, tuple[Callable[[Seen], Instead | None], str]] = {
    "500s": (_status(500, "InternalError"), "failing"),
    "full": (_status(507, "InsufficientStorage"), "full"),
    "quota": (_status(403, "QuotaExceeded"), "full"),
    "slow down": (_status(503, "SlowDown"), "busy"),
    "credentials revoked": (lambda _: Instead(403, _REVOKED), "denied"),
    "mangled on the way": (_status(400, "BadDigest"), "cut"),
}  # fmt: skip


@pytest.mark.parametrize("name", SERVER_FAULTS)
def test_a_server_that_misbehaves_is_named_probed_and_used_again(
    name: str, tmp_path: Path, seaweed: Seaweed, bucket: str
) -> None:
    rule, fault = SERVER_FAULTS[name]

    async def scenario(bad: BadHttp) -> None:
        shop = Workshop(tmp_path)
        shop.worker(*s3(seaweed, bad.port, bucket))
        async with shop.running():
            shop.add(20_000)
            await shop.until_all_verified()
            bad.rule = rule
            shop.add(*SIZES, first=2)
            await shop.until_named(f"fault_{fault}")
            began = len(bad.seen)
            await shop.until(lambda: len(bad.seen) >= began + 4, 20)
            gaps = [b.at - a.at for a, b in itertools.pairwise(bad.seen[began:])]
            assert max(gaps) < QUICK.longest_pause_seconds + SLACK_SECONDS
            bad.rule = lambda _: None
            await shop.until_all_verified()
        assert stored(seaweed, bucket) == shop.sent
        written = [path for path in bad.stored() if path.partition("/office/")[2] and not _is_own(path)]
        assert sorted(written) == sorted(set(written))

    with BadHttp(int(seaweed.url.rpartition(":")[2])) as bad:
        asyncio.run(scenario(bad))


def _is_own(path: str) -> bool:
    return path.endswith(("/probe", "/box.json"))


def test_a_full_server_gets_single_bytes_and_not_the_whole_again_and_again(
    tmp_path: Path, seaweed: Seaweed, bucket: str
) -> None:
    async def scenario(bad: BadHttp) -> None:
        shop = Workshop(tmp_path)
        shop.worker(*s3(seaweed, bad.port, bucket))
        async with shop.running():
            shop.add(10)
            await shop.until_all_verified()
            bad.rule = _status(507, "InsufficientStorage")
            shop.add(1_000_000, first=2)
            await shop.until_named("fault_full")
            await asyncio.sleep(5)
            bodies = [one for one in bad.seen if one.status == 507 and len(one.body) > 100_000]
            assert len(bodies) <= 5
            bad.rule = lambda _: None
            await shop.until_all_verified()

    with BadHttp(int(seaweed.url.rpartition(":")[2])) as bad:
        asyncio.run(scenario(bad))


def test_what_is_read_back_wrong_gets_no_receipt_until_it_is_read_back_right(
    tmp_path: Path, seaweed: Seaweed, bucket: str
) -> None:
    def lies(seen: Seen) -> Instead | None:
        if seen.method == "GET" and seen.path.endswith(".body"):
            return Instead(spoils=lambda found: found[:-1] + bytes((found[-1] ^ 1,)) if found else b"x")
        return None

    async def scenario(bad: BadHttp) -> None:
        shop = Workshop(tmp_path)
        shop.worker(*s3(seaweed, bad.port, bucket))
        async with shop.running():
            bad.rule = lies
            shop.add(*SIZES)
            await shop.until_named("fault_mangled")
            assert shop.count("verified") <= len(shop.sent) - len(SIZES)
            bad.rule = lambda _: None
            await shop.until_all_verified()
        written = [path for path in bad.stored() if not _is_own(path)]
        assert sorted(written) == sorted(set(written)) and stored(seaweed, bucket) == shop.sent

    with BadHttp(int(seaweed.url.rpartition(":")[2])) as bad:
        asyncio.run(scenario(bad))


def test_other_content_under_our_name_is_an_alarm_and_stays_as_it_is(
    tmp_path: Path, seaweed: Seaweed, bucket: str
) -> None:
    async def scenario() -> None:
        shop = Workshop(tmp_path)
        worker = shop.worker(*s3(seaweed, int(seaweed.url.rpartition(":")[2]), bucket))
        shop.add(*SIZES)
        foreign = next(key for key in shop.sent if key.endswith(".body"))
        seaweed.client().put_object(Bucket=bucket, Key=foreign, Body=b"somebody else's")
        async with shop.running():
            await shop.until(lambda: shop.count("verified") == len(shop.sent) - 1, 60)
            assert worker.shown().refused == 1 and worker.shown().remarks[-1].key == "sync.refused"
            assert stored(seaweed, bucket)[foreign] == b"somebody else's"
            seaweed.client().delete_object(Bucket=bucket, Key=foreign)  # its owner takes it away
            worker.try_now()
            await shop.until_all_verified()

    asyncio.run(scenario())


@pytest.mark.parametrize("hours", [2.0, -2.0, 24 * 365 * 50, -24 * 365 * 50], ids=["+2h", "-2h", "+50y", "-50y"])
def test_a_clock_that_is_off_is_said_and_everything_arrives_all_the_same(
    hours: float, tmp_path: Path, seaweed: Seaweed, bucket: str
) -> None:
    async def scenario() -> None:
        shop = Workshop(tmp_path)
        port = int(seaweed.url.rpartition(":")[2])
        target, _ = s3(seaweed, port, bucket)
        keys = f"{seaweed.access} {seaweed.secret}"
        worker = shop.worker(
            target,
            lambda: S3(target, "office", keys, 5, lambda: time.time_ns() // 1_000_000 + round(hours * 3_600_000)),
        )
        async with shop.running():
            shop.add(*SIZES)
            await shop.until_all_verified()
            assert [each.key for each in worker.shown().remarks] == ["sync.skew"]
        assert stored(seaweed, bucket) == shop.sent

    asyncio.run(scenario())


def test_a_server_that_says_no_time_and_refuses_ours_is_named_as_a_clock(
    tmp_path: Path, seaweed: Seaweed, bucket: str
) -> None:
    async def scenario(bad: BadHttp) -> None:
        shop = Workshop(tmp_path)
        target, _ = s3(seaweed, bad.port, bucket)
        keys = f"{seaweed.access} {seaweed.secret}"
        bad.date = None
        worker = shop.worker(
            target, lambda: S3(target, "office", keys, 5, lambda: time.time_ns() // 1_000_000 - 7_200_000)
        )
        async with shop.running():
            shop.add(*SIZES)
            await shop.until_named("fault_clock")
            assert worker.plan.parked is not None and worker.plan.parked.reason == "clock"
            bad.date = ""
            await shop.until_all_verified()

    with BadHttp(int(seaweed.url.rpartition(":")[2])) as bad:
        asyncio.run(scenario(bad))


def test_a_certificate_that_has_ended_is_refused_until_it_is_renewed(
    tmp_path: Path, seaweed: Seaweed, bucket: str
) -> None:
    authority = Authority(tmp_path)
    ended, good = authority.issue("ended", -40, -10), authority.issue("good")

    async def scenario(bad: BadHttp) -> None:
        shop = Workshop(tmp_path / "box")
        target = Target(name="there", kind="s3", url=bad.url, bucket=bucket, ca=str(authority.file))
        shop.worker(target, lambda: S3(target, "office", f"{seaweed.access} {seaweed.secret}", 2))
        async with shop.running():
            shop.add(*SIZES)
            await shop.until_named("fault_certificate")
            assert shop.count("verified") == 0
            bad.show(good)
            await shop.until_all_verified()
        assert stored(seaweed, bucket) == shop.sent

    with BadHttp(int(seaweed.url.rpartition(":")[2]), certificate=ended) as bad:
        asyncio.run(scenario(bad))


def test_a_box_of_1970_believes_a_pinned_server_what_time_it_is_and_no_certificate_that_has_ended(
    tmp_path: Path, seaweed: Seaweed, bucket: str
) -> None:
    authority = Authority(tmp_path)
    good, ended = authority.issue("good"), authority.issue("ended", -40, -10)

    async def scenario(bad: BadHttp) -> None:
        shop = Workshop(tmp_path / "box")
        target = Target(name="there", kind="s3", url=bad.url, bucket=bucket, ca=str(authority.file))
        keys = f"{seaweed.access} {seaweed.secret}"
        shop.worker(target, lambda: S3(target, "office", keys, 2, lambda: 86_400_000))
        async with shop.running():
            shop.add(*SIZES)
            await shop.until_named("fault_certificate")
            bad.show(good)
            await shop.until_all_verified()
        assert stored(seaweed, bucket) == shop.sent

    with BadHttp(int(seaweed.url.rpartition(":")[2]), certificate=ended) as bad:
        asyncio.run(scenario(bad))


def test_another_authority_is_not_believed_when_one_is_pinned(tmp_path: Path, seaweed: Seaweed, bucket: str) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")

    async def scenario(bad: BadHttp) -> None:
        shop = Workshop(tmp_path / "box")
        target = Target(name="there", kind="s3", url=bad.url, bucket=bucket, ca=str(ours.file))
        shop.worker(target, lambda: S3(target, "office", f"{seaweed.access} {seaweed.secret}", 2))
        async with shop.running():
            shop.add(10)
            await shop.until_named("fault_certificate")
            assert not bad.seen

    with BadHttp(int(seaweed.url.rpartition(":")[2]), certificate=theirs.issue("server")) as bad:
        asyncio.run(scenario(bad))


# What belongs to each kind --------------------------------------------------------------------------------------------


def test_a_bucket_that_is_gone_is_named_and_greeted_anew_when_it_is_there_again(
    tmp_path: Path, seaweed: Seaweed, bucket: str
) -> None:
    async def scenario() -> None:
        shop = Workshop(tmp_path)
        shop.worker(*s3(seaweed, int(seaweed.url.rpartition(":")[2]), f"{bucket}x"))
        async with shop.running():
            shop.add(*SIZES)
            await shop.until_named("fault_gone")
            seaweed.make_bucket(f"{bucket}x")
            await shop.until_all_verified()
        assert stored(seaweed, f"{bucket}x") == shop.sent

    asyncio.run(scenario())


def test_a_public_bucket_is_refused_until_it_is_closed(tmp_path: Path) -> None:
    def open_to_all(seen: Seen) -> Instead | None:
        return None if "Authorization" in seen.headers or seen.method != "GET" else Instead(200, b"<ListBucketResult/>")

    async def scenario(server: Seaweed, bad: BadHttp) -> None:
        shop = Workshop(tmp_path / "box")
        shop.worker(*s3(server, bad.port, "upstream"))
        bad.rule = open_to_all
        async with shop.running():
            shop.add(10)
            await shop.until_named("fault_public")
            assert shop.count("verified") == 0
            bad.rule = lambda _: None
            await shop.until_all_verified()

    with Seaweed(tmp_path / "s3") as server, BadHttp(int(server.url.rpartition(":")[2])) as bad:
        server.make_bucket("upstream")
        asyncio.run(scenario(server, bad))


def test_keys_that_a_server_refuses_are_named_and_new_ones_are_read_from_their_file(
    tmp_path: Path, seaweed: Seaweed, bucket: str
) -> None:
    keys = [f"{seaweed.access} revoked"]

    async def scenario() -> None:
        shop = Workshop(tmp_path)
        target, _ = s3(seaweed, int(seaweed.url.rpartition(":")[2]), bucket)
        shop.worker(target, lambda: S3(target, "office", keys[0], 5))
        async with shop.running():
            shop.add(*SIZES)
            await shop.until_named("fault_denied")
            keys[0] = f"{seaweed.access} {seaweed.secret}"
            await shop.until_all_verified()
        assert stored(seaweed, bucket) == shop.sent

    asyncio.run(scenario())


def test_a_disk_that_is_pulled_out_is_named_and_gone_on_with_when_it_is_back(tmp_path: Path) -> None:
    disk, elsewhere = tmp_path / "disk", tmp_path / "elsewhere"
    disk.mkdir()

    async def scenario() -> None:
        shop = Workshop(tmp_path / "box")
        target = Target(name="usb", kind="folder", folder=str(disk))
        shop.worker(target, lambda: Folder(disk, "office"))
        async with shop.running():
            shop.add(*SIZES)
            await shop.until_all_verified()
            disk.rename(elsewhere)
            disk.mkdir()  # the empty mount point stays
            shop.add(1000, first=9)
            await shop.until_named("fault_gone")
            await asyncio.sleep(LASTS_SECONDS)
            assert not list(disk.iterdir())
            disk.rmdir()
            elsewhere.rename(disk)
            await shop.until_all_verified()
        assert files(disk) == shop.sent

    asyncio.run(scenario())


@contextlib.contextmanager
def small_disk(at: Path) -> Iterator[None]:
    """A disk of 1 MB of its own, mounted there."""
    at.mkdir(exist_ok=True)
    subprocess.run([*ROOT, "mount", "-t", "tmpfs", "-o", "size=1m,mode=0777", "none", str(at)], check=True)
    try:
        yield
    finally:
        subprocess.run([*ROOT, "umount", "-l", str(at)], check=True)


@pytest.mark.parametrize("kind", ["folder", "sftp", "smb"])
def test_a_full_disk_is_named_and_gone_on_with_when_there_is_space(kind: str, tmp_path: Path) -> None:
    async def scenario(shop: Workshop, root: Path) -> None:
        ballast = root / "ballast"
        async with shop.running():
            shop.add(20_000)
            await shop.until_all_verified()
            ballast.write_bytes(bytes(shutil.disk_usage(root).free - 100_000))
            shop.add(*SIZES, first=2)
            await shop.until_named("fault_full")
            whole = {key: content for key, content in files(root).items() if not key.endswith((".part", "ballast"))}
            assert whole.items() < shop.sent.items()
            await asyncio.sleep(LASTS_SECONDS)
            ballast.unlink()
            await shop.until_all_verified()
        assert files(root) == shop.sent

    shop, disk = Workshop(tmp_path / "box"), tmp_path / "disk"
    with contextlib.ExitStack() as stack:
        if kind == "folder":
            stack.enter_context(small_disk(disk))
            shop.worker(Target(name="usb", kind="folder", folder=str(disk)), lambda: Folder(disk, "office"))
        elif kind == "sftp":
            ssh = Sshd(tmp_path / "server")
            stack.enter_context(small_disk(ssh.root))
            stack.enter_context(ssh)
            disk = ssh.root
            shop.worker(*sftp(ssh, ssh.port))
        else:
            share = Samba(tmp_path / "server")
            stack.enter_context(small_disk(share.root))
            stack.enter_context(share)
            disk = share.root
            shop.worker(*smb(share, share.port))
        asyncio.run(scenario(shop, disk))


def test_another_ssh_server_behind_the_same_address_gets_nothing(tmp_path: Path) -> None:
    async def scenario(ssh: Sshd, other: Sshd) -> None:
        shop = Workshop(tmp_path / "box")
        relay = Relay(other.port)
        with relay:
            shop.worker(*sftp(ssh, relay.port))
            async with shop.running():
                shop.add(*SIZES)
                await shop.until_named("fault_host_key")
                assert not list(other.root.iterdir())
                relay._to = ssh.port  # the right one is back
                await shop.until_all_verified()
        assert files(ssh.root) == shop.sent

    with Sshd(tmp_path / "ours") as ssh, Sshd(tmp_path / "theirs") as other:
        asyncio.run(scenario(ssh, other))


def test_a_revoked_ssh_key_is_named_and_taken_again_when_it_may(tmp_path: Path) -> None:
    async def scenario(ssh: Sshd) -> None:
        shop = Workshop(tmp_path / "box")
        allowed = ssh.folder / "authorized"
        shutil.move(allowed, ssh.folder / "kept")
        allowed.touch()
        shop.worker(*sftp(ssh, ssh.port))
        async with shop.running():
            shop.add(*SIZES)
            await shop.until_named("fault_denied")
            shutil.move(ssh.folder / "kept", allowed)
            await shop.until_all_verified()
        assert files(ssh.root) == shop.sent

    with Sshd(tmp_path / "ssh") as ssh:
        asyncio.run(scenario(ssh))


def test_a_changed_password_of_a_share_is_named_and_taken_again_when_it_is_right(tmp_path: Path) -> None:
    async def scenario(share: Samba) -> None:
        shop = Workshop(tmp_path / "box")
        shop.worker(*smb(share, share.port))
        share.set_password("another")
        async with shop.running():
            shop.add(*SIZES)
            await shop.until_named("fault_denied")
            share.set_password(share.password)
            await shop.until_all_verified()
        assert files(share.root) == shop.sent

    with Samba(tmp_path / "smb") as share:
        asyncio.run(scenario(share))


def test_a_file_on_the_box_that_rotted_is_an_alarm_and_is_never_sent(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()

    async def scenario() -> None:
        shop = Workshop(tmp_path / "box")
        worker = shop.worker(Target(name="usb", kind="folder", folder=str(disk)), lambda: Folder(disk, "office"))
        shop.add(*SIZES)
        whole = (shop.kept / f"{1:032x}.body").read_bytes()
        (shop.kept / f"{1:032x}.body").write_bytes(whole[:-1] + bytes((whole[-1] ^ 1,)))
        (shop.kept / f"{2:032x}.seal").unlink()
        async with shop.running():
            await shop.until(lambda: shop.count("verified") == len(shop.sent) - 2, 30)
            assert worker.shown().refused == 2
        assert len(files(disk)) == len(shop.sent) - 2

    asyncio.run(scenario())
