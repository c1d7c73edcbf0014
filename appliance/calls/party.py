"""One leg of a conversation, as the conversation sees it."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.media import port as media
from appliance.records import events
from appliance.signalling import sdp


@dataclass(slots=True)
class Party:
    """One leg of the conversation, and the stream of the same name.

    ``trunk`` carries it (empty: a phone of ours). ``heard`` is what came since it is attended: silence, ringing, and
    then the first of sound, busy, congestion; empty where nobody attends. ``came_back_for`` is what a peer has sent it
    on to, where that was a number of ours.
    """

    leg: str
    role: str  # customer, agent, outside, supervisor
    name: str
    trunk: str = ""
    heard: str = ""
    came_back_for: str = ""
    port: int = 0
    local: sdp.Description | None = None
    agreed: sdp.Agreement | None = None
    is_answered: bool = False
    is_held: bool = False
    has_ended: bool = False
    ended: events.LegEnded | None = None  # waits for the last figures
    figures: media.Statistics | None = None
