"""Last month's callers against a draft: their key presses again, and where they would have ended. Pure.

A caller is taken as the record has him: the keys that the flow took, in order, at the moment of the call, and whether
an agent was there. What the record does not hold cannot be replayed and is said: the answers of other servers. A
person who proved who they are does so again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from appliance.flow import model
from appliance.flow.model import Flow
from appliance.flow.steps import Value
from appliance.flow.trial import LengthOf, Scene, Trial, plain_length
from appliance.hours.model import Hours

RIGHT, WRONG = "00000000", "99999999"
MOST_WAITS = 40


@dataclass(frozen=True, slots=True)
class Walked:
    """One call as it was. ``presses`` are triples of kind of event, node and key (records.reader.presses)."""

    conversation: str
    at_ms: int
    caller: str
    outcome: str
    presses: Sequence[tuple[str, str, str]]

    @property
    def nodes(self) -> tuple[str, ...]:
        return tuple(node for kind, node, _ in self.presses if kind == "node")

    @property
    def language(self) -> str:
        """The one in which the call began."""
        return next((language for kind, _, language in self.presses if kind == "opened"), "fa")


@dataclass(frozen=True, slots=True)
class Difference:
    """``what``: same, elsewhere, or unknown (it asked another server); nodes at the end of each."""

    what: Literal["same", "elsewhere", "unknown"]
    ended_at: str
    would_end_at: str


def compared(draft: Flow, walked: Walked, calendars: Mapping[str, Hours]) -> Difference:
    """Where this caller would end in ``draft``."""
    trial = Trial(draft, _scene(draft, walked), calendars, _length)
    asks_server = any(kind == "lookup" for kind, _, _ in walked.presses)
    for kind, _, key in walked.presses:
        if trial.is_over:
            break
        if kind == "digit":
            _until_asked(trial)
            trial.press(key)
        elif kind == "identified":
            _until_asked(trial)
            if isinstance(trial.node, model.Identify):
                for _ in range(1 if key == "proven" else trial.node.attempts):
                    trial.press((RIGHT if key == "proven" else WRONG)[: trial.node.most] + "#")
                    trial.listen()
    ended = walked.nodes[-1] if walked.nodes else ""
    if walked.outcome == "abandoned":
        trial.listen()
        for _ in range(MOST_WAITS):
            if trial.is_over or ended in trial.nodes:
                break
            trial.wait()
        would = ended if ended in trial.nodes else trial.nodes[-1]
    else:
        for _ in range(MOST_WAITS):
            if trial.is_over:
                break
            trial.wait()
        would = trial.nodes[-1]
    if would == ended:
        return Difference("same", ended, would)
    return Difference("unknown" if asks_server else "elsewhere", ended, would)


def _until_asked(trial: Trial) -> None:
    """Until the box waits for a key; people and messages before it go their way."""
    trial.listen()


def _scene(draft: Flow, walked: Walked) -> Scene:
    lookups: dict[str, dict[str, Value]] = {
        node.lookup: {} for node in draft.nodes.values() if isinstance(node, model.Lookup)
    }
    found = any(kind == "lookup" and key == "found" for kind, _, key in walked.presses)
    least = max((node.most for node in draft.nodes.values() if isinstance(node, model.Identify)), default=8)
    return Scene(
        at_ms=walked.at_ms,
        caller=walked.caller,
        language=walked.language,
        agents="answer" if walked.outcome == "served" else "nobody",
        talk_seconds=60.0,
        lookups=lookups if found else {},
        pins={"*": RIGHT[:least]},
        code=RIGHT[:least],
    )


_length: LengthOf = plain_length
