"""The age v1 format, written live (age-encryption.org/v1; RFC 8439 for the cipher).

A recording is three files. ``R.head`` is an age header: the file key, wrapped for every recipient. ``R.body`` is the
payload: a 16-byte nonce and chunks of 64 KiB; ``cat R.head R.body | age -d`` gives a playable WAV. What a newcomer gets
wrong: ChaCha20-Poly1305 is a stream cipher plus a one-time MAC, so the ciphertext of the open chunk may leave at once
and only its tag waits until the chunk is full and more follows. At the end the open chunk is encrypted anew under the
last-chunk nonce and replaces what was written.
"""

from __future__ import annotations

import base64
import ctypes
import hmac
import struct
from collections.abc import Iterable, Sequence

from cryptography.hazmat.primitives import poly1305
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from appliance.recorder.keys import (
    CLASSIC_INFO,
    HYBRID_ENCAPSULATED_BYTES,
    HYBRID_INFO,
    SUITE,
    Identity,
    Recipient,
    derive,
)

VERSION_LINE = b"age-encryption.org/v1\n"
CHUNK_BYTES = 65_536
TAG_BYTES = 16
SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES
NONCE_BYTES = 16
FILE_KEY_BYTES = 16
MAX_HEAD_BYTES = 64 << 10

_BYTES_HEADER = bytes.__basicsize__ - 1  # where the bytes of a bytes object begin


class DamagedError(ValueError):
    """A file is not what its seal or its header says; ``str`` names the place for the report."""


def head(recipients: Sequence[Recipient], file_key: bytes) -> bytes:
    """The age header for these recipients, ending with its MAC line."""
    return assembled((_stanza(recipient, file_key) for recipient in recipients), file_key)


def assembled(stanzas: Iterable[bytes], file_key: bytes) -> bytes:
    """An age header out of finished stanzas (``stanza``)."""
    text = VERSION_LINE + b"".join(stanzas) + b"---"
    mac_key = derive(file_key, None, b"header")
    mac = hmac.digest(mac_key, text, "sha256")
    wipe(mac_key)
    return text + b" " + base64_of(mac) + b"\n"


def check_head(data: bytes) -> None:
    """DamagedError for anything that is not one whole age header; needs no key, so it cannot check the MAC."""
    mac = data.find(b"\n--- ")
    if not data.startswith(VERSION_LINE) or mac < 0 or data.find(b"\n", mac + 1) + 1 != len(data):
        raise DamagedError("head: not an age header")


def open_head(data: bytes, identity: Identity) -> bytes:
    """The file key; DamagedError where the header is broken, PermissionError where it is for somebody else."""
    for arguments, body in stanzas(data):
        file_key = _unwrapped(arguments, body, identity)
        if file_key is not None:
            break
    else:
        raise PermissionError("head")
    check_mac(data, file_key)
    return file_key


def check_mac(data: bytes, file_key: bytes) -> None:
    """DamagedError where the header was changed since this key made it."""
    text = data[: data.index(b"\n--- ") + 4]
    mac = hmac.digest(derive(file_key, None, b"header"), text, "sha256")
    if not hmac.compare_digest(base64_of(mac), data[len(text) + 1 : -1]):
        raise DamagedError("head: MAC")


def chunk_nonce(index: int, is_last: bool) -> bytes:
    return index.to_bytes(11, "big") + (b"\1" if is_last else b"\0")


class LiveBody:
    """The payload of one recording as it grows. Feed plaintext, append what comes out, close with ``final``.

    Holds no sound: what the end needs of the open chunk is read back from the body.
    """

    __slots__ = ("_chunk", "_index", "_key")

    def __init__(self, file_key: bytes, nonce: bytes) -> None:
        self._key = derive(file_key, nonce, b"payload")
        self._index = 0
        self._chunk: _OpenChunk | None = _OpenChunk(self._key, 0)

    @property
    def open_offset(self) -> int:
        """Where the open chunk begins in the body."""
        return NONCE_BYTES + self._index * SEALED_CHUNK_BYTES

    def feed(self, data: bytes | bytearray) -> bytes:
        """Ciphertext to append to the body now."""
        chunk = self._chunk
        assert chunk is not None
        if chunk.size + len(data) <= CHUNK_BYTES:  # nearly always
            return chunk.update(data)
        out: list[bytes] = []
        rest = memoryview(data)
        while rest:
            if chunk.size == CHUNK_BYTES:  # a full chunk is closed only when more follows
                out.append(chunk.tag())
                self._index += 1
                chunk = self._chunk = _OpenChunk(self._key, self._index)
            take = rest[: CHUNK_BYTES - chunk.size]
            out.append(chunk.update(take))
            rest = rest[len(take) :]
        return b"".join(out)

    def final(self, open_chunk: bytes) -> bytes:
        """What replaces ``open_chunk`` (all of the body from ``open_offset`` on) at the end; wipes the key."""
        plain = _deciphered(self._key, self._index, open_chunk)
        sealed = ChaCha20Poly1305(self._key).encrypt(chunk_nonce(self._index, True), plain, None)
        wipe(plain)
        self.forget()
        return sealed

    def forget(self) -> None:
        """Wipes the key; nothing can be fed any more."""
        self._chunk = None
        wipe(self._key)


class _OpenChunk:
    """RFC 8439's AEAD whose ciphertext leaves before its tag is known."""

    __slots__ = ("_cipher", "_mac", "size")

    def __init__(self, key: bytes, index: int) -> None:
        # 16 bytes: the block counter (little-endian, from 0) and the nonce; block 0 keys the MAC (RFC 8439, 2.6).
        cipher = Cipher(ChaCha20(key, bytes(4) + chunk_nonce(index, False)), None)
        self._cipher = cipher.encryptor()
        self._mac = poly1305.Poly1305(self._cipher.update(bytes(64))[:32])
        self.size = 0

    def update(self, data: bytes | bytearray | memoryview) -> bytes:
        sealed = self._cipher.update(data)
        self._mac.update(sealed)
        self.size += len(sealed)
        return sealed

    def tag(self) -> bytes:
        self._mac.update(bytes(-self.size % 16) + struct.pack("<QQ", 0, self.size))
        return self._mac.finalize()


def open_body(body: bytes, file_key: bytes, is_closed: bool) -> bytes:
    """The plaintext. An open recording's last chunk has no tag: it is deciphered, and its seal vouches for it."""
    if len(body) < NONCE_BYTES:
        raise DamagedError("body: no nonce")
    key = derive(file_key, body[:NONCE_BYTES], b"payload")
    cipher = ChaCha20Poly1305(key)
    sealed = memoryview(body)[NONCE_BYTES:]
    out: list[bytes] = []
    index = 0
    while True:
        chunk = sealed[index * SEALED_CHUNK_BYTES : (index + 1) * SEALED_CHUNK_BYTES]
        is_last = (index + 1) * SEALED_CHUNK_BYTES >= len(sealed)
        if is_last and not is_closed and len(chunk) < SEALED_CHUNK_BYTES:
            out.append(_deciphered(key, index, bytes(chunk[:CHUNK_BYTES])))
        else:
            try:
                out.append(cipher.decrypt(chunk_nonce(index, is_last and is_closed), bytes(chunk), None))
            except Exception as error:  # InvalidTag, or ValueError for a chunk shorter than a tag
                raise DamagedError(f"body: chunk {index}") from error
        index += 1
        if is_last:
            return b"".join(out)


def _deciphered(key: bytes, index: int, open_chunk: bytes) -> bytes:
    """The plaintext of a chunk that has no tag yet (block 1 on, RFC 8439, 2.8); somebody else must vouch for it."""
    stream = Cipher(ChaCha20(key, b"\1\0\0\0" + chunk_nonce(index, False)), None).decryptor()
    return stream.update(open_chunk)


def wipe(secret: bytes) -> None:
    """Overwrites the bytes of a key that nobody uses any more (DECISIONS 15).

    A bytes object cannot be changed in Python; its memory can. Only ever called on keys made here, of which no other
    object holds the same interned value.
    """
    ctypes.memset(id(secret) + _BYTES_HEADER, 0, len(secret))


def stanza(arguments: Sequence[bytes], body: bytes) -> bytes:
    """One stanza of a header: its arguments, the first of which is its kind, and its body in lines of base64."""
    return b"-> " + b" ".join(arguments) + b"\n" + _wrapped(body)


def base64_of(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def unbase64(text: bytes) -> bytes:
    """DamagedError for anything but the one way of writing it."""
    if b"=" in text:
        raise DamagedError("head: padding")
    data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    if base64_of(data) != text:
        raise DamagedError("head: base64")
    return data


def _wrapped(data: bytes) -> bytes:
    """Lines of 64 letters; the last one is shorter, empty if need be."""
    text = base64_of(data)
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    if not lines or len(lines[-1]) == 64:
        lines.append(b"")
    return b"\n".join(lines) + b"\n"


def _stanza(recipient: Recipient, file_key: bytes) -> bytes:
    if recipient.hybrid is not None:
        sealed = SUITE.encrypt(file_key, recipient.hybrid, info=HYBRID_INFO)
        encapsulated, body = sealed[:HYBRID_ENCAPSULATED_BYTES], sealed[HYBRID_ENCAPSULATED_BYTES:]
        return stanza((b"mlkem768x25519", base64_of(encapsulated)), body)
    assert recipient.classic is not None
    ephemeral = x25519.X25519PrivateKey.generate()
    share = ephemeral.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    shared = ephemeral.exchange(recipient.classic)
    wrap_key = derive(shared, share + recipient.raw, CLASSIC_INFO)
    body = ChaCha20Poly1305(wrap_key).encrypt(bytes(12), file_key, None)
    wipe(shared)
    wipe(wrap_key)
    return stanza((b"X25519", base64_of(share)), body)


def stanzas(data: bytes) -> list[tuple[list[bytes], bytes]]:
    """Arguments of each stanza, and its body as the letters it has there; DamagedError for what is no header."""
    check_head(data)
    lines = data[len(VERSION_LINE) : data.index(b"\n--- ") + 1].split(b"\n")[:-1]
    found: list[tuple[list[bytes], bytes]] = []
    index = 0
    while index < len(lines):
        if not lines[index].startswith(b"-> "):
            raise DamagedError("head: stanza")
        arguments = lines[index][3:].split(b" ")
        index += 1
        body = b""
        while index < len(lines):
            line = lines[index]
            index += 1
            body += line
            if len(line) < 64:
                break
        found.append((arguments, body))
    return found


def _unwrapped(arguments: list[bytes], body: bytes, identity: Identity) -> bytes | None:
    """The file key if this stanza is for ``identity``."""
    try:
        if identity.kind == "hybrid" and arguments[0] == b"mlkem768x25519" and len(arguments) == 2:
            sealed = unbase64(arguments[1]) + unbase64(body)
            return bytes(SUITE.decrypt(sealed, identity.hybrid(), info=HYBRID_INFO))
        if identity.kind == "classic" and arguments[0] == b"X25519" and len(arguments) == 2:
            share = unbase64(arguments[1])
            private = identity.classic()
            public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            shared = private.exchange(x25519.X25519PublicKey.from_public_bytes(share))
            wrap_key = derive(shared, share + public, CLASSIC_INFO)
            return ChaCha20Poly1305(wrap_key).decrypt(bytes(12), unbase64(body), None)
    except DamagedError:
        raise
    except Exception:  # noqa: BLE001 - InvalidTag and the like: this stanza is for somebody else
        return None
    return None
