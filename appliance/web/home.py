"""The home page: what is so now. Reminders and findings first, then lines and agents, calls, and the last of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from appliance.control.wire import Snapshot, Who
from appliance.errors import Problem
from appliance.messages import calendar
from appliance.messages.numbers import digits
from appliance.records.reader import Conversation
from appliance.web import office, owed, views
from appliance.web.site import WORKS, Site

LAST_CALLS = 30


@dataclass(frozen=True, slots=True)
class Kept:
    """What the records say; None while they cannot be read, or are not for this person."""

    last: list[Conversation] | None
    owed: owed.Owed | None


class Home:
    def __init__(self, site: Site) -> None:
        self._site = site

    async def show(self, request: Request, problem: Problem | None = None, code: int = 200) -> Response:
        """The page; ``problem`` is what came of an order."""
        site = self._site
        who: Who = request.state.who
        snapshot = await site.picture(request)
        kept = await asyncio.to_thread(self._read, who)
        now = snapshot.now_utc_ms if snapshot else site.clock.utc_ms()
        return site.render(
            request,
            "home.html",
            code,
            who=who,
            problem=site.lines(request, problem) if problem else None,
            fragments=self._fragments(request, snapshot, kept),
            day=calendar.day(now, site.language_of(request)),
            moment=calendar.moment(now, site.language_of(request)),
        )

    async def live(self, request: Request) -> Response:
        who: Who = request.state.who
        return self._site.stream(
            request, lambda: self._read(who), lambda snapshot, kept: self._fragments(request, snapshot, kept)
        )

    def _read(self, who: Who) -> Kept:
        now = self._site.clock.utc_ms()
        try:
            reader = self._site.reader()
            last = reader.last(LAST_CALLS)
            waits = reader.within(lambda db: owed.read(db, now, is_whole=False)) if who.role in WORKS else None
        except Problem:
            return Kept(None, None)
        return Kept(last, waits)

    def _fragments(self, request: Request, snapshot: Snapshot | None, kept: Kept) -> dict[str, str]:
        """The parts of the page that change, by the id of their place."""
        site = self._site
        found = {"findings": site.findings(request, snapshot)}
        if snapshot is None:
            return found
        words, language, part = site.words(request), site.language_of(request), site.part
        role = request.state.who.role
        found["health"] = part(
            "health",
            words,
            trunks=views.trunks(snapshot, language),
            phones=views.phones(snapshot, language),
            media=views.media(snapshot, language),
            opening=office.opening(snapshot.switches, snapshot.now_utc_ms, language),
            waits=tuple(digits(each, language) for each in owed.count(kept.owed)) if kept.owed else None,
        )
        found["lines"] = part("lines", words, rows=office.lines(snapshot, language))
        found["waiting"] = part("waiting", words, rows=office.waiting(snapshot, language))
        found["agents"] = part("agents", words, rows=office.agents(snapshot, language))
        found["calls"] = part("calls", words, rows=views.calls(snapshot, language))
        found["last"] = part("last", words, rows=None if kept.last is None else views.last(kept.last, role, language))
        if role in WORKS:
            rows = owed.reminders(kept.owed, language) if kept.owed else []
            found["reminders"] = part("reminders", words, rows=rows)
        if snapshot.upstream:
            found["upstream"] = part("upstream", words, rows=views.upstream(snapshot, language))
        if role in ("owner", "technician"):
            found["counters"] = part("counters", words, rows=views.counters(snapshot, language))
        return found
