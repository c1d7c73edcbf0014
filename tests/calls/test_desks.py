"""Agents' own desks on an office's ground in virtual time: who may, what is shown, kept, counted and put on record."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import argon2
import pytest

from appliance.calls import switches
from appliance.calls.access import Access, Session
from appliance.calls.desks import Desks
from appliance.calls.settings import Disposition
from appliance.calls.wrap_ups import WrapUps
from appliance.control import wire
from appliance.errors import Problem
from appliance.records import cdr, drafts, ledger
from appliance.records.reader import Conversation
from tests.simulation.test_transfers import Box

FIRST, SECOND = Session("first", "agent", False), Session("second", "agent", False)
OWNER = Session("owner", "owner", False)
WRAP_UP = 30.0


class Office(Box):
    """Whose reception gives thirty seconds after a call; ``desks`` are asked as by the page."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        settings = self.it.office.settings
        queues = tuple(dataclasses.replace(queue, wrap_up_seconds=WRAP_UP) for queue in settings.queues)
        self.it.office.arrange(dataclasses.replace(settings, queues=queues))
        self.office = self.it.office
        hasher = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
        self.access = Access(self.it.records, self.it.clock, folder / "code", hasher=hasher)
        self.desks = Desks(self.office, self.it.switchboard.sessions, self.access)
        self.there("desk1", "desk2")

    async def ask(self, order: wire.DeskOrder | wire.PeopleOrder, who: Session = FIRST) -> wire.Reply:
        reply = await self.desks.answer(order, who)
        self.it.records.flush_now()
        return reply

    async def desk(self, who: Session = FIRST, agent: str = "") -> wire.DeskNow:
        reply = await self.ask(wire.AskDesk("", agent), who)
        assert isinstance(reply, wire.DeskNow)
        return reply

    async def form(self, who: Session = FIRST) -> wire.DeskForm:
        form = (await self.desk(who)).form
        assert form is not None
        return form

    def drafts(self) -> list[drafts.LeftDraft]:
        self.it.records.flush_now()
        return list(self.it.store.within(drafts.left))


def fields(**values: str) -> tuple[wire.FormField, ...]:
    return tuple(wire.FormField(name, value, 0) for name, value in values.items())


def scene(folder: Path, play: Callable[[Office], Coroutine[Any, Any, None]], rest: float = 120.0) -> list[Conversation]:
    box = Office(folder)
    return box.run(lambda: play(box), rest)


def test_the_desk_shows_who_rings_and_then_the_form_and_the_doing_that_is_counted(tmp_path: Path) -> None:
    async def play(box: Office) -> None:
        assert (await box.desk()).call is None and (await box.desk()).doing == "free"
        leg, agent = await box.talking()
        desk = await box.desk()
        assert desk.call is not None and desk.form is not None and desk.doing == "talking"
        assert (desk.call.customer, desk.call.shown, desk.call.queue) == ("+989121234567", "09121234567", "reception")
        assert desk.call.is_speaking and desk.form.state == "open" and not desk.form.until_utc_ms
        box.it.line.hang_up(leg)
        await asyncio.sleep(1.0)
        desk = await box.desk()
        assert desk.call is None and desk.doing == "wrap_up" and desk.form is not None and desk.form.is_over
        assert 28_000 < desk.form.until_utc_ms - desk.now_utc_ms <= 30_000
        assert [each.doing for each in box.it.switchboard.snapshot().agents if each.name == "first"] == ["wrap_up"]
        await asyncio.sleep(WRAP_UP)
        desk = await box.desk()  # nobody waits, and its time has ended all the same
        assert desk.doing == "free" and desk.form is not None and desk.form.state == "missed"

    (record,) = scene(tmp_path, play)
    (missed,) = record.wrap_ups
    assert (missed.agent, missed.state, missed.disposition) == ("first", "missed", "")


def test_given_is_on_record_raises_the_revision_and_the_agent_is_free_at_once(tmp_path: Path) -> None:
    revisions = []

    async def play(box: Office) -> None:
        leg, _ = await box.talking()
        box.it.line.hang_up(leg)
        await asyncio.sleep(10.0)
        box.it.records.flush_now()
        revisions.append(box.it.all()[0].revision)
        form = await box.form()
        assert [each.name for each in form.choices][:2] == ["settled", "informed"]
        said = fields(disposition="informed", note="قیمت را پرسید\nدوباره زنگ می‌زند", resolved="no", kind="request")
        reply = await box.ask(wire.GiveForm("", "", form.conversation, said))
        assert isinstance(reply, wire.Written) and not reply.changed
        assert (await box.desk()).doing == "free" and box.office.counters["wrap_ups_given"] == 1

    (record,) = scene(tmp_path, play)
    assert record.revision == revisions[0] + 1
    document, (row,) = cdr.as_json(record), cdr.as_csv([record]).split("\r\n", 1)[1:]
    assert document["wrap_ups"][0]["note"] == "قیمت را پرسید\nدوباره زنگ می‌زند"
    assert ",given,informed,no,request," in row


def test_a_form_that_was_not_given_is_counted_and_what_was_typed_stands_in_its_record(tmp_path: Path) -> None:
    async def play(box: Office) -> None:
        leg, _ = await box.talking()
        form = await box.form()
        await box.ask(wire.WriteForm("", "", form.conversation, fields(note="half a senten")))
        assert [each.draft.values[1] for each in box.drafts()] == ["half a senten"]
        box.it.line.hang_up(leg)
        await asyncio.sleep(5.0)
        await box.ask(wire.ExtendForm("", "", form.conversation))
        with pytest.raises(Problem, match=r"desk\.no_more_time"):
            await box.ask(wire.ExtendForm("", "", form.conversation))
        await asyncio.sleep(40.0)
        assert (await box.desk()).doing == "wrap_up"
        await asyncio.sleep(20.0)
        assert (await box.desk()).doing == "free"
        assert box.office.counters["wrap_ups_missed"] == 1 and box.drafts() == []
        await box.ask(wire.GiveForm("", "", form.conversation, fields(disposition="other")))

    (record,) = scene(tmp_path, play)
    assert [(each.state, each.disposition, each.note) for each in record.wrap_ups] == [
        ("late", "other", "half a senten")
    ]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"note": "x"}, "desk.no_disposition"),
        ({"disposition": "sold"}, "desk.no_disposition"),
        ({"disposition": "settled", "kind": "praise"}, "desk.no_sense"),
        ({"disposition": "settled", "resolved": "perhaps"}, "desk.no_sense"),
    ],
)
def test_what_cannot_be_given_is_said_and_kept_as_it_was_typed(
    tmp_path: Path, values: dict[str, str], problem: str
) -> None:
    async def play(box: Office) -> None:
        await box.talking()
        form = await box.form()
        with pytest.raises(Problem) as refused:
            await box.ask(wire.GiveForm("", "", form.conversation, fields(**values)))
        assert refused.value.key == problem
        shown = {each.name: each.value for each in (await box.form()).fields}
        assert shown | values == shown and (await box.form()).state == "open"

    scene(tmp_path, play)


def test_drafts_are_written_once_a_second_at_most_and_only_when_something_is_different(tmp_path: Path) -> None:
    async def play(box: Office) -> None:
        await box.talking()
        conversation = (await box.form()).conversation
        written: list[float] = []
        kept = drafts.keep

        def keep(db: Any, draft: drafts.Draft) -> None:
            written.append(box.now)
            kept(db, draft)

        drafts.keep = keep
        try:
            asked = []
            for number in range(50):  # ten a second, from two windows
                change = wire.FormField("note", f"letter {number}", number)
                asked.append(
                    asyncio.create_task(box.desks.answer(wire.WriteForm("", "", conversation, (change,)), FIRST))
                )
                await asyncio.sleep(0.1)
            await asyncio.gather(*asked)
            same = wire.FormField("note", "letter 49", 50)
            await box.desks.answer(wire.WriteForm("", "", conversation, (same,)), FIRST)
        finally:
            drafts.keep = kept
        assert 5 <= len(written) <= 7 and min(b - a for a, b in itertools.pairwise(written)) >= 0.999
        assert box.drafts()[0].draft.values[1] == "letter 49"

    scene(tmp_path, play)


def test_an_agent_has_a_desk_of_their_own_and_no_other_while_the_owner_has_all(tmp_path: Path) -> None:
    async def play(box: Office) -> None:
        await box.talking()
        conversation = (await box.form()).conversation
        orders: list[wire.DeskOrder] = [
            wire.AskDesk("", "first"),
            wire.GoAway("", "first", "meal"),
            wire.WriteForm("", "first", conversation, fields(note="mine")),
            wire.GiveForm("", "first", conversation, fields(disposition="settled")),
            wire.ExtendForm("", "first", conversation),
            wire.WriteBrief("", "first", conversation, "mine"),
        ]
        for order in orders:
            with pytest.raises(Problem, match=r"desk\.not_yours"):
                await box.ask(order, SECOND)
        with pytest.raises(Problem, match=r"desk\.form_is_over"):
            await box.ask(wire.WriteForm("", "", conversation, fields(note="not mine")), SECOND)
        with pytest.raises(Problem, match=r"control\.no_such_call"):
            await box.ask(wire.WriteBrief("", "", conversation, "not mine"), SECOND)
        with pytest.raises(Problem, match=r"desk\.no_agent"):
            await box.desk(Session("cook", "agent", False))
        assert (await box.desk(OWNER)).agent == "first" and (await box.desk(OWNER, "third")).agent == "third"
        assert (await box.desk(SECOND)).agents == ("second",) and len((await box.desk(OWNER)).agents) == 3
        with pytest.raises(Problem, match=r"desk\.no_agent"):
            await box.desk(OWNER, "nobody")

    scene(tmp_path, play)


def test_where_an_agent_is_is_what_is_counted_and_their_reason_comes_back_after_a_start(tmp_path: Path) -> None:
    async def play(box: Office) -> None:
        def shown() -> tuple[str, str, int]:
            snapshot = box.it.switchboard.snapshot()
            now = next(each for each in snapshot.agents if each.name == "first")
            return now.doing, now.reason, next(each.present for each in snapshot.lines if each.name == "reception")

        assert shown() == ("free", "", 1)
        await box.ask(wire.GoAway("", "", "meal"))
        assert shown() == ("absent", "meal", 0) and box.office.floor.why_not("first") == "absent"
        await box.ask(wire.GoAway("", "", "break"))
        assert shown() == ("absent", "break", 0)
        with pytest.raises(Problem, match=r"desk\.no_sense"):
            await box.ask(wire.GoAway("", "", "a=b,second"))
        assert switches.restored(box.it.store.within(ledger.switch_values)).absent == {"first": "break"}
        await box.ask(wire.GoAway("", ""))
        assert shown() == ("free", "", 1)
        leg, _ = await box.talking()
        await box.ask(wire.GoAway("", "", "prayer"))  # from after this call on
        assert shown() == ("talking", "prayer", 0)
        box.it.line.hang_up(leg)
        await asyncio.sleep(1.0)
        assert shown()[0] == "absent"

    scene(tmp_path, play)


def test_a_brief_is_seen_by_who_gets_the_customer_next_while_it_rings_there(tmp_path: Path) -> None:
    async def play(box: Office) -> None:
        _, agent = await box.talking()
        conversation = (await box.form()).conversation
        await box.ask(wire.WriteBrief("", "", conversation, "  wants the <new> price  "))
        await box.keys(agent, "*7202#")
        rung = await box.desk(SECOND)
        assert rung.call is not None and not rung.call.is_speaking
        assert rung.call.briefs == (wire.Brief("first", "wants the <new> price"),)
        before = box.office.wrap_ups.version("second")
        await box.ask(wire.WriteBrief("", "", conversation, "and soon"))  # while it rings there
        assert box.office.wrap_ups.version("second") > before
        await asyncio.sleep(5.0)
        talks = await box.desk(SECOND)
        assert talks.call is not None and talks.call.is_speaking
        assert talks.call.briefs == (wire.Brief("first", "and soon"),) and talks.form is not None
        assert (await box.desk()).doing == "wrap_up"
        await asyncio.sleep(WRAP_UP)

    (record,) = scene(tmp_path, play)
    assert [(each.agent, each.text) for each in record.briefs] == [("first", "and soon")]
    assert {each.agent for each in record.wrap_ups} == {"first"}  # the second's line gives no time


def test_what_was_typed_comes_back_with_the_next_process_and_its_time_begins_anew(tmp_path: Path) -> None:
    async def play(box: Office) -> None:
        leg, _ = await box.talking()
        conversation = (await box.form()).conversation
        await box.ask(wire.WriteForm("", "", conversation, fields(note="before the cut", kind="complaint")))
        left = box.drafts()
        it = box.office
        it.wrap_ups = WrapUps(it.floor, it.settings, it.records, it.clock, it.changed, it.count)  # as after a start
        it.wrap_ups.restore(left)
        form = await box.form()
        assert {each.name: (each.value, each.version) for each in form.fields} == {
            "disposition": ("", 0), "note": ("before the cut", 1), "resolved": ("", 0), "kind": ("complaint", 1),
        }  # fmt: skip
        assert form.conversation == conversation and form.shown == "09121234567" and form.until_utc_ms
        await asyncio.sleep(WRAP_UP + 1)
        assert (await box.form()).state == "missed" and box.drafts() == []
        box.it.line.hang_up(leg)

    (record,) = scene(tmp_path, play)
    assert [(each.state, each.note) for each in record.wrap_ups] == [("missed", "before the cut")]


def test_each_line_may_have_dispositions_of_its_own(tmp_path: Path) -> None:
    async def play(box: Office) -> None:
        own = (
            Disposition(name="visit", persian="نوبت گرفت", english="Appointment", queues=("reception",)),
            Disposition(name="pills", persian="نسخه", english="Prescription", queues=("doctors",)),
            Disposition(name="other", persian="دیگر", english="Other"),
        )
        box.office.arrange(dataclasses.replace(box.office.settings, dispositions=own))
        await box.talking()
        assert (await box.form()).choices == (
            wire.Choice("visit", "نوبت گرفت", "Appointment"), wire.Choice("other", "دیگر", "Other"),
        )  # fmt: skip

    scene(tmp_path, play)


def test_the_owner_makes_people_by_codes_and_takes_them_away(tmp_path: Path) -> None:
    box = Office(tmp_path)

    async def play() -> None:
        await box.access.start()
        invited = await box.ask(wire.InvitePerson("", " First ", "agent"), OWNER)
        assert isinstance(invited, wire.Invited) and invited.name == "first" and invited.code not in repr(invited)
        grant = await box.access.sign_in("First", invited.code, "192.0.2.1")
        assert grant.session.must_set_password and grant.session.role == "agent"
        grant = await box.access.set_password(grant.token, "four words nobody guesses")
        people = await box.ask(wire.AskPeople(""), OWNER)
        assert isinstance(people, wire.People)
        assert wire.Person("first", "agent", True) in people.persons and people.agents == ("first", "second", "third")
        for name, role, problem in (
            ("owner", "agent", "access.one_owner"),
            ("x", "owner", "access.one_owner"),
            ("cook", "agent", "desk.no_agent"),
            ("  ", "technician", "access.no_name"),
            ("a\nb", "technician", "access.no_name"),
            ("x" * 65, "technician", "access.no_name"),
        ):
            with pytest.raises(Problem) as refused:
                await box.ask(wire.InvitePerson("", name, role), OWNER)  # type: ignore[arg-type]
            assert refused.value.key == problem
        await box.ask(wire.RemovePerson("", "first"), OWNER)
        with pytest.raises(Problem, match=r"access\.signed_out"):
            box.access.session(grant.token)
        for name, problem in (("first", "access.nobody"), ("owner", "access.one_owner")):
            with pytest.raises(Problem) as refused:
                await box.ask(wire.RemovePerson("", name), OWNER)
            assert refused.value.key == problem
        box.access.close()

    asyncio.run(play())  # hashing runs in threads, which a loop of virtual time does not wait for
    box.it.loop.close()
