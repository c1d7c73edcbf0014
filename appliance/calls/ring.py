"""One leg that rings somebody: a telephone of the office, a number outside, an extension of a peer. A machine.

It is told whatever happens and says what has come of it. The other side is offered the law that the customer's leg
speaks, so that nothing is converted without need. Where an answer alone is none (an agent at a number outside), whoever
answers is asked first. A peer must let us hear soon that its extension rings; afterwards its own patience may end
before ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from appliance.calls import at_peer
from appliance.calls.asking import Asking
from appliance.calls.conversation import Conversation
from appliance.calls.office import Item
from appliance.calls.outside import Permit
from appliance.calls.party import Party
from appliance.calls.peers import CameBack
from appliance.media import port as media
from appliance.records import events
from appliance.signalling import port as signalling
from appliance.signalling import sdp
from appliance.signalling.port import Identity, ToPhone

RINGING = "ringing"
CAME_BACK, LOOP, PEER_DOWN = "came_back", "loop", "peer_down"
PEER_SECONDS = 10.0  # a peer that has not said within them that its extension rings is not there
_REFUSED = {486: "busy", 600: "busy", 603: "declined", 480: "not_registered"}
_REFUSED_BY_PEER = {
    **_REFUSED, 404: "no_such_extension", 482: LOOP, 483: LOOP, 408: PEER_DOWN, 500: PEER_DOWN, 503: PEER_DOWN,
    504: PEER_DOWN,
}  # fmt: skip


class Ring:
    """Rings ``party`` until ``until`` (monotonic). With ``asks`` an answer is none before a person said so.

    ``take`` is told whatever happens, and None when ``deadline`` has passed.
    """

    def __init__(
        self,
        conversation: Conversation,
        party: Party,
        to: ToPhone | Permit,
        via: str,
        until: float,
        asks: Callable[[], Asking] | None = None,
    ) -> None:
        self.party = party
        self._conversation = conversation
        self._to = to
        self._via = via
        self._until = until
        self._asks = asks
        self._asking: Asking | None = None
        self._is_at_peer = isinstance(to, Permit) and to.is_inside
        self._has_rung = False
        self._silent_at = math.inf

    async def open(self) -> None:
        """A port for its voice. Trouble where there is none."""
        await self._conversation.open(self.party)
        self._offer = sdp.offer("", self.party.port, self._conversation.law, int(self.party.leg[:12], 16))

    def dial(self) -> None:
        c, party, to = self._conversation, self.party, self._to
        c.put(events.LegOpened(c.id, party.leg, party.role, party.name, self._via, c.offset_ms()))
        if self._is_at_peer:
            self._silent_at = self._now + PEER_SECONDS
        if isinstance(to, Permit):  # our own names of people are nothing for a provider
            theirs = Identity(c.shown_number, c.caller.name)
            caller = at_peer.shown(c) if to.is_inside else theirs
            c.office.outside.dial(to, self._offer, caller, passage=c.passage)
        else:
            caller = Identity(c.shown_number, c.name_on(to.phone))
            c.office.line.submit(signalling.Dial(party.leg, to, self._offer, caller))

    @property
    def deadline(self) -> float:
        return min(self._until, self._silent_at) if self._asking is None else self._asking.deadline

    @property
    def _now(self) -> float:
        return self._conversation.office.clock.monotonic()

    def take(self, item: Item | None, *, is_alone: bool) -> str:
        """What has come of it: ``ringing``, empty when somebody has answered, else why not.

        Sound before the answer is heard by the customer where this leg ``is_alone``, and asks nobody.
        """
        if self._asking is not None:
            key = self._asking.take(item)
            return RINGING if key is None else "" if key else "no_answer"
        state = self._state(item, is_heard=is_alone and self._asks is None)
        if state or self._asks is None:
            return state
        self._conversation.attend(self.party)  # a tone behind the answer is nobody
        self._asking = self._asks()
        return RINGING

    def _state(self, item: Item | None, *, is_heard: bool) -> str:
        leg = self.party.leg
        match item:
            case None if self._now >= self._until:
                return "no_answer"
            case None if self._now >= self._silent_at:
                return PEER_DOWN
            case signalling.Answered(of, remote) if of == leg:
                if not self._conversation.agree(self.party, self._offer, remote):
                    return "no_codec"
                self._conversation.answered(self.party)
                return ""
            case signalling.Progressed(of, _, remote) if of == leg:
                self._silent_at, self._has_rung = math.inf, True
                if remote is not None and is_heard:
                    self._early(remote)
            case signalling.Refused(of, code, _, _) if of == leg:
                return self._why(code)
            case signalling.HungUp(of, cause, _) if of == leg:
                return PEER_DOWN if self._is_at_peer and cause is signalling.Cause.NETWORK else cause.value
            case CameBack(of, called) if of == leg:
                self.party.came_back_for = called
                return CAME_BACK
            case _:
                pass
        return RINGING

    def _why(self, code: int) -> str:
        if self._is_at_peer and self._has_rung and code == 408:
            return "no_answer"  # the peer's own patience
        return (_REFUSED_BY_PEER if self._is_at_peer else _REFUSED).get(code, f"refused_{code}")

    def _early(self, remote: sdp.Description) -> None:
        """The customer hears what the other side plays instead of our ring-back."""
        c = self._conversation
        if c.customer.agreed is not None and c.agree(self.party, self._offer, remote):
            c.office.mouth.submit(media.Bridge(c.customer.leg, self.party.leg))
