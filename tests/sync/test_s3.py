"""What belongs to S3 alone: lock, versions, parts that go on after a kill, orphans, and servers that can less."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from appliance.errors import Problem
from appliance.sync.faults import Fault, Why
from appliance.sync.s3 import PART_BYTES, S3
from appliance.sync.settings import Target
from appliance.sync.units import Kind
from tests.support.memory_s3 import MemoryS3
from tests.support.seaweed import Seaweed
from tests.sync.given import MARKER, content, parcel


@pytest.fixture(scope="module")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    with Seaweed(tmp_path_factory.mktemp("s3")) as server:
        server.make_bucket("plain")
        server.make_bucket("locked", lock=True)
        yield server


def place(seaweed: Seaweed, bucket: str = "plain", url: str = "", **settings: int) -> S3:
    target = Target(name="t", kind="s3", url=url or seaweed.url, bucket=bucket, lock_days=settings.get("lock_days", 0))
    return S3(target, "office", f"{seaweed.access}\n{seaweed.secret}", 10)


@contextlib.contextmanager
def greeted(it: S3) -> Iterator[S3]:
    it.greet(MARKER)
    yield it
    it.close()


def test_body_and_seal_are_locked_and_the_head_never_is(seaweed: Seaweed) -> None:
    with greeted(place(seaweed, "locked", lock_days=1)) as it:
        sent = {kind: parcel(1, 2000, kind=kind) for kind in (Kind.HEAD, Kind.SEAL, Kind.BODY)}
        places = {}
        for kind, each in sent.items():
            it.place(each)
            places[kind] = it.verify(each)
        client = seaweed.client()
        for kind in (Kind.BODY, Kind.SEAL):
            version = places[kind].partition("versionId=")[2]
            with pytest.raises(ClientError):
                client.delete_object(Bucket="locked", Key=sent[kind].key, VersionId=version)
        left = it.erase([sent[kind].key for kind in (Kind.HEAD, Kind.BODY, Kind.SEAL)])
        assert left == [sent[Kind.BODY].key, sent[Kind.SEAL].key]
        versions = client.list_object_versions(Bucket="locked", Prefix=sent[Kind.HEAD].key)
        assert not versions.get("Versions") and not versions.get("DeleteMarkers")


def test_a_bucket_that_cannot_lock_is_told_and_used(seaweed: Seaweed) -> None:
    with greeted(place(seaweed, lock_days=30)) as it:
        assert [each.key for each in it.remarks()] == ["sync.no_object_lock"]
        sent = parcel(2, 2000)
        it.place(sent)
        it.verify(sent)


def test_a_bucket_with_versions_is_told_because_erased_heads_would_stay(seaweed: Seaweed) -> None:
    with greeted(place(seaweed, "locked")) as it:
        assert "sync.versioned" in [each.key for each in it.remarks()]


@pytest.mark.parametrize(
    ("conditions", "checksums", "told"),
    [
        (True, True, []),
        (False, True, ["sync.no_conditions"]),
        (True, False, ["sync.no_checksums"]),
        (False, False, ["sync.no_conditions", "sync.no_checksums"]),
    ],
)
def test_a_server_that_can_less_is_told_and_overwrites_nothing_all_the_same(
    conditions: bool, checksums: bool, told: list[str]
) -> None:
    with MemoryS3(conditions=conditions, checksums=checksums) as server:
        target = Target(name="t", kind="s3", url=server.url, bucket="bucket")
        with greeted(S3(target, "office", "id secret", 5)) as it:
            assert [each.key for each in it.remarks()] == told
            sent = parcel(3, 2000)
            it.place(sent)
            it.verify(sent)
            foreign = parcel(4, 2000)
            server.objects[foreign.key] = b"somebody else's"
            it.place(foreign)
            with pytest.raises(Fault) as caught:
                it.verify(foreign)
            assert caught.value.why is Why.FOREIGN and server.objects[foreign.key] == b"somebody else's"


def test_an_upload_in_parts_goes_on_behind_the_parts_that_are_there(seaweed: Seaweed) -> None:
    size = 3 * PART_BYTES + 77
    notes: list[str] = []
    with greeted(place(seaweed)) as it:
        first = parcel(5, size)
        first.remember = notes.append
        cut_at = 2 * PART_BYTES + 1000
        real = type(first).chunks

        class _CutError(Exception):
            pass

        def chunks(self: object, start: int = 0, length: int | None = None) -> Iterator[bytes]:
            for chunk in real(first, start, length):
                if first.sent_bytes > cut_at:
                    raise _CutError  # the process dies here
                yield chunk

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(first), "chunks", chunks)
            with pytest.raises((_CutError, Fault)):
                it.place(first)
    with greeted(place(seaweed)) as later:
        later.sweep(frozenset(notes))
        again = parcel(5, size, is_retry=True)
        again.note = notes[0]
        later.place(again)
        later.verify(again)
        assert again.sent_bytes == PART_BYTES + 77
    assert seaweed.client().get_object(Bucket="plain", Key=again.key)["Body"].read() == content(5, size)


def test_an_upload_that_the_server_has_forgotten_begins_anew(seaweed: Seaweed) -> None:
    with greeted(place(seaweed)) as it:
        sent = parcel(6, PART_BYTES + 1)
        sent.note = "0123456789abcdef0123456789abcdef"
        it.place(sent)
        it.verify(sent)
        assert sent.sent_bytes == PART_BYTES + 1


def test_uploads_that_nobody_remembers_are_swept_and_others_stay(seaweed: Seaweed) -> None:
    client = seaweed.client()
    orphan = client.create_multipart_upload(Bucket="plain", Key="office/orphan")["UploadId"]
    ours = client.create_multipart_upload(Bucket="plain", Key="office/ours")["UploadId"]
    theirs = client.create_multipart_upload(Bucket="plain", Key="other/box")["UploadId"]
    with greeted(place(seaweed)) as it:
        it.sweep(frozenset({ours}))
    left = {each["UploadId"] for each in client.list_multipart_uploads(Bucket="plain")["Uploads"]}
    assert orphan not in left and {ours, theirs} <= left


@pytest.mark.parametrize("secret", ["", "one", "a b c"])
def test_keys_that_are_none_are_refused(secret: str) -> None:
    with pytest.raises(Problem, match=r"sync\.secret_form"):
        S3(Target(name="t", kind="s3", url="http://127.0.0.1:1", bucket="b"), "office", secret, 1)


def test_what_is_written_for_the_log_names_no_key(seaweed: Seaweed, tmp_path: Path) -> None:
    it = S3(Target(name="t", kind="s3", url=seaweed.url, bucket="plain"), "office", "test-id very-secret", 5)
    with pytest.raises(Fault) as caught:
        it.greet(MARKER)
    it.close()
    assert caught.value.why is Why.DENIED and "very-secret" not in str(caught.value)
