"""The recordings of one conversation: begun after consent, continued after a crash of media, and waited for at the end.

A conversation has one recording of the customer's stream: what came from the customer left, what was sent to them
right. When the media process dies under it, the rest is a further part with an id of its own. Who listens to it has a
part too, of their own leg: their voice left, what they heard right; so has whom an agent asks while the customer waits.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from appliance.calls.party import Party
from appliance.ids import uuid7
from appliance.media import port as media
from appliance.records import events

if TYPE_CHECKING:
    from appliance.calls.conversation import Conversation

Event = (
    media.RecordingStarted
    | media.RecordingRefused
    | media.RecordingGap
    | media.RecordingSealed
    | media.RecordingContinued
)


NO_CONSENT = "-"  # in its place where none is asked for any more


@dataclass(frozen=True, slots=True)
class Terms:
    """Why something may be recorded: ``how`` consent was given, and where (``node``), in which flow.

    ``consent`` is its id where it was given before, in the conversation ``given_in``.
    """

    how: str
    node: str
    flow: str = ""
    flow_hash: str = ""
    consent: str = ""
    given_in: str = ""


class ConversationRecording:
    """``state`` is what the page shows: none, live, refused or stopped."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._consent = ""
        self._terms: dict[str, dict[str, str]] = {}  # what every part's manifest says of the consent
        self._legs: dict[str, str] = {}  # recordings by the leg that they hear
        self._is_paused = False
        self._live = ""
        self._parts: dict[str, int] = {}
        self._beside: set[str] = set()  # parts of other legs than the customer's
        self._opened_parts: set[str] = set()
        self._unsealed: set[str] = set()
        self._forbidden = ""  # why nothing may be recorded from now on
        self.state = "none"

    @property
    def is_settled(self) -> bool:
        """Whether every part is sealed, refused or given up."""
        return not self._unsealed

    @property
    def is_live(self) -> bool:
        """Whether the customer is being recorded, or will be with the next sound."""
        is_over = self.state in ("refused", "stopped") or self.is_forbidden
        return not is_over and not self._unsealed.isdisjoint(self._legs.values())

    @property
    def is_forbidden(self) -> bool:
        return bool(self._forbidden)

    def begin(self, terms: Terms, party: Party | None = None) -> None:
        """Consent was given; recording starts with the next sound. A second consent changes nothing.

        ``party`` is whom the office has called; None: the customer.
        """
        if self._consent:
            return
        if self._forbidden:
            self.refuse(self._forbidden)
            return
        conversation = self._conversation
        offset_ms = conversation.offset_ms()
        self._consent = terms.consent or uuid7(conversation.office.clock.utc_ms())
        said = {"id": self._consent, "how": terms.how, "node": terms.node}
        if terms.given_in:
            said["conversation"] = terms.given_in
            conversation.put(events.ConsentKept(conversation.id, self._consent, terms.how, terms.given_in, offset_ms))
        else:
            conversation.put(events.ConsentGiven(conversation.id, self._consent, terms.how, terms.node, offset_ms))
        self._terms = {"consent": said, "flow": {"name": terms.flow, "sha256": terms.flow_hash}}
        self._start(party or conversation.customer, "box and agent")

    def refuse(self, reason: str) -> None:
        """Nothing of this conversation is recorded, and the record says why (a key of messages)."""
        if not self._consent:
            self._consent = NO_CONSENT
            self.state = "refused"
            conversation = self._conversation
            conversation.put(events.RecordingRefused(conversation.id, "", reason, conversation.offset_ms()))

    def begin_beside(self, party: Party, right: str = "customer and agent") -> str:
        """A part of another leg, where this conversation is recorded; its id, else empty."""
        if not self._consent or self.is_forbidden or self.state in ("refused", "stopped"):
            return ""
        recording = self._start(party, right)
        self._beside.add(recording)
        return recording

    def leave(self, leg: str) -> None:
        """What is recorded of this leg ends, whoever it speaks with from now on; nothing where nothing is."""
        recording = self._legs.pop(leg, "")
        if recording:
            self._conversation.office.mouth.submit(media.StopRecording(recording))
            if self._is_paused:
                self._conversation.office.mouth.submit(media.Pause(leg, False))

    def pause(self, is_on: bool) -> None:
        """Silence stands in every part from now on, also in those that begin meanwhile; or no more."""
        self._is_paused = is_on
        self.mark("paused" if is_on else "unpaused")
        for leg in self._legs:
            self._conversation.office.mouth.submit(media.Pause(leg, is_on))

    def _start(self, party: Party, right: str) -> str:
        """Records this leg; ``right`` names who is heard there."""
        conversation = self._conversation
        office = conversation.office
        recording, part = uuid7(office.clock.utc_ms()), len(self._parts) + 1
        manifest = {
            **self._terms,
            "box": office.box,
            "boot": office.boot,
            "conversation": conversation.id,
            "left": {"role": party.role, "leg": party.leg, "sound": "received"},
            "right": {"role": right, "leg": party.leg, "sound": "sent"},
            "line": conversation.line_name,
            "utc_ms": office.clock.utc_ms(),
            "monotonic_ms": round(office.clock.monotonic() * 1000),
            "offset_ms": conversation.offset_ms(),
        }
        self._await(recording, part)
        self._legs[party.leg] = recording
        if self._is_paused:
            office.mouth.submit(media.Pause(party.leg, True))
        office.mouth.submit(
            media.StartRecording(
                stream=party.leg,
                recording=recording,
                conversation=conversation.id,
                part=part,
                consent=self._consent,
                manifest=json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False),
                role=party.role,
            )
        )
        return recording

    def forbid(self, reason: str) -> None:
        """Somebody who takes part is never to be recorded: what runs ends, and nothing begins. ``reason``: a key."""
        self._forbidden = reason
        self.mark("stopped", "never recorded")
        for recording in sorted(self._unsealed):
            self._conversation.office.mouth.submit(media.StopRecording(recording))

    def mark(self, kind: str, detail: str = "") -> None:
        if self._live:
            self._conversation.office.mouth.submit(media.MarkRecording(self._live, kind, detail))

    def receive(self, event: Event) -> None:
        conversation = self._conversation
        match event:
            case media.RecordingStarted(recording):
                self._opened(recording)
            case media.RecordingRefused(recording, _, reason):
                self._settled(recording)
                if recording not in self._beside:
                    self.state = "refused"
                conversation.put(events.RecordingRefused(conversation.id, recording, reason, conversation.offset_ms()))
                conversation.office.count("recordings_refused")
            case media.RecordingGap(recording, reason, milliseconds):
                conversation.put(events.RecordingGap(conversation.id, recording, reason, milliseconds))
            case media.RecordingSealed(recording):
                self._settled(recording)
                conversation.put(sealed(conversation.id, event))
                conversation.office.verify(event)
            case media.RecordingContinued(recording, follows, part, gap_ms):
                if follows in self._unsealed:
                    self._opened(follows)  # nobody has said that it began; what is left of it is known later
                self._await(recording, part)
                self._legs = {leg: recording if each == follows else each for leg, each in self._legs.items()}
                if follows in self._beside:
                    self._beside.add(recording)
                self._opened(recording)
                conversation.put(events.RecordingGap(conversation.id, recording, "media_restarted", gap_ms))
        conversation.office.changed()

    def give_up(self) -> None:
        """The files of what is still unsealed did not come in time: the record says that they are lost."""
        for recording in sorted(self._unsealed):
            self._conversation.put(lost(self._conversation.id, recording))
        for recording in self._parts:
            self._conversation.office.recordings.pop(recording, None)

    def _await(self, recording: str, part: int) -> None:
        self._parts[recording] = part
        self._unsealed.add(recording)
        self._conversation.office.recordings[recording] = self._conversation.inbox

    def _opened(self, recording: str) -> None:
        conversation = self._conversation
        if recording in self._opened_parts or recording not in self._parts:
            return
        self._opened_parts.add(recording)
        if recording not in self._beside:
            self._live = recording
            self.state = "live"
        conversation.put(
            events.RecordingOpened(
                conversation.id, recording, self._parts[recording], self._consent, conversation.offset_ms()
            )
        )

    def _settled(self, recording: str) -> None:
        self._unsealed.discard(recording)
        if recording == self._live:
            self._live = ""
            self.state = "stopped"


def sealed(conversation: str, event: media.RecordingSealed) -> events.RecordingSealed:
    return events.RecordingSealed(
        conversation=conversation,
        recording=event.recording,
        state=event.state,
        body_bytes=event.body_bytes,
        body_sha256=event.body_sha256,
        seal_sha256=event.seal_sha256,
        milliseconds=event.milliseconds,
        missing_ms=event.missing_milliseconds,
        left_talk_ms=event.left_talk_ms,
        right_talk_ms=event.right_talk_ms,
        overtalk_ms=event.overtalk_ms,
        dead_air_ms=event.dead_air_ms,
        longest_silence_ms=event.longest_silence_ms,
        left_interruptions=event.left_interruptions,
        right_interruptions=event.right_interruptions,
        replies=event.replies,
        reply_ms=event.reply_ms,
    )


def lost(conversation: str, recording: str) -> events.RecordingSealed:
    """No file came: the record says so."""
    return events.RecordingSealed(conversation, recording, "lost", 0, "", "", 0, 0, 0, 0, 0, 0)
