"""New heads for recordings whose listeners have changed: the body stays, and with it all evidence.

A head is five kilobytes: the key of one recording, wrapped for each listener. It is opened with the owner's key and
written anew for those of the signed set. A head does not tell for whom it is, so a list beside the heads remembers
which are done for this set; what a kill leaves between a new head and its line in the list is done once more, which
changes nothing. Each head is the old one or the new one at every moment: written beside, synced, renamed. What stays
true afterwards: a listener who has left still has what was opened, and every copy of an old head.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance import durable
from appliance.errors import Problem
from appliance.recorder import container, signed
from appliance.recorder.container import DamagedError
from appliance.recorder.keys import Identity, Recipient
from appliance.recorder.signed import SignedSet

HEAD = ".head"
NEW = ".head.new"
BATCH = 64  # heads between two syncs of folder and list

Progress = Callable[[int, int], None]
"""Heads done and heads in all."""


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """Counts of heads; ``foreign`` do not open with this key, ``damaged`` are no heads: names of both."""

    done: int
    before: int  # by a run that was cut off
    foreign: tuple[str, ...]
    damaged: tuple[str, ...]


def run(folder: Path, known: SignedSet, identity: Identity, progress: Progress = lambda _done, _all: None) -> Rewrapped:
    """Every ``*.head`` in ``folder`` for the members of ``known``. Problem where none is there or can be written.

    ``identity`` must be one that signs this set: a listener who opens every recording may still not say who else does.
    """
    if signed.signer_of(identity) not in known.signers:
        raise Problem("ceremony.other_signer", signer=signed.signer_of(identity)[:16])
    names = _heads(folder)
    listed = folder / f".rewrapped-{known.digest[:16]}"
    with _unwritable(folder):
        past = _past(listed)
        waiting = [name for name in names if name not in past]
        foreign: list[str] = []
        damaged: list[str] = []
        with listed.open("a", encoding="ascii") as done_list:
            for start in range(0, len(waiting), BATCH):
                batch = waiting[start : start + BATCH]
                for name in batch:
                    with _sorted_out(name, foreign, damaged):
                        _write_beside(folder / (name + HEAD), identity, known.recipients)
                written = [name for name in batch if name not in (*foreign, *damaged)]
                _put_in_place(folder, written)
                done_list.write("".join(f"{name}\n" for name in written))
                done_list.flush()
                os.fsync(done_list.fileno())
                progress(len(names) - len(waiting) + start + len(batch), len(names))
        _tidy(folder, listed)
    done = len(waiting) - len(foreign) - len(damaged)
    return Rewrapped(done, len(names) - len(waiting), tuple(foreign), tuple(damaged))


def _heads(folder: Path) -> list[str]:
    try:
        names = sorted(path.stem for path in folder.iterdir() if path.suffix == HEAD)
    except OSError as error:
        raise Problem("ceremony.no_heads", folder=str(folder)) from error
    if not names:
        raise Problem("ceremony.no_heads", folder=str(folder))
    return names


def _past(listed: Path) -> frozenset[str]:
    """What the last run has done; its last line may be torn."""
    try:
        text = listed.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return frozenset()
    return frozenset(line.removesuffix("\n") for line in text.splitlines(keepends=True) if line.endswith("\n"))


def _write_beside(file: Path, identity: Identity, recipients: Sequence[Recipient]) -> None:
    """DamagedError and PermissionError as ``container.open_head``."""
    with file.open("rb") as opened:
        data = opened.read(container.MAX_HEAD_BYTES + 1)
        was = os.fstat(opened.fileno())
    if len(data) > container.MAX_HEAD_BYTES:
        raise DamagedError("head: too long")
    file_key = container.open_head(data, identity)
    with file.with_suffix(NEW).open("wb") as opened:
        os.fchmod(opened.fileno(), was.st_mode & 0o777)
        with contextlib.suppress(PermissionError):  # only root gives files away
            os.fchown(opened.fileno(), was.st_uid, was.st_gid)
        opened.write(container.head(recipients, file_key))
    container.wipe(file_key)


def _put_in_place(folder: Path, names: Sequence[str]) -> None:
    """All are on the disk before the first gets its name; synced together, they share the file system's commits."""
    for name in names:
        durable.sync(folder / (name + NEW))
    for name in names:
        os.replace(folder / (name + NEW), folder / (name + HEAD))
    durable.sync(folder)


@contextlib.contextmanager
def _sorted_out(name: str, foreign: list[str], damaged: list[str]) -> Iterator[None]:
    """One bad head keeps none of the others from being done."""
    try:
        yield
    except DamagedError:
        damaged.append(name)
    except PermissionError as error:
        if error.errno is not None:  # the file system's, not the key's
            raise
        foreign.append(name)


@contextlib.contextmanager
def _unwritable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Problem("ceremony.cannot_rewrap", folder=str(folder), reason=error.strerror or str(error)) from error


def _tidy(folder: Path, listed: Path) -> None:
    for left in folder.glob("*" + NEW):
        left.unlink()
    listed.unlink()
    durable.sync(folder)
