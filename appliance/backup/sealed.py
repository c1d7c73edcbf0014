"""age as a stream: plaintext in, sealed bytes out, in chunks of 64 KiB; and back with the owner's key.

A file that was cut short fails at its last chunk, also where the cut lies between two chunks: only the chunk that was
sealed as the last one opens as the last one. What age does not say is who made the file: everybody who knows the public
key can. What is inside must therefore be read as if a stranger had written it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from appliance.errors import Problem
from appliance.recorder import container
from appliance.recorder.container import CHUNK_BYTES, SEALED_CHUNK_BYTES, DamagedError
from appliance.recorder.keys import Identity, Recipient, derive


class Sealer:
    """Writes to ``out`` what is written to it, sealed to ``recipients``; whole only after ``finish``."""

    def __init__(self, out: BinaryIO, recipients: Sequence[Recipient]) -> None:
        file_key, nonce = secrets.token_bytes(container.FILE_KEY_BYTES), secrets.token_bytes(container.NONCE_BYTES)
        payload_key = derive(file_key, nonce, b"payload")
        self._cipher = ChaCha20Poly1305(payload_key)
        self._out = out
        self._hash = hashlib.sha256()
        self._held = bytearray()
        self._index = 0
        self.sealed_bytes = 0
        self._put(container.head(recipients, file_key) + nonce)
        container.wipe(file_key)
        container.wipe(payload_key)

    @property
    def sha256(self) -> str:
        """Of the sealed file as far as it is written."""
        return self._hash.hexdigest()

    def write(self, data: bytes) -> int:
        self._held += data
        while len(self._held) > CHUNK_BYTES:  # a full chunk is sealed only when more follows
            self._seal(bytes(self._held[:CHUNK_BYTES]), is_last=False)
            del self._held[:CHUNK_BYTES]
        return len(data)

    def finish(self) -> None:
        """The last chunk; without it nobody opens the file."""
        self._seal(bytes(self._held), is_last=True)
        self._held.clear()

    def _seal(self, chunk: bytes, is_last: bool) -> None:
        self._put(self._cipher.encrypt(container.chunk_nonce(self._index, is_last), chunk, None))
        self._index += 1

    def _put(self, data: bytes) -> None:
        self._out.write(data)
        self._hash.update(data)
        self.sealed_bytes += len(data)


class Opener:
    """Reads ``file`` in clear. Problem where it is no age file or not for this key; DamagedError where it is not whole.

    Nothing is given out that was not authenticated.
    """

    def __init__(self, file: BinaryIO, identity: Identity, name: str) -> None:
        head = _head(file, name)
        try:
            file_key = container.open_head(head, identity)
        except PermissionError as error:
            fingerprint = identity.recipient().fingerprint
            raise Problem("backup.not_for_this_key", file=name, fingerprint=fingerprint) from error
        nonce = file.read(container.NONCE_BYTES)
        if len(nonce) != container.NONCE_BYTES:
            raise DamagedError("no nonce")
        self._cipher = ChaCha20Poly1305(derive(file_key, nonce, b"payload"))
        self._file = file
        self._next = file.read(SEALED_CHUNK_BYTES)
        self._index = 0
        self._clear = b""
        self._is_ended = False
        self.read_bytes = len(head) + len(nonce)

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; none at the end, which is then known to be the true one."""
        while not self._clear and not self._is_ended:
            self._open_next()
        given, self._clear = self._clear[:size], self._clear[size:]
        return given

    def drain(self) -> None:
        """Reads to the true end."""
        while self.read(CHUNK_BYTES):
            pass

    def _open_next(self) -> None:
        chunk, self._next = self._next, self._file.read(SEALED_CHUNK_BYTES)
        self._is_ended = not self._next
        try:
            self._clear = self._cipher.decrypt(container.chunk_nonce(self._index, self._is_ended), chunk, None)
        except (InvalidTag, ValueError) as error:
            raise DamagedError(f"chunk {self._index}") from error
        self.read_bytes += len(chunk)
        self._index += 1


def _head(file: BinaryIO, name: str) -> bytes:
    """The age header, up to and with the line of its MAC."""
    data = file.read(container.MAX_HEAD_BYTES)
    mac = data.find(b"\n--- ")
    end = data.find(b"\n", mac + 1) + 1
    if not data.startswith(container.VERSION_LINE) or mac < 0 or not end:
        raise Problem("backup.not_one", file=name)
    file.seek(end)
    return data[:end]
