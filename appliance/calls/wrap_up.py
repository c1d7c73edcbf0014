"""What an agent says of a call, while it lasts and afterwards: one form, its versions, its time. Pure.

The form opens when customer and agent begin to speak. Where the line asks for it (``asks_seconds``), its time begins
when the agent has let go of the customer, whatever line rings next; it may be made longer once. A form whose time ends,
or that the agent's next call pushes away, was not given. It can still be given as long as it is the agent's last call.

Several browsers may write one form. Each field has a version, and who writes says which one they saw: of two who change
the same field the second is told what stands there now, and may write over it knowing that. Nothing is lost unseen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from appliance.records.drafts import FIELDS, Draft

State = Literal["open", "missed", "given"]


@dataclass(frozen=True, slots=True)
class Change:
    """Somebody has typed ``value`` into ``name``, of which they had seen version ``seen``."""

    name: str
    value: str
    seen: int


@dataclass(frozen=True, slots=True)
class About:
    """The call that a form is about. ``customer`` is E.164, or as it came; empty: withheld. ``began``: monotonic."""

    conversation: str
    customer: str
    shown: str
    name: str
    language: str
    began: float


@dataclass(slots=True)
class Form:
    """``until`` (monotonic seconds) is when its time ends; None: not yet counting, or nobody asks."""

    agent: str
    about: About
    leg: str
    line: str
    asks_seconds: float
    values: dict[str, str] = field(default_factory=lambda: dict.fromkeys(FIELDS, ""))
    versions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FIELDS, 0))
    state: State = "open"
    is_recorded: bool = False  # an event holds what stands in it
    is_over: bool = False  # the agent has let go of the customer
    is_extended: bool = False
    until: float | None = None

    @property
    def is_empty(self) -> bool:
        return not any(self.values.values())

    @property
    def can_extend(self) -> bool:
        return self.until is not None and not self.is_extended and self.state == "open"

    def write(self, changes: Iterable[Change]) -> tuple[str, ...]:
        """Takes what was typed; the names of fields that somebody else had changed meanwhile: they stay as they are."""
        refused = []
        for change in changes:
            if change.value == self.values[change.name]:
                continue
            if change.seen != self.versions[change.name]:
                refused.append(change.name)
                continue
            self.values[change.name] = change.value
            self.versions[change.name] += 1
            self.is_recorded = False
        return tuple(refused)

    def draft(self) -> Draft:
        """As it is kept on the disk."""
        values = tuple(self.values[name] for name in FIELDS)
        versions = tuple(self.versions[name] for name in FIELDS)
        return Draft(self.about.conversation, self.agent, self.line, values, versions)


class Forms:
    """The form of each agent's last call. ``deadline`` is when to call ``due``; times are monotonic seconds."""

    def __init__(self) -> None:
        self._forms: dict[str, Form] = {}
        self._changes: dict[str, int] = {}

    def of(self, agent: str) -> Form | None:
        return self._forms.get(agent)

    def version(self, agent: str) -> int:
        """A number that grows with everything that happens to the agent's form."""
        return self._changes.get(agent, 0)

    def touched(self, agent: str) -> None:
        self._changes[agent] = self.version(agent) + 1

    @property
    def deadline(self) -> float | None:
        return min((form.until for form in self._forms.values() if form.until is not None), default=None)

    def begin(self, agent: str, about: About, leg: str, line: str, asks_seconds: float) -> Form | None:
        """Agent and customer speak; the form of the call before, where it was not given.

        Who gets the same customer back goes on with the same form.
        """
        before = self._forms.get(agent)
        if before is not None and before.about.conversation == about.conversation:
            before.leg, before.is_over, before.until = leg, False, None
            before.asks_seconds = max(before.asks_seconds, asks_seconds)
            self.touched(agent)
            return None
        self._forms[agent] = Form(agent, about, leg, line, asks_seconds)
        self.touched(agent)
        return self._missed(before) if before is not None else None

    def restore(self, agent: str, form: Form) -> Form | None:
        """A form that another process has left; the one before it, where it was not given."""
        before = self._forms.get(agent)
        self._forms[agent] = form
        self.touched(agent)
        return self._missed(before) if before is not None else None

    def over(self, agent: str, leg: str, now: float) -> Form | None:
        """The agent has let go of the customer of this leg: the form's time begins. The form, if it is this call's."""
        form = self._forms.get(agent)
        if form is None or form.leg != leg or form.is_over:
            return None
        form.is_over = True
        if form.state == "open" and form.asks_seconds > 0:
            form.until = now + form.asks_seconds
        self.touched(agent)
        return form

    def extend(self, agent: str) -> bool:
        """As much time again, once; False where there is none to make longer."""
        form = self._forms.get(agent)
        if form is None or form.until is None or not form.can_extend:
            return False
        form.is_extended = True
        form.until += form.asks_seconds
        self.touched(agent)
        return True

    def give(self, agent: str) -> Form:
        """The agent is done with it. KeyError where they have no form."""
        form = self._forms[agent]
        form.state, form.until, form.is_recorded = "given", None, True
        self.touched(agent)
        return form

    def due(self, now: float) -> list[Form]:
        """The forms whose time has ended."""
        ended = [form for form in self._forms.values() if form.until is not None and form.until <= now]
        for form in ended:
            form.state, form.until, form.is_recorded = "missed", None, True
            self.touched(form.agent)
        return ended

    def _missed(self, form: Form) -> Form | None:
        """What is to be put on record of a form that another takes the place of."""
        is_asked = form.asks_seconds > 0 and form.state == "open"
        return form if is_asked or not (form.is_recorded or form.is_empty) else None
