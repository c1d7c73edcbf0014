"""The pages of past conversations: a search among all of them, and which to listen to next.

A search is a plain form that is sent by GET: it can be kept as a bookmark, and "back" works. An agent finds the own
conversations only, whatever the address says; what can be heard is for those who lead.
"""

from __future__ import annotations

import asyncio
import urllib.parse
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import Response

from appliance import messages
from appliance.control.wire import Who
from appliance.errors import Problem
from appliance.messages import Language, calendar
from appliance.messages.numbers import digits
from appliance.records import keeping, sampling, search
from appliance.records.database import Connection
from appliance.records.reader import Conversation
from appliance.records.sampling import Listed
from appliance.records.search import Choices, Page
from appliance.records.search_form import DIRECTIONS, FIELDS, LONGEST, OUTCOMES, YES_OR_NO, query_from
from appliance.signalling import numbers
from appliance.web.site import LEADS, OWNS, Site
from appliance.web.views import LastRow, last

MOST_PLAYS = 3  # that are shown of one conversation
RARE = ("name", "queue", "direction", "at_least", "at_most", "overtalk", "dead_air", "score", "recorded")


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A conversation: as on the first page, and what a search asks for."""

    conversation: str
    shown: LastRow
    name: str
    queue: str
    overtalk: str
    dead_air: str
    is_held: bool


@dataclass(frozen=True, slots=True)
class ListedRow:
    """Why a conversation should be listened to. ``is_random``: it may be counted."""

    found: FoundRow
    why: tuple[str, ...]
    is_random: bool
    listened: tuple[str, ...]  # who has, and when; the last first


class Conversations:
    def __init__(self, site: Site) -> None:
        self._site = site

    async def find(self, request: Request) -> Response:
        """The form with what was typed, and a page of what it finds."""
        site, language = self._site, self._site.language_of(request)
        who: Who = request.state.who
        fields = {name: request.query_params.get(name, "")[:LONGEST] for name in FIELDS}
        if who.role not in LEADS:
            fields["agent"] = who.actor
        after = request.query_params.get("after", "")[:LONGEST]
        now = site.clock.utc_ms()

        def read(db: Connection) -> tuple[Choices, Page | Problem, frozenset[str]]:
            choices = search.choices(db)
            try:
                query = query_from(fields, numbers.e164, choices, now)
            except Problem as problem:
                return choices, problem, frozenset()
            own = query if who.role in LEADS else replace(query, agent=who.actor)
            page = search.find(db, own, after=after)
            return choices, page, keeping.held(db, [each.conversation for each in page.conversations])

        try:
            choices, found, held = await asyncio.to_thread(lambda: site.reader().within(read))
        except Problem:  # as on the first page: the records come back by themselves
            choices, found, held = Choices((), (), ()), None, frozenset()
        problem = _with_label(found, language) if isinstance(found, Problem) else None
        page = found if isinstance(found, Page) else None
        return site.render(
            request,
            "conversations.html",
            400 if problem else 200,
            problem=site.lines(request, problem) if problem else None,
            rows=None if page is None else [_row(each, who, held, language) for each in page.conversations],
            next=_address(fields, page.after) if page and page.after else "",
            first=_address(fields) if after else "",
            of_number=_keeping(fields["number"]) if who.role in OWNS and numbers.e164(fields["number"]) else "",
            typed=fields,
            choices=choices,
            is_rare=any(fields[name] for name in RARE),
            labels={name: messages.text(f"web.search_{name}", language) for name in FIELDS},
            options=_options(language),
        )

    async def listening(self, request: Request) -> Response:
        """Whom to listen to next, and why."""
        site, language = self._site, self._site.language_of(request)
        now = site.clock.utc_ms()

        def read(db: Connection) -> tuple[list[Listed], frozenset[str]]:
            drawn = sampling.drawn(db, now)
            return drawn, keeping.held(db, [each.sample.conversation for each in drawn])

        try:
            drawn, held = await asyncio.to_thread(lambda: site.reader().within(read))
        except Problem:
            rows = None
        else:
            rows = [_listed(each, request.state.who, held, language) for each in drawn]
        return site.render(request, "listening.html", rows=rows, day=calendar.day(now, language))


def _with_label(problem: Problem, language: Language) -> Problem:
    """The same, with the field as the form calls it."""
    field = str(problem.fields.get("field", ""))
    if not field:
        return problem
    return Problem(problem.key, **{**problem.fields, "field": messages.text(f"web.search_{field}", language)})


def _options(language: Language) -> dict[str, list[tuple[str, str]]]:
    """What can be chosen: the words of a search and how they are called here."""
    known = {"direction": DIRECTIONS, "recorded": YES_OR_NO, "sort": tuple(search.Sort)}
    found = {
        name: [(word, messages.text(f"web.search_{name}_{word}", language)) for word in words]
        for name, words in known.items()
    }
    return {**found, "outcome": [(word, messages.text(f"web.outcome_{word}", language)) for word in OUTCOMES]}


def _address(fields: Mapping[str, str], after: str = "") -> str:
    typed = {name: value for name, value in {**fields, "after": after}.items() if value}
    return "/conversations?" + urllib.parse.urlencode(typed)


def _keeping(number: str) -> str:
    return "/keeping?" + urllib.parse.urlencode({"about": number})


def _row(one: Conversation, who: Who, held: Collection[str], language: Language) -> FoundRow:
    (shown,) = last([one], who.role, language)
    heard = [part for part in one.recordings if part.is_kept]
    return FoundRow(
        conversation=one.conversation,
        shown=shown,
        name=one.name,
        queue=one.queue,
        overtalk=calendar.length(sum(part.overtalk_ms for part in heard), language) if heard else "",
        dead_air=calendar.length(sum(part.dead_air_ms for part in heard), language) if heard else "",
        is_held=who.role in LEADS and one.conversation in held,
    )


def _listed(each: Listed, who: Who, held: Collection[str], language: Language) -> ListedRow:
    reasons = each.sample.reasons
    return ListedRow(
        found=_row(each.conversation, who, held, language),
        why=tuple(digits(sampling.in_words(reason, language), language) for reason in reasons),
        is_random=each.sample.is_random,
        listened=tuple(
            messages.text(
                "web.listened", language, who=f"\u2068{play.actor}\u2069", when=calendar.moment(play.at, language)
            )
            for play in each.plays[:MOST_PLAYS]
        ),
    )
