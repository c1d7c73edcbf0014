"""What all conversations of the box share: the ports they speak to, the settings they obey, who is busy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from appliance.calls.inbox import Inbox
from appliance.calls.settings import Agent, Calls
from appliance.clock import Clock
from appliance.flow.catalogue import Flows
from appliance.media import port as media
from appliance.records.writer import Records
from appliance.signalling import port as signalling
from appliance.signalling.settings import Signalling, Trunk


@dataclass(frozen=True, slots=True)
class EndCall:
    """A person of the office, or the box itself while it stops, ends this conversation."""

    reason: str  # asked, stopping


Item = signalling.Event | media.ClientEvent | EndCall
"""What arrives in a conversation's inbox."""


@dataclass(slots=True)
class Office:
    """Made once by main.py (or by a test in virtual time) and given to every session.

    ``legs`` and ``recordings`` say whose inbox an event belongs to; ``engaged`` maps an agent to the conversation that
    has or rings them.
    """

    box: str
    boot: str
    settings: Calls
    sip: Signalling
    line: signalling.Line
    mouth: media.Mouth
    records: Records
    clock: Clock
    flows: Flows
    prompts: Path
    changed: Callable[[], None]
    verify: Callable[[media.RecordingSealed], None]
    legs: dict[str, Inbox[Item]] = field(default_factory=dict)
    recordings: dict[str, Inbox[Item]] = field(default_factory=dict)
    registered: dict[str, set[str]] = field(default_factory=dict)  # phone: its contacts
    engaged: dict[str, str] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)

    @property
    def agents(self) -> Mapping[str, Agent]:
        return {agent.name: agent for agent in self.settings.agents}

    def trunk(self, name: str) -> Trunk:
        return next(trunk for trunk in self.sip.trunks if trunk.name == name)

    def count(self, what: str) -> None:
        self.counters[what] = self.counters.get(what, 0) + 1
