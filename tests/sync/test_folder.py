"""A folder as a target: what its file system cannot do is no fault, what it could not do is one."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from appliance import durable
from appliance.sync.faults import Fault, Why
from appliance.sync.folder import Folder


@pytest.mark.parametrize(("number", "why"), [(errno.EINVAL, None), (errno.ENOTSUP, None), (errno.EIO, Why.GONE)])
def test_a_folder_that_cannot_be_synced_is_taken_and_one_that_failed_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, why: Why | None
) -> None:
    def fails(_: Path) -> None:
        raise OSError(number, "as the file system says")

    target, file = Folder(tmp_path, "office"), tmp_path / "office" / "a"
    file.parent.mkdir()
    file.write_bytes(b"old")
    monkeypatch.setattr(durable, "sync", fails)
    if why is None:
        target.erase(["office/a"])
    else:
        with pytest.raises(Fault) as caught:
            target.erase(["office/a"])
        assert caught.value.why is why
    assert not file.exists()
