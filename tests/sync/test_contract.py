"""What every target does the same way: the contract of ``port.Place``, over the fake and over real servers."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.sync.faults import Fault, Why
from appliance.sync.folder import Folder
from appliance.sync.memory import Memory
from appliance.sync.port import Place
from appliance.sync.s3 import PART_BYTES, S3
from appliance.sync.settings import Target
from appliance.sync.sftp import Sftp
from appliance.sync.smb import Smb
from appliance.sync.units import Kind
from tests.support.samba import Samba
from tests.support.seaweed import Seaweed
from tests.support.sshd import Sshd
from tests.sync.given import MARKER, content, parcel

KINDS = ["memory", "folder", "s3", "sftp", "smb"]
SIZES = [0, 1, 70_000, PART_BYTES, 2 * PART_BYTES + 1234]


@dataclasses.dataclass
class Ground:
    """A target under test: ``make`` gives a new adapter for the same place, ``put`` writes there past it."""

    make: Callable[[], Place]
    put: Callable[[str, bytes], None]
    get: Callable[[str], bytes | None]


@pytest.fixture(scope="module", params=KINDS)
def ground(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("ground")
    match str(request.param):
        case "memory":
            objects: dict[str, bytes] = {}
            yield Ground(lambda: Memory("office", objects), objects.__setitem__, objects.get)
        case "folder":
            yield _in_folder(folder, lambda: Folder(folder, "office"))
        case "s3":
            with Seaweed(folder) as server:
                server.make_bucket("upstream")
                yield _in_bucket(server, "upstream")
        case "sftp":
            with Sshd(folder) as ssh:
                target = Target(
                    name="t", kind="sftp", host="127.0.0.1", port=ssh.port, user=ssh.user, host_key=ssh.host_key
                )
                yield _in_folder(ssh.root, lambda: Sftp(target, "office", ssh.key, 10))
        case "smb":
            with Samba(folder) as share:
                target = Target(name="t", kind="smb", host="127.0.0.1", port=share.port, user=share.user, share="files")
                yield _in_folder(share.root, lambda: Smb(target, "office", share.password, 10))
        case other:
            raise AssertionError(other)


def _in_folder(root: Path, make: Callable[[], Place]) -> Ground:
    def put(key: str, found: bytes) -> None:
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        (root / key).write_bytes(found)

    return Ground(make, put, lambda key: (root / key).read_bytes() if (root / key).is_file() else None)


def _in_bucket(server: Seaweed, bucket: str) -> Ground:
    client = server.client()
    target = Target(name="t", kind="s3", url=server.url, bucket=bucket)

    def get(key: str) -> bytes | None:
        try:
            return bytes(client.get_object(Bucket=bucket, Key=key)["Body"].read())
        except client.exceptions.NoSuchKey:
            return None

    return Ground(
        lambda: S3(target, "office", f"{server.access}\n{server.secret}", 10),
        lambda key, found: client.put_object(Bucket=bucket, Key=key, Body=found),
        get,
    )


@pytest.fixture
def place(ground: Ground) -> Iterator[Place]:
    made = ground.make()
    made.greet(MARKER)
    yield made
    made.close()


def test_the_marker_of_the_first_box_stays_and_every_other_box_finds_it(ground: Ground, place: Place) -> None:
    other = dataclasses.replace(MARKER, box="c" * 32)
    with contextlib.closing(ground.make()) as later:
        assert later.greet(other) == MARKER
    assert place.greet(MARKER) == MARKER


def test_a_box_that_takes_over_leaves_its_own_marker(ground: Ground, place: Place) -> None:
    other = dataclasses.replace(MARKER, machine="n" * 32)
    assert place.greet(other, takes_over=True) == other
    with contextlib.closing(ground.make()) as later:
        assert later.greet(MARKER) == other
    assert place.greet(MARKER, takes_over=True) == MARKER


@pytest.mark.parametrize("size", SIZES)
def test_what_is_placed_lies_there_whole_and_is_read_back(ground: Ground, place: Place, size: int) -> None:
    sent = parcel(1000 + size, size)
    place.place(sent)
    assert sent.key.rpartition("/")[2] in place.verify(sent)
    assert ground.get(sent.key) == content(1000 + size, size)
    assert sent.sent_bytes == size


def test_placing_again_sends_nothing_and_changes_nothing(ground: Ground, place: Place) -> None:
    place.place(parcel(1, 70_000))
    again = parcel(1, 70_000, is_retry=True)
    place.place(again)
    place.verify(again)
    assert again.sent_bytes == 0 and ground.get(again.key) == content(1, 70_000)


def test_another_process_finds_what_the_one_before_has_placed(ground: Ground, place: Place) -> None:
    place.place(parcel(2, 70_000))
    with contextlib.closing(ground.make()) as later:
        later.greet(MARKER)
        again = parcel(2, 70_000, is_retry=True)
        later.place(again)
        later.verify(again)
    assert again.sent_bytes == 0


@pytest.mark.parametrize("is_retry", [False, True])
def test_what_lies_under_our_name_is_never_overwritten(ground: Ground, place: Place, is_retry: bool) -> None:
    sent = parcel(3 + is_retry, 70_000, is_retry=is_retry)
    ground.put(sent.key, b"somebody else's")
    place.place(sent)
    with pytest.raises(Fault) as caught:
        place.verify(sent)
    assert caught.value.why in (Why.FOREIGN, Why.MANGLED)
    assert ground.get(sent.key) == b"somebody else's"


def test_a_probe_comes_through_and_leaves_nothing(ground: Ground, place: Place) -> None:
    place.probe(writes=False)
    place.probe(writes=True)
    assert ground.get("office/probe") is None and ground.get("office/.probe") is None


def test_what_is_erased_is_gone_and_erasing_it_again_is_no_fault(ground: Ground, place: Place) -> None:
    head, body = parcel(6, 1600, kind=Kind.HEAD), parcel(6, 70_000)
    for each in (head, body):
        place.place(each)
        place.verify(each)
    assert place.erase([head.key, body.key]) == []
    assert ground.get(head.key) is None and ground.get(body.key) is None
    assert place.erase([head.key, body.key]) == []


def test_sweeping_takes_nothing_that_is_whole(ground: Ground, place: Place) -> None:
    sent = parcel(7, 70_000)
    place.place(sent)
    place.sweep(frozenset())
    place.verify(sent)
    assert ground.get(sent.key) is not None
