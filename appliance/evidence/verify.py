"""Checks a folder of evidence with Pasokh's own rooms: a second opinion beside check.py, with which it shares no line.

The two must agree on every folder. check.py reads by hand what it needs; here the formats are types, the chain is
``records.chain``, the signatures are ``records.signing``, the sound is opened by ``recorder.container``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from appliance.errors import Problem
from appliance.evidence.proof import VERSION, canonical
from appliance.recorder import container
from appliance.records import chain, encode, signing
from appliance.records.events import (
    KEPT_STATES,
    ConversationClosed,
    ConversationOpened,
    Happened,
    HeadSigned,
    RecordingSealed,
)

T = TypeVar("T")


class _Recording(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    recording: str
    key: str
    is_closed: bool


class _Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    conversation: str
    before: str
    public: str
    recordings: tuple[_Recording, ...]


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    n: int
    at: int
    kind: str
    subject: str
    commitment: str
    link: str
    salt: str | None
    body: str | None


def verify(folder: Path, fingerprint: str = "") -> str:
    """The fingerprint of who signed; Problem ``evidence.not_as_signed`` for the first thing that is not as it was."""
    proof = _decoded(_file(folder, "proof.json").removesuffix(b"\n"), _Proof, "proof.json")
    signer = signing.fingerprint(_unhexed(proof.public, 32, "proof.json").hex())
    wanted = "".join(fingerprint.split()).upper()
    _must(wanted in ("", signer.replace(" ", "")), "proof.json", "other_key")
    _must(proof.version == VERSION, "proof.json", "version")
    lines = _lines(folder)
    _must_be_a_chain(lines, _unhexed(proof.before, 32, "proof.json"))
    mine = [line for line in lines if line.subject == proof.conversation]
    said = [_said(line) for line in mine]
    _must(mine[:1] == lines[:1] and isinstance(said[0], ConversationOpened), "chain.jsonl", "beginning")
    _must(any(isinstance(each, ConversationClosed) for each in said), "chain.jsonl", "end")
    _must(_signed_to(lines, proof.public) >= mine[-1].n and lines[-1].kind == signing.KIND, "chain.jsonl", "unsigned")
    sealed = {each.recording: each for each in said if isinstance(each, RecordingSealed) and each.state in KEPT_STATES}
    _must([one.recording for one in proof.recordings] == list(sealed), "proof.json", "recordings")
    for one in proof.recordings:
        _must_be_sealed(folder, one, sealed[one.recording])
    return signer


def _must_be_a_chain(lines: Sequence[_Line], before: bytes) -> None:
    """Numbers without a hole, each link over the one before, each body that of its commitment."""
    for number, line in enumerate(lines, lines[0].n):
        where = f"chain.jsonl, {line.n}"
        committed = _unhexed(line.commitment, 32, where)
        _must(line.n == number, where, "order")
        _must((line.salt is None) == (line.body is None), where, "hidden")
        if line.salt is not None and line.body is not None:
            body = line.body.encode("utf-8", "replace")
            _must(chain.commitment(_unhexed(line.salt, chain.SALT_BYTES, where), body) == committed, where, "changed")
        before = _linked(line, before, committed)
        _must(before == _unhexed(line.link, 32, where), where, "broken")


def _linked(line: _Line, before: bytes, committed: bytes) -> bytes:
    try:
        return chain.link(before, line.n, line.at, line.kind, line.subject, committed)
    except OverflowError as error:
        raise _wrong(f"chain.jsonl, {line.n}", "number") from error


def _signed_to(lines: Sequence[_Line], public: str) -> int:
    """The highest event under a signature; every signature must be valid, of this key, and of this chain."""
    links, reached = {line.n: line.link for line in lines}, 0
    for line in lines:
        if line.kind != signing.KIND:
            continue
        said, where = _said(line), f"chain.jsonl, {line.n}"
        _must(isinstance(said, HeadSigned) and said.public == public and signing.is_valid(said), where, "signature")
        assert isinstance(said, HeadSigned)
        _must(links.get(said.n, said.link) == said.link, where, "other_chain")
        reached = max(reached, said.n if said.n in links else 0)
    return reached


def _said(line: _Line) -> Happened | None:
    """The words of an event of the conversation, or of a signature: they must be there. None for a newer box's kind."""
    _must(line.body is not None, f"chain.jsonl, {line.n}", "hidden")
    try:
        return encode.happened_from(line.kind, (line.body or "").encode())
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise _wrong(f"chain.jsonl, {line.n}", "unreadable") from error


def _must_be_sealed(folder: Path, one: _Recording, said: RecordingSealed) -> None:
    """The sealed files are those of the signed event, and what can be heard is what they hold."""
    body, seal = _file(folder, f"{one.recording}.body"), _file(folder, f"{one.recording}.seal")
    _must(hashlib.sha256(body).hexdigest() == said.body_sha256, f"{one.recording}.body", "changed")
    _must(hashlib.sha256(seal).hexdigest() == said.seal_sha256, f"{one.recording}.seal", "changed")
    try:
        sound = container.open_body(body, _unhexed(one.key, 16, "proof.json"), one.is_closed)
    except container.DamagedError as error:
        raise _wrong(f"{one.recording}.body", "key") from error
    _must(_file(folder, f"{one.recording}.wav") == sound, f"{one.recording}.wav", "changed")


def _lines(folder: Path) -> list[_Line]:
    content = _file(folder, "chain.jsonl")
    _must(content.endswith(b"\n"), "chain.jsonl", "cut")
    return [_decoded(line, _Line, "chain.jsonl") for line in content[:-1].split(b"\n")]


def _decoded(content: bytes, kind: type[T], where: str) -> T:
    """One value, written in the one way in which it can be."""
    try:
        value = msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong(where, "unreadable") from error
    _must(canonical(msgspec.to_builtins(value)).encode("utf-8", "replace") == content, where, "changed")
    return value


def _unhexed(text: str, length: int, where: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError as error:
        raise _wrong(where, "unreadable") from error
    _must(len(found) == length and found.hex() == text, where, "changed")
    return found


def _file(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise _wrong(name, error.strerror or "unreadable") from error


def _must(is_so: bool, where: str, why: str) -> None:
    if not is_so:
        raise _wrong(where, why)


def _wrong(where: str, why: str) -> Problem:
    return Problem("evidence.not_as_signed", where=where, why=why)
