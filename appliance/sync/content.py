"""What the bytes of a unit are: files as they were sealed, batches as they are read from the records.

A batch is fixed at its first try and stays so until every target has it; what was erased before that is not in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from appliance.records import cdr, outgoing
from appliance.records.reader import Conversation, Reader
from appliance.sync.faults import Fault, Why
from appliance.sync.units import Kind, Unit


@dataclass(frozen=True, slots=True)
class Content:
    """``source`` is a file of ``kept``, or bytes; ``size`` and ``sha256`` are what was found."""

    source: Path | bytes
    size: int
    sha256: str


def of_file(kept: Path, unit: Unit) -> Content:
    """A file of a recording, read once; Fault where it is missing or not what was sealed."""
    path = kept / f"{unit.recording}.{unit.kind}"
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
    except FileNotFoundError as error:
        raise Fault(Why.MISSING, path.name) from error
    except OSError as error:
        raise Fault(Why.DAMAGED, f"{path.name}: {error.strerror}") from error
    if (unit.sha256 and digest != unit.sha256) or (unit.sha256 and unit.size and size != unit.size):
        raise Fault(Why.DAMAGED, path.name)
    return Content(path, size, digest)


def of_batch(reader: Reader, unit: Unit, box: str) -> Content | None:
    """The content of a batch as the records stand now; None where nothing of it is left to send."""
    made = b""
    match unit.kind:
        case Kind.EVENTS:
            made = reader.within(lambda db: outgoing.chain_lines(db, unit.first, unit.last))
        case Kind.RECORDS:
            made = "".join(
                json.dumps({"n": n, **cdr.as_json(one)}, ensure_ascii=False, separators=(",", ":")) + "\n"
                for n, one in revised(reader, unit)
            ).encode("utf-8", "replace")
        case Kind.CALL:
            made = b"".join(_cloud_event(n, one, box) for n, one in revised(reader, unit))
        case Kind.HEAD | Kind.SEAL | Kind.BODY | Kind.ERASE:
            raise AssertionError(unit.kind)
    return Content(made, len(made), hashlib.sha256(made).hexdigest()) if made else None


def revised(reader: Reader, unit: Unit) -> list[tuple[int, Conversation]]:
    """Conversations whose newest revision is in the unit, with its number."""
    found = []
    for n, conversation in reader.within(lambda db: outgoing.revisions(db, unit.first, unit.last)):
        one = reader.conversation(conversation)
        if one is not None:
            found.append((n, one))
    return found


def _cloud_event(n: int, one: Conversation, box: str) -> bytes:
    """CloudEvents 1.0 in JSON; ``id`` is the same in each try, ``sequence`` lets a receiver see the order."""
    event = {
        "specversion": "1.0",
        "id": f"{box}-{n}",
        "source": f"/box/{box}",
        "type": f"ir.pasokh.call.{'ended' if one.revision == 1 else 'revised'}.v1",
        "subject": one.conversation,
        "time": cdr.utc(one.closed if one.closed is not None else one.opened),
        "datacontenttype": "application/json",
        "sequence": f"{n:012}",
        "data": cdr.as_json(one),
    }
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def read_back(chunks: Iterable[bytes]) -> tuple[int, str]:
    """Length and digest of what comes out of an iterable of bytes."""
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
    return size, digest.hexdigest()
