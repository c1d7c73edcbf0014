"""The pages from which the office works: whom it owes a call, the switches, and callers who are moved or hung up.

Each order goes to calls as it was typed; calls decides and says why not. What was refused comes back with everything
that was typed in it and the two lines that say what to do; what was done leads back by a redirect, so that loading a
page again repeats nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from appliance import messages
from appliance.control import wire
from appliance.control.wire import Snapshot
from appliance.errors import Problem
from appliance.messages import Language, calendar
from appliance.messages.numbers import digits
from appliance.records import ledger
from appliance.web import forms, office, owed
from appliance.web.home import Home
from appliance.web.site import Site, leave_to_guard
from appliance.web.views import national

DONE: Mapping[str, str] = {"changed": "web.done_changed", "called": "web.done_called", "closed": "web.done_closed"}
PROMISE = ("number", "due", "about", "agent", "queue", "language")
CHANGE = ("request", "number", "was_number", "due", "was_due")
OVER = ("desk.no_such_request", "desk.waits_no_more", "desk.moved_already", "control.no_such_call")


class Desk:
    """``home`` shows what came of orders that are given there."""

    def __init__(self, site: Site, home: Home) -> None:
        self._site = site
        self._home = home

    # Who waits for us -------------------------------------------------------------------------------------------------

    async def show_owed(self, request: Request) -> Response:
        return await self._owed(request)

    async def live_owed(self, request: Request) -> Response:
        shown: tuple[owed.Owed | None, dict[str, str]] | None = None

        def fragments(snapshot: Snapshot | None, kept: owed.Owed | None) -> dict[str, str]:
            nonlocal shown
            if shown is None or shown[0] is not kept:  # a long list is written anew when it was read anew, not more
                shown = kept, self._of_records(request, kept)
            return {"findings": self._site.findings(request, snapshot), **shown[1]}

        return self._site.stream(request, self._read, fragments)

    async def promise(self, request: Request) -> Response:
        form = await self._site.fields(request)
        try:
            reply = await self._order(request, forms.promise)
        except Problem as problem:
            return await self._owed(request, problem, promise=form)
        assert isinstance(reply, wire.Promised)
        return RedirectResponse(f"/owed?code={reply.code}", 303)

    async def change(self, request: Request) -> Response:
        form = await self._site.fields(request)
        try:
            await self._order(request, forms.change)
        except Problem as problem:
            return await self._owed(request, problem, change=form)
        return RedirectResponse("/owed?done=changed", 303)

    async def call_now(self, request: Request) -> Response:
        return await self._simple(request, forms.call_now, "called")

    async def close(self, request: Request) -> Response:
        return await self._simple(request, forms.close, "closed")

    async def _simple(self, request: Request, order_of: Callable[[forms.Form, str], wire.Order], done: str) -> Response:
        try:
            await self._order(request, order_of)
        except Problem as problem:
            return await self._owed(request, problem)
        return RedirectResponse(f"/owed?done={done}", 303)

    async def _owed(
        self,
        request: Request,
        problem: Problem | None = None,
        *,
        promise: forms.Form | None = None,
        change: forms.Form | None = None,
    ) -> Response:
        """The page, with what was typed where it was refused."""
        site, language = self._site, self._site.language_of(request)
        leave_to_guard(problem)
        snapshot = await site.picture(request)
        kept = await asyncio.to_thread(self._read)
        query = request.query_params if request.method == "GET" else {}
        now = site.clock.utc_ms()
        asked = kept.requests.get(query.get("change", "") or (change or {}).get("request", "")) if kept else None
        about = kept.requests.get(query.get("promise", "")) if kept else None
        if change is None and asked is not None:
            number, due = digits(national(asked.customer), language), owed.typed(asked.due, language)
            change = {"request": asked.request, "number": number, "was_number": number, "due": due, "was_due": due}
        is_over = bool(query.get("change")) and asked is None and kept is not None
        if is_over:
            problem = Problem("desk.no_such_request")
        return site.render(
            request,
            "owed.html",
            _code(problem),
            problem=site.lines(request, problem) if problem else None,
            fragments={"findings": site.findings(request, snapshot), **self._of_records(request, kept)},
            done=messages.text(DONE[query["done"]], language) if query.get("done") in DONE else "",
            made=digits(query["code"], language) if ledger.is_code(query.get("code", "")) else "",
            change=_filled(change, CHANGE) if change else None,
            asked=owed.request_row(asked, now, language) if asked else None,
            promise=_filled(promise or self._new_promise(about, language), PROMISE),
            is_promising=promise is not None or about is not None,
            moments=owed.suggestions(now, language),
            lines=[line.name for line in snapshot.lines] if snapshot else [],
            agents=[agent.name for agent in snapshot.agents] if snapshot else [],
            moment=calendar.moment(now, language),
        )

    def _new_promise(self, about: ledger.Request | None, language: Language) -> dict[str, str]:
        """An empty form, or one for who is owed something else already."""
        if about is None:
            return {"language": self._site.language}
        return {"number": digits(national(about.customer), language), "queue": about.queue, "language": about.language}

    def _read(self) -> owed.Owed | None:
        now = self._site.clock.utc_ms()
        try:
            return self._site.reader().within(lambda db: owed.read(db, now))
        except Problem:
            return None

    def _of_records(self, request: Request, kept: owed.Owed | None) -> dict[str, str]:
        site = self._site
        words, language = site.words(request), site.language_of(request)
        if kept is None:
            return {"persons": site.part("persons", words, rows=None)}
        promises = site.part(
            "promises",
            words,
            rate=owed.rate(kept, language),
            to_come=owed.to_come(kept, language),
            past=owed.past(kept, language),
        )
        return {"persons": site.part("persons", words, rows=owed.persons(kept, language)), "promises": promises}

    # Switches ---------------------------------------------------------------------------------------------------------

    async def show_switches(self, request: Request) -> Response:
        return await self._switches(request)

    async def turn(self, request: Request) -> Response:
        site = self._site
        typed = await site.fields(request)
        try:
            form = await site.form(request)
            snapshot = await site.picture(request)
            switches = snapshot.switches if snapshot else wire.Switches()
            for turn in forms.turns(form, site.token(request), switches, site.clock.utc_ms()):
                await site.control.order(turn)
        except Problem as problem:
            return await self._switches(request, problem, typed)
        return RedirectResponse("/switches", 303)

    async def live_switches(self, request: Request) -> Response:
        return self._site.stream(
            request, lambda: True, lambda snapshot, _kept: self._switch_fragments(request, snapshot)
        )

    async def _switches(
        self, request: Request, problem: Problem | None = None, typed: forms.Form | None = None
    ) -> Response:
        site, language = self._site, self._site.language_of(request)
        leave_to_guard(problem)
        snapshot = await site.picture(request)
        return site.render(
            request,
            "switches.html",
            _code(problem),
            problem=site.lines(request, problem) if problem else None,
            fragments=self._switch_fragments(request, snapshot),
            days=office.next_days(site.clock.utc_ms(), language),
            day=(typed or {}).get("day", ""),
            time=(typed or {}).get("time", ""),
        )

    def _switch_fragments(self, request: Request, snapshot: Snapshot | None) -> dict[str, str]:
        site = self._site
        found = {"findings": site.findings(request, snapshot)}
        if snapshot is not None:
            words, language = site.words(request), site.language_of(request)
            rows = office.switched(snapshot.switches, site.clock.utc_ms(), language)
            found["switched"] = site.part("switched", words, rows=rows, is_night=snapshot.switches.night)
        return found

    # Callers ----------------------------------------------------------------------------------------------------------

    async def move(self, request: Request) -> Response:
        return await self._at_home(request, forms.move)

    async def hang_up(self, request: Request) -> Response:
        return await self._at_home(request, forms.hang_up)

    async def _at_home(self, request: Request, order_of: Callable[[forms.Form, str], wire.Order]) -> Response:
        try:
            await self._order(request, order_of)
        except Problem as problem:
            leave_to_guard(problem)
            return await self._home.show(request, problem, _code(problem))
        return RedirectResponse("/", 303)

    async def _order(self, request: Request, order_of: Callable[[forms.Form, str], wire.Order]) -> wire.Reply:
        form = await self._site.form(request)
        return await self._site.control.order(order_of(form, self._site.token(request)))


def _code(problem: Problem | None) -> int:
    if problem is None:
        return 200
    return 403 if problem.key == "web.old_form" else 409 if problem.key in OVER else 400


def _filled(form: forms.Form, names: tuple[str, ...]) -> dict[str, str]:
    """What a template places; empty where nothing was typed."""
    return {name: form.get(name, "") for name in names}
