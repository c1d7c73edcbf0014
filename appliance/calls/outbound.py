"""What may be dialled: one policy for transfers, diversions, callbacks and whatever else leaves the box.

In this order: an emergency number goes out, whatever else is true. What is no number does not; nor does what begins
with a prefix of ``deny``. A prefix of ``allow`` lets a number out whatever its kind, else its kind must be in
``may_dial``. Then the calendars of its kind must be open (in doubt about the clock they are not), the money of the day
must not be spent, under a cap its price must be known, and there must be fewer than ``most_outgoing`` calls outside.
Lines are no matter of policy: capacity.py counts them. A refusal is a word, and ``number.why_WORD`` is its text.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from appliance.calls import money
from appliance.calls.settings import Calls
from appliance.signalling import numbers
from appliance.signalling.numbers import Number

Refusal = Literal[
    "",  # none: it goes out
    "no_number", "not_a_number", "too_long", "denied", "forbidden", "premium", "satellite", "foreign",
    "hours", "money_cap", "no_tariff", "too_many",
    "trunk_full", "lines_kept", "from_peer",
    "internal", "own_number", "emergency", "short",
]  # fmt: skip

CALLED_BACK = frozenset({"mobile", "landline", "foreign"})  # kinds of numbers at which somebody can be called back
MOST_DIGITS = 20  # 00, 15 digits of E.164, an outside prefix: anything longer is no number that was meant


@dataclass(frozen=True, slots=True)
class Moment:
    """What is true now: which calendars are open, what today has cost, and how many calls outside there are."""

    is_open: Callable[[str], bool]
    spent_rial: int = 0
    outgoing: int = 0


def read(calls: Calls, text: str, area_code: str) -> Number:
    """A number as people of the office dial it."""
    return numbers.normalise(text, area_code, calls.plan)


def why_never(calls: Calls, number: Number) -> Refusal:
    """Why the policy lets this number out at no hour; empty where it may."""
    if number.kind == "emergency":
        return ""
    refusal = _no_number(number)
    if refusal:
        return refusal
    if numbers.has_prefix(number, _prefixes(calls.deny)):
        return "denied"
    if numbers.has_prefix(number, _prefixes(calls.allow)) or number.kind in calls.may_dial:
        return ""
    match number.kind:
        case "premium" | "satellite" | "foreign":
            return number.kind
        case "mobile" | "landline" | "short" | "unknown" | "withheld":
            return "forbidden"


def why_not(calls: Calls, number: Number, moment: Moment) -> Refusal:
    """Why the policy does not let this number out now; empty where it does."""
    refusal = why_never(calls, number)
    if refusal or number.kind == "emergency":
        return refusal
    if not all(moment.is_open(each.calendar) for each in calls.dial_hours if number.kind in each.kinds):
        return "hours"
    if calls.daily_cap_rial and moment.spent_rial >= calls.daily_cap_rial:
        return "money_cap"
    if calls.daily_cap_rial and money.price_of(calls.tariffs, number) is None:
        return "no_tariff"
    if calls.most_outgoing and moment.outgoing >= calls.most_outgoing:
        return "too_many"
    return ""


def may_dial(calls: Calls, number: str, area_code: str) -> bool:
    """Whether the policy ever lets a number out."""
    return not why_never(calls, read(calls, number, area_code))


def callback_number(calls: Calls, number: str, area_code: str, inside: Collection[str]) -> tuple[str, Refusal]:
    """The number at which somebody is called back, in E.164; and why nobody can be, empty where somebody can.

    ``inside`` are our own extensions. Customers know no outside prefix.
    """
    found = numbers.normalise(number, area_code, numbers.Plan("", calls.plan.emergency))
    return found.e164 or "", _no_callback(calls, number, found, area_code, inside)


def own_numbers(calls: Calls, area_code: str, shown: Iterable[str] = ()) -> frozenset[str]:
    """The box's own numbers in E.164: those of its lines and those that it shows."""
    written = (*(line.number for line in calls.lines), *shown)
    found = (numbers.normalise(each, area_code).e164 for each in written if each)
    return frozenset(each for each in found if each is not None)


def _no_callback(calls: Calls, number: str, found: Number, area_code: str, inside: Collection[str]) -> Refusal:
    if found.kind == "withheld":
        return "no_number"
    if number.strip() in inside or found.national in inside:
        return "internal"
    if found.kind == "emergency":
        return "emergency"
    if found.kind == "short":
        return "short"
    if found.e164 in own_numbers(calls, area_code):
        return "own_number"
    refusal = why_never(calls, found)
    if refusal or found.kind in CALLED_BACK or numbers.has_prefix(found, _prefixes(calls.allow)):
        return refusal
    return "premium" if found.kind == "premium" else "satellite"


def _no_number(number: Number) -> Refusal:
    if number.kind == "withheld":
        return "no_number"
    if number.kind == "unknown":
        return "too_long" if sum(each.isdigit() for each in number.as_arrived) > MOST_DIGITS else "not_a_number"
    return ""


def _prefixes(written: Iterable[str]) -> tuple[str, ...]:
    return tuple(each for each in map(numbers.prefix_of, written) if each is not None)
