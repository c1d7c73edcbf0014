"""Reading recordings: whole or not (no key needed), and what they hold (the owner's key, never on the box).

A recording is named by its base: the path of its three files without their endings. What a newcomer gets wrong: the
identity of a recording is not its file's name. Three files of another recording under this name are whole in
themselves; only the id that the seal's first record is bound to (with the key) or the hashes in the box's records
(without it) tell them apart. Give ``recording`` from the records where they are at hand.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from appliance.errors import Problem
from appliance.recorder import container, passphrase, seal
from appliance.recorder.container import DamagedError
from appliance.recorder.keys import Identity, parse_identity
from appliance.recorder.segments import SUFFIXES
from appliance.recorder.speech import Conversation, Talk
from appliance.recorder.wav import WAV_FORMAT, WAV_HEADER_BYTES, wav_header

State = Literal["verified", "open", "damaged", "missing"]

FRAME_BYTES = 320  # 20 ms of both directions
READ_BYTES = 1 << 20
MOST_IDENTITY_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Verdict:
    """``verified``: closed and whole; ``open``: whole up to its last sealed half second, but never closed.

    ``reason`` names the place of a damage, or what is missing. ``is_authentic`` says that the owner's key looked too:
    without it a verdict finds accidents and careless hands, not a forger who computes the hashes anew.
    """

    state: State
    reason: str
    is_authentic: bool = False
    milliseconds: int = 0
    body_bytes: int = 0
    body_sha256: str = ""
    seal_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened ``at_ms`` of the recording: hold, resume, transfer, resync, gap, ..."""

    at_ms: int
    kind: str
    detail: str
    milliseconds: int = 0


@dataclass(frozen=True, slots=True)
class Late:
    """A packet that came after its slot was written; ``position`` in samples, ``channel`` 0 left, 1 right."""

    channel: int
    position: int
    timestamp: int
    sound: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """A recording in clear. ``stereo`` is interleaved G.711, left first, as written; ``about`` is its START."""

    recording: str
    is_closed: bool
    law: str
    about: dict[str, Any]
    summary: dict[str, Any]
    marks: tuple[Mark, ...]
    ticks: tuple[seal.Tick, ...]
    late: tuple[Late, ...]
    stereo: bytes

    @property
    def milliseconds(self) -> int:
        return len(self.stereo) // 16

    @property
    def gaps(self) -> tuple[Mark, ...]:
        """Where time is missing, and how much."""
        return tuple(mark for mark in self.marks if mark.kind == "gap")

    @property
    def filled_ms(self) -> tuple[int, int]:
        """Left and right: silence that stands where no packet came."""
        return (
            sum(tick.left.filled_samples for tick in self.ticks) // 8,
            sum(tick.right.filled_samples for tick in self.ticks) // 8,
        )

    def patched(self) -> bytes:
        """``stereo`` with every late packet where it belongs: all that was ever received."""
        if not self.late:
            return self.stereo
        sound = bytearray(self.stereo)
        for late in self.late:
            first = 2 * late.position + late.channel
            room = len(range(first, len(sound), 2))
            part = late.sound[:room]
            sound[first : first + 2 * len(part) : 2] = part
        return bytes(sound)

    def spoken(self) -> Iterator[tuple[bool, bool]]:
        """Of every 20 ms whether left and right spoke, as it was marked during the call."""
        before = WAV_HEADER_BYTES
        for tick in self.ticks:
            for bit in range((tick.plain_bytes - before) // FRAME_BYTES):
                yield bool(tick.left.speech >> bit & 1), bool(tick.right.speech >> bit & 1)
            before = tick.plain_bytes

    def speech(self) -> Talk:
        """From the END record; what that lacks, and an open recording's, is counted anew from the half seconds."""
        conversation = Conversation()
        for left, right in self.spoken():
            conversation.frame(left, right, False)
        counted = asdict(conversation.talk)
        return Talk(**{name: int(self.summary.get(name, figure)) for name, figure in counted.items()})


def base_of(path: Path) -> Path:
    """The base that one of the three files (or the base itself) belongs to."""
    return path.with_suffix("") if path.suffix in SUFFIXES else path


def started_utc_ms(recording: str) -> int:
    """When it began, by its id: the first 48 bits of a UUIDv7 (RFC 9562, 5.7)."""
    return int(recording[:12], 16)


def load_identity(file: Path) -> Identity:
    """A private key from a file; asks for the passphrase where it is wrapped. Problem where it is none."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MOST_IDENTITY_BYTES)
    except OSError as error:
        raise Problem("recorder.no_identity_file", file=str(file), reason=error.strerror or "") from error
    if passphrase.is_wrapped(content):
        content = passphrase.unwrapped(content, passphrase.ask(file.name))
    return parse_identity(content.decode("ascii", "replace"))


def verify(base: Path, identity: Identity | None = None, recording: str = "") -> Verdict:
    """Whether the three files are whole and belong together; with the key, whether every byte is the box's own.

    Reads the body in pieces: an hour needs no more memory than a minute. Raises Problem only where ``identity`` is not
    one of the recording's keys.
    """
    try:
        checked = _checked(base)
        if identity is not None:
            _opened(base, checked, identity, _id(base, recording))
    except FileNotFoundError as error:
        return Verdict("missing", Path(str(error.filename)).suffix.removeprefix("."))
    except DamagedError as error:
        return Verdict("damaged", str(error))
    last = checked.records[-1]
    return Verdict(
        state="verified" if checked.is_closed else "open",
        reason="",
        is_authentic=identity is not None,
        milliseconds=milliseconds_of(last.body_bytes, checked.is_closed),
        body_bytes=last.body_bytes,
        body_sha256=last.digest.hex(),
        seal_sha256=hashlib.sha256(checked.sealed).hexdigest(),
    )


def open_recording(base: Path, identity: Identity, recording: str = "") -> Opened:
    """Everything, authenticated. Problem for missing or damaged files, and for a key that is not one of its owners'."""
    try:
        return _opened(base, _checked(base), identity, _id(base, recording))
    except FileNotFoundError as error:
        raise Problem("recorder.not_there", file=str(error.filename)) from error
    except DamagedError as error:
        raise Problem("recorder.damaged", recording=base.name, place=str(error)) from error


def milliseconds_of(body_bytes: int, is_closed: bool) -> int:
    """Length of the sound in a body of so many bytes; only a closed one ends with its last chunk's tag."""
    full, rest = divmod(max(0, body_bytes - container.NONCE_BYTES), container.SEALED_CHUNK_BYTES)
    if is_closed and rest:
        rest -= container.TAG_BYTES
    return max(0, full * container.CHUNK_BYTES + rest - WAV_HEADER_BYTES) // 16


@dataclass(frozen=True, slots=True)
class _Checked:
    """Files that are whole as far as can be seen without a key."""

    sealed: bytes
    records: list[seal.Record]
    is_closed: bool


def _checked(base: Path) -> _Checked:
    """Structure, numbering and hashes of the seal, and that the body is what the seal says."""
    head = base.with_suffix(".head").read_bytes()
    body = base.with_suffix(".body")
    size = body.stat().st_size
    sealed = base.with_suffix(".seal").read_bytes()
    container.check_head(head)
    records, ends = seal.walk(sealed)
    if not records or ends[-1] != len(sealed):
        raise DamagedError(f"seal: record {len(records)}")
    if records[0].type is not seal.Type.START:
        raise DamagedError("seal: no start")
    for before, record in itertools.pairwise(records):
        if record.type is seal.Type.START or before.type is seal.Type.END or record.body_bytes < before.body_bytes:
            raise DamagedError(f"seal: record {record.number}")
    if records[-1].body_bytes != size:
        raise DamagedError("body: length")
    is_closed = records[-1].type is seal.Type.END
    _check_hashes(body, records, is_closed)
    return _Checked(sealed, records, is_closed)


def _check_hashes(body: Path, records: list[seal.Record], is_closed: bool) -> None:
    """Every record's prefix; in a closed recording the last chunk was written anew, so only END vouches for it."""
    nonce, chunk = container.NONCE_BYTES, container.SEALED_CHUNK_BYTES
    size = records[-1].body_bytes
    rewritten_from = nonce + max(0, size - nonce - 1) // chunk * chunk if is_closed else size
    running = hashlib.sha256()
    at = 0
    with body.open("rb") as file:
        for record in records:
            if record.body_bytes > rewritten_from and record is not records[-1]:
                continue
            while at < record.body_bytes:
                part = file.read(min(READ_BYTES, record.body_bytes - at))
                if not part:
                    raise DamagedError("body: length")
                running.update(part)
                at += len(part)
            if not hmac.compare_digest(running.digest(), record.digest):
                raise DamagedError(f"body: before byte {record.body_bytes}")


def _opened(base: Path, checked: _Checked, identity: Identity, recording: bytes) -> Opened:
    """All that the key shows; every record and every byte of the body is authenticated."""
    try:
        file_key = container.open_head(base.with_suffix(".head").read_bytes(), identity)
    except PermissionError as error:
        raise Problem("recorder.not_for_this_key", recording=base.name) from error
    body = base.with_suffix(".body").read_bytes()
    records = seal.opened(checked.records, recording, file_key, body[: container.NONCE_BYTES])
    if hashlib.sha256(body).digest() != records[-1].digest:
        raise DamagedError("body: changed while it was read")
    plain = container.open_body(body, file_key, checked.is_closed)
    about = _json(records[0])
    law = str(about.get("law"))
    if law not in WAV_FORMAT or about.get("recording") != recording.hex():
        raise DamagedError("seal: start")
    if plain[:WAV_HEADER_BYTES] != wav_header(law):
        raise DamagedError("body: header")
    ticks = tuple(seal.decode_tick(record.payload) for record in records if record.type is seal.Type.TICK)
    if ticks and ticks[-1].plain_bytes != len(plain):
        raise DamagedError("seal: length")
    return Opened(
        recording=recording.hex(),
        is_closed=checked.is_closed,
        law=law,
        about=about,
        summary=_json(records[-1]) if checked.is_closed else {},
        marks=tuple(_mark(_json(record)) for record in records if record.type is seal.Type.MARK),
        ticks=ticks,
        late=tuple(Late(*seal.decode_late(record.payload)) for record in records if record.type is seal.Type.LATE),
        stereo=plain[WAV_HEADER_BYTES:],
    )


def _id(base: Path, recording: str) -> bytes:
    """The id the seal must be bound to."""
    try:
        found = bytes.fromhex(recording or base.name)
    except ValueError:
        found = b""
    if len(found) != 16:
        raise Problem("recorder.no_id", file=base.name)
    return found


def _json(record: seal.Record) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(record.payload)
    return content


def _mark(content: dict[str, Any]) -> Mark:
    return Mark(
        int(content["at_ms"]), str(content["kind"]), str(content.get("detail", "")), int(content.get("milliseconds", 0))
    )
