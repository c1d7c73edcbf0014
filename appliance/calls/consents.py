"""Whether a call that the office makes is recorded, and on whose word: closed wherever anything is missing.

Who asked for the call may have said yes or no when they rang: that holds, by the id of that consent. Who was never
asked is told before anybody speaks with them; a notice that was not heard to its end is none. Emergency numbers are
neither told anything nor recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from appliance.calls import outbound
from appliance.calls.office import Office
from appliance.calls.party import Party
from appliance.calls.recording import Terms
from appliance.media import port as media
from appliance.records.consents import NOTHING_SAID, Word
from appliance.signalling.settings import RecordsOutward

if TYPE_CHECKING:
    from appliance.calls.conversation import Conversation

Basis = Literal["nothing", "refused", "kept", "none_needed", "notice"]
NOTICE = "recording_notice"
NOTICE_SECONDS = 30.0
REFUSED_BEFORE = "recorder.refused_before"


def basis(policy: RecordsOutward, word: Word = NOTHING_SAID, *, is_emergency: bool = False) -> Basis:
    """On what a call is recorded, if at all. ``word`` is what the customer has said before."""
    if policy == "off" or is_emergency:
        return "nothing"
    if word.is_refused:
        return "refused"
    return "kept" if word.consent else policy


def basis_towards(office: Office, party: Party) -> Basis:
    """Whoever a telephone of the office has called: outside by the trunk, a colleague by the settings of calls."""
    if party.role != "outside":
        return basis(office.settings.records_inside)
    is_emergency = outbound.read(office.settings, party.name, "").kind == "emergency"
    return basis(office.trunk(party.trunk).records_outward, is_emergency=is_emergency)


async def record(
    conversation: Conversation, party: Party, on: Basis, place: str, word: Word = NOTHING_SAID, *also: Party
) -> None:
    """Records the leg of ``party``, who has answered and speaks with nobody yet. ``also`` are told too.

    ``place`` names in the consent where it was given. Raises Left when the customer of the conversation leaves.
    """
    recording = conversation.recording
    match on:
        case "nothing":
            return
        case "refused":
            recording.refuse(REFUSED_BEFORE)
        case "kept":
            recording.begin(Terms(word.how, place, consent=word.consent, given_in=word.given_in), party)
        case "none_needed":
            recording.begin(Terms("none_needed", place), party)
        case "notice":
            if recording.is_forbidden or await told(conversation, (party, *also)):
                recording.begin(Terms("notice", place), party)


async def told(conversation: Conversation, parties: Sequence[Party]) -> bool:
    """Plays the notice to all of them; whether each has heard it to its end."""
    plays = {each.leg: conversation.say_to(each, (NOTICE,), conversation.language) for each in parties}
    until = conversation.office.clock.monotonic() + NOTICE_SECONDS
    while plays and not any(each.has_ended for each in parties):
        match await conversation.next(until):
            case media.PlayEnded(stream, play, is_whole) if plays.get(stream) == play:
                if not is_whole:
                    return False
                del plays[stream]
            case None:
                return False
            case _:
                continue
    return not plays
