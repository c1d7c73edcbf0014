"""A trunk's lines by direction, and who makes room for an emergency call: pure.

Of a trunk's ``max_calls`` some may be kept for callers (we never dial on them) and some for our own calls (callers
never get them). A kept line that its own direction uses already is kept no more than once, so a call gets in while a
line is free that is not still waiting for the other direction. An emergency call asks for none of this.

Where a trunk is full, an emergency call takes another trunk that has a free line. Where none has, one call makes room:
the youngest callback first, because it is the box's own and is tried again by itself; then the youngest other call to
the outside, whose customer stays with us; then the youngest caller who is in the menu or speaks with somebody. Somebody
in need in the office weighs more than a talk that can be taken up again, and whoever came last has lost least. Who
waits in a line is never cut: they would lose the place for which they waited, and have got nothing yet. Where only such
callers are left nobody is cut, and the emergency call is sent all the same: our count is a setting, and the network
decides. An emergency call never makes room, nor does any part of the conversation that asks for one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from appliance.signalling.settings import Trunk


@dataclass(frozen=True, slots=True)
class Call:
    """One line of a trunk that is taken. ``began`` in monotonic seconds.

    ``is_dialled`` is False for a line that is held for a callback whose agent still rings: there is nothing to cut.
    """

    leg: str
    conversation: str
    trunk: str
    is_incoming: bool
    began: float
    is_callback: bool = False
    is_emergency: bool = False
    is_waiting: bool = False
    is_dialled: bool = True
    is_inside: bool = False  # to an extension of a peer


def kept_for_callers(trunk: Trunk, by_default: int) -> int:
    """The trunk's own setting, else that of the box."""
    return by_default if trunk.kept_for_callers < 0 else trunk.kept_for_callers


def why_no_line_in(trunk: Trunk, calls: Iterable[Call]) -> Literal["", "trunk_full", "lines_kept"]:
    """Why a caller gets no line of this trunk."""
    incoming, outgoing = _counted(trunk, calls)
    return _why(trunk.max_calls, incoming + outgoing, trunk.kept_for_outgoing - outgoing)


def why_no_line_out(trunk: Trunk, calls: Iterable[Call], by_default: int) -> Literal["", "trunk_full", "lines_kept"]:
    """Why we get no line of this trunk for a call that is no emergency."""
    incoming, outgoing = _counted(trunk, calls)
    return _why(trunk.max_calls, incoming + outgoing, kept_for_callers(trunk, by_default) - incoming)


def is_full(trunk: Trunk, calls: Iterable[Call]) -> bool:
    return _why(trunk.max_calls, sum(_counted(trunk, calls)), 0) != ""


def ways(trunks: Sequence[Trunk], wanted: str, up: Iterable[str], calls: Sequence[Call]) -> list[str]:
    """The trunks that an emergency call tries, in order: those that are up and have a free line, ``wanted`` before
    the others; then those that are up and full; then the rest."""
    is_up = frozenset(up)
    ranked = sorted(trunks, key=lambda trunk: (trunk.name not in is_up, is_full(trunk, calls), trunk.name != wanted))
    return [trunk.name for trunk in ranked]


def makes_room(trunk: Trunk, calls: Iterable[Call], conversation: str) -> Call | None:
    """Which call is cut so that ``conversation`` gets its emergency call out; None: none may be."""
    calls = tuple(calls)
    protected = {call.conversation for call in calls if call.is_emergency} | {conversation}
    here = [
        call
        for call in calls
        if call.trunk == trunk.name
        and call.conversation not in protected
        and call.is_dialled
        and not (call.is_incoming and call.is_waiting)
    ]
    return min(here, key=lambda call: (not call.is_callback, call.is_incoming, -call.began, call.leg), default=None)


def _counted(trunk: Trunk, calls: Iterable[Call]) -> tuple[int, int]:
    here = [call.is_incoming for call in calls if call.trunk == trunk.name]
    return sum(here), len(here) - sum(here)


def _why(most: int, busy: int, still_kept: int) -> Literal["", "trunk_full", "lines_kept"]:
    if not most:
        return ""
    if busy >= most:
        return "trunk_full"
    return "lines_kept" if most - busy <= max(0, still_kept) else ""
