"""Drives the book of callbacks: begins attempts when hours, clock, lines and cap allow it, keeps what came of them.

No customer is dialled while the clock is in doubt (DECISIONS 10). Nothing begins that the way out would refuse now (its
policy, the money of the day, lines that are kept for callers), nothing while media is down, and there are
``calls.most_callbacks`` at once at most.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Collection

from appliance.calls.callback import Callback
from appliance.calls.conversation import Conversation
from appliance.calls.desk import CUT_OFF
from appliance.calls.office import Office
from appliance.queue.callbacks import Kept, Outcome, Wanted, What, arrived_at
from appliance.records import events, ledger
from appliance.signalling.settings import Trunk

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
LONGEST_SECONDS = 60.0
JUMP_MS = 1_000  # a clock that is slewed never goes so far between two looks


class Callbacks:
    """``begin`` runs a conversation."""

    def __init__(self, office: Office, begin: Callable[[Conversation], None]) -> None:
        self._office = office
        self._begin = begin
        self._live: set[str] = set()
        self._is_stopped = False
        self._timer: asyncio.TimerHandle | None = None
        self._looked = office.clock.utc_ms(), office.clock.monotonic()
        self._began = self._looked[0]
        office.desk.on_callback = self.look

    def restore(self, found: Collection[ledger.OpenCallback], in_vain: Collection[tuple[str, str, int]] = ()) -> None:
        """The book as the records have it; attempts that the process before this one did not end are interrupted.

        Nothing begins before ``look``: who was cut off by the crash comes into the book first. ``in_vain`` are numbers
        (customer, line, UTC ms) that were tried as often as the policy allows.
        """
        book, now = self._office.book, self._office.clock.utc_ms()
        for customer, queue, moved in in_vain:
            book.quarantine(customer, moved + book.policy(queue).quarantine_ms)
        self._looked = now, self._office.clock.monotonic()
        self._began = now
        for each in found:
            wanted = Wanted(
                request=each.request,
                code=each.code,
                queue=each.queue,
                customer=each.customer,
                language=each.language,
                trunk=each.trunk,
                opened=each.place,
                not_before=each.due if each.what in ("callback", "promise") else 0,
                what=kind_of(each.what),
                agent=each.agent,
                asker=each.asker,
                is_wish=each.what in ("callback", "promise") and (each.detail != CUT_OFF or bool(each.renewed)),
                renewed=each.renewed,
            )
            policy = book.policy(each.queue)
            is_counted = each.attempts or each.renewed  # one before it was asked for again needs its pause all the same
            spacing = max(policy.spacing_ms if is_counted else 0, policy.uncounted_ms)
            later = now + policy.uncounted_ms if each.dialling else each.moved + spacing * (each.moved > 0)
            is_listed = each.what in ("missed", "message") and each.state == "open" and not self._dials(each)
            book.add(
                wanted, each.attempts, later, is_listed=is_listed, is_reminded=bool(each.reminded),
                arrived=arrived_at(each.place, now, self._looked[1]),
            )  # fmt: skip

    def stop(self) -> None:
        """Begins nothing more: the box stops."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def look(self) -> None:
        """Begins what may begin, and looks again while there is anything in the book."""
        if self._is_stopped:
            return
        office = self._office
        now = office.clock.utc_ms()
        self._notice_jump(now)
        office.desk.remind()
        if not office.is_clock_sure():
            self._wind(now, is_hurried=True)
            return
        for wanted in office.book.expired(now):
            office.records.put(events.RequestMoved(wanted.request, "expired", "box", "too old"))
        waiting = office.book.ready(now)
        for wanted in waiting:
            if len(self._live) >= office.settings.most_callbacks:
                break
            self._attempt(wanted)
        self._wind(now, is_hurried=len(waiting) > len(self._live))

    def _wind(self, now: int, is_hurried: bool) -> None:
        """Looks again when something changes by itself; every second while somebody could be called but for a line."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        moment = self._office.book.moment(now)
        if is_hurried or moment is not None:
            rest = LOOK_SECONDS if is_hurried or moment is None else (moment - now) / 1000
            seconds = min(max(rest, LOOK_SECONDS), LONGEST_SECONDS)  # wall time may jump: looked at every minute
            self._timer = asyncio.get_running_loop().call_later(seconds, self._tick)

    def _notice_jump(self, now: int) -> None:
        """The wall clock was set: what was planned by the old time is planned anew (DECISIONS 10)."""
        (then, since), monotonic = self._looked, self._office.clock.monotonic()
        jump = now - then - round((monotonic - since) * 1000)
        if abs(jump) > JUMP_MS:
            self._office.book.replan(jump, now, self._began)
            self._began = now
        self._looked = now, monotonic

    def _tick(self) -> None:
        self._timer = None
        self.look()

    def _attempt(self, wanted: Wanted) -> None:
        office = self._office
        queue = office.queues.get(wanted.queue)
        trunk = self._office.sip.way_out(wanted.trunk)
        if queue is None or trunk is None or not office.may_call_at(wanted.queue, office.clock.utc_ms()):
            return
        has_room = functools.partial(self._has_room, wanted, trunk)
        if not has_room() or not office.book.take(wanted.request):
            return
        self._live.add(wanted.request)
        ended = functools.partial(self._ended, wanted)
        self._begin(Callback(office, wanted, trunk, queue.callback_first == "agent", has_room, ended))

    def _has_room(self, wanted: Wanted, trunk: Trunk) -> bool:
        """Whether the customer could be dialled now, and would hear something."""
        return self._office.mouth.accepts() and not self._office.outside.why_not(wanted.customer, trunk.name)

    def _ended(self, wanted: Wanted, outcome: Outcome | None) -> None:
        office = self._office
        self._live.discard(wanted.request)
        if outcome is None:
            office.book.put_back(wanted.request)
            self._wind(office.clock.utc_ms(), is_hurried=True)
            return
        match office.book.ended(wanted.request, outcome, office.clock.utc_ms()):
            case Kept.DONE if outcome is Outcome.REACHED:
                office.records.put(events.RequestMoved(wanted.request, "done", "box", outcome))
                office.desk.spoke_with(wanted.customer)
            case Kept.FAILED:
                office.records.put(events.RequestMoved(wanted.request, "expired", "box", outcome))
            case Kept.DONE | Kept.OPEN:
                pass
        office.changed()
        self.look()

    def _dials(self, found: ledger.OpenCallback) -> bool:
        """Whether a missed call is dialled by itself: where the line says so, and the number may be dialled."""
        return found.what == "missed" and self._office.dials_missed(found.queue) and not found.detail


def kind_of(what: str) -> What:
    """A word of the ledger as one of the book; what the book does not hold raises."""
    match what:
        case "callback" | "promise" | "missed" | "message":
            return what
        case _:
            raise ValueError(what)
