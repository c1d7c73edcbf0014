"""What an entry of a list may be beside its number, of which calls decides. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from appliance.contacts import check
from appliance.errors import Problem

MOST_ENTRIES = 200_000  # in all lists; each costs calls some 400 bytes of memory
COLUMNS = 3
LONGEST_COLUMN = 200


def checked(name: str, language: str, columns: Sequence[str]) -> tuple[str, str, tuple[str, ...]]:
    """Name, language and columns as they are kept; Problem where they cannot be."""
    if language not in check.LANGUAGES:
        raise Problem("contacts.no_language", value=check.shown(language))
    cleaned = tuple(check.text(each, LONGEST_COLUMN) for each in columns[:COLUMNS])
    return check.text(name, check.LONGEST_NAME), language, (*cleaned, "", "", "")[:COLUMNS]
