"""What an order about recordings means: one conversation, or all with a number. One short question to calls.db.

calls asks it in the moment in which it carries an order out, and the page before, to show what the order would reach:
both read the same words in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

from appliance.errors import Problem
from appliance.records import keeping
from appliance.records.database import Connection
from appliance.records.keeping import Hold, Known
from appliance.signalling import numbers

ID_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Meant:
    """``number`` is empty where one conversation is meant; ``on_number`` are the holds on the number itself."""

    number: str
    found: list[Known]
    on_number: list[Hold]


def meant(db: Connection, about: str, area_code: str) -> Meant:
    """The conversations that these words mean; none where they mean nothing. Problem for withheld numbers."""
    about = about.strip()[: numbers.MAX_LENGTH]
    one = keeping.known(db, about)
    if one is not None:
        return Meant("", [one], [])
    number = numbers.normalise(about, area_code)
    if number.kind == "withheld":
        raise Problem("retention.withheld")
    customer = number.e164 or number.national  # short numbers are kept as they came
    found = [keeping.known(db, name) for name in keeping.of_number(db, customer)]
    if number.e164 is None and not found:
        return Meant("", [], [])
    return Meant(customer, [each for each in found if each is not None], keeping.holds_on(db, customer))


def shown(about: str) -> str:
    """For texts that stay: a conversation whole, a number by its last four digits."""
    found, number = about.strip(), numbers.normalise(about)
    is_number = len(found) != ID_LENGTH and (number.e164 is not None or number.kind == "short")
    return f"...{number.national[-4:]}" if is_number else found[:40]
