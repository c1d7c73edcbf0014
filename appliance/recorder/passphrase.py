"""A private key behind a passphrase: the scrypt recipient of age, so ``age -d`` opens what is wrapped here.

The passphrase comes from the terminal, or from the file descriptor that ``PASOKH_PASSPHRASE_FD`` names (a line for
each that is asked for); never from the arguments, which every user of a machine can read.
"""

from __future__ import annotations

import getpass
import os
import secrets
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from appliance import messages
from appliance.errors import Problem
from appliance.recorder import container
from appliance.recorder.container import DamagedError
from appliance.recorder.keys import derive

DESCRIPTOR = "PASOKH_PASSPHRASE_FD"
KIND = b"scrypt"
SALT_MARK = b"age-encryption.org/v1/scrypt"
SALT_BYTES = 16
WORK = 18  # log2 of scrypt's N, as age takes it: 256 MB and about a second
MOST_WORK = 20  # 1 GB: a file that asks for more is not opened
LEAST_LETTERS = 12
LEAST_DIFFERENT = 7
LEAST_DIGITS = 20  # a passphrase of digits alone
MOST_LETTERS = 1024

Ask = Callable[[str], str]


def is_wrapped(content: bytes) -> bool:
    return content.startswith(container.VERSION_LINE)


def wrapped(plain: bytes, passphrase: str, work: int = 0) -> bytes:
    """An age file that this passphrase opens; ``work`` is log2 of scrypt's N (0: ``WORK``)."""
    work = work or WORK
    file_key, salt = secrets.token_bytes(container.FILE_KEY_BYTES), secrets.token_bytes(SALT_BYTES)
    sealed = ChaCha20Poly1305(_wrap_key(passphrase, salt, work)).encrypt(bytes(12), file_key, None)
    stanza = container.stanza((KIND, container.base64_of(salt), str(work).encode()), sealed)
    nonce = secrets.token_bytes(container.NONCE_BYTES)
    body = ChaCha20Poly1305(derive(file_key, nonce, b"payload")).encrypt(container.chunk_nonce(0, True), plain, None)
    return container.assembled((stanza,), file_key) + nonce + body


def unwrapped(content: bytes, passphrase: str) -> bytes:
    """Problem ``recorder.bad_passphrase`` for another one, ``recorder.bad_identity`` where it is no such file."""
    end = content.find(b"\n", content.find(b"\n--- ") + 1) + 1
    head, body = content[:end], content[end:]
    try:
        ((kind, salt_text, work_text), sealed), *others = container.stanzas(head)
        salt, work = container.unbase64(salt_text), int(work_text)
        if kind != KIND or others or len(salt) != SALT_BYTES or not 1 <= work <= MOST_WORK:
            raise ValueError("stanza")
        wrap_key = _wrap_key(passphrase, salt, work)
        file_key = ChaCha20Poly1305(wrap_key).decrypt(bytes(12), container.unbase64(sealed), None)
    except InvalidTag as error:
        raise Problem("recorder.bad_passphrase") from error
    except ValueError as error:
        raise Problem("recorder.bad_identity") from error
    try:
        container.check_mac(head, file_key)
        return container.open_body(body, file_key, is_closed=True)
    except DamagedError as error:
        raise Problem("recorder.bad_identity") from error


def is_strong(passphrase: str) -> bool:
    """Long enough to be guessed offline for years: 12 letters, 7 of them different; of digits alone 20."""
    least = LEAST_DIGITS if passphrase.isdigit() else LEAST_LETTERS
    return least <= len(passphrase) <= MOST_LETTERS and len(set(passphrase)) >= LEAST_DIFFERENT


def ask(file: str) -> str:
    """The passphrase of ``file``."""
    return _from_descriptor() or _from_terminal(_say("recorder.ask_passphrase", file=file))


def ask_new(file: str) -> str:
    """A new one, typed twice (read once from a descriptor). Problem where it is weak or the two differ."""
    given = _from_descriptor()
    found = given or _from_terminal(_say("recorder.ask_new_passphrase", file=file))
    if not is_strong(found):
        raise Problem("recorder.weak_passphrase", letters=LEAST_LETTERS, different=LEAST_DIFFERENT, digits=LEAST_DIGITS)
    if not given and _from_terminal(_say("recorder.ask_passphrase_again", file=file)) != found:
        raise Problem("recorder.passphrases_differ")
    return found


def _from_terminal(prompt: str) -> str:
    try:
        return getpass.getpass(prompt + " ")
    except (EOFError, OSError, getpass.GetPassWarning) as error:
        raise Problem("recorder.no_terminal", variable=DESCRIPTOR) from error


def _from_descriptor() -> str:
    """The next line of the descriptor, read byte by byte so that what follows stays there; empty if none is named."""
    named = os.environ.get(DESCRIPTOR, "")
    if not named:
        return ""
    line = bytearray()
    try:
        while len(line) <= 4 * MOST_LETTERS and (byte := os.read(int(named), 1)) not in (b"", b"\n"):
            line += byte
        found = line.decode("utf-8")
    except (OSError, ValueError) as error:
        raise Problem("recorder.no_terminal", variable=DESCRIPTOR) from error
    if not found:
        raise Problem("recorder.no_terminal", variable=DESCRIPTOR)
    return found


def _wrap_key(passphrase: str, salt: bytes, work: int) -> bytes:
    return Scrypt(SALT_MARK + salt, 32, 1 << work, 8, 1).derive(passphrase.encode())


def _say(key: str, **fields: str) -> str:
    return messages.text(key, messages.chosen_language(), **fields)
