"""What belongs to a box, and so into its backup: everything that its owner or its callers have put into it.

Everything in the data folder is taken but what is named here, so that a room that keeps something new there is not
forgotten. Left out: recordings (their own way, their own keys), what is true only while the services run, the page's
certificate (each box makes its own), what sync can ask the upstream again, and other backups. Flows and prompts are
always taken, also those that came with the package: the restored box shall say what this one said.

A folder of secrets that this user may not enter belongs to another service: it is left out, and the backup says so. Run
as root, `pasokh backup` takes it too.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from appliance.backup.manifest import SETTINGS
from appliance.errors import Problem
from appliance.places import Places

LEFT_OUT = frozenset({"live", "kept", "journal", "runtime", "web", "backups", "sync", "restored.json"})
_DATABASES = (".db", ".db-wal", ".db-shm", ".db-journal")  # calls.db comes as a snapshot; others are of other services


@dataclass(frozen=True, slots=True)
class Source:
    """A file, and its name in the backup."""

    name: str
    path: Path


def sources(settings: Path, places: Places, others: Collection[Path] = ()) -> tuple[list[Source], list[str]]:
    """All files but calls.db, in the order of their names, and the folders of other services that were left out.

    ``others`` are folders of backups. Problem where a folder cannot be read.
    """
    closed = [path for path in _folders(places.secrets) if not os.access(path, os.R_OK | os.X_OK)]
    skipped = {path.resolve() for path in others} | {places.data / name for name in LEFT_OUT} | set(closed)
    taken: dict[Path, Source] = {settings.resolve(): Source(SETTINGS, settings)}
    for root, folder in (
        ("secrets", places.secrets),
        ("flows", places.flows),
        ("prompts", places.prompts),
        ("data", places.data),
    ):
        for path in _files(folder, skipped):
            if root == "data" and path.parent == folder and path.name.endswith(_DATABASES):
                continue
            name = f"{root}/{path.relative_to(folder).as_posix()}"
            taken.setdefault(path.resolve(), Source(name, path))
    ordered = sorted(taken.values(), key=lambda source: source.name)
    return ordered, [f"secrets/{path.name}" for path in sorted(closed)]


def _folders(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_dir()]
    except OSError:
        return []  # refused below, with its reason


def _files(folder: Path, skipped: Collection[Path]) -> Iterator[Path]:
    if not folder.is_dir():
        return

    def refuse(error: OSError) -> None:
        raise Problem("backup.unreadable", file=str(error.filename), reason=error.strerror or str(error)) from error

    for where, folders, names in os.walk(folder, onerror=refuse):
        here = Path(where)
        folders[:] = sorted(name for name in folders if here / name not in skipped and not name.startswith((".", "__")))
        for name in sorted(names):
            path = here / name
            if path in skipped or name.startswith(".") or not path.is_file():
                continue  # hidden: somebody is just writing it beside
            yield path
