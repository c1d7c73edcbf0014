"""Codes that a desk phone of the office dials: the night switch, and promises. Pure: what a code means.

``*28`` tells how the box answers now; ``*280`` back to the hours, ``*281`` night, ``*2822130`` open until 21:30,
``*2830915`` closed until the 15th of Azar. ``*35`` promises a call: ``*35`` number ``*`` time, or ``*35*`` time for the
customer with whom this phone's agent spoke last; the time as in desk.py. ``*51201`` listens to the agent at extension
201. ``*6`` tells whether the phone's agent is there, ``*60`` they are, ``*61`` they are away; so do ``*79`` and ``*78``
(do not disturb), which count for a telephone without an agent too. ``*72`` and a number sends the calls for this
telephone there, ``*73`` rings it again, ``*72`` alone tells where they go. ``*8`` takes a call that rings at somebody
else's, ``*8201`` the one at extension 201. ``*93`` has the caller who is parked in slot 3, ``*9`` who was parked first.
``*45`` dials the next customer of an outbound list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from appliance.calls.slots import SLOTS

SWITCH, PROMISE, SUPERVISE, PRESENCE, PICK_UP, TAKE_PARKED = "*28", "*35", "*51", "*6", "*8", "*9"
FORWARD, FORWARD_OFF, DISTURB_NOT, DISTURB = "*72", "*73", "*78", "*79"
NEXT = "*45"
CODES = (SWITCH, PROMISE, SUPERVISE, PRESENCE, PICK_UP, TAKE_PARKED, FORWARD, FORWARD_OFF, DISTURB_NOT, DISTURB, NEXT)


@dataclass(frozen=True, slots=True)
class TellSwitches:
    """How does the box answer now?"""


@dataclass(frozen=True, slots=True)
class TurnSwitches:
    """An action of switches.py, and its value."""

    actions: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PromiseCall:
    """``number`` empty: the customer with whom the agent spoke last."""

    number: str
    due: str


@dataclass(frozen=True, slots=True)
class Presence:
    """The agent of this phone (or the phone, where it has none) is away, or there again; None: which of the two?"""

    is_away: bool | None


@dataclass(frozen=True, slots=True)
class Forward:
    """Calls for this phone go to ``to``; empty: to itself again; None: where do they go?"""

    to: str | None


@dataclass(frozen=True, slots=True)
class PickUp:
    """Takes the call that rings at ``whom`` (a name or an extension; empty: whichever rings longest)."""

    whom: str


@dataclass(frozen=True, slots=True)
class TakeParked:
    """Has the caller who is parked in ``slot``; 0: who was parked first."""

    slot: int


@dataclass(frozen=True, slots=True)
class Supervise:
    """Listens to the agent ``whom`` (a name or an extension), who speaks with a customer."""

    whom: str


@dataclass(frozen=True, slots=True)
class NextCustomer:
    """Dials the next one of the first outbound list of the phone's agent that has one."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """No code of ours."""


Feature = (
    TellSwitches
    | TurnSwitches
    | PromiseCall
    | Presence
    | Forward
    | PickUp
    | TakeParked
    | Supervise
    | NextCustomer
    | Unknown
)


def is_code(dialled: str) -> bool:
    """Whether a phone dials a code, and not a number."""
    return dialled.startswith("*")


def meant(dialled: str) -> Feature:
    """What a dialled code asks for."""
    if dialled.startswith(SWITCH):
        return _switches(dialled.removeprefix(SWITCH).rstrip("#"))
    if dialled.startswith(PROMISE):
        number, star, due = dialled.removeprefix(PROMISE).rstrip("#").rpartition("*")
        return PromiseCall(number, due) if star else Unknown()
    if dialled.startswith(PICK_UP):
        return PickUp(dialled.removeprefix(PICK_UP).rstrip("#"))
    if dialled.startswith(TAKE_PARKED):
        return _SLOTS.get(dialled.removeprefix(TAKE_PARKED).rstrip("#"), Unknown())
    if dialled.startswith(FORWARD):
        return Forward(dialled.removeprefix(FORWARD).rstrip("#") or None)
    if dialled.rstrip("#") in _WHOLE:
        return _WHOLE[dialled.rstrip("#")]
    if dialled.startswith(SUPERVISE):
        return Supervise(dialled.removeprefix(SUPERVISE).rstrip("#"))
    if dialled.startswith(PRESENCE):
        return _PRESENCE.get(dialled.removeprefix(PRESENCE).rstrip("#"), Unknown())
    return Unknown()


_WHOLE: Mapping[str, Feature] = {
    FORWARD_OFF: Forward(""),
    DISTURB_NOT: Presence(True),
    DISTURB: Presence(False),
    NEXT: NextCustomer(),
}
_SLOTS: Mapping[str, Feature] = {"": TakeParked(0), **{str(slot): TakeParked(slot) for slot in SLOTS}}
_PRESENCE: Mapping[str, Feature] = {"": Presence(None), "0": Presence(False), "1": Presence(True)}


def _switches(rest: str) -> Feature:
    match rest[:1]:
        case "":
            return TellSwitches()
        case "0" if rest == "0":
            return TurnSwitches((("night_off", ""), ("closed_until", "0"), ("open_until", "0")))
        case "1" if rest == "1":
            return TurnSwitches((("night_on", ""),))
        case "2":
            return TurnSwitches((("night_off", ""), ("open_until", rest[1:])))
        case "3":
            return TurnSwitches((("closed_until", rest[1:]),))
        case _:
            return Unknown()
