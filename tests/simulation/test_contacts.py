"""What the contact list does to calls: names on telephones, language, priority, blocking, never a recording."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from appliance.calls.settings import Queue
from appliance.control.wire import Contact
from appliance.media import port as media
from appliance.records.reader import Conversation
from appliance.signalling import port as signalling
from appliance.signalling.loopback import Behaviour
from appliance.signalling.settings import Phone
from tests.simulation.test_menus import office
from tests.simulation.test_whole_office import TheOffice
from tests.support.virtual_time import run

ALI = "09121234567"
MINA = "09351112233"
KARIMI = Contact("علی کریمی", (ALI,), "Ali Karimi")


class Scene:
    """An office that knows somebody, and what it sent to telephones and media."""

    def __init__(self, folder: Path, *contacts: Contact, names: str = "persian", **settings: Any) -> None:
        self.it = TheOffice(folder)
        office = self.it.office
        office.arrange(dataclasses.replace(office.settings, **settings))
        phones = tuple(Phone(name=name, names=names) for name in ("desk1", "desk2"))  # type: ignore[arg-type]
        office.sip = dataclasses.replace(office.sip, phones=phones)
        self.dialled: list[signalling.Dial] = []
        self.media: list[object] = []
        self._contacts = contacts
        self._watch()

    def _watch(self) -> None:
        submit, speak = self.it.line.submit, self.it.mouth.submit

        def submitted(command: signalling.Command) -> None:
            if isinstance(command, signalling.Dial):
                self.dialled.append(command)
            submit(command)

        def spoken(command: media.Command) -> None:
            self.media.append(command)
            speak(command)

        self.it.line.submit = submitted  # type: ignore[method-assign]
        self.it.mouth.submit = spoken  # type: ignore[method-assign]

    def play(self, scene: Callable[[], Coroutine[Any, Any, None]]) -> list[Conversation]:
        async def whole() -> None:
            await self.it.office.contacts.save(self._contacts, "owner")
            await scene()
            await self.it.until_quiet()
            self.it.switchboard.callbacks.stop()

        run(self.it.loop, whole())
        return self.it.all()

    def kinds(self) -> list[str]:
        def work(db: Any) -> list[str]:
            return [kind for (kind,) in db.execute("SELECT kind FROM event ORDER BY n").fetchall()]

        return self.it.store.within(work)


async def a_talk(scene: Scene, caller: str = ALI) -> None:
    """The caller asks for a person, speaks with them, and hangs up."""
    scene.it.line.register("desk1", Behaviour(answers_after=1.0, talks_seconds=200.0))
    leg = scene.it.line.call_in("provider", "02188123456", caller)
    await asyncio.sleep(8.0)
    scene.it.mouth.press(leg, "1")
    await asyncio.sleep(20.0)
    scene.it.line.hang_up(leg)


@pytest.mark.parametrize(
    ("names", "contact", "shown"),
    [
        ("persian", KARIMI, "علی کریمی"),
        ("latin", KARIMI, "Ali Karimi"),
        ("number", KARIMI, ""),
        ("latin", Contact("علی", (ALI,)), ""),
        ("latin", Contact("Ali", (ALI,)), "Ali"),
        ("persian", Contact("Ali", (ALI,)), "Ali"),
        ("persian", Contact("مینا", (MINA,)), ""),  # somebody else
    ],
)
def test_an_agents_telephone_shows_the_caller_by_the_name_that_it_can_show(
    tmp_path: Path, names: str, contact: Contact, shown: str
) -> None:
    scene = Scene(tmp_path, contact, names=names)
    scene.play(lambda: a_talk(scene))
    assert [(each.caller.number, each.caller.name) for each in scene.dialled] == [(ALI, shown)]


def test_the_live_picture_names_the_caller_and_hides_the_name_with_the_number(tmp_path: Path) -> None:
    scene = Scene(tmp_path, KARIMI)
    seen: list[str] = []

    async def look() -> None:
        leg = scene.it.line.call_in("provider", "02188123456", ALI)
        await asyncio.sleep(3.0)
        seen.extend(call.name for call in scene.it.switchboard.snapshot().calls)
        scene.it.line.hang_up(leg)

    scene.play(look)
    assert seen == ["علی کریمی"]


@pytest.mark.parametrize(("language", "spoken"), [("en", "en"), ("fa", "fa"), ("", "fa")])
def test_the_menu_begins_in_the_language_of_the_contact(tmp_path: Path, language: str, spoken: str) -> None:
    scene = Scene(tmp_path, replace(KARIMI, language=language))
    (conversation,) = scene.play(lambda: a_talk(scene))
    first = next(each for each in scene.media if isinstance(each, media.Play))
    assert conversation.language == spoken and f"/{spoken}/" in first.pieces[0].path


def test_a_flow_that_does_not_speak_the_contacts_language_begins_in_the_lines(tmp_path: Path) -> None:
    scene = Scene(tmp_path, replace(KARIMI, language="en"))
    flow = scene.it.office.flows["welcome"]
    scene.it.office.flows = {"welcome": dataclasses.replace(flow, languages=("fa",))}
    (conversation,) = scene.play(lambda: a_talk(scene))
    assert conversation.language == "fa"


def test_a_blocked_caller_hears_busy_and_nothing_is_owed_to_them(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Contact("", (ALI,), is_blocked=True))
    (conversation,) = scene.play(lambda: a_talk(scene))
    assert (conversation.outcome, conversation.detail) == ("refused", "blocked")
    assert [leg.code for leg in conversation.legs] == [486] and scene.dialled == []
    assert "caller.blocked" in scene.kinds() and "request.opened" not in scene.kinds()


def test_a_blocked_caller_is_told_so_where_the_owner_wants_it(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Contact("", (ALI,), is_blocked=True), blocked_callers="announcement")
    (conversation,) = scene.play(lambda: a_talk(scene))
    assert (conversation.outcome, conversation.detail, conversation.customer) == ("refused", "blocked", "+989121234567")
    plays = [each.pieces[0].path.rpartition("/")[2] for each in scene.media if isinstance(each, media.Play)]
    assert plays == ["caller_blocked"] and scene.dialled == [] and conversation.recordings == ()
    assert "caller.blocked" in scene.kinds() and "request.opened" not in scene.kinds()


def test_an_emergency_service_that_rings_is_never_blocked(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Contact("", ("115",), is_blocked=True))
    (conversation,) = scene.play(lambda: a_talk(scene, "115"))
    assert conversation.outcome == "served"


def test_who_withholds_the_number_is_nobody_in_the_list(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Contact("", (ALI,), is_blocked=True))
    (conversation,) = scene.play(lambda: a_talk(scene, "anonymous"))
    assert conversation.outcome == "served"


def test_a_contact_who_is_never_to_be_recorded_is_not_and_the_record_says_why(tmp_path: Path) -> None:
    scene = Scene(tmp_path, replace(KARIMI, is_unrecorded=True))
    (conversation,) = scene.play(lambda: a_talk(scene))
    assert conversation.outcome == "served"
    assert [(each.state, each.reason) for each in conversation.recordings] == [("refused", "contacts.never_recorded")]
    assert not any(isinstance(each, media.StartRecording) for each in scene.media)
    assert "consent.given" not in scene.kinds()


def test_somebody_else_is_recorded(tmp_path: Path) -> None:
    scene = Scene(tmp_path, replace(KARIMI, is_unrecorded=True))
    scene.play(lambda: a_talk(scene, MINA))
    assert any(isinstance(each, media.StartRecording) for each in scene.media)


def test_a_recording_ends_where_the_caller_is_passed_on_to_somebody_who_is_never_recorded(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Contact("وکیل", (MINA,), is_unrecorded=True))

    async def passed_on() -> None:
        scene.it.line.register("desk1", Behaviour(answers_after=1.0, talks_seconds=200.0))
        scene.it.line.outside = Behaviour(answers_after=1.0, talks_seconds=30.0)
        leg = scene.it.line.call_in("provider", "02188123456", ALI)
        await asyncio.sleep(8.0)
        scene.it.mouth.press(leg, "1")
        await asyncio.sleep(5.0)
        (agent,) = (each.leg for each in scene.dialled)
        for key in f"*7{MINA}#":
            scene.it.mouth.press(agent, key)
            await asyncio.sleep(0.2)
        await asyncio.sleep(20.0)
        scene.it.line.hang_up(leg)

    scene.play(passed_on)
    started = [each.recording for each in scene.media if isinstance(each, media.StartRecording)]
    stopped = [each.recording for each in scene.media if isinstance(each, media.StopRecording)]
    assert stopped == started and len(started) == 1
    dial = scene.dialled[-1]
    assert isinstance(dial.to, signalling.ToTrunk) and dial.caller.name == ""  # our names are nothing for a provider


def test_a_vip_is_put_into_the_line_with_the_priority_of_a_vip(tmp_path: Path) -> None:
    it = office(tmp_path, "clinic")
    queues = (Queue(name="reception", agents=("first",)), Queue(name="doctors", agents=("second",)))
    it.office.arrange(dataclasses.replace(it.office.settings, queues=queues))
    joined: list[int] = []
    join = it.office.floor.join

    def watched(*given: Any, **named: Any) -> str:
        joined.append(named["priority"])
        return join(*given, **named)

    it.office.floor.join = watched  # type: ignore[method-assign]

    async def scene() -> None:
        await it.office.contacts.save((replace(KARIMI, is_vip=True),), "owner")
        it.line.register("desk1", Behaviour(answers_after=1.0, talks_seconds=30.0))
        for caller in (MINA, ALI):
            leg = it.line.call_in("provider", "02188123456", caller)
            for _ in range(6):
                await asyncio.sleep(4.0)
                it.mouth.press(leg, "1")
        await it.until_quiet()
        it.switchboard.callbacks.stop()

    run(it.loop, scene())
    assert joined[0] == 0 and it.office.settings.vip_priority in joined
