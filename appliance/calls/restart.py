"""A start after whatever came before: what the records and the runtime file know is true again before calls are taken.

One order, for the process and for offices in virtual time: the next number and the owner's switches before anything is
answered; then, with signalling up but its events held back, the book of callbacks, the conversations that a crash left
open, who was cut off in them; and only then what rings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from appliance import __version__
from appliance.calls import aftermath, runtime, switches
from appliance.calls.callbacks import Callbacks
from appliance.calls.office import Office
from appliance.calls.switchboard import Switchboard
from appliance.clock import Clock
from appliance.contacts import reading
from appliance.queue import callbacks as callback_book
from appliance.records import drafts, events, ledger, lists
from appliance.records.store import Store
from appliance.records.writer import Records
from appliance.signalling.port import LegKey

MADE_UTC_MS = 1_767_225_600_000  # 2026-01-01: no box is older
LONGEST_QUARANTINE_MS = 1_000 * 3_600_000
RINGS_MOST_MS = 600_000  # after that nobody's telephone rings any more, and a CANCEL would meet nothing
TICK_MS = 60_000  # a clock that lies no further behind what is known is right (DECISIONS 10)


class BoxClock:
    """The machine's clock, of which the wall time is not believed before what has been recorded already.

    A box without a battery clock boots in the past. Until its clock is set, time goes on from the last moment that is
    on record: nothing new is older than what was, and places in a line stay in order.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known = MADE_UTC_MS
        self._since = clock.monotonic()

    def not_before(self, utc_ms: int) -> None:
        """This moment is on record."""
        self._known = max(MADE_UTC_MS, utc_ms)
        self._since = self._clock.monotonic()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def utc_ms(self) -> int:
        return self._clock.utc_ms() if self.is_sure() else self._least()

    def is_sure(self) -> bool:
        """Whether the wall time can be true; a record of the future is believed no longer once it is past."""
        said = self._clock.utc_ms()
        return said >= self._known or said >= self._least() - TICK_MS > MADE_UTC_MS

    def _least(self) -> int:
        return self._known + round((self._clock.monotonic() - self._since) * 1000)


def recall(office: Office, store: Store) -> None:
    """What must be true before the first question: the ledger's next number, the owner's switches, who is known, who
    sits where."""
    turned = switches.restored(store.within(ledger.switch_values))
    office.desk.restore(store.within(ledger.next_number), turned)
    office.contacts.restore(reading.everybody(store.within))
    office.lists.restore(store)
    office.seating.restore(store.within(ledger.seats))
    office.pins.restore(store)
    office.timekeeper.restore(store)


async def note_settings(records: Records, sha256: str) -> None:
    """An event where the settings' file is another than at the last start; ``sha256`` is that of its bytes."""
    if await records.call(lambda store: store.within(ledger.settings_taken)) != sha256:
        records.put(events.SettingsTaken(sha256))


async def resume(switchboard: Switchboard, left_over: Sequence[LegKey], last_moment: int = 0) -> int:
    """Brings the book back, ends what was left over, and lets in what rings; how many legs had not ended.

    To be called with the switchboard closed; calls that came meanwhile are taken afterwards.
    """
    office = switchboard.office
    orphans = await take_over(office, switchboard.callbacks, left_over)
    await office.find_spent(last_moment)
    await office.timekeeper.start()
    office.records.put(events.ServiceStarted("calls", __version__, office.boot, orphans))
    await office.records.flush()  # what is owed is on the disk before anybody is called
    switchboard.open()
    switchboard.callbacks.look()
    return orphans


async def take_over(office: Office, callbacks: Callbacks, left_over: Sequence[LegKey]) -> int:
    """All that is owed to the process before: the book, whoever was being dialled, whatever was still up.

    Returns how many legs had not ended. Nothing is dialled before ``callbacks.look``.
    """
    office.wrap_ups.restore(await office.records.call(lambda store: store.within(drafts.left)))
    now = office.clock.utc_ms()
    owed = await office.records.call(lambda store: store.within(ledger.open_callbacks))
    in_vain = await office.records.call(
        lambda store: store.within(lambda db: ledger.tried_in_vain(db, now - LONGEST_QUARANTINE_MS))
    )
    for conversation, request, began_ms in await office.records.call(lambda store: store.within(ledger.unended)):
        office.records.put(events.CallbackEnded(conversation, request, callback_book.Outcome.INTERRUPTED, "", began_ms))
    callbacks.restore(owed, in_vain)
    unended = await office.records.call(lambda store: store.within(lists.unended))
    office.lists.interrupted(unended)
    dialled = [*((each.dial, each.dialled) for each in owed), *((each.dial, each.began) for each in unended)]
    return await aftermath.settle(office, [*left_over, *_dialled(dialled, left_over, now)])


def _dialled(owed: Sequence[tuple[str, int]], left_over: Sequence[LegKey], now: int) -> Iterator[LegKey]:
    """Customers who may still be ringing, and of whom only the record knows: the power was cut."""
    known = {key.leg for key in left_over}
    for dial, began in owed:
        key = runtime.decoded(dial)
        if key is not None and key.leg not in known and 0 <= now - began < RINGS_MOST_MS:
            yield key
