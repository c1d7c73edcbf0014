"""What every process of the box does the same way: logging, readiness, hardening, secrets made at first start.

Readiness and the watchdog are told to whoever started the process (systemd, or ``keeper.py`` on a machine without it)
by the one-datagram protocol of sd_notify(3); where nobody listens, nothing is sent.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import resource
import secrets
import socket
import sys
from pathlib import Path

from appliance.durable import write_whole

_PR_SET_DUMPABLE = 4  # prctl(2)
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class _Journal(logging.Formatter):
    """One line per event, with the priority prefix that journald understands (sd-daemon(3))."""

    def __init__(self, is_journal: bool) -> None:
        super().__init__("%(name)s: %(message)s" if is_journal else "%(asctime)s %(name)s: %(message)s")
        self._is_journal = is_journal

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        return f"<{_PRIORITIES.get(record.levelno, 6)}>{line}" if self._is_journal else line


def set_up_logging(level: int = logging.INFO) -> None:
    """Logs to standard error; under systemd with priorities, else with the time of day."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Journal("JOURNAL_STREAM" in os.environ))
    logging.basicConfig(level=level, handlers=[handler], force=True)


def notify(state: str) -> bool:
    """Tells the supervisor ``READY=1``, ``WATCHDOG=1``, ``STOPPING=1`` or ``STATUS=...``; False if nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            sender.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
        except OSError:
            return False
    return True


async def tell_watchdog() -> None:
    """Says three times in each period that this loop turns, for as long as it does; ends at once if nobody watches.

    The period is the supervisor's (WatchdogSec= of systemd.service(5)), handed over as WATCHDOG_USEC.
    """
    microseconds = int(os.environ.get("WATCHDOG_USEC", "0"))
    while microseconds:
        notify("WATCHDOG=1")
        await asyncio.sleep(microseconds / 3e6)


def harden() -> None:
    """No core dump and no tracing by other processes: voices and keys stay inside."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def made_once(path: Path, number_of_bytes: int = 32) -> bytes:
    """A random secret that is made at first start and read ever after (hex in a file of its own, 0600)."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(path, secrets.token_hex(number_of_bytes).encode() + b"\n")
    return bytes.fromhex(path.read_text().strip())
