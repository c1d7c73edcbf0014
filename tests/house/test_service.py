"""Readiness is told, secrets are made once; files are whole."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from pathlib import Path

import pytest

from appliance import durable, service


def test_readiness_reaches_whoever_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        assert service.notify("READY=1")
        assert listener.recv(100) == b"READY=1"


def test_a_loop_that_turns_says_so_within_each_period(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "notify"
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    monkeypatch.setenv("WATCHDOG_USEC", "150000")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(5)

        async def turns() -> bytes:
            telling = asyncio.create_task(service.tell_watchdog())
            heard = [await asyncio.to_thread(listener.recv, 100) for _ in range(3)]
            telling.cancel()
            return b" ".join(heard)

        assert asyncio.run(turns()) == b"WATCHDOG=1 WATCHDOG=1 WATCHDOG=1"


def test_no_watchdog_is_told_where_none_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    asyncio.run(asyncio.wait_for(service.tell_watchdog(), 5))


def test_nothing_is_told_where_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not service.notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    assert not service.notify("READY=1")


def test_a_secret_is_made_at_first_start_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "calls-db"
    first = service.made_once(path)
    assert len(first) == 32 and service.made_once(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    durable.write_whole(path, b"old")

    def fails(_source: object, _target: object) -> None:
        raise OSError("no")

    monkeypatch.setattr(os, "rename", fails)
    with pytest.raises(OSError, match="no"):
        durable.write_whole(path, b"new")
    assert path.read_bytes() == b"old" and [entry.name for entry in tmp_path.iterdir()] == ["file"]
