"""What the box writes to people: from what happened to what was taken, over restarts and crashes, never twice."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest

from appliance.calls.notices import POLL_SECONDS, SETTLE_MS, Notices
from appliance.clock import Clock, VirtualClock
from appliance.errors import Problem
from appliance.lookup.gateway import Gateway, Outcome
from appliance.lookup.settings import Sms
from appliance.messages.calendar import moment_of
from appliance.notify.mail import Post
from appliance.notify.ready import Writing
from appliance.notify.settings import Mail, Notify
from appliance.records.events import (
    ConversationClosed,
    ConversationErased,
    ConversationOpened,
    Happened,
    RecordingRefused,
    RequestChanged,
    RequestMoved,
    RequestOpened,
)
from appliance.records.events import (
    Outcome as CallOutcome,
)
from appliance.records.store import Store
from appliance.records.writer import DirectWriter, Records, Report, Written
from tests.records.given import KEY

NOON = moment_of("2026-11-28 12:00") or 0
MOBILE, LANDLINE, OWN = "+989121234567", "+982188123456", "+989120000000"
ALL = Notify(
    firm="پاسخ", missed=True, requests=True, promises=True, survey_url="https://firm.example/s/{id}",
    alarm_mail=("owner@firm.example",), alarm_minutes=1, per_recipient_day=50,
)  # fmt: skip


class CrashError(BaseException):
    """kill -9."""


class SmsServer(Gateway):
    """The gateway of these scenes: what it got, and what it says."""

    def __init__(self) -> None:
        super().__init__(Sms(url="http://127.0.0.1:1/"), (), lambda _name: None)
        self.got: list[tuple[str, dict[str, str]]] = []
        self.says = [Outcome("sent", reference="77")]
        self.states: list[Literal["delivered", "undelivered", ""]] = []

    @property
    def tells_delivery(self) -> bool:
        return bool(self.states)

    async def send(self, kind: str, values: Mapping[str, str]) -> Outcome:
        outcome = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if outcome.state in ("sent", "unknown"):
            self.got.append((kind, dict(values)))
        return outcome

    async def delivery(self, reference: str) -> Literal["delivered", "undelivered", ""]:
        assert reference == "77"
        return self.states.pop(0)


class MailServer(Post):
    def __init__(self) -> None:
        super().__init__(Mail(), lambda _name: None)
        self.got: list[tuple[str, str, str]] = []

    def send(self, to: str, subject: str, text: str, name: str) -> Outcome:
        self.got.append((to, subject, text))
        return Outcome("sent")


class Office:
    """What the driver must know of the business."""

    box = "shop"

    def __init__(self, records: Records, clock: Clock) -> None:
        self.records, self.clock = records, clock
        self.counts: Counter[str] = Counter()
        self.is_sure = True

    @property
    def is_clock_sure(self) -> Callable[[], bool]:
        return lambda: self.is_sure

    def callback_number(self, number: str, trunk: str) -> tuple[str, str]:
        return number, "own_number" if number == OWN else ""

    def count(self, what: str) -> None:
        self.counts[what] += 1


class Scene:
    """A box in virtual time; ``restart`` is a new process over the same records."""

    def __init__(self, folder: Path, notify: Notify = ALL) -> None:
        self.file = folder / "calls.db"
        self.clock = VirtualClock(NOON)
        self.sms, self.mail = SmsServer(), MailServer()
        self.notify = notify
        self.faults: dict[str, Problem] = {}
        self.findings: dict[str, Problem] = {}
        self.store = Store(self.file, KEY, self.clock)
        self.count = 0

    def _found(self, place: str, problem: Problem | None) -> None:
        self.findings.pop(place, None)
        if problem is not None:
            self.findings[place] = problem

    async def restart(self) -> None:
        self.store.close()
        self.store = Store(self.file, KEY, self.clock)
        self.records = DirectWriter(self.store, self._written)
        self.office = Office(self.records, self.clock)
        writing = Writing(self.notify, Mail(), Sms(url="http://127.0.0.1:1/", most_parts=3))
        self.notices = Notices(
            writing, self.office, (self.sms, self.mail), self.file.parent, "fa", lambda: self.faults, self._found
        )
        await self.notices.start()

    def _written(self, report: Report) -> None:
        if isinstance(report, Written):
            self.notices.written(report.happened)

    async def happens(self, *happened: Happened) -> None:
        for one in happened:
            self.records.put(one)
        self.records.flush_now()
        await self.notices.look()
        self.records.flush_now()

    async def later(self, seconds: float) -> None:
        self.clock.advance_to(self.clock.monotonic() + seconds)
        await self.notices.look()
        self.records.flush_now()

    def asked(self, what: str, customer: str = MOBILE, due: int = 0, language: str = "fa", detail: str = "") -> Any:
        self.count += 1
        request, conversation = f"r{self.count}", f"c{self.count}"
        opened = ConversationOpened(
            conversation, "in", "office", "main", "021", customer, customer, "", False, "welcome", "ab", language
        )
        code = f"27182{self.count}"
        return opened, RequestOpened(
            conversation, request, self.count, code, what, customer, language, "sales", due, detail, 0
        )

    def rows(self) -> dict[str, tuple[str, str]]:
        found = self.store.within(lambda db: db.execute("SELECT name, state, delivery FROM notice").fetchall())
        return {name: (state, delivery) for name, state, delivery in found}

    def told(self, kind: str) -> list[dict[str, Any]]:
        rows = self.store.within(
            lambda db: db.execute(
                "SELECT body FROM event JOIN event_body USING (n) WHERE kind = ? ORDER BY n", (kind,)
            ).fetchall()
        )
        return [json.loads(body) for (body,) in rows]


def play(scene: Scene, work: Callable[[Scene], Awaitable[None]]) -> Scene:
    async def whole() -> None:
        await scene.restart()
        await work(scene)

    asyncio.run(whole())
    return scene


def test_each_thing_that_is_promised_is_written_to_who_was_promised(tmp_path: Path) -> None:
    due = moment_of("2026-11-28 17:30") or 0

    async def work(scene: Scene) -> None:
        await scene.happens(*scene.asked("callback"))
        await scene.happens(*scene.asked("promise", due=due, language="en"))
        await scene.happens(RequestChanged("r2", MOBILE, due + 3_600_000, "sales", "page"))
        await scene.happens(RequestMoved("r2", "done", "box", "reached"))
        await scene.happens(*scene.asked("complaint"))
        await scene.happens(*scene.asked("missed"))
        assert [kind for kind, _ in scene.sms.got] == [
            "callback", "promise", "promise_moved", "promise_kept", "request"
        ]  # fmt: skip
        await scene.later(SETTLE_MS / 1000)

    scene = play(Scene(tmp_path), work)
    kinds = [kind for kind, _ in scene.sms.got]
    texts = {kind: values["text"] for kind, values in scene.sms.got}
    assert kinds[-1] == "missed" and all(values["number"] == "09121234567" for _, values in scene.sms.got)
    assert "۲۷۱۸۲۱" in texts["callback"] and "17:30" in texts["promise"] and "18:30" in texts["promise_moved"]
    assert texts["promise"].startswith("پاسخ: we call you") and "271822" in texts["promise_kept"]
    assert {state for state, _ in scene.rows().values()} == {"sent"}


def test_one_event_says_of_each_message_what_and_to_whom_and_what_came_of_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def work(scene: Scene) -> None:
        await scene.happens(*scene.asked("callback"))

    scene = play(Scene(tmp_path), work)
    [ended] = scene.told("notice.ended")
    assert ended == {
        "conversation": "c1", "notice": "callback:r1", "what": "callback", "channel": "sms", "last4": "4567",
        "outcome": "sent", "detail": "", "parts": 1, "reference": "77",
    }  # fmt: skip
    said = json.dumps([scene.told(kind) for kind in ("notice.planned", "notice.tried", "notice.ended")])
    assert "9121234567" not in said and "9121234567" not in caplog.text and "4567" in caplog.text


@pytest.mark.parametrize(
    "customer", [LANDLINE, OWN, "", "+441632960961", "1500"], ids=["landline", "own", "withheld", "foreign", "short"]
)
def test_only_mobile_numbers_that_may_be_called_back_are_written_to(tmp_path: Path, customer: str) -> None:
    async def work(scene: Scene) -> None:
        await scene.happens(*scene.asked("callback", customer))

    scene = play(Scene(tmp_path), work)
    assert scene.sms.got == [] and scene.rows() == {}


def test_who_wants_no_messages_gets_none(tmp_path: Path) -> None:
    async def work(scene: Scene) -> None:
        await scene.happens(*scene.asked("callback"))

    assert play(Scene(tmp_path, replace(ALL, never=("0912 123 4567",))), work).sms.got == []


def test_nothing_is_written_that_the_owner_has_not_asked_for(tmp_path: Path) -> None:
    async def work(scene: Scene) -> None:
        assert not scene.notices.is_on
        for what in ("callback", "promise", "missed", "message"):
            await scene.happens(*scene.asked(what))
        scene.faults["disk"] = Problem("notify.disk_low", megabytes=1, percent=0)
        await scene.later(3600)

    scene = play(Scene(tmp_path, Notify()), work)
    assert scene.sms.got == [] and scene.mail.got == [] and scene.rows() == {}


def test_a_secret_that_lies_open_costs_messages_and_nothing_else(tmp_path: Path) -> None:
    problem = Problem("notify.open_secret", file="secrets/sms", mode="044")

    async def work(scene: Scene) -> None:
        writing = Writing(scene.notify, Mail(), Sms(url="http://127.0.0.1:1/"))
        ways = scene.sms, scene.mail
        scene.notices = Notices(
            writing, scene.office, ways, tmp_path, "fa", lambda: scene.faults, scene._found, problem
        )
        await scene.notices.start()
        await scene.happens(*scene.asked("callback"))

    scene = play(Scene(tmp_path), work)
    assert scene.sms.got == [] and scene.findings == {"notices": problem}


def test_who_rings_again_within_the_minute_is_not_told_that_they_were_missed(tmp_path: Path) -> None:
    async def work(scene: Scene) -> None:
        await scene.happens(*scene.asked("missed"))
        await scene.happens(RequestMoved("r1", "done", "box", "got_through"))
        await scene.later(SETTLE_MS / 1000)

    scene = play(Scene(tmp_path), work)
    assert scene.sms.got == [] and scene.rows() == {"missed:r1": ("needless", "")}


def test_somebody_whose_conversation_was_erased_is_forgotten(tmp_path: Path) -> None:
    async def work(scene: Scene) -> None:
        await scene.happens(*scene.asked("missed"))
        await scene.happens(ConversationErased("c1", "asked", "owner"))
        await scene.later(SETTLE_MS / 1000)

    scene = play(Scene(tmp_path), work)
    assert scene.sms.got == [] and scene.rows() == {}


def test_a_survey_goes_to_a_share_that_chance_chooses_and_only_after_a_talk(tmp_path: Path) -> None:
    async def work(scene: Scene) -> None:
        for number in range(200):
            customer = f"+98912{number:07}"
            opened, _ = scene.asked("callback", customer)
            outcome = CallOutcome.SERVED if number % 2 else CallOutcome.ABANDONED
            await scene.happens(opened, ConversationClosed(opened.conversation, outcome, "", "sara", 9_000))

    scene = play(Scene(tmp_path, replace(ALL, survey_share=0.5, per_hour=1000)), work)
    links = [values["link"] for _, values in scene.sms.got]
    assert 25 <= len(links) <= 75 and len(set(links)) == len(links)
    assert all(link.startswith("https://firm.example/s/c") for link in links)
    assert all(values["link"] in values["text"] for _, values in scene.sms.got)


def test_a_text_of_too_many_parts_is_not_sent(tmp_path: Path) -> None:
    link = "https://firm.example/" + "س" * 300 + "/{id}"

    async def work(scene: Scene) -> None:
        opened, _ = scene.asked("callback")
        await scene.happens(opened, ConversationClosed(opened.conversation, CallOutcome.SERVED, "", "sara", 9_000))

    scene = play(Scene(tmp_path, replace(ALL, survey_url=link)), work)
    assert scene.sms.got == [] and scene.told("notice.ended")[0]["detail"] == "too long"


def test_what_the_gateway_could_not_take_is_tried_again_and_what_it_may_have_taken_is_not(tmp_path: Path) -> None:
    async def work(scene: Scene) -> None:
        scene.sms.says = [Outcome("later", "503"), Outcome("later", "refused"), Outcome("unknown", "timeout")]
        await scene.happens(*scene.asked("callback"))
        for _ in range(20):
            await scene.later(60)

    scene = play(Scene(tmp_path), work)
    assert [each["outcome"] for each in scene.told("notice.ended")] == ["later", "later", "unknown"]
    assert len(scene.sms.got) == 1 and scene.rows() == {"callback:r1": ("unknown", "")}


def test_a_gateway_that_takes_nothing_is_a_finding_until_it_does(tmp_path: Path) -> None:
    async def work(scene: Scene) -> None:
        scene.sms.says = [Outcome("later", "401")]
        await scene.happens(*scene.asked("callback"))
        await scene.later(40)
        assert scene.findings == {}
        await scene.later(70)
        assert scene.findings["notices"].fields == {"channel": "sms", "detail": "401", "count": 3}
        scene.sms.says = [Outcome("sent")]
        await scene.later(200)
        assert scene.findings == {}

    assert len(play(Scene(tmp_path), work).sms.got) == 1


def test_the_delivery_is_asked_for_less_and_less_often_and_then_no_more(tmp_path: Path) -> None:
    async def work(scene: Scene) -> None:
        scene.sms.states = ["", "", "delivered", *[""] * 5, "never asked"]  # type: ignore[list-item] # what no scene reaches
        await scene.happens(*scene.asked("callback"))
        for seconds in POLL_SECONDS[:3]:
            await scene.later(seconds)
        assert scene.rows()["callback:r1"] == ("sent", "delivered")
        await scene.happens(*scene.asked("callback", "+989350000000"))
        await scene.restart()
        for seconds in (*POLL_SECONDS, 100_000):
            await scene.later(seconds)
        assert scene.rows()["callback:r2"] == ("sent", "silent")

    assert play(Scene(tmp_path), work).sms.states == ["never asked"]


def test_what_waited_for_the_morning_goes_after_a_restart_and_nothing_twice(tmp_path: Path) -> None:
    async def work(scene: Scene) -> None:
        await scene.happens(*scene.asked("callback"))
        await scene.later(11 * 3600)  # 23:00
        await scene.happens(*scene.asked("callback", "+989350000000"))
        assert len(scene.sms.got) == 1
        for _ in range(3):
            await scene.restart()
            await scene.later(600)
        await scene.later(9 * 3600)
        await scene.restart()
        await scene.later(3600)

    scene = play(Scene(tmp_path), work)
    assert [values["number"] for _, values in scene.sms.got] == ["09121234567", "09350000000"]


@pytest.mark.parametrize("seed", range(12))
def test_a_crash_at_any_moment_sends_nothing_twice_and_loses_nothing_that_waits(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    scene = Scene(tmp_path, replace(ALL, per_hour=1000))

    class Mortal(SmsServer):
        async def send(self, kind: str, values: Mapping[str, str]) -> Outcome:
            fate = chance.random()
            if fate < 0.15:
                raise CrashError  # before it left
            outcome = await super().send(kind, values)
            if fate < 0.3:
                raise CrashError  # it has left, and nobody knows
            return outcome

    async def work() -> None:
        await scene.restart()
        for _ in range(40):
            try:
                if chance.random() < 0.5:
                    await scene.happens(*scene.asked("callback", f"+98912{scene.count:07}"))
                else:
                    await scene.later(chance.randrange(1, 90))
            except CrashError:
                await scene.restart()
        for _ in range(80):
            try:
                await scene.later(60)
            except CrashError:
                await scene.restart()

    scene.sms = Mortal()
    scene.sms.says = [chance.choice([Outcome("sent"), Outcome("later"), Outcome("unknown")]) for _ in range(200)]
    asyncio.run(work())
    sent = Counter(values["number"] for _, values in scene.sms.got)
    assert sent and max(sent.values()) == 1, "somebody was written to twice"
    states = {state for state, _ in scene.rows().values()}
    assert states <= {"sent", "unknown"}, "something was left waiting"


# Alarms ---------------------------------------------------------------------------------------------------------------

DOWN = Problem("notify.trunk_down", trunk="main", code=503)


def test_the_owner_is_told_of_a_trunk_that_stays_down_and_when_it_is_back(tmp_path: Path) -> None:
    async def work(scene: Scene) -> None:
        scene.faults["trunk main"] = DOWN
        await scene.later(30)
        assert scene.mail.got == []
        await scene.later(30)
        await scene.later(60)
        await scene.restart()
        await scene.later(600)
        assert len(scene.mail.got) == 1
        scene.faults.clear()
        await scene.later(10)
        await scene.later(130)
        await scene.later(600)

    scene = play(Scene(tmp_path), work)
    [(to, subject, text), (_, over, _)] = scene.mail.got
    assert to == "owner@firm.example" and "main" in subject and len(text.splitlines()) == 2
    assert "برطرف" in over and "main" in over
    assert [each["last4"] for each in scene.told("notice.ended")] == ["o...@firm.example"] * 2


def test_a_recording_that_was_refused_and_a_full_disk_are_alarms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nearly_full = SimpleNamespace(total=1000, used=990, free=10)
    monkeypatch.setattr("appliance.calls.notices.shutil.disk_usage", lambda _path: nearly_full)

    async def work(scene: Scene) -> None:
        await scene.happens(RecordingRefused("c1", "", "recorder.no_recipients", 0))
        await scene.later(61)

    scene = play(Scene(tmp_path, replace(ALL, alarm_sms=("09129999999",))), work)
    assert len(scene.mail.got) == 2 and any("recorder.no_recipients" in text for _, _, text in scene.mail.got)
    assert [values["number"] for kind, values in scene.sms.got if kind == "alarm"] == ["09129999999"] * 2


def test_an_alarm_that_was_never_sent_is_raised_anew_after_a_start(tmp_path: Path) -> None:
    async def work(scene: Scene) -> None:
        scene.faults["trunk main"] = DOWN
        scene.sms.says = [Outcome("later", "503")]
        await scene.later(1)
        await scene.later(61)
        assert scene.sms.got == []
        scene.sms.says = [Outcome("sent")]
        await scene.restart()
        await scene.later(1)
        await scene.later(61)

    notify = Notify(alarm_sms=("09129999999",), alarm_minutes=1)
    assert len(play(Scene(tmp_path, notify), work).sms.got) == 1
