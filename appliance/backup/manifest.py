"""What a backup says of itself: its first member, read strictly, since a stranger may have written it."""

from __future__ import annotations

import re
from typing import NoReturn

import msgspec

from appliance import __version__
from appliance.errors import Problem

FORMAT = 1
NAME = "manifest.json"
SETTINGS = "pasokh.toml"
DATABASE = "data/calls.db"
DATABASE_KEY = "secrets/database-key"
ROOTS = ("data", "secrets", "flows", "prompts")
MOST_BYTES = 16 << 20  # of the manifest itself: a hundred thousand files
_NAME = re.compile(r"[^\x00-\x1f\x7f\\]{1,1000}")


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file by its name in the backup: ``data/flows/...``, ``secrets/...``."""

    name: str
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """``ledger`` is the link of the first event, ``head_n`` and ``head`` the number and link of the last one."""

    format: int
    version: str
    box: str
    ledger: str
    made_utc_ms: int
    head_n: int
    head: str
    files: tuple[Entry, ...]
    left_out: tuple[str, ...] = ()  # folders of secrets that the maker could not read

    @property
    def total_bytes(self) -> int:
        return sum(entry.bytes for entry in self.files)


def packed(manifest: Manifest) -> bytes:
    return msgspec.json.encode(manifest)


def read(content: bytes, file: str) -> Manifest:
    """The manifest; Problem ``backup.newer`` for one of a newer version, ``backup.bad_inside`` for one that lies."""
    try:
        about = msgspec.json.decode(content, type=_About)
        if about.format > FORMAT or _numbers(about.version) > _numbers(__version__):
            raise Problem("backup.newer", file=file, version=about.version[:40], own=__version__)
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Problem("backup.bad_inside", file=file, reason=str(error)[:120]) from error
    _check(manifest, file)
    return manifest


class _About(msgspec.Struct, frozen=True):
    format: int
    version: str


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _check(manifest: Manifest, file: str) -> None:
    def refuse(reason: str) -> NoReturn:
        raise Problem("backup.bad_inside", file=file, reason=reason[:120])

    names = [entry.name for entry in manifest.files]
    for entry in manifest.files:
        parts = entry.name.split("/")
        is_under_root = parts[0] in ROOTS and len(parts) > 1
        if (
            not _NAME.fullmatch(entry.name)
            or any(part in ("", ".", "..") for part in parts)
            or not (is_under_root or entry.name == SETTINGS)
        ):
            refuse(f"name {entry.name[:60]!r}")
        if entry.bytes < 0 or not re.fullmatch("[0-9a-f]{64}", entry.sha256):
            refuse(f"entry {entry.name[:60]!r}")
    if len(set(names)) != len(names):
        refuse("a name stands twice")
    for needed in (SETTINGS, DATABASE, DATABASE_KEY):
        if needed not in names:
            refuse(f"{needed} is missing")
    if not re.fullmatch("[0-9a-f]{64}", manifest.head) or manifest.head_n < 0:
        refuse("head")
