"""An agent's own page: where they are, who rings or speaks, what they say of it, what they promise.

The page that is shown is the agent's who signed in; those who lead may open everybody's (``?agent=``). What is typed
into the form of a call goes to calls at most once a second and is on the disk when calls answers. Every key of the page
stands beside what it does; without a script all of it works by loading the page again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from appliance import messages
from appliance.control import wire
from appliance.control.client import STOPPED
from appliance.control.wire import Snapshot
from appliance.errors import Problem
from appliance.messages import calendar
from appliance.messages.numbers import digits
from appliance.records import dossier, ledger
from appliance.records.dossier import Dossier
from appliance.web import forms, owed, work
from appliance.web.site import Site, leave_to_guard

DONE = {
    "given": "web.done_given",
    "extended": "web.done_extended",
    "briefed": "web.done_briefed",
    "told": "web.done_told",
    "pin": "web.done_pin",
}


class Me:
    def __init__(self, site: Site) -> None:
        self._site = site

    async def show(self, request: Request) -> Response:
        return await self._page(request)

    async def live(self, request: Request) -> Response:
        """The parts that change; the desk is asked for with each picture, the records when somebody else rings."""
        site, token = self._site, self._site.token(request)
        agent = request.query_params.get("agent", "")[: forms.LONGEST_NAME]
        desk: wire.DeskNow | None = None

        async def look(snapshot: Snapshot | None) -> bool:
            nonlocal desk
            before = desk
            try:
                desk = await site.control.desk(token, agent) if snapshot is not None else None
            except Problem as problem:
                if problem.key != STOPPED:  # it died since the picture: the next one says so
                    raise
                desk = None
            return desk is not None and work.caller(desk) != (work.caller(before) if before is not None else None)

        def read() -> work.Known:
            return self._read(desk)

        def fragments(snapshot: Snapshot | None, known: work.Known) -> dict[str, str]:
            return {"findings": site.findings(request, snapshot), **self._fragments(request, desk, known)}

        return site.stream(request, read, fragments, look)

    # What is ordered --------------------------------------------------------------------------------------------------

    async def away(self, request: Request) -> Response:
        return await self._ordered(request, forms.away, "")

    async def extend(self, request: Request) -> Response:
        return await self._ordered(request, forms.extend, "extended")

    async def next_customer(self, request: Request) -> Response:
        return await self._ordered(request, forms.next_customer, "")

    async def outcome(self, request: Request) -> Response:
        return await self._ordered(request, forms.outcome, "told")

    async def brief(self, request: Request) -> Response:
        return await self._ordered(request, forms.brief, "briefed")

    async def pause(self, request: Request) -> Response:
        return await self._ordered(request, forms.pause, "")

    async def pin(self, request: Request) -> Response:
        return await self._ordered(request, forms.pin, "pin")

    async def draft(self, request: Request) -> Response:
        """What was typed so far; the script is told the fields as they stand, by 409 where others had changed some."""
        try:
            form = await self._site.form(request)
            reply = await self._site.control.order(forms.write(form, self._site.token(request)))
        except Problem as problem:
            code = 503 if problem.key == STOPPED else 400
            return JSONResponse({"problem": " ".join(self._site.lines(request, problem))}, code)
        assert isinstance(reply, wire.Written)
        fields = {each.name: {"value": each.value, "version": each.version} for each in reply.fields}
        return JSONResponse({"fields": fields, "changed": reply.changed}, 409 if reply.changed else 200)

    async def give(self, request: Request) -> Response:
        form = await self._site.fields(request)
        try:
            reply = await self._order(request, forms.give)
        except Problem as problem:
            return await self._page(request, problem, typed=form)
        assert isinstance(reply, wire.Written)
        if reply.changed:
            return await self._page(request, typed=form, changed=reply)
        return self._back(form, "done=given")

    async def promise(self, request: Request) -> Response:
        form = await self._site.fields(request)
        try:
            reply = await self._order(request, forms.promise)
        except Problem as problem:
            return await self._page(request, problem, promise=form)
        assert isinstance(reply, wire.Promised)
        return self._back(form, f"code={reply.code}")

    async def _ordered(
        self, request: Request, order_of: Callable[[forms.Form, str], wire.DeskOrder | wire.ChoosePin], done: str
    ) -> Response:
        form = await self._site.fields(request)
        try:
            await self._order(request, order_of)
        except Problem as problem:
            return await self._page(request, problem)
        return self._back(form, f"done={done}" if done else "")

    async def _order(
        self,
        request: Request,
        order_of: Callable[[forms.Form, str], wire.DeskOrder | wire.MakePromise | wire.ChoosePin],
    ) -> wire.Reply:
        form = await self._site.form(request)
        return await self._site.control.order(order_of(form, self._site.token(request)))

    def _back(self, form: forms.Form, said: str) -> Response:
        desk = work.address(form.get("desk", ""))
        return RedirectResponse(f"/me?{desk}&{said}".rstrip("&?").replace("?&", "?"), 303)

    # What is shown ----------------------------------------------------------------------------------------------------

    async def _page(
        self,
        request: Request,
        problem: Problem | None = None,
        *,
        typed: forms.Form | None = None,
        promise: forms.Form | None = None,
        changed: wire.Written | None = None,
    ) -> Response:
        """The page; ``typed`` and ``promise`` are what was sent and refused, ``changed`` what others had written."""
        site, language = self._site, self._site.language_of(request)
        leave_to_guard(problem)
        sent = request.query_params if request.method == "GET" else await site.fields(request)
        wanted = sent.get("agent" if request.method == "GET" else "desk", "")[: forms.LONGEST_NAME]
        desk = await site.control.desk(site.token(request), wanted)
        snapshot = await site.picture(request)
        known = await asyncio.to_thread(self._read, desk)
        values = work.values(desk.form, typed, changed)
        return site.render(
            request,
            "me.html",
            409 if changed is not None else 200 if problem is None else 400,
            problem=site.lines(request, problem) if problem else None,
            fragments={
                "findings": site.findings(request, snapshot),
                **self._fragments(request, desk, known, values, promise),
            },
            desk=desk,
            address=work.address(wanted),
            others=[each for each in desk.agents if each != desk.agent],
            changed=work.changed(desk.form, changed, language) if changed is not None else [],
            done=messages.text(DONE[sent["done"]], language) if sent.get("done") in DONE else "",
            made=digits(sent["code"], language) if ledger.is_code(sent.get("code", "")) else "",
            moments=owed.suggestions(site.clock.utc_ms(), language),
            moment=calendar.moment(site.clock.utc_ms(), language),
        )

    def _read(self, desk: wire.DeskNow | None) -> work.Known:
        about = work.caller(desk) if desk is not None else None
        if about is None:
            return work.Known(dossier.NOTHING, ())
        conversation, customer = about
        try:
            reader = self._site.reader()
            found: Dossier = reader.within(lambda db: dossier.read(db, customer, conversation))
            return work.Known(found, tuple(reader.presses(conversation)))
        except Problem:
            return work.Known(None, ())

    def _fragments(
        self,
        request: Request,
        desk: wire.DeskNow | None,
        known: work.Known,
        values: dict[str, work.Value] | None = None,
        promise: forms.Form | None = None,
    ) -> dict[str, str]:
        if desk is None:  # calls is stopped: what was shown stays
            return {}
        site = self._site
        words, language, now = site.words(request), site.language_of(request), site.clock.utc_ms()
        form = desk.form
        return {
            "presence": site.part(
                "presence", words, desk=desk, state=work.state(desk, language), reasons=work.reasons(desk, language)
            ),
            "call": site.part(
                "call", words, desk=desk, call=work.call(desk, known, now, language), is_known=known.about is not None
            ),
            "task": site.part("task", words, desk=desk, task=work.task(desk, now, language)),
            "wrap": site.part(
                "wrap",
                words,
                desk=desk,
                form_of=form,
                choices=work.choices(form, language),
                kinds=work.kinds(language),
                resolutions=work.resolutions(language),
                values=values or work.NO_VALUES,
                promise=work.promised(form, promise, language),
            ),
            "list": site.part(
                "list", words, desk=desk, entry=work.entry(desk, language), lists=work.lists(desk, language)
            ),
            "draft": site.part("draft", words, form_of=form),
        }
