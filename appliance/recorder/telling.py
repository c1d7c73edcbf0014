"""Exports on record: calls is told who opens which recordings and why, before anything of them is written.

Whoever holds the private key and the sealed files can open them anywhere, so this binds the box's own tools, not a
thief. Where no box runs (the owner's machine, with copied files) nobody is there to be told: then who and why stand in
the report of the export, which says that it is not in the chain. Where a box runs and does not answer, nothing is
exported.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import pwd
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance import messages
from appliance.control import client, wire
from appliance.errors import Problem

DEFAULT_RUN = Path("/run/pasokh")
SOCKET = "calls.sock"
MOST_LETTERS = 200  # of a reason: as calls takes it


@dataclass(frozen=True, slots=True)
class Occasion:
    """Who exports, and why. ``socket`` is where a box would listen."""

    who: str
    why: str
    socket: Path

    def tell(self, recordings: Sequence[str], form: str) -> bool:
        """True once it is in the chain, on the disk; False where no box runs here."""
        try:
            self.socket.stat()  # exists() would take "you may not look" for "there is none"
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise Problem("control.unreachable", file=str(self.socket), reason=error.strerror or "") from error
        asyncio.run(self._told(recordings, form))
        return True

    async def _told(self, recordings: Sequence[str], form: str) -> None:
        async with client.reached(self.socket) as control:
            for start in range(0, len(recordings), wire.MOST_EXPORTED):
                part = tuple(recordings[start : start + wire.MOST_EXPORTED])
                await control.order(wire.ExportRecordings("", part, form, self.why, self.who))


def add_reason(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--reason", default="", metavar="TEXT", help="why; it stays in the records (asked for where it is missing)"
    )


def occasion(chosen: argparse.Namespace) -> Occasion:
    """By ``--reason`` and ``--config``; Problem where there is no reason."""
    why = chosen.reason.strip()
    if not why and sys.stdin.isatty():
        why = input(messages.text("recorder.why", messages.chosen_language()) + " ").strip()
    if not why or len(why) > MOST_LETTERS:
        raise Problem("recorder.no_reason", most=MOST_LETTERS)
    return Occasion(_who(), why, _run_folder(chosen.config) / SOCKET)


def _who() -> str:
    """The user of this machine, also behind sudo."""
    if os.getuid() == 0 and os.environ.get("SUDO_USER"):
        return os.environ["SUDO_USER"]
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _run_folder(config: Path | None) -> Path:
    """Where the settings' file says that sockets lie; the file is checked whole by ``pasokh check``."""
    if config is None:
        return DEFAULT_RUN
    try:
        box = tomllib.loads(config.read_text(encoding="utf-8")).get("box", {})
        named = Path(box.get("run_folder", str(DEFAULT_RUN)))
        return (config.resolve().parent / named).resolve()
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise Problem("recorder.not_settings", file=str(config), reason=str(error)) from error
