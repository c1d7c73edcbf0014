"""Makes a folder of evidence out of the records and a recording's files, with the owner's key; what it holds.

``proof.json`` names the conversation, the box's public key, and of each recording the key that opens this one alone;
``chain.jsonl`` are all events from the first of the conversation to the first signature over its last, those of others
as hashes only; beside them lie the sealed files, the sound as it was sealed, the program that checks all that
(check.py), and a report for people in two languages.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from appliance.errors import Problem
from appliance.evidence import page, paper, report
from appliance.messages import LANGUAGES
from appliance.recorder import container, reading
from appliance.recorder.export import write_new
from appliance.recorder.keys import Identity
from appliance.recorder.telling import Occasion
from appliance.records import chain, encode, signing
from appliance.records.database import Connection
from appliance.records.events import KEPT_STATES, HeadSigned, RecordingSealed
from appliance.records.reader import Reader

VERSION = 1
_EVENTS = """SELECT e.n, e.at, e.kind, e.subject, e.commitment, e.link, b.salt, b.body
FROM event AS e LEFT JOIN event_body AS b USING (n) WHERE e.n BETWEEN ? AND ? ORDER BY e.n"""
_SPAN = "SELECT min(n), max(n) FROM event WHERE subject = ?"
_HEADS = """SELECT e.n, b.body FROM event AS e JOIN event_body AS b USING (n)
WHERE e.kind = 'chain.head' AND e.n > ? ORDER BY e.n"""


@dataclass(frozen=True, slots=True)
class Made:
    """What lies in the folder."""

    conversation: str
    events: int
    recordings: int
    fingerprint: str
    has_pdf: bool


@dataclass(frozen=True, slots=True)
class Told:
    """The events of one conversation, and the chain around them. ``lines`` are written as they are."""

    conversation: str
    before: bytes
    public: str
    signed_at: int
    lines: tuple[dict[str, Any], ...]
    events: tuple[tuple[int, int, str, dict[str, Any]], ...]  # number, UTC ms, kind, body


def make(reader: Reader, kept: Path, conversation: str, identity: Identity, out: Path, occasion: Occasion) -> Made:
    """A new folder ``out``; Problem where the conversation, its files, its signature or its key is missing.

    What is signed was read before the box is told of this export: its own event is not in the folder, only in the
    chain, and in the next folder.
    """
    told = reader.within(lambda db: _told(db, conversation))
    found = [
        body["recording"]
        for _, _, kind, body in told.events
        if kind == RecordingSealed.kind and body["state"] in KEPT_STATES
    ]
    keys = {name: _file_key(kept / name, identity) for name in found}
    if out.exists():
        raise Problem("evidence.unwritable", folder=str(out), reason=os.strerror(errno.EEXIST))
    is_on_record = occasion.tell(found or [conversation], "evidence")
    try:
        out.mkdir(mode=0o700)
    except OSError as error:
        raise Problem("evidence.unwritable", folder=str(out), reason=error.strerror or "") from error
    recordings = []
    for name in found:
        body, seal = (kept / f"{name}.body").read_bytes(), (kept / f"{name}.seal").read_bytes()
        is_closed = reading.verify(kept / name).state == "verified"
        write_new(out / f"{name}.body", body)
        write_new(out / f"{name}.seal", seal)
        write_new(out / f"{name}.wav", container.open_body(body, keys[name], is_closed))
        recordings.append({"recording": name, "key": keys[name].hex(), "is_closed": is_closed})
    write_new(out / "chain.jsonl", "".join(canonical(line) + "\n" for line in told.lines).encode())
    proof = {
        "version": VERSION, "conversation": conversation, "before": told.before.hex(), "public": told.public,
        "recordings": recordings,
    }  # fmt: skip
    write_new(out / "proof.json", canonical(proof).encode() + b"\n")
    write_new(out / "check.py", resources.files(__package__).joinpath("check.py").read_bytes())
    fingerprint = signing.fingerprint(told.public)
    exported = report.Exported(occasion.who, occasion.why, is_on_record)
    for language in LANGUAGES:
        said = report.told(told.conversation, told.events, fingerprint, told.signed_at, exported, language)
        write_new(out / f"report-{language}.html", page.page(said).encode())
        if printed := paper.pdf(said, told.signed_at):
            write_new(out / f"report-{language}.pdf", printed)
    return Made(conversation, len(told.events), len(recordings), fingerprint, any(out.glob("*.pdf")))


def canonical(value: Mapping[str, Any]) -> str:
    """The one way in which a file of the folder is written, so that no byte of it can be changed unseen."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _told(db: Connection, conversation: str) -> Told:
    first, last = db.execute(_SPAN, (conversation,)).fetchall()[0]
    if first is None:
        raise Problem("evidence.no_conversation", conversation=conversation[:64])
    head = _head_over(db, last)
    if head is None:
        raise Problem("evidence.not_signed", conversation=conversation)
    number, said = head
    row = db.execute("SELECT link FROM event WHERE n = ?", (first - 1,)).fetchone()
    lines, events = [], []
    for n, at, kind, subject, commitment, link, salt, body in db.execute(_EVENTS, (first, number)).fetchall():
        is_shown = subject == conversation or kind == signing.KIND
        if subject == conversation:
            if body is None:
                raise Problem("evidence.erased", conversation=conversation)
            events.append((n, at, kind, json.loads(body)))
        lines.append(
            {
                "n": n, "at": at, "kind": kind, "subject": subject, "commitment": commitment.hex(), "link": link.hex(),
                "salt": salt.hex() if is_shown else None, "body": body.decode() if is_shown else None,
            }
        )  # fmt: skip
    before = bytes(row[0]) if row else chain.FIRST
    return Told(conversation, before, said.public, said.at, tuple(lines), tuple(events))


def _head_over(db: Connection, last: int) -> tuple[int, HeadSigned] | None:
    """The first signature that covers event ``last``, and its number."""
    for n, body in db.execute(_HEADS, (last,)):
        said = encode.happened_from(signing.KIND, body)
        if isinstance(said, HeadSigned) and said.n >= last:
            return n, said
    return None


def _file_key(base: Path, identity: Identity) -> bytes:
    """The key of this recording, once every byte of it was found to be the box's own."""
    reading.open_recording(base, identity)
    return container.open_head(base.with_suffix(".head").read_bytes(), identity)


def digest(folder: Path) -> str:
    """SHA-256 over the names and contents of a folder, to be noted where it is handed over."""
    running = hashlib.sha256()
    for file in sorted(_files(folder)):
        running.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return running.hexdigest()


def _files(folder: Path) -> Sequence[Path]:
    return [file for file in folder.iterdir() if file.is_file()]
