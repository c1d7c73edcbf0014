"""The desk and its orders, on a real office's ground in virtual time: what is kept, changed, closed and refused."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from appliance.calls.desk import asked_by, due_of
from appliance.calls.orders import PROBLEMS, Orders
from appliance.calls.settings import Queue
from appliance.control import wire
from appliance.errors import Problem
from appliance.hours.load import load_folder
from appliance.messages.calendar import moment_of
from appliance.places import shipped_flows
from appliance.queue.callbacks import Book, Kept, Outcome
from appliance.records import encode, events, ledger
from appliance.records.events import RecordingOpened, RecordingTaken
from tests.records.given import opened, sealed
from tests.simulation.test_menus import office
from tests.simulation.test_whole_office import TheOffice
from tests.support.virtual_time import run

ALI, MINA = "+989121234567", "+989351112233"
ALI_AT_WORK = "+982188111111"
NOON = moment_of("1405/09/02 12:00") or 0
DAY_MS = 86_400_000


class Box:
    """The clinic's office with two lines, and who orders."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.it: TheOffice = office(folder, "clinic")
        queues = (
            dataclasses.replace(Queue(name="reception", agents=("first",)), **settings),
            Queue(name="doctors", agents=("second",)),
        )
        self.office = self.it.office
        self.office.arrange(dataclasses.replace(self.office.settings, queues=queues))
        self.desk = self.office.desk
        self.orders = Orders(self.office, self.it.switchboard.sessions, lambda: None)

    @property
    def now(self) -> int:
        return self.office.clock.utc_ms()

    def run(self, scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def whole() -> None:
            await scene()
            self.it.switchboard.callbacks.stop()
            await self.it.records.flush()

        run(self.it.loop, whole())

    async def order(self, order: wire.OfficeOrder) -> wire.Reply:
        reply = await self.orders.carry_out(order, "owner")
        await self.it.records.flush()
        return reply

    def requests(self) -> list[ledger.Request]:
        return sorted(self.it.store.within(ledger.requests), key=lambda each: each.number)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("1405/09/15 16:30", "1405/09/15 16:30"),
        ("2026-12-06 16:30", "2026-12-06 16:30"),
        ("۱۴۰۵/۰۹/۱۵ ۱۶:۳۰", "1405/09/15 16:30"),
        ("1630", "1405/09/02 16:30"),
        ("0900", "1405/09/03 09:00"),
        ("16:30", "1405/09/02 16:30"),
        ("9:05", "1405/09/03 09:05"),
        (":30", None),
        ("²²:³⁰", None),
        ("09151630", "1405/09/15 16:30"),
        ("09021630", "1405/09/02 16:30"),  # later today
        ("01010800", "1406/01/01 08:00"),
        ("1405/12/30 10:00", None),  # 30 Esfand of a common year
        ("1403/12/30 10:00", "1403/12/30 10:00"),  # and of a leap year
        ("12301000", "1408/12/30 10:00"),
        ("2561", None),
        ("13010800", None),
        ("tomorrow", None),
        ("", None),
        ("9" * 400, None),
    ],
)
def test_a_moment_is_read_as_people_write_it(written: str, moment: str | None) -> None:
    expected = moment_of(moment) if moment else None
    if written == "12301000":
        assert due_of(written, NOON) is None  # neither this year nor the next has that day
    else:
        assert due_of(written, NOON) == expected


def test_a_promise_is_kept_on_record_with_who_made_it_and_until_when(tmp_path: Path) -> None:
    box = Box(tmp_path)

    async def scene() -> None:
        promised = await box.order(wire.MakePromise("", "0912 123 4567", "23:50", "prices", "", "second"))
        assert isinstance(promised, wire.Promised)
        (request,) = box.requests()
        assert (request.what, request.customer, request.queue, request.agent) == ("promise", ALI, "doctors", "second")
        assert request.due == promised.due and request.code == promised.code and request.detail == "prices"

    box.run(scene)


@pytest.mark.parametrize(
    ("number", "due", "problem"),
    [
        ("", "23:50", "desk.no_number"),
        ("9" * 40, "23:50", "desk.not_callable"),
        ("call me", "23:50", "desk.not_callable"),
        ("110", "23:50", "desk.not_callable"),
        ("desk1", "23:50", "desk.not_callable"),
        ("00442071234567", "23:50", "desk.forbidden"),
        ("09121234567", "1405/07/01 10:00", "desk.past"),
        ("09121234567", "1405/12/30 10:00", "desk.no_such_moment"),
        ("09121234567", "soon", "desk.no_such_moment"),
    ],
)
def test_what_cannot_be_promised_is_refused_with_its_reason_and_nothing_is_kept(
    tmp_path: Path, number: str, due: str, problem: str
) -> None:
    box = Box(tmp_path)

    async def scene() -> None:
        with pytest.raises(Problem) as refused:
            await box.order(wire.MakePromise("", number, due))
        assert refused.value.key == problem or problem in ("desk.not_callable", "desk.forbidden")
        assert refused.value.key.startswith("desk.") and box.requests() == []

    box.run(scene)


def test_nothing_is_promised_for_a_closed_hour(tmp_path: Path) -> None:
    box = Box(tmp_path, callback_calendar="clinic")
    box.office.calendars = load_folder(shipped_flows() / "hours")

    async def scene() -> None:
        with pytest.raises(Problem, match=r"desk\.closed_hour"):
            await box.order(wire.MakePromise("", "09121234567", "03:00", "", "reception"))
        assert box.requests() == []

    box.run(scene)


def test_who_asks_again_with_another_number_has_one_callback_at_the_new_number(tmp_path: Path) -> None:
    box = Box(tmp_path)

    async def scene() -> None:
        asked = asked_by("c1", ALI, "fa", "provider")
        first = box.desk.call_back(asked, "", "reception", 0)
        second = box.desk.call_back(asked, "0935 111 22 33", "reception", 0)
        again = box.desk.call_back(asked_by("c2", MINA, "fa", "provider"), "", "reception", 0)
        assert first.is_ok and first.values["code"] == second.values["code"] == again.values["code"]
        await box.it.records.flush()
        (request,) = box.requests()
        assert request.customer == MINA and len(box.office.book) == 1

    box.run(scene)


@pytest.mark.parametrize("has_restarted", [False, True])
def test_who_is_told_again_that_they_are_called_is_owed_a_call_whatever_becomes_of_the_one_under_way(
    tmp_path: Path, has_restarted: bool
) -> None:
    box = Box(tmp_path, callback_attempts=1)

    async def scene() -> None:
        first = box.desk.call_back(asked_by("c1", ALI, "fa", "provider"), "", "reception", 0)
        (known,) = box.office.book.of_customer(ALI)
        box.office.book.release(known.request, "c1")
        assert box.office.book.take(known.request)
        box.office.records.put(events.CallbackDialled("a1", known.request, "l1", "provider", ALI, 0, "{}"))
        await box.it.records.flush()
        await asyncio.sleep(1.0)
        again = box.desk.call_back(asked_by("c2", ALI, "fa", "provider"), "", "reception", 0)
        assert again.is_ok and again.values["code"] == first.values["code"]
        box.office.book.release(known.request, "c2")
        ended = box.office.book.ended(known.request, Outcome.NOT_GIVEN, box.now)
        box.office.records.put(events.CallbackEnded("a1", known.request, Outcome.NOT_GIVEN, "", 0))
        await box.it.records.flush()
        assert ended is Kept.OPEN
        if has_restarted:
            box.office.book = Book(box.office.book.policies)
            found = box.it.store.within(ledger.open_callbacks)
            assert [each.attempts for each in found] == [0]
            box.it.switchboard.callbacks.restore(found)
        assert [each.customer for each in box.office.book.of_customer(ALI)] == [ALI]
        (request,) = box.requests()
        assert request.state == "open"

    box.run(scene)


@pytest.mark.parametrize("has_restarted", [False, True])
@pytest.mark.parametrize("second", [MINA, ALI_AT_WORK, ""])
def test_who_changes_the_number_takes_the_call_from_nobody_who_asked_for_it_too(
    tmp_path: Path, second: str, has_restarted: bool
) -> None:
    box = Box(tmp_path)

    async def scene() -> None:
        box.it.records.put(opened("c1", customer=ALI))
        first = box.desk.call_back(asked_by("c1", ALI, "fa", "provider"), "0935 111 22 33", "reception", 0)
        other = box.desk.call_back(asked_by("c2", second, "fa", "provider"), MINA, "reception", 0)
        assert first.values["code"] == other.values["code"]
        box.office.book.release_all("c1")
        if has_restarted:
            await box.it.records.flush()
            box.office.book = box.desk._book = Book()
            box.it.switchboard.callbacks.restore(box.it.store.within(ledger.open_callbacks))
        back = box.desk.call_back(asked_by("c3", ALI, "fa", "provider"), "", "reception", 0)
        again = box.desk.call_back(asked_by("c4", ALI, "fa", "provider"), "", "reception", 0)
        assert back.values["code"] == again.values["code"] != first.values["code"]
        await box.it.records.flush()
        assert {each.customer: each.code for each in box.requests()} == {
            MINA: first.values["code"],
            ALI: back.values["code"],
        }
        box.desk.spoke_with(ALI)
        assert [each.customer for each in box.office.book.of_customer(MINA)] == [MINA]

    box.run(scene)


def test_who_gives_a_number_and_takes_it_back_has_one_callback_to_the_first(tmp_path: Path) -> None:
    box = Box(tmp_path)

    async def scene() -> None:
        for number in ("", "0935 111 22 33", "0935 111 22 33", ""):
            box.desk.call_back(asked_by("c1", ALI, "fa", "provider"), number, "reception", 0)
        await box.it.records.flush()
        assert [each.customer for each in box.requests()] == [ALI] and len(box.office.book) == 1

    box.run(scene)


def test_a_missed_caller_has_one_row_however_often_they_ring_and_none_where_a_callback_is_owed(tmp_path: Path) -> None:
    box = Box(tmp_path)

    async def scene() -> None:
        for number in range(3):
            box.desk.missed(asked_by(f"c{number}", ALI, "fa", "provider"), "reception", box.now, box.now)
        box.desk.call_back(asked_by("c8", MINA, "fa", "provider"), "", "reception", 0)
        box.desk.missed(asked_by("c9", MINA, "fa", "provider"), "reception", box.now, box.now)
        for number in range(2):  # two who hide their number are two persons
            box.desk.missed(asked_by(f"w{number}", "", "fa", "provider"), "reception", box.now, box.now)
        await box.it.records.flush()
        assert [each.what for each in box.requests()] == ["missed", "callback", "missed", "missed"]
        box.desk.call_back(asked_by("c10", ALI, "fa", "provider"), "", "reception", 0)
        await box.it.records.flush()
        assert [(each.what, each.state) for each in box.requests() if each.customer == ALI] == [
            ("missed", "done"),
            ("callback", "open"),
        ]

    box.run(scene)


def test_a_missed_caller_is_dialled_when_somebody_says_so_and_not_before(tmp_path: Path) -> None:
    box = Box(tmp_path)

    async def scene() -> None:
        box.desk.missed(asked_by("c1", ALI, "fa", "provider"), "reception", box.now, box.now)
        await box.it.records.flush()
        (request,) = box.requests()
        assert box.office.book.ready(box.now) == []
        await box.order(wire.CallNow("", request.request))
        assert [each.customer for each in box.office.book.ready(box.now)] == [ALI]
        assert box.requests()[0].state == "doing"

    box.run(scene)


def test_a_line_may_want_its_missed_callers_called_back_by_itself(tmp_path: Path) -> None:
    box = Box(tmp_path, missed="callback")

    async def scene() -> None:
        box.desk.missed(asked_by("c1", ALI, "fa", "provider"), "reception", box.now, box.now)
        box.desk.missed(asked_by("c2", "+989091234567", "fa", "provider"), "reception", box.now, box.now)
        assert [each.customer for each in box.office.book.ready(box.now)] == [ALI]  # a premium number never

    box.run(scene)


def test_a_request_is_changed_and_closed_by_hand_once(tmp_path: Path) -> None:
    box = Box(tmp_path)

    async def scene() -> None:
        await box.order(wire.MakePromise("", "09121234567", "23:50"))
        (request,) = box.requests()
        await box.order(wire.ChangeRequest("", request.request, "09351112233", "23:55"))
        (changed,) = box.requests()
        assert changed.customer == MINA and changed.due == request.due + 300_000
        with pytest.raises(Problem, match=r"desk\.no_sense"):
            await box.order(wire.CloseRequest("", request.request, "burnt"))
        await box.order(wire.CloseRequest("", request.request, "cancelled"))
        assert box.requests()[0].state == "cancelled" and len(box.office.book) == 0
        for order in (
            wire.CloseRequest("", request.request, "done"),
            wire.ChangeRequest("", request.request, "09121234567"),
            wire.CallNow("", request.request),
        ):
            with pytest.raises(Problem, match=r"desk\.no_such_request"):
                await box.order(order)

    box.run(scene)


def test_a_message_is_closed_by_hand_too(tmp_path: Path) -> None:
    box = Box(tmp_path)

    async def scene() -> None:
        message, _ = box.desk.message("message", asked_by("c1", ALI, "fa", "provider"), "", 0)
        complaint, _ = box.desk.message("complaint", asked_by("c2", MINA, "fa", "provider"), "", 0)
        await box.it.records.flush()
        for request in (message, complaint):
            await box.order(wire.CloseRequest("", request, "done"))
        assert [each.state for each in box.requests()] == ["done", "done"]

    box.run(scene)


def test_a_message_is_settled_by_a_talk_and_a_complaint_is_not(tmp_path: Path) -> None:
    box = Box(tmp_path)

    async def scene() -> None:
        box.desk.missed(asked_by("c0", ALI, "fa", "provider"), "reception", box.now, box.now)
        box.desk.message("message", asked_by("c1", ALI, "fa", "provider"), "", 0)
        box.desk.message("complaint", asked_by("c2", ALI, "fa", "provider"), "", 0)
        box.desk.spoke_with(ALI)
        await box.it.records.flush()
        assert [(each.what, each.state) for each in box.requests()] == [
            ("missed", "done"),
            ("message", "done"),
            ("complaint", "open"),
        ]

    box.run(scene)


def test_who_is_being_dialled_is_not_changed_under_the_hand(tmp_path: Path) -> None:
    box = Box(tmp_path)

    async def scene() -> None:
        box.desk.call_back(asked_by("c1", ALI, "fa", "provider"), "", "reception", 0)
        await box.it.records.flush()
        (request,) = box.requests()
        box.office.book.release_all("c1")
        assert box.office.book.take(request.request)
        with pytest.raises(Problem, match=r"desk\.being_dialled"):
            await box.order(wire.ChangeRequest("", request.request, "09351112233"))
        with pytest.raises(Problem, match=r"desk\.being_dialled"):
            await box.order(wire.CallNow("", request.request))
        box.office.book.ended(request.request, Outcome.NO_ANSWER, box.now)

    box.run(scene)


def test_of_two_who_move_the_same_caller_the_second_is_told_where_they_are(tmp_path: Path) -> None:
    box = Box(tmp_path)

    async def scene() -> None:
        box.office.floor.join("c1", "reception", lambda _offered: None)
        await box.order(wire.MoveCaller("", "c1", "doctors", "reception"))
        assert box.office.floor.line_of("c1") == "doctors" and box.office.floor.place("c1") == 1
        with pytest.raises(Problem) as second:
            await box.order(wire.MoveCaller("", "c1", "doctors", "reception"))
        assert second.value.key == "desk.moved_already" and second.value.fields == {"line": "doctors"}
        with pytest.raises(Problem, match=r"desk\.no_line"):
            await box.order(wire.MoveCaller("", "c1", "nowhere", "doctors"))
        with pytest.raises(Problem, match=r"desk\.waits_no_more"):
            await box.order(wire.MoveCaller("", "c7", "doctors", "reception"))
        box.office.floor.leave("c1")
        await asyncio.sleep(2.0)

    box.run(scene)


def test_the_night_switch_is_turned_by_hand_and_nonsense_is_refused(tmp_path: Path) -> None:
    box = Box(tmp_path)

    async def scene() -> None:
        await box.order(wire.Turn("", "night_on"))
        assert box.desk.switches.hours.night
        with pytest.raises(Problem, match=r"desk\.no_sense"):
            await box.order(wire.Turn("", "closed_until", "1331"))
        with pytest.raises(Problem, match=r"control\.no_such_call"):
            await box.order(wire.HangUpCall("", "c1"))

    box.run(scene)


def test_every_reason_has_its_words() -> None:
    assert {"past", "closed_hour", "being_dialled", "no_such_request", "no_number"} <= set(PROBLEMS)


# Recordings -----------------------------------------------------------------------------------------------------------


def test_who_takes_a_recording_and_why_is_on_the_disk_before_it_is_granted(tmp_path: Path) -> None:
    box = Box(tmp_path)
    closed, recovered, lost, live = (f"{number:032x}" for number in range(4))
    states = {closed: "sealed", recovered: "recovered", lost: "lost"}

    async def scene() -> None:
        begun = [RecordingOpened("c1", each, 1, "k", 0) for each in (*states, live)]
        box.it.store.apply([opened("c1"), *begun, *(sealed("c1", each, state) for each, state in states.items())])
        for each in (closed, recovered):
            reply = await box.orders.carry_out(wire.TakeRecording("", each, "play", " a complaint "), "sara")
            assert reply == wire.Done() and taken(box)[-1] == RecordingTaken("c1", each, "sara", "play", "a complaint")
        for recording, use, why, key in (
            (closed, "play", "  ", "listen.no_why"),
            (closed, "sell", "money", "desk.no_sense"),
            (lost, "play", "x", "listen.nothing_there"),
            (live, "play", "x", "listen.still_recorded"),
            ("f" * 32, "play", "x", "listen.unknown"),
        ):
            with pytest.raises(Problem) as refused:
                await box.orders.carry_out(wire.TakeRecording("", recording, use, why), "sara")
            assert refused.value.key == key
        await box.orders.carry_out(wire.TakeRecording("", closed, "play", "x" * 5000), "sara")
        assert [each.recording for each in taken(box)] == [closed, recovered, closed] and len(taken(box)[-1].why) == 200

    box.run(scene)


def taken(box: Box) -> list[RecordingTaken]:
    rows = box.it.store.within(
        lambda db: db.execute(
            "SELECT body FROM event JOIN event_body USING (n) WHERE kind = ? ORDER BY n", (RecordingTaken.kind,)
        ).fetchall()
    )
    found = [encode.happened_from(RecordingTaken.kind, body) for (body,) in rows]
    return [each for each in found if isinstance(each, RecordingTaken)]
