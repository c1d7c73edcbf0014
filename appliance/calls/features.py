"""Codes that a desk phone of the office dials: the night switch, and promises. Pure: what a code means.

``*28`` tells how the box answers now; ``*280`` back to the hours, ``*281`` night, ``*2822130`` open until 21:30,
``*2830915`` closed until the 15th of Azar. ``*35`` promises a call: ``*35`` number ``*`` time, or ``*35*`` time for the
customer with whom this phone's agent spoke last; the time as in desk.py. ``*51201`` listens to the agent at extension
201. ``*6`` tells whether the phone's agent is there, ``*60`` they are, ``*61`` they are away, ``*613`` for the third
reason of the settings; so do ``*79`` and ``*78`` (do not disturb), which count for a telephone without an agent too.
``*72`` and a number sends the calls for this telephone there, ``*73`` rings it again, ``*72`` alone tells where they
go. ``*8`` takes a call that rings at somebody else's, ``*8201`` the one at extension 201. ``*93`` has the caller who is
parked in slot 3, ``*9`` who was parked first. ``*45`` dials the next customer of an outbound list. ``*41`` signs an
agent in at this telephone by PIN, ``*41201`` the one at extension 201; ``*42`` signs out who sits there, ``*43`` asks
for a break.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from appliance.calls.slots import SLOTS

SWITCH, PROMISE, SUPERVISE, PRESENCE, PICK_UP, TAKE_PARKED = "*28", "*35", "*51", "*6", "*8", "*9"
FORWARD, FORWARD_OFF, DISTURB_NOT, DISTURB = "*72", "*73", "*78", "*79"
SIGN_IN, SIGN_OUT, BREAK, NEXT = "*41", "*42", "*43", "*45"
CODES = (
    SWITCH, PROMISE, SUPERVISE, PRESENCE, PICK_UP, TAKE_PARKED, FORWARD, FORWARD_OFF, DISTURB_NOT, DISTURB, SIGN_IN,
    SIGN_OUT, BREAK, NEXT,
)  # fmt: skip


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
    """The agent of this phone (or the phone, where it has none) is away, or there again; None: which of the two?

    ``reason`` is the place of one among those of the settings, 1 for the first; 0: none is said.
    """

    is_away: bool | None
    reason: int = 0


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
class SignIn:
    """An agent sits down at this phone; ``extension`` empty: whose is asked."""

    extension: str


@dataclass(frozen=True, slots=True)
class SignOut:
    """Who sits at this phone leaves it."""


@dataclass(frozen=True, slots=True)
class AskBreak:
    """Who sits at this phone wants a break."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """No code of ours."""


Seat = SignIn | SignOut | AskBreak
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
    | Seat
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
    if dialled.startswith(SIGN_IN):
        return SignIn(dialled.removeprefix(SIGN_IN).rstrip("#"))
    if dialled.startswith(PRESENCE):
        return _presence(dialled.removeprefix(PRESENCE).rstrip("#"))
    return Unknown()


_WHOLE: Mapping[str, Feature] = {
    FORWARD_OFF: Forward(""),
    DISTURB_NOT: Presence(True),
    DISTURB: Presence(False),
    NEXT: NextCustomer(),
    SIGN_OUT: SignOut(),
    BREAK: AskBreak(),
}
_SLOTS: Mapping[str, Feature] = {"": TakeParked(0), **{str(slot): TakeParked(slot) for slot in SLOTS}}
_PRESENCE: Mapping[str, Feature] = {"": Presence(None), "0": Presence(False), "1": Presence(True)}


def _presence(rest: str) -> Feature:
    if len(rest) == 2 and rest[0] == "1" and rest[1] in "123456789":
        return Presence(True, int(rest[1]))
    return _PRESENCE.get(rest, Unknown())


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
