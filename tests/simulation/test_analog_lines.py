"""Analog lines in virtual time: a busy tone ends the leg and says so, and nothing of it touches other lines."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest

from appliance.media import port as media
from appliance.signalling.loopback import Behaviour
from tests.simulation.test_callbacks import Box, agents
from tests.simulation.test_menus import after, call, happened, office
from tests.simulation.test_whole_office import TheOffice


def analog(it: TheOffice) -> list[media.Attend]:
    """The provider becomes a gateway of analog lines; what is attended is kept."""
    sip = it.office.sip
    it.office.sip = dataclasses.replace(sip, trunks=(dataclasses.replace(sip.trunks[0], kind="analog"),))
    return attended(it)


def attended(it: TheOffice) -> list[media.Attend]:
    found: list[media.Attend] = []
    submit = it.mouth.submit

    def seen(command: media.Command) -> None:
        if isinstance(command, media.Attend):
            found.append(command)
        submit(command)

    it.mouth.submit = seen  # type: ignore[method-assign]
    return found


def causes(it: TheOffice) -> list[tuple[str, str]]:
    (conversation,) = it.all()
    return [(leg.role, leg.cause) for leg in conversation.legs]


@pytest.mark.parametrize("tone", ["busy", "congestion"])
def test_a_caller_who_hangs_up_in_the_menu_of_an_analog_line_is_gone_when_the_tone_is_heard(
    tmp_path: Path, tone: str
) -> None:
    it = office(tmp_path, "clinic")
    analog(it)

    async def scene() -> None:
        leg = await call(it)
        it.mouth.sound(leg)  # breathes
        it.mouth.sound(leg, tone)
        await asyncio.sleep(0.5)
        assert not it.line.is_up(leg)

    conversation = after(it, scene())
    assert conversation.outcome == "abandoned" and causes(it) == [("customer", f"{tone}_tone")]
    assert f'"cause":"{tone}_tone"' in "".join(happened(it, "leg.ended"))


def test_a_caller_who_hangs_up_while_talking_frees_the_agent(tmp_path: Path) -> None:
    it = office(tmp_path, "clinic")
    analog(it)

    async def scene() -> None:
        it.line.register("desk1", Behaviour(answers_after=2.0))
        leg = await call(it, "1")
        await asyncio.sleep(30.0)
        it.mouth.sound(leg, "busy")
        await asyncio.sleep(0.5)
        assert it.line.legs == 0 and not it.office.floor.engaged()

    conversation = after(it, scene())
    assert conversation.outcome == "served"
    assert causes(it) == [("customer", "busy_tone"), ("agent", "ended_here")]


def test_whoever_was_reached_by_an_analog_line_and_hangs_up_ends_the_call(tmp_path: Path) -> None:
    it = office(tmp_path, "clinic")
    found = analog(it)
    it.office.desk.turn("divert_on", "09351112233", "owner")
    it.line.outside = Behaviour(answers_after=2.0)

    async def scene() -> None:
        leg = await call(it)
        other = next(each.stream for each in found if each.stream != leg)
        it.mouth.sound(other, "busy")
        await asyncio.sleep(0.5)
        assert it.line.legs == 0

    assert after(it, scene()).outcome == "served"
    assert dict(causes(it))["outside"] == "busy_tone"


def test_lines_that_are_not_analog_and_our_own_phones_are_never_attended(tmp_path: Path) -> None:
    it = office(tmp_path, "clinic")
    found = attended(it)

    async def scene() -> None:
        it.line.register("desk1", Behaviour(answers_after=2.0, talks_seconds=20.0))
        leg = await call(it, "1")
        await asyncio.sleep(10.0)
        it.mouth.sound(leg, "busy")
        await asyncio.sleep(5.0)
        assert it.line.is_up(leg)

    assert after(it, scene()).outcome == "served" and found == []


def test_two_callers_without_a_number_are_two_persons(tmp_path: Path) -> None:
    it = office(tmp_path, "clinic")
    analog(it)

    async def scene() -> None:
        legs = [it.line.call_in("provider", "02188123456", "") for _ in range(2)]
        await asyncio.sleep(8.0)
        assert len(it.switchboard.sessions) == 2
        it.mouth.sound(legs[0], "busy")
        await asyncio.sleep(1.0)
        assert len(it.switchboard.sessions) == 1 and it.line.is_up(legs[1])
        it.line.hang_up(legs[1])
        await it.until_quiet()
        assert [(each.customer, each.is_withheld) for each in it.all()] == [("", True)] * 2

    from tests.support.virtual_time import run

    run(it.loop, scene())


# Callbacks ------------------------------------------------------------------------------------------------------------


def attempts(box: Box) -> list[tuple[str, str]]:
    with box.it.store.transaction() as db:
        return [(str(row[0]), str(row[1])) for row in db.execute("SELECT outcome, heard FROM attempt ORDER BY began")]


def hears(box: Box, *sounds: tuple[float, str]) -> None:
    """What the customer's side lets be heard, so many seconds after each answer."""
    found = attended(box.it)
    submit = box.it.mouth.submit

    def seen(command: media.Command) -> None:
        submit(command)
        if isinstance(command, media.Attend) and command.tones and found.count(command) == 1:
            for after_seconds, tone in sounds:
                asyncio.get_running_loop().call_later(after_seconds, box.it.mouth.sound, command.stream, tone)

    box.it.mouth.submit = seen  # type: ignore[method-assign]


@pytest.mark.parametrize("first", ["agent", "customer"])
@pytest.mark.parametrize(
    ("sounds", "outcome", "heard"),
    [
        (((3.0, "busy"),), "busy", "busy"),
        (((3.0, "congestion"),), "network", "congestion"),
        (((3.0, "ringing"),), "no_answer", "ringing"),
        (((3.0, "ringing"), (9.0, "busy")), "busy", "busy"),
        (((3.0, "ringing"), (9.0, "")), "", "sound"),
        (((1.0, ""),), "", "sound"),
        (((1.0, ""), (6.0, "busy")), "", "sound"),
        ((), "", "silence"),
    ],
)
def test_what_the_line_plays_behind_an_answer_is_no_answer_and_stands_in_the_row(
    tmp_path: Path, first: str, sounds: tuple[tuple[float, str], ...], outcome: str, heard: str
) -> None:
    box = Box(tmp_path, callback_first=first, callback_attempts=1)
    box.it.line.outside = Behaviour(answers_after=5.0)
    hears(box, *sounds)

    async def scene() -> None:
        agents(box, Behaviour(answers_after=1.0, talks_seconds=40.0))
        await box.asks()

    box.run(scene, 80.0)
    expected = outcome or ("not_given" if first == "agent" else "not_reached")
    assert attempts(box)[0] == (expected, heard)


def test_a_tone_after_the_agent_s_word_does_not_take_it_back(tmp_path: Path) -> None:
    box = Box(tmp_path, callback_attempts=1)
    analog(box.it)
    box.agent_keys = [(4.0, "1"), (12.0, "*"), (12.5, "1")]
    box.it.line.outside = Behaviour(answers_after=3.0)
    hears(box, (1.0, ""), (20.0, "busy"))

    async def scene() -> None:
        agents(box, Behaviour(answers_after=1.0, talks_seconds=60.0))
        await box.asks()

    box.run(scene, 120.0)
    assert attempts(box) == [("reached", "sound")]
    called = box.it.all()[-1]
    assert ("customer", "busy_tone") in [(leg.role, leg.cause) for leg in called.legs]


def test_a_customer_of_an_analog_line_who_takes_the_call_after_thirty_seconds_of_ringing_is_reached(
    tmp_path: Path,
) -> None:
    """The gateway answers at once; the customer later."""
    box = Box(tmp_path, callback_first="customer", callback_attempts=1)
    analog(box.it)
    box.customer_keys = [(33.0, "1")]
    box.it.line.outside = Behaviour(answers_after=0.5)
    hears(box, (6.0, "ringing"), (31.0, ""))

    async def scene() -> None:
        agents(box, Behaviour(answers_after=1.0, talks_seconds=20.0))
        await box.asks()

    box.run(scene, 150.0)
    assert attempts(box) == [("reached", "sound")]


def test_the_agent_can_say_that_a_recorded_voice_spoke(tmp_path: Path) -> None:
    box = Box(tmp_path, callback_attempts=1)
    box.agent_keys = [(4.0, "1"), (15.0, "*"), (15.5, "3")]
    box.it.line.outside = Behaviour(answers_after=3.0)
    hears(box, (0.5, ""))

    async def scene() -> None:
        agents(box, Behaviour(answers_after=1.0, talks_seconds=30.0))
        await box.asks()

    box.run(scene, 120.0)
    assert attempts(box) == [("announcement", "sound")]
