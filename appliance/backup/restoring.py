"""Puts a backup back: all of it into a folder beside the place, checked there, and given its name at the very end.

``FOLDER`` is then a whole box: ``pasokh.toml`` with ``data/``, ``secrets/``, ``flows/`` (and ``prompts/``) beside it,
and ``pasokh.toml.original`` as it was on the old box. A folder that is not blank is refused, unless the words are said
(``REPLACES``); what was there is then kept beside, and the two change places in one step. A box that runs is never
replaced. The owner's key is read and never kept; it must not lie in the folder.

What a newcomer gets wrong: the records end where the backup was made. What happened after it is not known here, so who
was reached since is called once more; ``restored.json`` makes the next calls process write that into the chain.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pwd
import shutil
import socket
import tempfile
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from appliance import durable
from appliance.backup import manifest, reading
from appliance.backup.reading import Checked, Progress
from appliance.backup.relocated import relocated
from appliance.errors import Problem
from appliance.recorder.keys import Identity
from appliance.records import chain

REPLACES = "replace-what-is-there"  # the words with which a folder that is not blank may be replaced
ORIGINAL = "pasokh.toml.original"
MARK = "restored.json"

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # renameat2(2)

Check = Callable[[Path], object]
"""Reads a settings' file whole, as the services will; Problem where they would refuse it."""


@dataclass(frozen=True, slots=True)
class Restored:
    folder: Path
    checked: Checked
    before: Path | None  # where the box that was there is now


def restore(
    file: Path,
    identity: Identity,
    folder: Path,
    *,
    replaces: str = "",
    anchor: chain.Head | None = None,
    check: Check = lambda _settings: None,
    progress: Progress = lambda _done, _all: None,
) -> Restored:
    """Makes ``folder`` the box of ``file``. Problem where it cannot be; the place is then as it was."""
    folder = folder.absolute()
    is_blank = _is_blank(folder)
    if not is_blank:
        if replaces != REPLACES:
            raise Problem("backup.not_blank", folder=str(folder), words=REPLACES)
        _refuse_running(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.restoring-", dir=folder.parent))
    except OSError as error:
        raise Problem("backup.unwritable", file=str(folder), reason=error.strerror or str(error)) from error
    try:
        checked = lay_out(file, identity, scratch, anchor=anchor, check=check, progress=progress)
        scratch.chmod(0o750)
        before = _put(scratch, folder, is_blank)
    except OSError as error:
        raise Problem("backup.unwritable", file=str(folder), reason=error.strerror or str(error)) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Restored(folder, checked, before)


def lay_out(
    file: Path,
    identity: Identity,
    into: Path,
    *,
    anchor: chain.Head | None = None,
    check: Check = lambda _settings: None,
    progress: Progress = lambda _done, _all: None,
) -> Checked:
    """A whole box in ``into``, an empty folder: unpacked, checked, with its settings turned to the new place."""
    checked = reading.unpack(file, identity, into, anchor=anchor, progress=progress)
    settings = into / manifest.SETTINGS
    try:
        text = settings.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise Problem("backup.bad_settings", reason=str(error)[:120]) from error
    settings.rename(into / ORIGINAL)
    durable.write_whole(settings, relocated(text, _folders(into)).encode(), 0o640)
    check(settings)
    mark = {
        "made_utc_ms": checked.manifest.made_utc_ms,
        "version": checked.manifest.version,
        "head_n": checked.manifest.head_n,
    }
    durable.write_whole(into / "data" / MARK, json.dumps(mark).encode(), 0o640)
    _owned(into)
    _sync_folders(into)
    return checked


def _folders(into: Path) -> dict[tuple[str, str], str]:
    found = {
        ("box", "data_folder"): "data",
        ("box", "run_folder"): "run",
        ("box", "secrets_folder"): "secrets",
        ("box", "flows_folder"): "flows",
    }
    for prompts in ("prompts", "flows/prompts"):
        if (into / prompts).is_dir():
            found["media", "prompts_folder"] = prompts
            break
    return found


def _is_blank(folder: Path) -> bool:
    try:
        return not any(folder.iterdir())
    except FileNotFoundError:
        return True
    except OSError as error:
        raise Problem("backup.unwritable", file=str(folder), reason=error.strerror or str(error)) from error


def _refuse_running(folder: Path) -> None:
    """Problem where a calls process answers at the control socket of the box that is there."""
    run = folder / "run"
    with contextlib.suppress(OSError, ValueError, AttributeError, TypeError):
        box = tomllib.loads((folder / manifest.SETTINGS).read_text(encoding="utf-8")).get("box", {})
        run = folder / box.get("run_folder", run)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
        try:
            asking.connect(str(run / "calls.sock"))
        except OSError:
            return
    raise Problem("backup.box_runs", folder=str(folder))


def _put(scratch: Path, folder: Path, is_blank: bool) -> Path | None:
    """One step from the old to the new; where the old box is now."""
    if is_blank:
        scratch.rename(folder)  # onto an empty folder this is one step as well (rename(2))
        durable.sync(folder.parent)
        return None
    before = folder.with_name(f"{folder.name}.before-{scratch.name.rpartition('-')[2]}")
    libc = ctypes.CDLL(None, use_errno=True)
    failed = libc.renameat2(_AT_FDCWD, os.fsencode(scratch), _AT_FDCWD, os.fsencode(folder), _RENAME_EXCHANGE)
    if failed:  # a file system that cannot exchange: two steps, both folders whole at every moment
        folder.rename(before)
        scratch.rename(folder)
    else:
        scratch.rename(before)
    durable.sync(folder.parent)
    return before


def _owned(into: Path) -> None:
    """Modes that readers of the group need; by root, the users that the services run as."""
    database = into / manifest.DATABASE
    database.chmod(0o660)
    (into / "secrets").chmod(0o700)
    (into / "data").chmod(0o2750)
    if os.geteuid() != 0:
        return
    with contextlib.suppress(KeyError):  # not a box of separate users: all stays ours
        calls = pwd.getpwnam("pasokh-calls")
        for path in (
            into,
            *(into / "data").rglob("*"),
            into / "data",
            *(into / "secrets").rglob("*"),
            into / "secrets",
        ):
            os.chown(path, calls.pw_uid, calls.pw_gid)


def _sync_folders(into: Path) -> None:
    for folder in (*(path for path in into.rglob("*") if path.is_dir()), into):
        durable.sync(folder)
