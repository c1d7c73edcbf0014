"""What a customer who is called back has said of being recorded, when they asked for it or since."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.records.database import Connection

CARRIED = ("notice", "asked")  # a line on which nobody was told has no consent to give

# Of the call in which they asked, and of their calls since: the newest in which they were asked or told.
_WORD = """SELECT conversation.id, consent, consent_how FROM conversation JOIN request ON request.id = ?
WHERE conversation.direction = 'in' AND (conversation.id = request.conversation
OR (conversation.customer = request.customer AND request.customer <> '' AND conversation.opened >= request.opened))
AND (consent <> '' OR was_asked) ORDER BY opened_n DESC LIMIT 1"""


@dataclass(frozen=True, slots=True)
class Word:
    """``consent`` is its id, ``how`` it was given, ``given_in`` the conversation; all empty where nothing was said."""

    consent: str = ""
    how: str = ""
    given_in: str = ""
    is_refused: bool = False


NOTHING_SAID = Word()
REFUSED = Word(is_refused=True)  # also where nobody can look it up


def word_of(db: Connection, request: str) -> Word:
    """By the request for which the customer is called."""
    row = db.execute(_WORD, (request,)).fetchone()
    if row is None:
        return NOTHING_SAID
    given_in, consent, how = row
    if not consent:
        return REFUSED
    return Word(consent, how, given_in) if how in CARRIED else NOTHING_SAID
