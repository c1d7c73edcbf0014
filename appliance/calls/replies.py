"""SMS that people send to the box: the answer to a survey, words that somebody must read, the owner's switches.

The gateway is asked now and then; what it lists is taken once, by name. What lay there at the very first look is older
than the box's question and nobody's answer. Words of a number that the box knows open a message in the list of who
waits for us; strangers are counted and nothing else, since advertisers write to every number. The owner is known by
number *and* PIN: a sender's number can be forged. A PIN is in no record, event or log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from appliance import messages
from appliance.calls.desk import Desk, Reply, asked_by
from appliance.clock import Clock
from appliance.errors import Problem
from appliance.lookup.http import Refusal
from appliance.lookup.inbox import Arrived, Inbox
from appliance.messages import Language, calendar
from appliance.messages.calendar import DAY_MS
from appliance.notify import replies as meaning
from appliance.notify.ready import Writing
from appliance.queue.callbacks import Book
from appliance.records import events, replies
from appliance.records.replies import FIRST_LOOK
from appliance.records.writer import Records
from appliance.signalling import numbers

log = logging.getLogger(__name__)

SURVEY_MS = 7 * DAY_MS  # so long a survey waits for its answer
MOST_OPEN = 3  # messages of one number that wait to be read; more stand in the records only
FAILING = 3  # looks in a row

Tell = Callable[[str, str, str], None]
"""Name of an order, the number that sent it, and what the owner is told about it."""


CheckPin = Callable[[str, str], Awaitable[Reply]]
"""Whether a PIN is that identity's."""


class House(Protocol):
    """What must be known of the business: ``calls.office.Office``."""

    box: str
    clock: Clock
    records: Records
    desk: Desk
    book: Book

    def answer_by(self, queue: str) -> int: ...

    def count(self, what: str) -> None: ...


class Replies:
    """``tell`` writes to the owner; ``found`` is told what is wrong with asking."""

    def __init__(
        self,
        writing: Writing,
        office: House,
        inbox: Inbox,
        check_pin: CheckPin,
        language: Language,
        tell: Tell,
        found: Callable[[str, Problem | None], None],
    ) -> None:
        self._notify, self._seconds = writing.notify, writing.sms.inbox_seconds
        self._office = office
        self._inbox = inbox
        self._check_pin = check_pin
        self._language = language
        self._tell = tell
        self._found = found
        self._owners = {numbers.normalise(each).e164 for each in writing.notify.alarm_sms}
        self._failures = 0

    async def run(self) -> None:
        """Until it is cancelled; nothing where the box has no inbox."""
        while self._inbox.is_there:
            await self.look()
            await asyncio.sleep(self._seconds)

    async def look(self) -> None:
        """Asks the gateway once, and takes what is new, in its order."""
        try:
            arrived = await self._inbox.fetch()
        except Refusal as refusal:
            self._failures += 1
            if self._failures >= FAILING:
                self._found("inbox", Problem("notify.inbox_failing", count=self._failures, detail=refusal.reason))
            return
        if self._failures >= FAILING:
            self._found("inbox", None)
        self._failures = 0
        names = [FIRST_LOOK, *(each.name for each in arrived)]
        known = await self._office.records.call(lambda store: store.within(lambda db: replies.known(db, names)))
        if FIRST_LOOK not in known:
            for name in (name for name in names if name not in known):
                self._put(name, "before")
        else:
            for each in arrived:
                if each.name not in known:
                    await self._take(each)
        await self._office.records.flush()

    async def _take(self, arrived: Arrived) -> None:
        number = numbers.normalise(arrived.number).e164 or ""
        if self._notify.reply_pin and number in self._owners:
            await self._order(arrived, number)
            return
        since = self._office.clock.utc_ms() - SURVEY_MS
        about, has_met, language = await self._office.records.call(
            lambda store: store.within(
                lambda db: (
                    replies.surveyed(db, number, since),
                    replies.has_met(db, number),
                    replies.language_of(db, number),
                )
            )
        )
        if not number or not has_met:
            self._put(arrived.name, "stranger")
            return
        match meaning.of_caller(arrived.text, self._notify.survey_reply if about else ""):
            case meaning.Score(value):
                question = self._notify.survey_reply
                self._office.records.put(events.SurveyAnswered(about, question, value, "sms", 0))
                self._put(arrived.name, "survey", about, number)
            case meaning.Wish(what):
                self._put(arrived.name, what, customer=number)
            case meaning.Words(text):
                if sum(each.what == "message" for each in self._office.book.of_customer(number)) < MOST_OPEN:
                    asked = asked_by("", number, language or self._language, "")
                    self._office.desk.message("message", asked, "", self._office.answer_by(""), text)
                self._put(arrived.name, "words", customer=number, text=text)

    async def _order(self, arrived: Arrived, number: str) -> None:
        order = meaning.of_owner(arrived.text, self._office.clock.utc_ms())
        if order is None:
            self._answered(arrived.name, number, "notify.answer_unclear")
            return
        checked = await self._check_pin(self._notify.reply_pin, order.pin)
        if not checked.is_ok:
            key = "notify.answer_locked" if checked.reason == "locked" else "notify.answer_pin"
            self._answered(arrived.name, number, key)
            return
        if not self._office.desk.turn(order.action, order.value, self._notify.reply_pin):
            self._answered(arrived.name, number, "notify.answer_unclear")
            return
        if order.action == "night_on":
            self._answered(arrived.name, number, "notify.answer_night", is_done=True)
        elif order.value == "0":
            self._office.desk.turn("night_off", "", self._notify.reply_pin)
            self._answered(arrived.name, number, "notify.answer_open", is_done=True)
        else:
            when = calendar.day(self._office.desk.switches.hours.closed_until_ms, self._language)
            self._answered(arrived.name, number, "notify.answer_closed", when, is_done=True)

    def _answered(self, name: str, number: str, key: str, when: str = "", *, is_done: bool = False) -> None:
        self._put(name, "order" if is_done else "refused")
        self._tell(name, number, messages.text(key, self._language, box=self._office.box, when=when))

    def _put(self, name: str, what: str, conversation: str = "", customer: str = "", text: str = "") -> None:
        self._office.records.put(events.ReplyReceived(conversation, name, what, customer, text))
        self._office.count(f"replies_{what}")
        log.info("an SMS of ...%s arrived: %s", customer[-4:], what)
