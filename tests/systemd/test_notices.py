"""Each service says that it is ready, and then that it turns, to whoever started it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.keeper import SERVICES

SETTINGS = """
[box]
data_folder = "data"
run_folder = "run"
secrets_folder = "secrets"

[signalling]
address = "127.0.0.1"
port = 0

[media]
real_time = false

[web]
port = 0
tls = false

[[agent]]
name = "first"
phone = "desk1"

[[phone]]
name = "desk1"
"""


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[socket.socket]:
    """Where notices arrive."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "n"))
        listener.settimeout(1)
        yield listener


def notices(heard: socket.socket, process: subprocess.Popen[bytes]) -> list[str]:
    """What was said until the first sign of turning, at most for a minute."""
    said: list[str] = []
    end = time.monotonic() + 60
    while "WATCHDOG=1" not in said or "READY=1" not in said:
        assert time.monotonic() < end and process.poll() is None, said
        try:
            said.append(heard.recv(1000).decode())
        except TimeoutError:
            continue
    return said


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_says_that_it_is_ready_and_that_its_loop_turns(
    service: str, tmp_path: Path, heard: socket.socket
) -> None:
    (tmp_path / "pasokh.toml").write_text(SETTINGS)
    (tmp_path / "secrets").mkdir(mode=0o700)
    (tmp_path / "secrets" / "phone-desk1").write_text("a password of four words")
    process = subprocess.Popen(
        [sys.executable, "-m", "appliance", service, "--config", str(tmp_path / "pasokh.toml")],
        env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "n"), "WATCHDOG_USEC": "3000000"},
        cwd=Path(__file__).parents[2],
        stdin=subprocess.DEVNULL,
    )
    try:
        said = notices(heard, process)
        assert {each.partition("=")[0] for each in said} <= {"READY", "WATCHDOG", "STATUS"}
        process.terminate()
        assert process.wait(30) in (0, -signal.SIGTERM)  # both are a clean end to systemd
    finally:
        process.kill()
        process.wait()
