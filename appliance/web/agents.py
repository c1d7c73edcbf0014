"""The agents, for those who lead: what each did with every second of a day, where they sit, and their PINs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from appliance.control import wire
from appliance.errors import Problem
from appliance.messages import Language, calendar
from appliance.messages.numbers import digits, latin
from appliance.records import attendance
from appliance.records.attendance import Part, State
from appliance.web import forms
from appliance.web.site import Site, leave_to_guard
from appliance.web.views import word

PINS = ("none", "code", "chosen", "locked")


@dataclass(frozen=True, slots=True)
class Table:
    """Times of every agent by what they did; the last column is the sum."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


class Agents:
    def __init__(self, site: Site) -> None:
        self._site = site

    async def show(self, request: Request) -> Response:
        return await self._page(request)

    async def make_pin(self, request: Request) -> Response:
        """A PIN, on this answer and nowhere else."""
        form = await self._site.form(request)
        agent = form.get("agent", "")[: forms.LONGEST_NAME]
        try:
            reply = await self._site.control.order(wire.MakePin(self._site.token(request), agent))
        except Problem as problem:
            return await self._page(request, problem)
        assert isinstance(reply, wire.PinMade)
        return await self._page(request, made=reply)

    async def unlock(self, request: Request) -> Response:
        form = await self._site.form(request)
        agent, phone = (form.get(name, "")[: forms.LONGEST_NAME] for name in ("agent", "phone"))
        try:
            await self._site.control.order(wire.UnlockPin(self._site.token(request), agent, phone))
        except Problem as problem:
            return await self._page(request, problem)
        return RedirectResponse("/agents", 303)

    async def _page(
        self, request: Request, problem: Problem | None = None, *, made: wire.PinMade | None = None
    ) -> Response:
        site, language = self._site, self._site.language_of(request)
        leave_to_guard(problem)
        now = site.clock.utc_ms()
        written = latin(request.query_params.get("day", ""))[: forms.LONGEST_MOMENT]
        span = calendar.span_of(written, now) if written else None
        if written and span is None:
            problem = Problem("desk.no_such_moment", value=written)
        begins = calendar.day_begin(span[0] if span is not None else now)
        seated = await site.control.seats(site.token(request))
        found = await asyncio.to_thread(self._read, begins, now)
        return site.render(
            request,
            "agents.html",
            200 if problem is None else 400,
            problem=site.lines(request, problem) if problem else None,
            made=made,
            day=written,
            heading=calendar.day(begins, language),
            table=table(found, seated.away, language) if found else None,
            seats=seated.seats,
            breaks=seated.breaks,
            locked_phones=seated.locked_phones,
            pins={each: word(f"web.pin_{each}", language) for each in PINS},
        )

    def _read(self, begins: int, now: int) -> Mapping[str, Sequence[Part]]:
        try:
            reader = self._site.reader()
            return reader.within(lambda db: attendance.read(db, begins, begins + calendar.DAY_MS, now))
        except Problem:  # what is on record cannot be read now: seats can still be seen
            return {}


def table(found: Mapping[str, Sequence[Part]], away: Sequence[wire.Choice], language: Language) -> Table:
    """A column for each thing that anybody did that day."""
    sums = {agent: attendance.sums(parts) for agent, parts in found.items()}
    order = list(State)
    kinds = sorted({kind for each in sums.values() for kind in each}, key=lambda kind: (order.index(kind[0]), kind[1]))
    names = tuple(_name(kind, away, language) for kind in kinds)
    rows = tuple(
        (agent, tuple(_time(each, language) for each in (*(sums[agent].get(kind, 0) for kind in kinds), _whole(parts))))
        for agent, parts in found.items()
    )
    return Table((*names, word("web.did_sum", language)), rows)


def _whole(parts: Sequence[Part]) -> int:
    return sum(part.milliseconds for part in parts)


def _name(kind: tuple[State, str], away: Sequence[wire.Choice], language: Language) -> str:
    state, detail = kind
    if state is State.AWAY:
        chosen = next((each for each in away if each.name == detail), None)
        if chosen is not None:
            return chosen.persian if language == "fa" else chosen.english
    return word(f"web.did_{state.value}_{detail}" if detail else f"web.did_{state.value}", language)


def _time(milliseconds: int, language: Language) -> str:
    """Hours, minutes and seconds; the second that was begun is not counted."""
    seconds = milliseconds // 1000
    return digits(f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}", language)
