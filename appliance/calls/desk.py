"""The desk: what the box itself keeps for callers and office. Requests of the ledger, promised calls, and the switches.

Everything is put on record before anybody is told that it is so, by the order in which it happens here. Whoever asks
(a flow, a person at the page, keys of a telephone, the box itself after a crash) meets the same rules: a number that
the outbound policy lets out, a moment that is to come and lies in open hours, one callback for one person in one line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from appliance.calls.switches import BoxSwitches, day_of, taken_back, time_of, turn_of
from appliance.clock import Clock
from appliance.flow import steps
from appliance.flow.steps import Value
from appliance.ids import uuid7
from appliance.messages.calendar import moment_of
from appliance.messages.numbers import latin
from appliance.queue.callbacks import Book, Wanted, arrived_at
from appliance.records import events, ledger
from appliance.records.writer import Records
from appliance.signalling import numbers

MINUTE_MS = 60_000
CUT_OFF = "cut off"  # the detail of a callback that nobody asked for: a crash ended the conversation


@dataclass(frozen=True, slots=True)
class Reply:
    """As ``steps.Answer``, without its number."""

    is_ok: bool
    values: Mapping[str, Value] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and who asks: the conversation at this node, its customer and language.

    ``places`` are since when they wait in each line, or have waited (UTC ms).
    """

    question: steps.Question
    conversation: str
    node: str
    customer: str
    language: str
    offset_ms: int
    trunk: str = ""
    places: Mapping[str, int] = field(default_factory=dict)


def asked_by(conversation: str, customer: str, language: str, trunk: str, node: str = "", offset_ms: int = 0) -> Asked:
    """Who is owed a call without a flow having asked: a missed caller, somebody whom the office has promised one."""
    nothing = steps.OpenRequest("callback", "", "", 0, "")
    return Asked(nothing, conversation, node, customer, language, offset_ms, trunk)


class House(Protocol):
    """What the desk must know of the business."""

    def callback_number(self, number: str, trunk: str) -> tuple[str, str]:
        """A number to call, as it came on this trunk: its E.164 form, and why it is refused (empty: it is not)."""
        ...

    def line_for(self, queue: str, agent: str) -> str:
        """The waiting line from which somebody is called back; empty where the box has none."""
        ...

    def may_call_at(self, queue: str, at_ms: int) -> bool:
        """Whether customers of this line may be called at that moment (UTC ms)."""
        ...

    def may_divert(self, number: str) -> bool:
        """Whether calls may be diverted to this number."""
        ...

    def dials_missed(self, queue: str) -> bool:
        """Whether who was missed in this line is called back without anybody saying so."""
        ...


class Desk:
    """``changed`` is told of every change, ``on_callback`` of what may be dialled now."""

    def __init__(self, records: Records, clock: Clock, changed: Callable[[], None], book: Book, house: House) -> None:
        self.switches = BoxSwitches()
        self.on_callback: Callable[[], None] = lambda: None
        self._book = book
        self._house = house
        self._records = records
        self._clock = clock
        self._changed = changed
        self._next = 1

    def restore(self, next_number: int, switches: BoxSwitches) -> None:
        """What was true when the box last ran."""
        self._next, self.switches = next_number, switches

    # Requests ---------------------------------------------------------------------------------------------------------

    def open(
        self,
        what: ledger.What,
        asked: Asked,
        number: str,
        queue: str,
        due: int,
        detail: str,
        *,
        agent: str = "",
        place: int = 0,
    ) -> tuple[str, str]:
        """A new request: its id and its tracking code."""
        request, code = uuid7(self._clock.utc_ms()), ledger.code_of(self._next)
        customer = numbers.normalise(number).e164 or number if number else asked.customer
        self._records.put(
            events.RequestOpened(
                asked.conversation, request, self._next, code, what, customer, asked.language, queue,
                due, detail, asked.offset_ms, agent, place, asked.trunk,
            )
        )  # fmt: skip
        self._next += 1
        self._changed()
        return request, code

    def _refused(self, asked: Asked, number: str, refusal: str) -> None:
        kind = numbers.normalise(number).kind
        self._records.put(
            events.DialRefused(asked.conversation, asked.trunk, number, kind, refusal, "request", asked.offset_ms)
        )

    def call_back(
        self, asked: Asked, number: str, queue: str, due: int, opened: int = 0, *, is_wish: bool = True
    ) -> Reply:
        """Keeps a place in the line for who asks; the one that they have already, where there is one.

        ``opened`` is the place (UTC ms); 0: where they wait in that line, else now. Who has a callback and gives
        another number changes it, unless somebody else has asked for the same call meanwhile: then it stays theirs.
        """
        customer, refusal = self._house.callback_number(number or asked.customer, asked.trunk)
        if refusal:
            self._refused(asked, number or asked.customer, refusal)
            return Reply(False, reason=refusal)
        opened = opened or asked.places.get(queue, 0)
        known = self._book.of(customer, queue) or self._book.of(asked.customer, queue)
        if known is not None and known.customer != customer and is_wish:
            known = self._book.change(known.request, customer=customer)
            if known is None:
                return Reply(False, reason="being_dialled")
            known = self._book.asks(known.request, asked.customer) or known
            self._changed_to(known, asked.customer or "telephone")
        elif known is not None and known.customer == customer and asked.customer != known.asker != customer:
            known = self._book.asks(known.request, customer) or known
            self._changed_to(known, customer)
        if known is not None and is_wish:
            self._book.renew(known.request, self._clock.utc_ms())
            self._records.put(events.RequestRenewed(known.request, asked.customer or "telephone"))
        if known is None:
            now = self._clock.utc_ms()
            self._settle_missed(asked.customer)
            detail = "" if is_wish else CUT_OFF
            request, code = self.open("callback", asked, customer, queue, due, detail, place=opened)
            known = Wanted(
                request=request, queue=queue, customer=customer, language=asked.language, trunk=asked.trunk,
                opened=opened or now, not_before=due, code=code, asker=asked.customer, is_wish=is_wish,
            )  # fmt: skip
            self._add(known)
        if asked.conversation:
            self._book.hold(known.request, asked.conversation)
        self.on_callback()
        return Reply(True, {"code": known.code, "due": known.not_before})

    def promise(self, asked: Asked, number: str, queue: str, due: int, about: str, agent: str = "") -> Reply:
        """Promises a call at ``due`` (UTC ms), by ``agent`` where one is named."""
        customer, refusal = self._house.callback_number(number or asked.customer, asked.trunk)
        line = self._house.line_for(queue, agent)
        if refusal:
            self._refused(asked, number or asked.customer, refusal)
        if refusal or due <= self._clock.utc_ms():
            return Reply(False, reason=refusal or "past")
        if not self._house.may_call_at(line, due):
            return Reply(False, reason="closed_hour")
        request, code = self.open("promise", asked, customer, line, due, about, agent=agent)
        wanted = Wanted(
            request=request, queue=line, customer=customer, language=asked.language, trunk=asked.trunk,
            opened=self._clock.utc_ms(), not_before=due, code=code, what="promise", agent=agent, asker=asked.customer,
        )  # fmt: skip
        self._add(wanted)
        self.on_callback()
        return Reply(True, {"code": code, "due": due})

    def missed(self, asked: Asked, queue: str, due: int, place: int) -> None:
        """Nobody has spoken with this caller, who left nothing: they stand in the list, once."""
        customer, refusal = self._house.callback_number(asked.customer, asked.trunk)
        if asked.customer and self._book.of_customer(customer or asked.customer):
            return
        line = self._house.line_for(queue, "")
        number = customer or asked.customer
        request, code = self.open("missed", asked, number, line, due, refusal, place=place)
        wanted = Wanted(
            request=request, queue=line, customer=number, language=asked.language, trunk=asked.trunk,
            opened=place, code=code, what="missed", asker=asked.customer, is_wish=False,
        )  # fmt: skip
        self._add(wanted, is_listed=bool(refusal) or not self._house.dials_missed(line))
        self.on_callback()

    def message(self, what: ledger.What, asked: Asked, queue: str, due: int, text: str = "") -> tuple[str, str]:
        """Somebody has left a message or a complaint, and is to be called by ``due``: its id and tracking code.

        A message is settled when its caller was spoken with; a complaint by hand only. ``text`` is what they wrote.
        """
        line = self._house.line_for(queue, "")
        request, code = self.open(what, asked, "", line, due, text)
        if what == "message":
            self._settle_missed(asked.customer)
            wanted = Wanted(
                request=request, queue=line, customer=asked.customer, language=asked.language, trunk=asked.trunk,
                opened=self._clock.utc_ms(), code=code, what="message", asker=asked.customer, is_wish=False,
            )  # fmt: skip
            self._add(wanted, is_listed=True)
        return request, code

    def _add(self, wanted: Wanted, *, is_listed: bool = False) -> None:
        arrived = arrived_at(wanted.opened, self._clock.utc_ms(), self._clock.monotonic())
        self._book.add(wanted, arrived=arrived, is_listed=is_listed)

    def spoke_with(self, customer: str) -> None:
        """Somebody of the office has spoken with this customer: what that settles is done."""
        for wanted in self._book.satisfied(customer, self._clock.utc_ms()):
            self._records.put(events.RequestMoved(wanted.request, "done", "box", "got_through"))

    # What a person of the office does with them -----------------------------------------------------------------------

    def close(self, request: str, state: str, by: str) -> bool:
        """Done or cancelled by hand; False where the request is not one of those that are to be called."""
        if state not in ("done", "cancelled") or not self._book.close(request):
            return False
        self._records.put(events.RequestMoved(request, state, by, "by hand"))
        self._changed()
        return True

    def call_now(self, request: str, by: str) -> str:
        """The next attempt as soon as an agent is there; otherwise why not."""
        wanted = self._book.get(request)
        if wanted is None:
            return "no_such_request"
        _, refusal = self._house.callback_number(wanted.customer, wanted.trunk)
        if refusal:
            return refusal
        if not self._book.hurry(request):
            return "being_dialled"
        self._records.put(events.RequestMoved(request, "doing", by, "call now"))
        self.on_callback()
        self._changed()
        return ""

    def change(self, request: str, by: str, *, number: str = "", due: int | None = None) -> str:
        """Another number or moment for an open request; otherwise why not."""
        wanted = self._book.get(request)
        if wanted is None:
            return "no_such_request"
        customer, refusal = self._house.callback_number(number or wanted.customer, wanted.trunk)
        if refusal:
            return refusal
        if due is not None and due <= self._clock.utc_ms():
            return "past"
        if due is not None and not self._house.may_call_at(wanted.queue, due):
            return "closed_hour"
        now = self._book.change(request, customer=customer, not_before=due)
        if now is None:
            return "being_dialled"
        self._changed_to(now, by)
        self.on_callback()
        return ""

    # Switches ---------------------------------------------------------------------------------------------------------

    def turn(self, action: str, value: str, by: str) -> bool:
        """Turns a switch; False where the value makes no sense, or calls may not go there."""
        if action == "divert_on" and not self._house.may_divert(value):
            return False
        turn = turn_of(action, value, self._clock.utc_ms(), self.switches)
        if turn is None:
            return False
        before, self.switches = self.switches, self.switches.turned(turn)
        for other in taken_back(before, self.switches):  # so that the records say what is true after a start
            self._records.put(events.SwitchTurned(other, "0", by))
        self._records.put(events.SwitchTurned(turn.switch, turn.value, by))
        self._changed()
        return True

    async def find(self, code: str) -> Reply:
        found = await self._records.call(lambda store: store.within(lambda db: ledger.find(db, code)))
        if found is None:
            return Reply(False, {"state": "unknown"}, "unknown")
        state = "open" if found.state in ("open", "doing") else "done"
        return Reply(True, {"state": state, "due": found.due})

    def remind(self) -> None:
        """Tells of promises that are due within ten minutes."""
        for wanted in self._book.due_soon(self._clock.utc_ms()):
            self._records.put(events.RequestReminded(wanted.request))
            self._changed()

    def _changed_to(self, wanted: Wanted, by: str) -> None:
        self._records.put(events.RequestChanged(wanted.request, wanted.customer, wanted.not_before, wanted.queue, by))
        self._changed()

    def _settle_missed(self, customer: str) -> None:
        """Who leaves word is one person: the row of their missed call gives way to it."""
        for wanted in self._book.of_customer(customer):
            if wanted.what == "missed" and self._book.close(wanted.request):
                self._records.put(events.RequestMoved(wanted.request, "done", "box", "left word"))


def due_of(text: str, now_ms: int) -> int | None:
    """The moment (UTC ms) that somebody wrote or keyed in; None where there is no such moment.

    ``1405/09/15 16:30`` and ``2026-12-06 16:30``; ``16:30`` or by keys ``1630`` (today, or tomorrow where it has
    passed) and ``09151630`` (month and day of the Jalali year). Persian and Arabic digits are digits.
    """
    written = latin(text).strip()
    if 4 <= len(written) <= 5 and written[-3] == ":":
        written = written.replace(":", "").zfill(4)
    if written.isascii() and written.isdigit():
        if len(written) == 4:
            return time_of(written, now_ms)
        day = day_of(written[:4], now_ms - 86_400_000) if len(written) == 8 else None
        clock = _minutes(written[4:])
        return None if day is None or clock is None else day + clock * MINUTE_MS
    return moment_of(written)


def _minutes(digits: str) -> int | None:
    hours, minutes = int(digits[:2] or 0), int(digits[2:] or 0)
    return hours * 60 + minutes if hours < 24 and minutes < 60 else None
