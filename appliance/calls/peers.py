"""The other telephone systems of the office: which extensions live there, and which of our calls come back from there.

A call that comes from a peer is one that we sent there where it names a leg of ours (passage.py); where it shows the
caller whom we have shown, and that leg still rings there or its extension has sent the call on; and where the caller is
withheld and the extension has sent it on. Such a call is no new one: it is refused (482), and the conversation that has
dialled is told whom it came back for. The leg is remembered for ``KEPT_SECONDS`` after its end, so that what was under
way then, or comes again and again, is refused as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from appliance.calls.inside import Inside
from appliance.messages.numbers import latin
from appliance.signalling import numbers
from appliance.signalling.extensions import matches
from appliance.signalling.passage import is_circle
from appliance.signalling.port import Identity, Leg, Offered, Passage
from appliance.signalling.settings import Trunk

KEPT_SECONDS = 32.0  # 64*T1 (RFC 3261, 17.1.1.2): as long as a request may be under way
MOST_LEGS = 1000  # legs that have ended; beyond them the oldest are forgotten


@dataclass(frozen=True, slots=True)
class CameBack:
    """What we passed to a peer by ``leg`` has come back from there for ``called``."""

    leg: Leg
    called: str


@dataclass(slots=True)
class _Leg:
    peer: str
    number: str
    shown: Identity
    is_answered: bool = False
    came_back: bool = False
    ended_at: float | None = None


def extension_at(trunks: Sequence[Trunk], dialled: str) -> Inside | None:
    """The extension of a peer that this number is."""
    number = latin(dialled).strip()
    for trunk in trunks:
        if trunk.kind == "peer" and any(matches(each, number) for each in trunk.extensions):
            return Inside("peer", number, trunk.name)
    return None


class Peers:
    """Told of each leg to a peer and of its end. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._legs: dict[Leg, _Leg] = {}

    def dialled(self, leg: Leg, peer: str, number: str, shown: Identity) -> None:
        self._legs[leg] = _Leg(peer, number, shown)

    def answered(self, leg: Leg) -> None:
        if leg in self._legs:
            self._legs[leg].is_answered = True

    def ended(self, leg: Leg, now: float) -> None:
        known = self._legs.get(leg)
        if known is None:
            return
        known.ended_at = now
        gone = [name for name, each in self._legs.items() if each.ended_at is not None]
        late = [name for name in gone if (self._legs[name].ended_at or 0.0) <= now - KEPT_SECONDS]
        for name in {*late, *gone[: max(0, len(gone) - MOST_LEGS)]}:
            del self._legs[name]

    def goes_round(self, passage: Passage, peer: str, number: str) -> bool:
        """Whether a call that came this way was at this extension before, or has come through us too often."""
        been = ((leg.peer, leg.number) for name in passage.legs if (leg := self._legs.get(name)) is not None)
        return is_circle(passage) or (peer, number) in been

    def leg_of(self, offered: Offered, peer: str) -> Leg:
        """Our leg that has come back by this call from ``peer``; empty where it is a call of its own."""
        for name in reversed(offered.passage.legs):
            if name in self._legs:
                return name
        for name, leg in reversed(self._legs.items()):
            if leg.peer == peer and leg.ended_at is None and self._is_sent_on(leg, offered):
                return name
        return ""

    @staticmethod
    def marked(offered: Offered, leg: Leg) -> Offered:
        """The call, which says itself from now on that it has gone through this leg of ours (empty: through none)."""
        passage = offered.passage
        if not leg or leg in passage.legs:
            return offered
        return replace(offered, passage=replace(passage, legs=(*passage.legs, leg)))

    def came_back(self, leg: Leg) -> bool:
        """Marks that the leg came back; whether its conversation must be told: once, while it lasts."""
        known = self._legs[leg]
        is_news = not known.came_back and known.ended_at is None
        known.came_back = True
        return is_news

    @staticmethod
    def _is_sent_on(leg: _Leg, offered: Offered) -> bool:
        caller, is_named = offered.caller, leg.number in offered.passage.senders
        if caller.is_withheld:
            return is_named
        is_same = bool(leg.shown.number) and _key(caller.number) == _key(leg.shown.number)
        return is_same and (is_named or not leg.is_answered)


def _key(number: str) -> str:
    """However it is written."""
    return numbers.normalise(number).e164 or number
