"""Drives the book of callbacks: begins attempts when hours, clock, lines and cap allow it, keeps what came of them.

No customer is dialled while the clock is in doubt (DECISIONS 10). Attempts never take the lines that are kept for
callers: ``calls.kept_for_callers`` of each trunk, and at most ``calls.most_callbacks`` at once.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Collection

from appliance.calls.callback import Callback
from appliance.calls.conversation import Conversation
from appliance.calls.office import Office
from appliance.hours.answer import answer as opening_at
from appliance.queue.callbacks import Kept, Outcome, Wanted
from appliance.records import events, ledger
from appliance.signalling.settings import Trunk

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0


class Callbacks:
    """``begin`` runs a conversation; ``busy`` counts those that are up on a trunk."""

    def __init__(self, office: Office, begin: Callable[[Conversation], None], busy: Callable[[str], int]) -> None:
        self._office = office
        self._begin = begin
        self._busy = busy
        self._live: set[str] = set()
        self._is_stopped = False
        self._timer: asyncio.TimerHandle | None = None
        office.desk.on_callback = self.look

    def restore(self, found: Collection[ledger.OpenCallback]) -> None:
        """The book as the records have it; attempts that the process before this one did not end are interrupted.

        Nothing begins before ``look``: who was cut off by the crash comes into the book first.
        """
        now = self._office.clock.utc_ms()
        for each in found:
            wanted = Wanted(
                request=each.request,
                code=each.code,
                queue=each.queue,
                customer=each.customer,
                language=each.language,
                trunk=each.trunk,
                opened=each.opened,
                not_before=each.due,
            )
            policy = self._office.book.policy(each.queue)
            later = now + policy.uncounted_ms if each.dialling else each.moved + policy.spacing_ms * (each.attempts > 0)
            self._office.book.add(wanted, each.attempts, later)
            if each.dialling:
                self._office.records.put(
                    events.CallbackEnded(each.dialling, each.request, Outcome.INTERRUPTED, "", each.offset_ms)
                )

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
        for wanted in office.book.expired(now):
            office.records.put(events.RequestMoved(wanted.request, "expired", "box", "too old"))
        if office.is_clock_sure():
            for wanted in office.book.ready(now):
                if len(self._live) >= office.settings.most_callbacks:
                    break
                self._attempt(wanted)
        if self._timer is None and len(office.book):
            self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.look()

    def _attempt(self, wanted: Wanted) -> None:
        office = self._office
        queue = office.queues.get(wanted.queue)
        trunk = self._trunk(wanted.trunk)
        if queue is None or trunk is None or not self._is_open(queue.callback_calendar):
            return
        has_room = functools.partial(self._has_room, trunk)
        if not has_room() or not office.book.take(wanted.request):
            return
        self._live.add(wanted.request)
        ended = functools.partial(self._ended, wanted)
        self._begin(Callback(office, wanted, trunk, queue.callback_first == "agent", has_room, ended))

    def _has_room(self, trunk: Trunk) -> bool:
        """Whether the trunk has a line that is not kept for callers."""
        free = trunk.max_calls - self._busy(trunk.name) - self._office.settings.kept_for_callers
        return trunk.max_calls == 0 or free > 0

    def _ended(self, wanted: Wanted, outcome: Outcome | None) -> None:
        office = self._office
        self._live.discard(wanted.request)
        if outcome is None:
            office.book.put_back(wanted.request)
            return
        match office.book.ended(wanted.request, outcome, office.clock.utc_ms()):
            case Kept.DONE if outcome is Outcome.REACHED:
                office.records.put(events.RequestMoved(wanted.request, "done", "box", outcome))
            case Kept.FAILED:
                office.records.put(events.RequestMoved(wanted.request, "expired", "box", outcome))
            case Kept.DONE | Kept.OPEN:
                pass
        office.changed()

    def _trunk(self, name: str) -> Trunk | None:
        """The trunk by which the customer came, else the first."""
        trunks = self._office.sip.trunks
        return next((trunk for trunk in trunks if trunk.name == name), trunks[0] if trunks else None)

    def _is_open(self, calendar: str) -> bool:
        """Whether customers may be called at this hour; a calendar that is not there is never open."""
        if not calendar:
            return True
        office = self._office
        hours = office.calendars.get(calendar)
        if hours is None:
            return False
        return opening_at(hours, office.clock.utc_ms(), office.desk.switches.hours, office.is_clock_sure()).is_open
