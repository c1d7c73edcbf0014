"""Telephone numbers as they arrive and as they are dialled; Iran's own forms first, ``phonenumbers`` for abroad.

The library alone reads Tehran wrongly: eight digits become a number that nobody has, ``098`` in front is invalid, and
``021-88123456-8`` (a range of lines) is glued together; of what costs money it knows next to nothing here. So the forms
that offices write are read here; short numbers and emergency numbers are no E.164 and are kept apart from it, and what
is dear (premium, satellites) is a kind of its own.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from appliance.messages.numbers import latin

Kind = Literal[
    "mobile", "landline", "short", "emergency", "premium", "satellite", "foreign", "unknown", "withheld"
]  # fmt: skip
Form = Literal["national", "e164", "plus", "local"]

COUNTRY = "98"
EMERGENCY = frozenset({"110", "112", "115", "125"})
# Services that offices dial and that an extension of the same digits would hide; emergency numbers are not among them.
SERVICES = frozenset(
    {"113", "114", "118", "119", "121", "122", "123", "124", "133", "134", "137", "141", "190", "192", "194", "195"}
    | {"197", "1480", "1500", "1590", "1888"}
)
MAX_LENGTH = 64
AREA_CODES = frozenset(
    {"11", "13", "17", "21", "23", "24", "25", "26", "28", "31", "34", "35", "38", "41", "44", "45", "51", "54", "56"}
    | {"58", "61", "66", "71", "74", "76", "77", "81", "83", "84", "86", "87"}
)
PREMIUM = ("909", "900")
# Country codes of satellites and of networks that belong to no country (ITU-T E.164, list of assigned codes): Inmarsat
# 870 (871 to 874 before 2008), Iridium and Globalstar 881, Thuraya and EMSAT among others 882, more of them 883.
SATELLITE = ("870", "871", "872", "873", "874", "881", "882", "883")
PREMIUM_ABROAD = ("979", "808", "878")  # international premium rate, shared cost, universal personal numbers
E164_DIGITS = range(7, 16)

_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d", "-"))
_SIGNS = str.maketrans("\uff0b\uff0f\uff5e", "+/~")
_IGNORED = re.compile(r"[\s().\u00ad\u0640\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff_]")
_TO = re.compile("الی|تا")  # between the first and the last of some lines
_RANGE = re.compile(r"^(\+?[\d-]*\d{4,})[-/~]\d{1,11}$")
_HIDDEN = frozenset({"", "anonymous", "unknown", "unavailable", "restricted", "private"})


@dataclass(frozen=True, slots=True)
class Number:
    """``e164`` with its plus, or None where the number has none; ``national`` as people write it here."""

    e164: str | None
    national: str
    kind: Kind
    as_arrived: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What people of the office may dial beside plain numbers.

    ``outside_prefix`` stands before numbers outside, where the office is used to one; ``emergency`` are all emergency
    numbers. A number is read whole first: the prefix is taken off only what means nothing with it, or a short number.
    """

    outside_prefix: str = ""
    emergency: frozenset[str] = EMERGENCY


PLAIN = Plan()


@functools.lru_cache(maxsize=1024)
def normalise(text: str, area_code: str = "", plan: Plan = PLAIN) -> Number:
    """What ``text`` means on a line with this area code (two digits, without the zero)."""
    arrived = text[:MAX_LENGTH]
    written = latin(arrived.removeprefix("tel:").partition(";")[0]).translate(_DASHES).translate(_SIGNS)
    written = _IGNORED.sub("", _TO.sub("~", written))
    area_code = area_code.removeprefix("0")
    found = _read(written, area_code, plan, arrived)
    prefix = plan.outside_prefix
    if prefix and written.startswith(prefix):
        rest = written.removeprefix(prefix).lstrip("-")
        is_range = _first_of_range(rest, area_code) != rest and _first_of_range(written, area_code) == written
        behind = _read(rest, area_code, plan, arrived)
        if (is_range or found.kind in ("unknown", "short")) and behind.kind not in ("unknown", "withheld"):
            return behind
    return found


def e164(text: str) -> str:
    """A whole number as the records keep it; empty for anything else."""
    return normalise(text).e164 or ""


def dial_form(number: Number, form: Form, area_code: str = "") -> str:
    """What to dial so that a provider with this form understands it; short numbers stay as they are.

    ``local`` leaves the area code out, but only that of the trunk: elsewhere the same eight digits are somebody else.
    """
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
            is_near = number.kind == "landline" and inside.startswith(area_code.removeprefix("0") or "-")
            return inside[2:] if is_near else "0" + inside


def prefix_of(written: str) -> str | None:
    """A prefix of the owner's lists as ``has_prefix`` compares it; None where it is none.

    ``+49``, ``0049``, ``0912`` and ``+98912`` are beginnings of numbers; ``15`` is one of short numbers.
    """
    digits = _IGNORED.sub("", latin(written)).translate(_DASHES).replace("-", "")
    plus, digits = digits.startswith("+"), digits.removeprefix("+")
    if not digits.isascii() or not digits.isdigit():
        return None
    if plus:
        return "+" + digits
    if digits.startswith("00"):
        return "+" + digits[2:] if digits[2:] else None
    if digits.startswith("0"):
        return f"+{COUNTRY}{digits[1:]}"
    return digits


def has_prefix(number: Number, prefixes: Iterable[str]) -> int:
    """How many characters of the longest of these prefixes (``prefix_of``) the number begins with; 0: none."""
    whole = number.e164 or number.national
    return max((len(each) for each in prefixes if whole.startswith(each)), default=0)


def _read(written: str, area_code: str, plan: Plan, arrived: str) -> Number:
    if written.lower() in _HIDDEN:
        return Number(None, "", "withheld", arrived)
    written = _first_of_range(written, area_code)
    digits = written.replace("-", "").replace("/", "")
    plus, digits = digits.startswith("+"), digits.removeprefix("+")
    if not digits.isascii() or not digits.isdigit():
        return Number(None, arrived.strip(), "unknown", arrived)
    if not plus and digits in plan.emergency:
        return Number(None, digits, "emergency", arrived)
    inside = _inside(digits, plus, area_code)
    if inside is not None:
        return Number(f"+{COUNTRY}{inside}", f"0{inside}", _kind(inside), arrived)
    if not plus and 2 < len(digits) <= 6 and not digits.startswith("0"):
        return Number(None, digits, "short", arrived)
    return _abroad(digits, plus, arrived)


def _first_of_range(written: str, area_code: str) -> str:
    """``021-88123456-8`` means the first of some lines; dashes alone (``+98-21-8812-3456``) are none."""
    ranged = _RANGE.match(written)
    if ranged is None:
        return written
    plus, first, whole = written.startswith("+"), re.sub(r"\D", "", ranged[1]), re.sub(r"\D", "", written)
    is_local = len(first) == 8 and not plus and area_code in AREA_CODES
    if _inside(first, plus, area_code) is None:
        return written
    return ranged[1] if is_local or _inside(whole, plus, area_code) is None else written


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
    if ten.startswith(PREMIUM):
        return "premium"
    return "mobile" if ten.startswith("9") else "landline"


def _abroad(digits: str, plus: bool, arrived: str) -> Number:
    unknown = Number(None, "+" + digits if plus else digits, "unknown", arrived)
    if not plus and not digits.startswith("00"):
        return unknown
    whole = digits if plus else digits[2:]
    if whole.startswith(SATELLITE) and len(whole) in E164_DIGITS:
        return Number("+" + whole, "00" + whole, "satellite", arrived)
    if whole.startswith(PREMIUM_ABROAD) and len(whole) in E164_DIGITS:
        return Number("+" + whole, "00" + whole, "premium", arrived)
    import phonenumbers  # large, and of no use to the services that only read settings

    try:
        parsed = phonenumbers.parse("+" + whole, None)
    except phonenumbers.NumberParseException:
        return unknown
    if parsed.country_code == int(COUNTRY) or not phonenumbers.is_possible_number(parsed):
        return unknown
    is_dear = phonenumbers.number_type(parsed) == phonenumbers.PhoneNumberType.PREMIUM_RATE
    return Number("+" + whole, "00" + whole, "premium" if is_dear else "foreign", arrived)
