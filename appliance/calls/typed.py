"""Secrets as people type them: codes read from a label, passwords on any keyboard."""

from __future__ import annotations

import secrets
import unicodedata
from pathlib import Path

from appliance.messages.numbers import latin

CODE_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # no 0 O 1 I: read from a label, typed on a phone
CODE_LENGTH = 10  # 50 bits: behind growing delays that is for ever


def new_code() -> str:
    """A code of ten letters and digits that are not taken for each other."""
    return "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))


def code(given: str) -> str:
    """A code as it was meant: any case, with spaces or hyphens, in Persian digits."""
    folded = latin(unicodedata.normalize("NFKC", given)).upper()
    return "".join(letter for letter in folded if letter.isascii() and letter.isalnum())


def code_in(file: Path) -> str | None:
    """The code that is there already (written with the card's label), if it is one."""
    try:
        found = code(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    return found if len(found) == CODE_LENGTH and set(found) <= set(CODE_LETTERS) else None


def password(given: str) -> str:
    """NFKC (NIST SP 800-63B), so that the same password typed on another keyboard is the same."""
    return unicodedata.normalize("NFKC", given.encode("utf-8", "replace").decode("utf-8"))
