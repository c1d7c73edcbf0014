"""The page of outbound lists: how far each is, a file taken into one, who is never to be called, and what came of it.

As with contacts a file is read and shown first, wrong rows on top; then, with one press, it is done. Whether a number
may stand in a list is asked of calls, which alone knows the policy, the lists and who is not to be called.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from appliance import messages
from appliance.contacts.draft import numbers_in
from appliance.control import wire
from appliance.errors import Problem
from appliance.messages import Language
from appliance.messages.numbers import digits
from appliance.outbound_lists import from_csv, to_csv
from appliance.outbound_lists.from_csv import Plan, Source
from appliance.records import lists
from appliance.records.lists import Entry, Forbidden
from appliance.web import upload
from appliance.web.held import HeldFiles
from appliance.web.plans import counted, file_shown
from appliance.web.site import Site, leave_to_guard
from appliance.web.views import national

SHOWN_FORBIDDEN = 200
LONGEST_NAME, LONGEST_NUMBERS = 64, 4_000
_DONE = {"turned": "web.lists_turned", "forbidden": "web.lists_forbidden", "allowed": "web.lists_allowed"}


@dataclass(frozen=True, slots=True)
class ListShown:
    """``why_closed`` is a sentence; empty: its customers are called now. ``progress``: outcomes and how many."""

    name: str
    remaining: str
    why_closed: str
    is_paused: bool
    progress: tuple[tuple[str, str], ...]


class Lists:
    """By those who lead; agents have theirs on their own page."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._held = HeldFiles(site.clock)
        self._reads_alone = asyncio.Lock()  # a large file takes some 100 MB while it is read

    async def show(self, request: Request) -> Response:
        return await self._page(request)

    async def turn(self, request: Request) -> Response:
        """Pauses a list, or goes on with it."""
        try:
            form = await self._site.form(request)
            name, is_paused = form.get("list", "")[:LONGEST_NAME], bool(form.get("pause"))
            await self._site.control.order(wire.TurnList(self._site.token(request), name, is_paused))
        except Problem as problem:
            return await self._page(request, problem)
        return RedirectResponse("/lists?done=turned", 303)

    async def forbid(self, request: Request) -> Response:
        """Numbers that no list dials any more."""
        try:
            form = await self._site.form(request)
            numbers = numbers_in(form.get("numbers", "")[:LONGEST_NUMBERS])
            reply = await self._site.control.order(wire.ForbidNumbers(self._site.token(request), numbers, "page"))
            if isinstance(reply, wire.Counted) and not reply.count:
                raise Problem("lists.none_forbidden")
        except Problem as problem:
            return await self._page(request, problem)
        return RedirectResponse("/lists?done=forbidden", 303)

    async def allow(self, request: Request) -> Response:
        try:
            form = await self._site.form(request)
            order = wire.AllowNumber(self._site.token(request), form.get("number", "")[:LONGEST_NAME])
            await self._site.control.order(order)
        except Problem as problem:
            return await self._page(request, problem)
        return RedirectResponse("/lists?done=allowed", 303)

    async def look(self, request: Request) -> Response:
        """A file was sent: what it would do."""
        try:
            sent = upload.parts(await request.body(), request.headers.get("content-type", ""))
            self._site.check_form(request, sent.get("form", b"").decode("utf-8", "replace"))
            name = sent.get("list", b"").decode("utf-8", "replace")[:LONGEST_NAME]
            content, plan = sent.get("file", b""), Plan()
            async with self._reads_alone:
                source = await asyncio.to_thread(from_csv.source, content)
                async for _ in self._judged(request, name, source, plan):
                    pass
            self._held.hold(self._site.token(request), content)
        except Problem as problem:
            return await self._page(request, problem)
        return self._show_plan(request, name, source, plan)

    async def carry_out(self, request: Request) -> Response:
        """The file that was sent before, as it was shown; what has changed meanwhile is looked at anew."""
        count = 0
        try:
            form = await self._site.form(request)
            name, token = form.get("list", "")[:LONGEST_NAME], self._site.token(request)
            content = self._held.taken(token)
            async with self._reads_alone:
                source = await asyncio.to_thread(from_csv.source, content)
                async for rows in self._judged(request, name, source, Plan()):
                    for batch in from_csv.batches(rows):
                        reply = await self._site.control.order(wire.AddToList(token, name, batch))
                        count += reply.count if isinstance(reply, wire.Counted) else 0
        except Problem as problem:
            return await self._page(request, problem, added=count)
        return RedirectResponse(f"/lists?added={count}", 303)

    async def export(self, request: Request) -> Response:
        name = request.query_params.get("list", "")[:LONGEST_NAME]
        headers = {"content-disposition": 'attachment; filename="outcomes.csv"'}
        lines = to_csv.lines(self._entries(name), self._site.language_of(request))
        return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)

    # What is shown and read -------------------------------------------------------------------------------------------

    async def _judged(
        self, request: Request, name: str, source: Source, plan: Plan
    ) -> AsyncIterator[list[wire.ListRow]]:
        """The rows that may be added, a part of the file at a time."""
        chunks = from_csv.chunks(source.rows())
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            numbers = from_csv.numbers_of(chunk)
            reply = await self._site.control.order(wire.CheckNumbers(self._site.token(request), name, numbers))
            if isinstance(reply, wire.Checked):
                yield list(plan.take(chunk, reply.numbers))

    async def _page(self, request: Request, problem: Problem | None = None, added: int = 0) -> Response:
        site, language = self._site, self._site.language_of(request)
        leave_to_guard(problem)
        query = request.query_params if request.method == "GET" else {}
        reply = await site.control.order(wire.AskLists(site.token(request)))
        known = reply.lists if isinstance(reply, wire.ListsNow) else ()
        progress, forbidden = await asyncio.to_thread(self._read)
        added = counted(query, "added") or added
        return site.render(
            request,
            "outbound_lists.html",
            400 if problem is not None else 200,
            problem=site.lines(request, problem) if problem else None,
            done=messages.text(_DONE[query["done"]], language) if query.get("done") in _DONE else "",
            added=messages.text("web.lists_added", language, count=digits(added, language)) if added else "",
            lists=[_shown(each, progress.get(each.name, {}), language) for each in known],
            forbidden=[(each.number, digits(national(each.number), language), each.by) for each in forbidden],
        )

    def _read(self) -> tuple[dict[str, dict[str, int]], list[Forbidden]]:
        return self._site.reader().within(lambda db: (lists.progress(db), lists.forbidden(db, SHOWN_FORBIDDEN)))

    def _entries(self, name: str) -> Iterator[Entry]:
        last = 0
        while found := self._site.reader().within(lambda db: lists.after(db, name, last)):  # noqa: B023 - asked at once
            yield from found
            last = found[-1].n

    def _show_plan(self, request: Request, name: str, source: Source, plan: Plan) -> Response:
        language = self._site.language_of(request)
        return self._site.render(
            request,
            "list_plan.html",
            list_name=name,
            new=digits(plan.new, language),
            wrong_count=digits(plan.wrong_count, language),
            is_something=bool(plan.new),
            file=file_shown(source.encoding, source.separator, plan.wrong, plan.wrong_count, language),
        )


def _shown(now: wire.ListNow, progress: dict[str, int], language: Language) -> ListShown:
    return ListShown(
        name=now.name,
        remaining=digits(now.remaining, language),
        why_closed=messages.text(f"web.list_is_{now.why_closed}", language) if now.why_closed else "",
        is_paused=now.why_closed == "paused",
        progress=tuple(
            (to_csv.outcome(word, language), digits(count, language)) for word, count in sorted(progress.items())
        ),
    )
