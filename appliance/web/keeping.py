"""The owner's page of holding and erasing: what an order would reach, what stands in its way, and what has come of it.

Nothing is decided here: calls looks again when the order comes. But an erasure cannot be taken back, so it is sent only
where the last digits of the number were typed and as many conversations are meant as were shown.
"""

from __future__ import annotations

import asyncio
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from appliance import messages
from appliance.control import wire
from appliance.control.wire import Snapshot
from appliance.errors import Problem
from appliance.messages import Language, calendar
from appliance.messages.numbers import digits, latin
from appliance.records import custody, erased
from appliance.records.custody import LastCustody
from appliance.records.database import Connection
from appliance.records.erased import Place, Tombstone
from appliance.records.keeping import Hold
from appliance.records.reader import Conversation, conversations
from appliance.retention.meant import Meant, meant
from appliance.web.custody import keys
from appliance.web.site import Site, leave_to_guard
from appliance.web.views import BAD, BUSY, GOOD, State, national

LONGEST = 64  # of what is asked for
CONFIRMED = 4  # how many of the last digits are typed
MOST_SHOWN = 20  # conversations that stand in the way
DONE: Mapping[str, str] = {
    "held": "retention.is_held",
    "released": "retention.is_released",
    "erased": "retention.is_erased",
}
TYPED = ("hold_why", "release_why", "erase_why")

Make = Callable[[str, str, str], wire.ArchiveOrder]


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for: what it means, and those of its conversations whose records are shown."""

    meant: Meant
    shown: list[Conversation]
    tombstone: Tombstone | None


@dataclass(frozen=True, slots=True)
class Kept:
    """What the page shows whatever is asked for."""

    erased: list[Tombstone]
    custody: LastCustody


@dataclass(frozen=True, slots=True)
class HoldRow:
    """``about`` is what it is released by, where that is something else than was asked for."""

    on: str
    about: str
    by: str
    why: str
    when: str


@dataclass(frozen=True, slots=True)
class BlockRow:
    """A conversation that stands in the way of erasing, and why."""

    conversation: str
    when: str
    why: str


@dataclass(frozen=True, slots=True)
class TombstoneRow:
    conversation: str
    when: str
    by: str
    why: str
    recordings: str
    places: tuple[State, ...]


class Keeping:
    """``area_code`` is what a bare local number belongs to, as calls has it."""

    def __init__(self, site: Site, area_code: str) -> None:
        self._site = site
        self._area_code = area_code

    async def show(self, request: Request) -> Response:
        return await self._page(request, request.query_params.get("about", ""))

    async def live(self, request: Request) -> Response:
        return self._site.stream(
            request, self._read_kept, lambda snapshot, found: self._fragments(request, snapshot, found)
        )

    async def hold(self, request: Request) -> Response:
        return await self._ordered(request, wire.HoldRecordings, "hold_why", "held")

    async def release(self, request: Request) -> Response:
        return await self._ordered(request, wire.ReleaseRecordings, "release_why", "released")

    async def erase(self, request: Request) -> Response:
        """Refused where other digits were typed, or more is meant by now than was shown."""
        form = await self._site.form(request)
        about = form.get("about", "")[:LONGEST]
        asked = await asyncio.to_thread(self._read, about)
        if not isinstance(asked, Asked):
            return await self._page(request, about, asked or Problem("web.keeping_unknown", about=about), form)
        if latin(form.get("digits", "")).strip() != ending(asked):
            return await self._page(request, about, Problem("web.not_confirmed", count=CONFIRMED), form)
        if form.get("seen", "") != str(len(asked.meant.found)):
            return await self._page(request, about, Problem("web.changed_meanwhile"), form)
        return await self._ordered(request, wire.EraseRecordings, "erase_why", "erased")

    async def _ordered(self, request: Request, make: Make, field: str, done: str) -> Response:
        form = await self._site.form(request)
        about = form.get("about", "")[:LONGEST]
        try:
            reply = await self._site.control.order(make(self._site.token(request), about, form.get(field, "")))
        except Problem as problem:
            return await self._page(request, about, problem, form)
        assert isinstance(reply, wire.Affected)
        said = {"done": done, "conversations": str(reply.conversations), "recordings": str(reply.recordings)}
        return RedirectResponse("/keeping?" + urllib.parse.urlencode({"about": about, **said}), 303)

    # What is read -----------------------------------------------------------------------------------------------------

    def _read(self, about: str) -> Asked | Problem | None:
        """None where nothing was asked for."""
        if not about.strip():
            return None
        try:
            return self._site.reader().within(lambda db: _asked(db, about, self._area_code))
        except Problem as problem:
            return problem

    def _read_kept(self) -> Kept | None:
        try:
            return self._site.reader().within(lambda db: Kept(erased.newest(db), custody.last(db)))
        except Problem:
            return None

    # What is shown ----------------------------------------------------------------------------------------------------

    async def _page(
        self, request: Request, about: str, problem: Problem | None = None, typed: Mapping[str, str] | None = None
    ) -> Response:
        """The page, with what was typed where it was refused."""
        site, language = self._site, self._site.language_of(request)
        leave_to_guard(problem)
        about = about[:LONGEST]
        snapshot = await site.picture(request)
        found = await asyncio.to_thread(self._read, about)
        kept = await asyncio.to_thread(self._read_kept)
        asked = found if isinstance(found, Asked) else None
        if isinstance(found, Problem):
            problem = problem or found
        elif asked is not None and not asked.meant.found and not asked.meant.number:
            problem = problem or Problem("web.keeping_unknown", about=about)
        query = request.query_params
        return site.render(
            request,
            "keeping.html",
            400 if problem else 200,
            problem=site.lines(request, problem) if problem else None,
            done=_done(query, language),
            about=about,
            typed={name: (typed or {}).get(name, "") for name in TYPED},
            asked=asked if asked and (asked.meant.found or asked.meant.number) else None,
            title=_title(asked, language) if asked else "",
            count=digits(len(asked.meant.found), language) if asked else "",
            recordings=digits(sum(len(one.recordings) for one in asked.meant.found), language) if asked else "",
            seen=len(asked.meant.found) if asked else 0,
            holds=_holds(asked, language) if asked else [],
            may_release=bool(asked and _own_holds(asked)),
            blocks=_blocks(asked, language) if asked else [],
            tombstone=_tombstone(asked.tombstone, language) if asked and asked.tombstone else None,
            letters=CONFIRMED,
            has_number=bool(asked and _number(asked)),
            fragments=self._fragments(request, snapshot, kept),
        )

    def _fragments(self, request: Request, snapshot: Snapshot | None, kept: Kept | None) -> dict[str, str]:
        site, language = self._site, self._site.language_of(request)
        words = site.words(request)
        rows = None if kept is None else [_tombstone(each, language) for each in kept.erased]
        shown = None if kept is None else keys(kept.custody, site.clock.utc_ms(), language)
        return {
            "findings": site.findings(request, snapshot),
            "erased": site.part("erased", words, rows=rows),
            "keys": site.part("keys", words, keys=shown),
        }


def ending(asked: Asked) -> str:
    """What is typed to confirm: the last digits of the number, or of the id where there is no number."""
    number = _number(asked)
    return (
        number[-CONFIRMED:] if number else asked.meant.found[0].conversation[-CONFIRMED:] if asked.meant.found else ""
    )


def _asked(db: Connection, about: str, area_code: str) -> Asked:
    found = meant(db, about, area_code)
    is_one = not found.number and len(found.found) == 1
    wanted = found.found if is_one else [one for one in found.found if one.holds or one.is_open]
    shown = [each for one in wanted[:MOST_SHOWN] for each in conversations(db, "WHERE id = ?", (one.conversation,))]
    gone = erased.of(db, found.found[0].conversation) if is_one and found.found[0].is_erased else None
    return Asked(found, shown, gone)


def _number(asked: Asked) -> str:
    """The number of all that is meant; empty for a conversation that was without one."""
    return asked.meant.number or (asked.shown[0].customer if len(asked.meant.found) == 1 and asked.shown else "")


def _title(asked: Asked, language: Language) -> str:
    number = digits(national(_number(asked)), language)
    if asked.meant.number:
        return messages.text("web.keeping_of_number", language, number=f"\u2068{number}\u2069")
    if not asked.shown:
        return messages.text("web.keeping_of_erased", language)
    when = calendar.moment(asked.shown[0].opened, language)
    customer = number or messages.text("web.hidden", language)
    return messages.text("web.keeping_of_conversation", language, customer=f"\u2068{customer}\u2069", when=when)


def _own_holds(asked: Asked) -> list[Hold]:
    """Those that end when what was asked for is released."""
    if asked.meant.number:
        return asked.meant.on_number
    return [hold for one in asked.meant.found for hold in one.holds if not hold.number]


def _holds(asked: Asked, language: Language) -> list[HoldRow]:
    """On the number first; each once, although it holds many conversations."""
    own = _own_holds(asked)
    every = {hold.hold: hold for hold in [*asked.meant.on_number, *(h for one in asked.meant.found for h in one.holds)]}
    return [
        HoldRow(
            on=messages.text("web.keeping_on_number" if hold.number else "web.keeping_on_conversation", language),
            about="" if hold in own else hold.number or hold.conversation,
            by=hold.by,
            why=hold.why,
            when=calendar.moment(hold.at, language),
        )
        for hold in every.values()
    ]


def _blocks(asked: Asked, language: Language) -> list[BlockRow]:
    held = {one.conversation for one in asked.meant.found if one.holds}
    is_open = {one.conversation for one in asked.meant.found if one.is_open}
    return [
        BlockRow(
            conversation=one.conversation,
            when=calendar.moment(one.opened, language),
            why=messages.text("web.keeping_is_held" if one.conversation in held else "web.keeping_is_open", language),
        )
        for one in asked.shown
        if one.conversation in held | is_open
    ]


def _tombstone(one: Tombstone, language: Language) -> TombstoneRow:
    return TombstoneRow(
        conversation=one.conversation,
        when=calendar.moment(one.at, language),
        by=one.by,
        why=one.why,
        recordings=digits(one.recordings, language),
        places=tuple(_place(each, language) for each in one.places),
    )


def _place(place: Place, language: Language) -> State:
    where = f"\u2068{place.target}\u2069" if place.target else messages.text("web.erased_here", language)
    if place.left:
        word = messages.text("web.erased_left", language, where=where, count=digits(place.left, language))
        return State(word, BAD if place.target else BUSY)
    if place.locked:
        word = messages.text("web.erased_locked", language, where=where, count=digits(place.locked, language))
        return State(word, BUSY)
    return State(messages.text("web.erased_gone", language, where=where), GOOD)


def _done(query: Mapping[str, str], language: Language) -> str:
    """What was done, by the address that the order led to."""
    key, counts = DONE.get(query.get("done", "")), (query.get("conversations", ""), query.get("recordings", ""))
    if key is None or not all(count.isascii() and count.isdigit() and len(count) < 10 for count in counts):
        return ""
    of, parts = (digits(count, language) for count in counts)
    return messages.text(key, language, conversations=of, recordings=parts)
