"""Telephone numbers as they arrive and as they are dialled; Iran's own forms first, ``phonenumbers`` for abroad.

The library alone reads Tehran wrongly: eight digits become a number that nobody has, ``098`` in front is invalid, and
``021-88123456-8`` (a range of lines) is glued together. So the forms that offices write are read here; short numbers
and emergency numbers are no E.164 and are kept apart from it.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Literal

import phonenumbers

from appliance.messages.numbers import latin

Kind = Literal["mobile", "landline", "short", "emergency", "premium", "foreign", "unknown", "withheld"]
Form = Literal["national", "e164", "plus", "local"]

COUNTRY = "98"
EMERGENCY = frozenset({"110", "112", "115", "125"})
MAX_LENGTH = 64
AREA_CODES = frozenset(
    {"11", "13", "17", "21", "23", "24", "25", "26", "28", "31", "34", "35", "38", "41", "44", "45", "51", "54", "56"}
    | {"58", "61", "66", "71", "74", "76", "77", "81", "83", "84", "86", "87"}
)

_IGNORED = re.compile(r"[\s().\u200c\u200e\u200f\u202a-\u202e_]")
_RANGE = re.compile(r"^(\+?[\d-]*\d{4,})[-/~]\d{1,4}$")
_HIDDEN = frozenset({"", "anonymous", "unknown", "unavailable", "restricted", "private"})


@dataclass(frozen=True, slots=True)
class Number:
    """``e164`` with its plus, or None where the number has none; ``national`` as people write it here."""

    e164: str | None
    national: str
    kind: Kind
    as_arrived: str


@functools.lru_cache(maxsize=1024)
def normalise(text: str, area_code: str = "") -> Number:
    """What ``text`` means on a line with this area code (two digits, without the zero)."""
    arrived = text[:MAX_LENGTH]
    written = _IGNORED.sub("", latin(arrived.removeprefix("tel:").partition(";")[0]))
    if written.lower() in _HIDDEN:
        return Number(None, "", "withheld", arrived)
    written = _first_of_range(written, area_code.removeprefix("0"))
    digits = written.replace("-", "").replace("/", "")
    plus, digits = digits.startswith("+"), digits.removeprefix("+")
    if not digits.isascii() or not digits.isdigit():
        return Number(None, arrived.strip(), "unknown", arrived)
    if not plus and digits in EMERGENCY:
        return Number(None, digits, "emergency", arrived)
    inside = _inside(digits, plus, area_code.removeprefix("0"))
    if inside is not None:
        return Number(f"+{COUNTRY}{inside}", f"0{inside}", _kind(inside), arrived)
    if not plus and 2 < len(digits) <= 6 and not digits.startswith("0"):
        return Number(None, digits, "short", arrived)
    return _abroad(digits, plus, arrived)


def dial_form(number: Number, form: Form) -> str:
    """What to dial so that a provider with this form understands it; short numbers stay as they are."""
    if number.e164 is None:
        return number.national
    if not number.e164.startswith("+" + COUNTRY):
        return {"plus": number.e164, "e164": number.e164[1:]}.get(form, "00" + number.e164[1:])
    inside = number.e164[1 + len(COUNTRY) :]
    match form:
        case "national":
            return "0" + inside
        case "e164":
            return COUNTRY + inside
        case "plus":
            return number.e164
        case "local":
            return inside[2:] if number.kind == "landline" else "0" + inside


def _first_of_range(written: str, area_code: str) -> str:
    """``021-88123456-8`` means the first of some lines; dashes alone (``+98-21-8812-3456``) are none."""
    ranged = _RANGE.match(written)
    if ranged is None:
        return written
    first, whole = re.sub(r"\D", "", ranged[1]), re.sub(r"\D", "", written)
    is_local = len(first) == 8 and area_code in AREA_CODES
    if len(first) < 8 or (not is_local and _inside(whole, written.startswith("+"), area_code) is not None):
        return written
    return ranged[1]


def _inside(digits: str, plus: bool, area_code: str) -> str | None:
    """The ten digits of an Iranian number without its zero, or None."""
    candidates = [
        digits.removeprefix(prefix)
        for prefix in ("0098", "098", "98", "00980", "0980", "980")
        if digits.startswith(prefix) and len(digits) - len(prefix) == 10
    ]
    if not plus:
        if len(digits) == 11 and digits.startswith("0"):
            candidates.append(digits[1:])
        elif len(digits) == 10:
            candidates.append(digits)
        elif len(digits) == 8 and area_code in AREA_CODES and digits[0] not in "01":
            candidates.append(area_code + digits)
    return next((each for each in candidates if _is_iranian(each)), None)


def _is_iranian(ten: str) -> bool:
    if ten.startswith("9"):
        return True
    return ten[:2] in AREA_CODES and ten[2] not in "01"


def _kind(ten: str) -> Kind:
    if ten.startswith(("909", "900")):
        return "premium"
    return "mobile" if ten.startswith("9") else "landline"


def _abroad(digits: str, plus: bool, arrived: str) -> Number:
    number = "+" + digits if plus else "+" + digits[2:] if digits.startswith("00") else ""
    if number:
        try:
            parsed = phonenumbers.parse(number, None)
        except phonenumbers.NumberParseException:
            return Number(None, digits, "unknown", arrived)
        if parsed.country_code != int(COUNTRY) and phonenumbers.is_possible_number(parsed):
            return Number(number, "00" + number[1:], "foreign", arrived)
    return Number(None, "+" + digits if plus else digits, "unknown", arrived)
