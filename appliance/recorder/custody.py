"""Whom the box seals to: its folder ``keys/``, what may come into it, and what of it is believed.

``recipients.txt`` is what every recording is sealed to. Plain, it is believed as it stands. Once a signed set was
installed, ``pinned.json`` beside it remembers who may sign the next one and the version that it must exceed; from then
on anything else in recipients.txt is refused, and nothing is recorded rather than sealed to a stranger. The pin lies
on the same disk: against somebody who may write both files stand the events, where calls notes each set (custody.py
of calls). ``drill.txt`` says when a test recording was last opened with the paper.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.durable import write_whole
from appliance.errors import Problem
from appliance.recorder import signed
from appliance.recorder.keys import PINNED, Recipient, load_recipients, recipients_file
from appliance.recorder.signed import SignedDrill, SignedSet

DRILL = "drill.txt"


@dataclass(frozen=True, slots=True)
class Custody:
    """``signed`` is None where the recipients are a plain list; ``drill`` where none fits them."""

    recipients: tuple[Recipient, ...] = ()
    signed: SignedSet | None = None
    drill: SignedDrill | None = None


@dataclass(frozen=True, slots=True)
class _Pinned:
    version: int
    digest: str
    signers: frozenset[str]


def load(data: Path) -> Custody:
    """What recordings are to be sealed to. Problem where the files cannot be used, or are not what was pinned."""
    file = recipients_file(data)
    pinned = _pinned(file.parent)
    try:
        text = _read(file)
    except FileNotFoundError as error:
        if pinned is not None:
            raise Problem("recorder.not_the_owners") from error
        return Custody()
    if pinned is None and not signed.is_set(text):
        return Custody(load_recipients(file))
    try:
        known = signed.read_set(text)
        if pinned is not None and known.digest != pinned.digest:
            _refuse_unless_next(known, pinned)
    except Problem as problem:
        raise Problem("recorder.not_the_owners") from problem
    return Custody(known.recipients, known, drill_for(data, known))


def install(data: Path, text: str) -> SignedSet | SignedDrill:
    """Takes a signed set or a drill into the box, durable and whole at every moment; Problem where it may not be."""
    if not data.is_dir():
        raise Problem("recorder.no_data_folder", folder=str(data))
    folder = recipients_file(data).parent
    if signed.is_drill(text):
        drill, known = signed.read_drill(text), load(data).signed
        if known is None or not signed.fits(drill, known):
            raise Problem("ceremony.other_drill")
        held = drill_for(data, known)
        if held is not None and held.at > drill.at:
            raise Problem("ceremony.older_drill")
        _write(folder / DRILL, text)
        return drill
    new = signed.read_set(text)
    pinned = _pinned(folder)
    if pinned is None:
        _refuse_strangers(recipients_file(data), new)
    elif new.digest != pinned.digest:
        _refuse_unless_next(new, pinned)
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    _write(recipients_file(data), text)  # signed by whom the old pin knows: believed before the new one is there
    pin = {"version": new.version, "digest": new.digest, "signers": sorted(new.signers)}
    _write(folder / PINNED, json.dumps(pin) + "\n")
    return new


def drill_for(data: Path, known: SignedSet) -> SignedDrill | None:
    """The last drill with these keys; one of others, or that was changed, is none."""
    try:
        drill = signed.read_drill(_read(recipients_file(data).parent / DRILL))
    except (FileNotFoundError, Problem):
        return None
    return drill if signed.fits(drill, known) else None


def _refuse_unless_next(new: SignedSet, pinned: _Pinned) -> None:
    if new.signed_by not in pinned.signers:
        raise Problem("ceremony.other_signer", signer=new.signed_by[:16])
    if new.version <= pinned.version:
        raise Problem("ceremony.old_version", version=new.version, known=pinned.version)


def _refuse_strangers(file: Path, new: SignedSet) -> None:
    """The first set takes the place of a plain list, never of another signed set."""
    with contextlib.suppress(FileNotFoundError):
        if signed.is_set(text := _read(file)) and text != new.text:
            raise Problem("recorder.not_the_owners")


def _pinned(folder: Path) -> _Pinned | None:
    try:
        pin: Any = json.loads(_read(folder / PINNED))
        return _Pinned(int(pin["version"]), str(pin["digest"]), frozenset(map(str, pin["signers"])))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise Problem("recorder.not_the_owners") from error


def _read(file: Path) -> str:
    """FileNotFoundError, or the text; a file that is too long, or no text, is not the owner's."""
    try:
        with file.open("rb") as opened:
            content = opened.read(signed.MOST_BYTES + 1)
        if len(content) > signed.MOST_BYTES:
            raise ValueError("too long")
        return content.decode("utf-8")
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise Problem("recorder.not_the_owners") from error


def _write(file: Path, text: str) -> None:
    """0644: public keys and signatures are no secrets."""
    try:
        write_whole(file, text.encode(), 0o644)
    except OSError as error:
        raise Problem("recorder.unwritable", file=str(file), reason=error.strerror or "") from error
