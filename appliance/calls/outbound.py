"""What may be dialled: one policy for transfers, diversions and callbacks. Emergency numbers always go out."""

from __future__ import annotations

from collections.abc import Collection

from appliance.calls.settings import Calls
from appliance.signalling import numbers

CALLED_BACK = frozenset({"mobile", "landline", "foreign"})  # kinds of numbers at which somebody can be called back


def may_dial(calls: Calls, number: str, area_code: str) -> bool:
    """Whether the outbound policy lets a number out."""
    kind = numbers.normalise(number, area_code).kind
    return kind == "emergency" or kind in calls.may_dial


def callback_number(calls: Calls, number: str, area_code: str, inside: Collection[str]) -> tuple[str, str]:
    """The number at which somebody is called back, in E.164; and why nobody can be, empty where somebody can.

    ``inside`` are our own extensions.
    """
    found = numbers.normalise(number, area_code)
    return found.e164 or "", _refusal(calls, number, found, area_code, inside)


def _refusal(calls: Calls, number: str, found: numbers.Number, area_code: str, inside: Collection[str]) -> str:
    if found.kind == "withheld":
        return "no_number"
    if number in inside or found.kind not in CALLED_BACK:
        return "not_callable"
    own = {numbers.normalise(line.number, area_code).e164 for line in calls.lines if line.number}
    if found.e164 in own:
        return "own_number"
    return "" if found.kind in calls.may_dial else "forbidden"
