"""SMS that people send to the box, on a real office's ground: each is taken once, and none is lost."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Literal

import pytest

from appliance.calls.desk import Reply
from appliance.calls.replies import FAILING, MOST_OPEN, Replies
from appliance.errors import Problem
from appliance.lookup.http import Refusal
from appliance.lookup.inbox import Arrived, Inbox
from appliance.lookup.settings import Sms
from appliance.messages.calendar import DAY_MS, moment_of
from appliance.notify.ready import Writing
from appliance.notify.settings import Mail, Notify
from appliance.records import events, notices
from appliance.records.replies import FIRST_LOOK
from tests.calls.test_desk import ALI, MINA, Box
from tests.records.given import opened

OWNER = "+989120000009"
PIN = "4711"


class Listed(Inbox):
    """The gateway of these scenes lists what ``now`` holds; a Refusal where ``fails`` is set."""

    def __init__(self) -> None:
        super().__init__(Sms(inbox_url="http://127.0.0.1:1/"), lambda _name: None)
        self.now: list[Arrived] = []
        self.fails = False
        self.count = 0

    async def fetch(self) -> list[Arrived]:
        if self.fails:
            raise Refusal("timeout")
        return list(self.now)

    def sends(self, number: str, text: str) -> None:
        self.count += 1
        self.now.append(Arrived(f"n{self.count}", number, text))


class Scene:
    """A box that asks for answers; the owner's PIN is ``PIN``."""

    def __init__(self, folder: Path, survey: Literal["csat", "nps"] = "csat") -> None:
        self.box = Box(folder)
        self.inbox = Listed()
        self.told: list[str] = []
        self.findings: dict[str, Problem] = {}
        self.pins = 0
        notify = Notify(survey_reply=survey, reply_pin="boss", alarm_sms=("0912 000 0009",))
        self.replies = Replies(
            Writing(notify, Mail(), Sms()), self.box.office, self.inbox, self._check, "en",
            lambda _name, number, text: self.told.append(f"{number} {text}"), self._found,
        )  # fmt: skip

    async def _check(self, identity: str, pin: str) -> Reply:
        assert identity == "boss"
        self.pins += 1
        return Reply(pin == PIN, reason="" if pin == PIN else "locked" if self.pins > 5 else "wrong")

    def _found(self, place: str, problem: Problem | None) -> None:
        assert place == "inbox"
        self.findings = {} if problem is None else {place: problem}

    def run(self, scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def whole() -> None:
            await self.replies.look()  # the first look
            await scene()

        self.box.run(whole)

    async def sent(self, number: str, text: str) -> None:
        self.inbox.sends(number, text)
        await self.replies.look()

    def told_of(self, kind: str) -> list[dict[str, Any]]:
        rows = self.box.it.store.within(
            lambda db: db.execute(
                "SELECT body FROM event JOIN event_body USING (n) WHERE kind = ? ORDER BY n", (kind,)
            ).fetchall()
        )
        return [json.loads(body) for (body,) in rows]

    @property
    def kinds(self) -> list[str]:
        return [each["what"] for each in self.told_of("reply.received") if each["reply"] != FIRST_LOOK]

    async def surveyed(self, conversation: str, customer: str) -> None:
        """This customer was served, and a survey was sent to them."""
        self.box.office.records.put(opened(conversation, customer=customer))
        name = f"survey:{conversation}"
        self.box.office.records.put(
            events.NoticePlanned(conversation, name, "survey", "sms", conversation, customer[-4:], "fa", 0)
        )
        self.box.office.records.put(events.NoticeTried(conversation, name))
        self.box.office.records.put(
            events.NoticeEnded(conversation, name, "survey", "sms", customer[-4:], "sent", "", 1, "")
        )
        await self.box.office.records.flush()


def test_a_number_is_the_answer_to_the_survey_of_the_last_talk(tmp_path: Path) -> None:
    scene = Scene(tmp_path)

    async def work() -> None:
        await scene.surveyed("c1", ALI)
        await scene.surveyed("c2", ALI)
        await scene.surveyed("c3", MINA)
        await scene.sent("989121234567", "۴")
        await scene.sent("09351112233", "2 !")
        await scene.replies.look()  # they are listed still

    scene.run(work)
    answers = [(each["conversation"], each["question"], each["value"]) for each in scene.told_of("survey.answered")]
    assert answers == [("c2", "csat", 4), ("c3", "csat", 2)] and scene.kinds == ["survey", "survey"]
    assert scene.box.requests() == []


def test_words_of_somebody_who_is_known_are_a_message_that_waits_to_be_read(tmp_path: Path) -> None:
    scene = Scene(tmp_path)

    async def work() -> None:
        await scene.surveyed("c1", ALI)
        await scene.sent("09121234567", "کسی جواب من را نداد")
        for number in range(5):
            await scene.sent("09121234567", f"again {number}")

    scene.run(work)
    requests = scene.box.requests()
    assert [each.what for each in requests] == ["message"] * MOST_OPEN and requests[0].customer == ALI
    assert requests[0].detail == "کسی جواب من را نداد" and requests[0].language == "fa" and requests[0].due > 0
    texts = [each["text"] for each in scene.told_of("reply.received") if each["what"] == "words"]
    assert texts == ["کسی جواب من را نداد", *(f"again {number}" for number in range(5))]  # none is lost


def test_a_number_without_a_survey_or_long_after_it_is_words(tmp_path: Path) -> None:
    scene = Scene(tmp_path)

    async def work() -> None:
        scene.box.office.records.put(opened("c9", customer=MINA))
        await scene.surveyed("c1", ALI)
        await scene.sent("09351112233", "5")
        await asyncio.sleep(8 * DAY_MS / 1000)
        await scene.sent("09121234567", "5")

    scene.run(work)
    assert scene.kinds == ["words", "words"] and scene.told_of("survey.answered") == []


def test_strangers_and_advertisers_are_counted_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    scene = Scene(tmp_path)

    async def work() -> None:
        for number in ("09350000000", "30001234", "BANK", "", "98", "0" * 500):
            await scene.sent(number, "sale sale sale")

    scene.run(work)
    assert scene.kinds == ["stranger"] * 6 and scene.box.requests() == []
    assert "sale" not in json.dumps(scene.told_of("reply.received")) + caplog.text


def test_who_wants_no_messages_gets_none_until_they_want_them_again(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    stopped: list[bool] = []

    async def work() -> None:
        await scene.surveyed("c1", ALI)
        for text in ("5", "لغو", "شروع"):
            await scene.sent("09121234567", text)
            subject = scene.box.it.store.within(lambda db: notices.subject_of(db, "c1"))
            assert subject is not None
            stopped.append(subject.is_stopped)

    scene.run(work)
    assert stopped == [False, True, False] and scene.kinds == ["survey", "stop", "start"]


def test_the_owner_closes_opens_and_sets_the_night_with_number_and_pin(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    seen: list[tuple[bool, int]] = []

    async def work() -> None:
        for text in ("۴۷۱۱ بسته تا ۱۰/۰۵", "4711 night", "4711 open"):
            await scene.sent("989120000009", text)
            hours = scene.box.desk.switches.hours
            seen.append((hours.night, hours.closed_until_ms))

    scene.run(work)
    day = moment_of("1405/10/05 00:00") or 0
    assert seen == [(False, day), (True, day), (False, 0)]
    assert {each["by"] for each in scene.told_of("switch.turned")} == {"boss"}
    assert all(each.startswith(OWNER) for each in scene.told) and "26 December 2026" in scene.told[0]
    assert len(scene.told) == 3 and scene.kinds == ["order"] * 3


def test_nothing_is_switched_by_number_or_pin_alone_and_no_record_holds_a_pin(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    scene = Scene(tmp_path)

    async def work() -> None:
        before = scene.box.desk.switches
        await scene.sent("09121234567", "4711 closed until 10/05")  # the PIN, and another's number
        await scene.sent("09120000009", "closed until 10/05")  # the number, and no PIN
        await scene.sent("09120000009", "4711 hello")
        await scene.sent("09120000009", "4711 closed until 12/30")  # a common year
        for _ in range(6):
            await scene.sent("09120000009", "4712 closed until 10/05")
        assert scene.box.desk.switches == before

    scene.run(work)
    assert scene.kinds == ["stranger", *["refused"] * 9] and len(scene.told) == 9
    assert "wrong" in scene.told[3] and "too many" in scene.told[-1] and "10/05" in scene.told[0]
    every = scene.box.it.store.within(lambda db: db.execute("SELECT group_concat(CAST(body AS TEXT)) FROM event_body"))
    said = str(every.fetchall()) + caplog.text + " ".join(scene.told)
    assert "4711" not in said and "4712" not in said


def test_what_lay_there_before_the_box_first_looked_is_nobodys_answer(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    for number in range(3):
        scene.inbox.sends("09120000009", f"4711 closed until 10/0{number + 1}")

    async def work() -> None:
        await scene.surveyed("c1", ALI)
        await scene.sent("09121234567", "3")

    scene.run(work)
    assert scene.kinds == ["before"] * 3 + ["survey"] and scene.told_of("switch.turned") == []


def test_a_gateway_that_does_not_answer_is_a_finding_until_it_does_and_nothing_is_lost(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    found: list[str] = []

    async def work() -> None:
        await scene.surveyed("c1", ALI)
        scene.inbox.fails = True
        for _ in range(FAILING):
            await scene.sent("09121234567", "3")
            found.append(",".join(problem.key for problem in scene.findings.values()))
        scene.inbox.fails = False
        await scene.replies.look()
        found.append(",".join(scene.findings))

    scene.run(work)
    assert found == ["", "", "notify.inbox_failing", ""] and scene.kinds[0] == "survey" and len(scene.kinds) == 3
