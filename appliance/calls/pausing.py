"""An agent pauses the recording while something is said or pressed that nobody shall hear later: a card's number.

Silence stands in its place in every part, so that times in the recording stay true. Nobody can forget it: it goes on by
itself after ``recording_pause_seconds``, when the agent passes the customer on, and when the talk ends. ``*5`` and the
agent's page pause and resume alike, whoever of them has begun.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from appliance.records import events

if TYPE_CHECKING:
    from appliance.calls.conversation import Conversation

How = Literal["keys", "page", "time", "transfer", "ended"]


class Pausing:
    """Of one conversation. Times are monotonic seconds."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._until: float | None = None

    @property
    def is_on(self) -> bool:
        return self._until is not None

    @property
    def rest_seconds(self) -> float:
        """Until it ends by itself; 0 where nothing is paused."""
        return 0.0 if self._until is None else max(0.0, self._until - self._now)

    def sooner(self, deadline: float | None) -> float | None:
        """``deadline``, or the moment at which the pause is over."""
        return min((each for each in (deadline, self._until) if each is not None), default=None)

    def due(self) -> bool:
        """Ends a pause that is over; whether there was one."""
        if self._until is None or self._now < self._until:
            return False
        self.end("time")
        return True

    def turn(self, agent: str, how: How, is_on: bool | None = None) -> tuple[str, ...]:
        """Pauses or resumes (None: whichever it is not now); what to tell the agent."""
        wanted = not self.is_on if is_on is None else is_on
        if wanted == self.is_on:
            return ()
        if not wanted:
            self._resume(agent, how)
            return ("recording_resumed",)
        conversation = self._conversation
        if not conversation.recording.is_live:
            return ("recording_nothing",)
        self._until = self._now + conversation.office.settings.recording_pause_seconds
        conversation.recording.pause(True)
        conversation.put(events.RecordingPaused(conversation.id, agent, "paused", how, conversation.offset_ms()))
        conversation.office.changed()
        return ("recording_paused",)

    def end(self, how: How) -> None:
        """Resumes without anybody having asked for it; nothing where nothing is paused."""
        if self.is_on:
            self._resume("", how)

    def _resume(self, by: str, how: How) -> None:
        conversation = self._conversation
        self._until = None
        conversation.recording.pause(False)
        conversation.put(events.RecordingPaused(conversation.id, by, "resumed", how, conversation.offset_ms()))
        conversation.office.changed()

    @property
    def _now(self) -> float:
        return self._conversation.office.clock.monotonic()
