"""The forms of all agents, kept: what was typed is on the disk within a second, what was given is an event.

Drives wrap_up.py. A draft is a row that is written over, at most once a second for each agent (one small transaction),
and only when something in it has changed; another process finds it and goes on. When a form's time ends the agent is
free, and that it was not given is put on record and counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from appliance.calls.floor import Floor
from appliance.calls.settings import Calls
from appliance.calls.wrap_up import About, Change, Form, Forms
from appliance.clock import Clock
from appliance.errors import Problem
from appliance.records import drafts, events
from appliance.records.drafts import FIELDS, LeftDraft
from appliance.records.writer import Records
from appliance.signalling import numbers

KEEP_SECONDS = 1.0  # so often a draft is written while somebody types
RESOLVED = ("", "yes", "no")
KINDS = ("", "request", "complaint", "criticism", "suggestion")


class WrapUps:
    """``floor`` gives agents their time; ``changed`` is told when a form is different."""

    def __init__(
        self,
        floor: Floor,
        settings: Calls,
        records: Records,
        clock: Clock,
        changed: Callable[[], None],
        count: Callable[[str], None],
    ) -> None:
        self._forms = Forms()
        self._floor = floor
        self._settings = settings
        self._records = records
        self._clock = clock
        self._changed = changed
        self._count = count
        self._kept: dict[str, tuple[Form, tuple[int, ...]]] = {}  # agent: the form and its versions on the disk
        self._kept_at: dict[str, float] = {}
        self._keeping: dict[str, asyncio.Lock] = {}
        self._timer: asyncio.TimerHandle | None = None

    # What is so -------------------------------------------------------------------------------------------------------

    def of(self, agent: str) -> Form | None:
        """The form of the agent's last call."""
        return self._forms.of(agent)

    def version(self, agent: str) -> int:
        """A number that grows whenever the agent's page has something new to show."""
        return self._forms.version(agent)

    def touched(self, agent: str) -> None:
        """Something that the agent's page shows is different."""
        self._forms.touched(agent)
        self._changed()

    # Calls ------------------------------------------------------------------------------------------------------------

    def begins(self, agent: str, about: About, leg: str) -> None:
        """Customer and agent speak. Nothing for people who are no agents."""
        if not any(each.name == agent for each in self._settings.agents):
            return
        line, seconds = self._floor.asks_wrap_up(agent)
        self._pushed_away(self._forms.begin(agent, about, leg, line, seconds))
        self._changed()

    def over(self, agent: str, leg: str) -> None:
        """The agent has let go of the customer."""
        form = self._forms.over(agent, leg, self._clock.monotonic())
        if form is not None and form.state == "given":
            self._floor.wrapped(agent)
        self._wind()
        self._changed()

    def restore(self, left: Sequence[LeftDraft]) -> None:
        """What agents had typed when the process before this one ended; their time begins anew."""
        seconds = {each.name: each.wrap_up_seconds for each in self._settings.rules}
        now, wall = self._clock.monotonic(), self._clock.utc_ms()
        for each in left:
            draft = each.draft
            shown = numbers.normalise(each.customer).national or each.customer
            began = now - max(0, wall - each.opened) / 1000
            about = About(draft.conversation, each.customer, shown, each.customer_name, each.language, began)
            form = Form(draft.agent, about, "", draft.line, seconds.get(draft.line, 0.0), is_over=True)
            form.values = dict(zip(FIELDS, draft.values, strict=True))
            form.versions = dict(zip(FIELDS, draft.versions, strict=True))
            form.until = now + form.asks_seconds if form.asks_seconds else None
            if any(agent.name == draft.agent for agent in self._settings.agents):
                self._pushed_away(self._forms.restore(draft.agent, form))
            else:
                self._pushed_away(form)
        self._wind()

    # The agent --------------------------------------------------------------------------------------------------------

    async def write(self, agent: str, conversation: str, changes: Iterable[Change]) -> tuple[Form, tuple[str, ...]]:
        """Takes what was typed; returns when it is on the disk: the form, and the fields that others had changed.

        Problem ``desk.form_is_over`` where the agent has another call by now.
        """
        form = self._mine(agent, conversation)
        refused = form.write(changes)
        self.touched(agent)
        await self._keep(form)
        return form, refused

    def give(self, agent: str, conversation: str, changes: Iterable[Change]) -> tuple[Form, tuple[str, ...]]:
        """The agent is done, unless others had changed fields meanwhile: these are returned, and nothing is given.

        Problem where the form cannot be given as it stands.
        """
        form = self._mine(agent, conversation)
        refused = form.write(changes)
        self.touched(agent)
        if refused:
            return form, refused
        known = [each.name for each in self._settings.dispositions_of(form.line)]
        if form.values["disposition"] not in known:
            raise Problem("desk.no_disposition")
        if form.values["resolved"] not in RESOLVED or form.values["kind"] not in KINDS:
            raise Problem("desk.no_sense", value=f"{form.values['resolved']} {form.values['kind']}"[:40])
        self._forms.give(agent)
        self._put(form, events.WrapUpGiven)
        self._count("wrap_ups_given")
        if form.is_over:
            self._floor.wrapped(agent)
        self._changed()
        return form, ()

    def extend(self, agent: str, conversation: str) -> None:
        """As much time again, once. Problem where there is none to make longer."""
        self._mine(agent, conversation)
        if not self._forms.extend(agent):
            raise Problem("desk.no_more_time")
        self._floor.extend(agent)
        self._wind()
        self._changed()

    def _mine(self, agent: str, conversation: str) -> Form:
        form = self._forms.of(agent)
        if form is None or form.about.conversation != conversation:
            raise Problem("desk.form_is_over")
        return form

    # Records ----------------------------------------------------------------------------------------------------------

    async def _keep(self, form: Form) -> None:
        """Returns when the form as it is now is on the disk, by this transaction or by another's."""
        agent, wanted = form.agent, form.draft().versions
        async with self._keeping.setdefault(agent, asyncio.Lock()):
            kept, versions = self._kept.get(agent, (None, ()))
            if kept is form and all(on_disk >= own for on_disk, own in zip(versions, wanted, strict=True)):
                return
            await asyncio.sleep(self._kept_at.get(agent, -KEEP_SECONDS) + KEEP_SECONDS - self._clock.monotonic())
            if form is not self._forms.of(agent) or form.is_recorded:
                return  # an event has taken its place
            draft = form.draft()
            self._kept_at[agent] = self._clock.monotonic()
            await self._records.call(lambda store: store.within(lambda db: drafts.keep(db, draft)))
            self._kept[agent] = form, draft.versions

    def _pushed_away(self, form: Form | None) -> None:
        """The agent's next call has come, and this form was not given."""
        if form is not None:
            self._missed(form, is_counted=form.state == "open" and form.asks_seconds > 0)

    def _missed(self, form: Form, *, is_counted: bool) -> None:
        self._put(form, events.WrapUpMissed)
        if is_counted:
            self._count("wrap_ups_missed")

    def _put(self, form: Form, kind: type[events.WrapUpGiven | events.WrapUpMissed]) -> None:
        self._records.put(
            kind(
                conversation=form.about.conversation,
                agent=form.agent,
                disposition=form.values["disposition"],
                note=form.values["note"],
                resolved=form.values["resolved"],
                kind_of_call=form.values["kind"],
                offset_ms=round((self._clock.monotonic() - form.about.began) * 1000),
            )
        )

    # The clock --------------------------------------------------------------------------------------------------------

    def _wind(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._forms.deadline
        if deadline is not None:
            seconds = deadline - self._clock.monotonic()
            self._timer = asyncio.get_running_loop().call_later(max(0.0, seconds), self._tick)

    def _tick(self) -> None:
        self._timer = None
        for form in self._forms.due(self._clock.monotonic()):
            self._missed(form, is_counted=True)
        self._floor.pass_time()
        self._wind()
        self._changed()
