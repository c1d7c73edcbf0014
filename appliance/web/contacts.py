"""The page of contacts: searched by everybody who works here, changed by owner and supervisors.

An import has two steps: the file is read and what it would do is shown; then, with one press, it is done. In between
the file waits in memory, for a quarter of an hour and for who has sent it alone. The page only reads; calls takes the
contacts by orders of some fifty, so that an import of thousands holds up no call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from appliance import messages
from appliance.contacts import plan, reading, to_csv
from appliance.contacts.plan import Plan, Source
from appliance.control import wire
from appliance.control.wire import Contact
from appliance.errors import Problem
from appliance.messages import Language
from appliance.messages.numbers import digits
from appliance.records.database import Connection
from appliance.web import forms, upload
from appliance.web.held import HeldFiles
from appliance.web.plans import counted, file_shown
from appliance.web.site import Site, leave_to_guard
from appliance.web.views import national

SHOWN = 100
DONE: Mapping[str, str] = {"saved": "web.contact_saved", "removed": "web.contact_removed"}
_FORM = ("contact", "name", "latin", "numbers", "language", "note", "vip", "blocked", "unrecorded")


@dataclass(frozen=True, slots=True)
class ContactRow:
    contact: str
    name: str
    latin: str
    numbers: tuple[str, ...]
    marks: tuple[str, ...]
    note: str


class Contacts:
    """``area_code`` is what a bare local number in a file belongs to."""

    def __init__(self, site: Site, area_code: str) -> None:
        self._site = site
        self._area_code = area_code
        self._held = HeldFiles(site.clock)
        self._reads_alone = asyncio.Lock()  # a large file takes some 100 MB while it is read

    async def show(self, request: Request) -> Response:
        return await self._list(request)

    async def save(self, request: Request) -> Response:
        typed = await self._site.fields(request)
        try:
            form = await self._site.form(request)
            await self._site.control.order(forms.contact(form, self._site.token(request)))
        except Problem as problem:
            return await self._list(request, problem, typed)
        return RedirectResponse("/contacts?done=saved", 303)

    async def remove(self, request: Request) -> Response:
        try:
            form = await self._site.form(request)
            order = wire.RemoveContacts(self._site.token(request), (form.get("contact", "")[:64],))
            await self._site.control.order(order)
        except Problem as problem:
            return await self._list(request, problem)
        return RedirectResponse("/contacts?done=removed", 303)

    async def export(self, request: Request) -> Response:
        lines = to_csv.lines(reading.everybody(self._site.reader().within), self._site.language_of(request))
        headers = {"content-disposition": 'attachment; filename="contacts.csv"'}
        return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)

    async def look(self, request: Request) -> Response:
        """A file was sent: what it would do."""
        try:
            sent = upload.parts(await request.body(), request.headers.get("content-type", ""))
            self._site.check_form(request, sent.get("form", b"").decode("utf-8", "replace"))
            content = sent.get("file", b"")
            async with self._reads_alone:
                source, found = await asyncio.to_thread(self._planned, content)
            self._held.hold(self._site.token(request), content)
        except Problem as problem:
            return await self._list(request, problem)
        return self._show_plan(request, source, found)

    async def carry_out(self, request: Request) -> Response:
        """The file that was sent before, as it was shown; what has changed meanwhile is looked at anew."""
        count = 0
        try:
            await self._site.form(request)
            content = self._held.taken(self._site.token(request))
            async with self._reads_alone:
                batches = await asyncio.to_thread(self._batches, content)
                while (batch := await asyncio.to_thread(next, batches, None)) is not None:
                    await self._site.control.order(wire.SaveContacts(self._site.token(request), batch))
                    count += len(batch)
        except Problem as problem:
            return await self._list(request, problem, saved=count)
        return RedirectResponse(f"/contacts?imported={count}", 303)

    # What is shown ----------------------------------------------------------------------------------------------------

    async def _list(
        self, request: Request, problem: Problem | None = None, typed: forms.Form | None = None, saved: int = 0
    ) -> Response:
        site, language = self._site, self._site.language_of(request)
        leave_to_guard(problem)
        query = request.query_params if request.method == "GET" else {}
        wanted, edited = query.get("q", "")[:100], query.get("edit", "")[:64]
        found, total, one = await asyncio.to_thread(self._read, wanted, edited)
        saved = counted(query, "imported") or saved
        form = typed if typed is not None else _as_form(one) if one is not None else None
        return site.render(
            request,
            "contact_list.html",
            400 if problem is not None else 200,
            problem=site.lines(request, problem) if problem else None,
            done=messages.text(DONE[query["done"]], language) if query.get("done") in DONE else "",
            imported=messages.text("web.contacts_imported", language, count=digits(saved, language)) if saved else "",
            wanted=wanted,
            rows=[_row(each, language) for each in found],
            total=digits(total, language),
            is_more=len(found) == SHOWN,
            is_editing=form is not None,
            contact={name: (form or {}).get(name, "") for name in _FORM},
        )

    def _show_plan(self, request: Request, source: Source, found: Plan) -> Response:
        language = self._site.language_of(request)
        return self._site.render(
            request,
            "contact_plan.html",
            counts={
                name: digits(count, language)
                for name, count in (
                    ("new", found.new),
                    ("changed", found.changed),
                    ("same", found.same),
                    ("wrong", found.wrong_count),
                )
            },
            is_something=bool(found.new or found.changed),
            file=file_shown(source.encoding, source.separator, found.wrong, found.wrong_count, language),
            unknown=", ".join(source.unknown[:20]),
        )

    # What is read -----------------------------------------------------------------------------------------------------

    def _read(self, wanted: str, edited: str) -> tuple[Sequence[Contact], int, Contact | None]:
        def work(db: Connection) -> tuple[Sequence[Contact], int, Contact | None]:
            found = reading.search(db, wanted, SHOWN)
            return found, reading.count(db), reading.one(db, edited) if edited else None

        return self._site.reader().within(work)

    def _steps(self, source: Source) -> Iterator[plan.Step]:
        def find(numbers: Sequence[str]) -> Mapping[str, Contact]:
            return self._site.reader().within(lambda db: reading.of_numbers(db, numbers))

        return plan.steps(source.rows(), find, self._area_code)

    def _planned(self, content: bytes) -> tuple[Source, Plan]:
        source = plan.source(content)
        return source, plan.planned(self._steps(source))

    def _batches(self, content: bytes) -> Iterator[tuple[Contact, ...]]:
        return plan.batches(self._steps(plan.source(content)))


def _row(contact: Contact, language: Language) -> ContactRow:
    marks = (
        (contact.is_vip, "web.contact_vip"),
        (contact.is_blocked, "web.contact_blocked"),
        (contact.is_unrecorded, "web.contact_unrecorded"),
        (contact.language == "fa", "web.contact_fa"),
        (contact.language == "en", "web.contact_en"),
    )
    return ContactRow(
        contact=contact.contact,
        name=contact.name,
        latin=contact.latin,
        numbers=tuple(digits(national(each), language) for each in contact.numbers),
        marks=tuple(messages.text(key, language) for is_so, key in marks if is_so),
        note=contact.note,
    )


def _as_form(contact: Contact) -> forms.Form:
    return {
        "contact": contact.contact,
        "name": contact.name,
        "latin": contact.latin,
        "numbers": "; ".join(national(each) for each in contact.numbers),
        "language": contact.language,
        "note": contact.note,
        "vip": "yes" if contact.is_vip else "",
        "blocked": "yes" if contact.is_blocked else "",
        "unrecorded": "yes" if contact.is_unrecorded else "",
    }
