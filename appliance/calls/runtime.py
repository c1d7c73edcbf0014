"""What a dialog needs to be ended, kept on disk while it lasts, so that the next process can end it after a crash.

One file, appended to and never synced: it need only survive the process, and the kernel writes it when it likes. A leg
that has ended is a short line; when the dead lines outnumber the living the file is written anew.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import msgspec

from appliance.signalling.port import LegKey

log = logging.getLogger(__name__)

REWRITE_LINES = 2_000

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(LegKey | str)


def encoded(key: LegKey) -> str:
    """As it stands in the record of an attempt."""
    return _encoder.encode(key).decode()


def decoded(text: str) -> LegKey | None:
    """The leg again; None where there is none, or this version does not understand it."""
    try:
        entry = _decoder.decode(text) if text else None
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None
    return entry if isinstance(entry, LegKey) else None


class KeptLegs:
    """The legs that are up now. ``left_over`` is what the process before this one left."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: dict[str, bytes] = {}
        self._written = 0
        self._is_complaining = False
        self.left_over: tuple[LegKey, ...] = tuple(_read(path).values())
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._file = self._anew()

    def keep(self, key: LegKey) -> None:
        """The leg could now be ended like this."""
        line = _encoder.encode(key) + b"\n"
        self._lines[key.leg] = line
        self._append(line)

    def forget(self, leg: str) -> None:
        if self._lines.pop(leg, None) is not None:
            self._append(_encoder.encode(leg) + b"\n")

    def close(self) -> None:
        """The orderly end: no leg is left, so nothing is."""
        os.close(self._file)
        self._path.unlink(missing_ok=True)

    def _append(self, line: bytes) -> None:
        self._written += 1
        try:
            if self._written > REWRITE_LINES + 2 * len(self._lines):
                os.close(self._file)
                self._file = self._anew()
            else:
                os.write(self._file, line)
        except OSError as error:  # a full disk: calls go on, only their end after a crash is not sure
            if not self._is_complaining:
                log.warning("legs cannot be kept for the next process: %s", error)
            self._is_complaining = True

    def _anew(self) -> int:
        """A file with the living legs only, put in place of the old one."""
        beside = self._path.with_suffix(".new")
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.write(file, b"".join(self._lines.values()))
        beside.replace(self._path)
        self._written = len(self._lines)
        return file


def _read(path: Path) -> dict[str, LegKey]:
    """The living legs in the file; a line that was cut by the crash is passed over."""
    kept: dict[str, LegKey] = {}
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return kept
    for line in lines:
        try:
            entry = _decoder.decode(line)
        except (msgspec.DecodeError, msgspec.ValidationError):
            continue
        if isinstance(entry, str):
            kept.pop(entry, None)
        else:
            kept[entry.leg] = entry
    return kept
