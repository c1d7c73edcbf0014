"""Bytes that we promise to read for ever: ``python -m tests.recorder.vectors`` writes tests/vectors anew.

All randomness of the payload is given, so that writing again must give the same bytes. Heads hold randomness of their
own (the wrapping of the file key); they are kept as they were made, and must open.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from appliance.recorder import container, seal
from appliance.recorder.keys import Identity
from appliance.recorder.wav import WAV_HEADER_BYTES, wav_header
from tests.recorder.given import CLASSIC, HYBRID, named

FOLDER = Path(__file__).parent.parent / "vectors"
SIZES = (0, 1, 16_000, 65_535, 65_536, 65_537, 131_072, 196_608)
WHOLE_UP_TO = 16_000  # bodies above are kept as their hash
RECORDING = named(77)


def payload(size: int) -> bytes:
    """Bytes that anyone can make again: SHA-256 of a counter (8 bytes, big-endian), one after the other."""
    return b"".join(hashlib.sha256(n.to_bytes(8, "big")).digest() for n in range(size // 32 + 1))[:size]


def written(size: int, file_key: bytes, nonce: bytes, feed_bytes: int = 8_000) -> bytes:
    """The body of ``payload(size)``, fed as a call would."""
    body = container.LiveBody(file_key, nonce)
    data = payload(size)
    out = bytearray(nonce)
    for start in range(0, size, feed_bytes):
        out += body.feed(data[start : start + feed_bytes])
    out[body.open_offset :] = body.final(bytes(out[body.open_offset :]))
    return bytes(out)


def bodies() -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for size in SIZES:
        file_key = hashlib.sha256(f"file key {size}".encode()).digest()[:16]
        nonce = hashlib.sha256(f"nonce {size}".encode()).digest()[:16]
        body = written(size, file_key, nonce)
        entry: dict[str, Any] = {
            "size": size,
            "file_key": file_key.hex(),
            "nonce": nonce.hex(),
            "payload_sha256": hashlib.sha256(payload(size)).hexdigest(),
            "body_sha256": hashlib.sha256(body).hexdigest(),
            "heads": {
                identity.kind: base64.b64encode(container.head([identity.recipient()], file_key)).decode()
                for identity in (CLASSIC, HYBRID)
            },
        }
        if size <= WHOLE_UP_TO:
            entry["body"] = base64.b64encode(body).decode()
        made.append(entry)
    return made


def recording(identity: Identity) -> dict[str, Any]:
    """One whole recording of 1 s with every kind of seal record."""
    file_key, nonce = bytes(range(16)), bytes(range(16, 32))
    live = container.LiveBody(file_key, nonce)
    body = bytearray(nonce + live.feed(wav_header("PCMA")))
    sealer = seal.Sealer(bytes.fromhex(RECORDING), file_key, nonce)
    sealed = bytearray(seal.MAGIC)

    def record(kind: seal.Type, content: bytes) -> None:
        sealed.extend(sealer.record(kind, content, len(body), hashlib.sha256(body).digest()))

    about = {"version": 1, "recording": RECORDING, "conversation": "c", "part": 1, "consent": "k", "law": "PCMA"}
    record(seal.Type.START, seal.canonical(about))
    for half in range(2):
        body += live.feed(payload(16_000)[half * 8000 : half * 8000 + 8000])
        tick = seal.Tick(
            WAV_HEADER_BYTES + 8000 * (half + 1),
            1_790_000_000_000 + 500 * half,
            1_000_000 + 500 * half,
            0,
            seal.Channel(4_294_967_200, 25, 0, 1, 0, -20, 0b1111111111),
            seal.Channel(160, 24, 1, 0, 160, -35, 0b1 << 24),
        )
        record(seal.Type.TICK, tick.encode())
    record(seal.Type.MARK, seal.canonical({"at_ms": 400, "detail": "desk", "kind": "hold"}))
    record(seal.Type.LATE, seal.encode_late(1, 320, 4711, b"\x2a" * 160))
    body[live.open_offset :] = live.final(bytes(body[live.open_offset :]))
    summary = {"dead_air_ms": 0, "left_talk_ms": 400, "milliseconds": 1000, "missing_ms": 0}
    record(seal.Type.END, seal.canonical({**summary, "overtalk_ms": 0, "right_talk_ms": 40}))
    parts = {"head": container.head([identity.recipient()], file_key), "body": bytes(body), "seal": bytes(sealed)}
    return {"recording": RECORDING, **{name: base64.b64encode(data).decode() for name, data in parts.items()}}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    keys = {identity.kind: identity.encode() for identity in (CLASSIC, HYBRID)}
    public = {identity.kind: identity.recipient().text for identity in (CLASSIC, HYBRID)}
    document: dict[str, Any] = {"identities": keys, "recipients": public, "bodies": bodies()}
    (FOLDER / "container.json").write_text(json.dumps(document, indent=1) + "\n")
    document = {"identities": keys, "recordings": {each.kind: recording(each) for each in (CLASSIC, HYBRID)}}
    (FOLDER / "recording.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
