"""Supervisors come and go in virtual time: who hears whom at every moment, what stands in the record, nobody is lost.

Who hears whom is computed from what media was told, by media's own table; the box's own state is not looked at.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import random
from pathlib import Path

import pytest

from appliance.calls.settings import Calls
from appliance.media import port as media
from appliance.media.mix import listeners
from appliance.records import cdr
from appliance.records.reader import Conversation
from tests.simulation.test_transfers import CUSTOMER, Box, Walk, steps

WALKS = 500 if os.environ.get("PASOKH_LONG") else 25


class Office(Box):
    """``third`` may listen to whom the line of the reception names; desk3 is theirs."""

    def __init__(self, folder: Path, **settings: str) -> None:
        super().__init__(folder)
        self.supervised: dict[str, media.Supervise] = {}
        self.told: list[media.Supervise] = []
        self.prompts: list[str] = []
        self.recorded: dict[str, media.StartRecording] = {}
        known = self.it.office.settings
        agents = tuple(
            dataclasses.replace(each, supervises=("reception",)) if each.name in ("third", "second") else each
            for each in known.agents
        )
        self.it.office.arrange(_with(dataclasses.replace(known, agents=agents), **settings))

    def _join(self, command: media.Command) -> None:
        super()._join(command)
        match command:
            case media.Supervise(stream):
                self.supervised[stream] = command
                self.told.append(command)
                self.hears.pop(stream, None)
            case media.Unbridge(stream) | media.Close(stream):
                self.supervised.pop(stream, None)
            case media.Play(stream, _, pieces):
                self.supervised.pop(stream, None)
                self.prompts += [piece.path.rpartition("/")[2] for piece in pieces]
            case media.StartRecording(stream):
                self.recorded[stream] = command
            case _:
                return

    def heard_by(self, leg: str) -> set[str]:
        """Whose voices reach this leg now."""
        for command in self.supervised.values():
            if self.joined.get(command.customer) == command.agent and leg in listeners(command):
                return set(listeners(command)[leg])
        return {self.joined[leg]} if leg in self.joined else set()

    async def listens(self, phone: str = "desk3", code: str = "*51201") -> str:
        leg = self.it.line.call_from(phone, code)
        await asyncio.sleep(0.5)
        return leg


def _with(settings: Calls, **changes: str) -> Calls:
    return dataclasses.replace(settings, **changes)  # type: ignore[arg-type]  # names of settings


def incoming(records: list[Conversation]) -> Conversation:
    return next(each for each in records if each.direction == "in")


def story(record: Conversation) -> list[tuple[str, str, str]]:
    return [(step.state, step.mode, step.detail) for step in record.supervision]


def test_a_supervisor_listens_whispers_joins_and_leaves_and_nobody_is_disturbed(tmp_path: Path) -> None:
    box = Office(tmp_path)
    box.there("desk1", "desk3")

    async def scene() -> None:
        customer, agent = await box.talking()
        own = await box.listens()
        assert box.heard_by(own) == {customer, agent}
        assert box.heard_by(customer) == {agent} and box.heard_by(agent) == {customer}
        assert box.it.office.floor.engaged().keys() == {"first", "third"}
        await box.keys(own, "*2")
        assert box.heard_by(customer) == {agent} and box.heard_by(agent) == {customer, own}
        await box.keys(own, "*3")
        assert box.heard_by(customer) == {agent, own} and box.heard_by(agent) == {customer, own}
        await box.keys(own, "*1")
        assert box.heard_by(customer) == {agent} and box.heard_by(agent) == {customer}
        await box.keys(own, "2*5*1**2")
        assert box.heard_by(agent) == {customer, own}
        box.it.line.hang_up(own)
        await asyncio.sleep(0.5)
        assert box.joined[customer] == agent and box.it.office.floor.engaged().keys() == {"first"}
        assert box.heard_by(customer) == {agent} and box.heard_by(agent) == {customer}
        await asyncio.sleep(5.0)

    records = box.run(scene)
    record = incoming(records)
    assert story(record) == [
        ("started", "listen", ""), ("mode", "whisper", ""), ("mode", "join", ""), ("mode", "listen", ""),
        ("mode", "whisper", ""), ("ended", "whisper", "left"),
    ]  # fmt: skip
    assert {(step.supervisor, step.agent) for step in record.supervision} == {("third", "first")}
    assert [leg.role for leg in record.legs] == ["customer", "agent", "supervisor"] and record.agent == "first"
    assert record.outcome == "served" and record.legs[2].ended_ms is not None
    shown = json.loads(json.dumps(cdr.as_json(record)))["supervision"]
    assert [step["at_ms"] for step in shown] == sorted(step.at_ms for step in record.supervision)
    own_call = next(each for each in records if each.direction == "internal")
    assert own_call.detail == "supervises" and own_call.legs == ()


def test_the_supervisors_voice_is_a_part_of_its_own_where_the_conversation_is_recorded(tmp_path: Path) -> None:
    box = Office(tmp_path)
    box.there("desk1", "desk3")

    async def scene() -> None:
        await box.talking()
        for _ in range(2):
            own = await box.listens()
            await asyncio.sleep(3.0)
            box.it.line.hang_up(own)
            await asyncio.sleep(2.0)

    record = incoming(box.run(scene))
    assert [each.state for each in record.recordings] == ["sealed"] * 3 and [
        each.part for each in record.recordings
    ] == [1, 2, 3]
    parts = [step.recording for step in record.supervision if step.state == "started"]
    assert parts == [each.recording for each in record.recordings[1:]]
    manifests = [json.loads(each.manifest) for each in box.recorded.values()]
    assert [each["left"]["role"] for each in manifests] == ["customer", "supervisor", "supervisor"]
    assert len({each["consent"]["id"] for each in manifests}) == 1
    assert [each.role for each in box.recorded.values()] == ["customer", "supervisor", "supervisor"]


@pytest.mark.parametrize(("tone", "told"), [("none", 0), ("agent", 1), ("all", 2)])
def test_who_hears_a_beep_is_what_the_settings_say(tmp_path: Path, tone: str, told: int) -> None:
    box = Office(tmp_path, supervision_tone=tone)
    box.there("desk1", "desk3")

    async def scene() -> None:
        customer, agent = await box.talking()
        own = await box.listens()
        await box.keys(own, "*3")
        assert [each.told for each in box.told] == [(own, *(agent, customer)[:told])] * 2

    box.run(scene)


@pytest.mark.parametrize(
    ("phone", "code", "prompt"),
    [
        ("desk2", "*51201", "supervise_not_allowed"),  # may listen to nobody: no line of the settings has them
        ("desk1", "*51203", "supervise_not_allowed"),
        ("kitchen", "*51201", "supervise_not_allowed"),
        ("desk3", "*51203", "supervise_oneself"),
        ("desk3", "*51", "supervise_nobody"),
        ("desk3", "*51999", "supervise_nobody"),
        ("desk3", "*51300", "supervise_nobody"),
        ("desk3", "*51kitchen", "supervise_nobody"),
        ("desk3", "*51" + "9" * 200, "supervise_nobody"),
    ],
)
def test_who_may_not_or_means_nobody_hears_why_and_it_stands_in_the_record(
    tmp_path: Path, phone: str, code: str, prompt: str
) -> None:
    box = Office(tmp_path)
    box.it.office.settings = dataclasses.replace(
        box.it.office.settings,
        agents=tuple(
            dataclasses.replace(each, supervises=each.supervises if each.name == "third" else ())
            for each in box.it.office.settings.agents
        ),
    )
    box.there("desk1", "desk2", "desk3", "kitchen")

    async def scene() -> None:
        customer, agent = await box.talking()
        box.prompts.clear()
        own = await box.listens(phone, code)
        assert box.prompts == [prompt] and box.heard_by(own) == set()
        await asyncio.sleep(10.0)
        assert not box.it.line.is_up(own) and box.joined[customer] == agent

    records = box.run(scene)
    (own_call,) = [each for each in records if each.direction == "internal"]
    (step,) = own_call.supervision
    assert (step.state, f"supervise_{step.detail}") == ("refused", prompt) and len(step.agent) <= 40
    assert story(incoming(records)) == []


def test_an_agent_who_is_free_or_calls_by_telephone_is_not_listened_to(tmp_path: Path) -> None:
    box = Office(tmp_path)
    box.there("desk1", "desk2", "desk3")

    async def scene() -> None:
        await box.listens()
        assert box.prompts == ["supervise_idle"]
        box.it.line.call_from("desk1", "202")
        await asyncio.sleep(3.0)
        assert len(box.joined) == 2
        await box.listens()
        assert box.prompts == ["supervise_idle"] * 2 and not box.told

    box.run(scene)


def test_of_two_supervisors_the_first_listens_and_the_other_hears_that_somebody_does(tmp_path: Path) -> None:
    box = Office(tmp_path)
    box.there("desk1", "desk2", "desk3")

    async def scene() -> None:
        customer, agent = await box.talking()
        own = await box.listens()
        other = await box.listens("desk2")
        assert box.prompts[-1] == "supervise_taken" and box.heard_by(own) == {customer, agent}
        await asyncio.sleep(5.0)
        assert not box.it.line.is_up(other)
        box.it.line.hang_up(own)
        await asyncio.sleep(1.0)
        third, fourth = (box.it.line.call_from(phone, "*51201") for phone in ("desk2", "desk3"))
        await asyncio.sleep(5.0)
        assert sum(box.it.line.is_up(leg) for leg in (third, fourth)) == 1 and box.joined[customer] == agent

    record = incoming(box.run(scene))
    assert [state for state, _, _ in story(record)].count("started") == 2


@pytest.mark.parametrize("how", ["key", "telephone"])
def test_while_the_agent_holds_or_asks_the_supervisor_is_heard_by_nobody_and_then_as_before(
    tmp_path: Path, how: str
) -> None:
    box = Office(tmp_path)
    box.there("desk1", "desk2", "desk3")

    async def scene() -> None:
        customer, agent = await box.talking()
        own = await box.listens()
        await box.keys(own, "*3")
        if how == "key":
            second = await box.asked(agent, "*8202#")
            assert box.heard_by(agent) == {second} and box.heard_by(second) == {agent}
        else:
            box.it.line.hold(agent)
            await asyncio.sleep(1.0)
        assert box.heard_by(own) == box.heard_by(customer) == set() and box.hears[customer] == "music"
        if how == "key":
            await box.keys(agent, "*0")
        else:
            box.it.line.resume(agent)
        await asyncio.sleep(1.0)
        assert box.heard_by(customer) == {agent, own} and box.heard_by(agent) == {customer, own}
        box.it.line.hold(own)  # their own hold is nobody else's business
        await asyncio.sleep(1.0)
        assert box.joined[customer] == agent

    record = incoming(box.run(scene))
    assert story(record)[-1] == ("ended", "join", "customer_left")


def test_whoever_the_customer_is_passed_on_to_is_not_listened_to_and_the_supervisor_hears_a_tone(
    tmp_path: Path,
) -> None:
    box = Office(tmp_path)
    box.there("desk1", "desk2", "desk3")

    async def scene() -> None:
        customer, agent = await box.talking()
        own = await box.listens()
        await box.keys(own, "*3")
        await box.keys(agent, "*7202#")
        await asyncio.sleep(2.0)
        second = box.rung["desk2"][-1]
        assert box.heard_by(customer) == {second} and box.heard_by(second) == {customer} and box.heard_by(own) == set()
        assert box.hears[own] == "tone:beep"
        await asyncio.sleep(8.0)
        assert not box.it.line.is_up(own) and box.joined[customer] == second
        assert box.it.office.floor.engaged().keys() == {"second"}

    record = incoming(box.run(scene))
    assert story(record)[-1] == ("ended", "join", "agent_left") and steps(record) == ["asked", "done"]


@pytest.mark.parametrize("who", ["customer", "agent"])
def test_the_end_of_the_call_is_the_end_of_listening(tmp_path: Path, who: str) -> None:
    box = Office(tmp_path)
    box.there("desk1", "desk3")

    async def scene() -> None:
        customer, agent = await box.talking()
        own = await box.listens()
        box.it.line.hang_up(customer if who == "customer" else agent)
        await asyncio.sleep(4.0)
        assert not box.it.line.is_up(own) and not box.it.line.is_up(agent)

    record = incoming(box.run(scene))
    assert story(record)[-1] == ("ended", "listen", f"{who}_left")


def test_who_comes_in_the_moment_in_which_the_call_ends_is_let_go(tmp_path: Path) -> None:
    box = Office(tmp_path)
    box.there("desk1", "desk3")

    async def scene() -> None:
        customer, _ = await box.talking()
        own = box.it.line.call_from("desk3", "*51201")
        box.it.line.hang_up(customer)
        await asyncio.sleep(8.0)
        assert not box.it.line.is_up(own)

    for record in box.run(scene):
        assert all(leg.ended_ms is not None for leg in record.legs)


def test_keys_of_a_telephone_that_sends_them_by_message_are_heard_too_and_its_transfer_key_is_refused(
    tmp_path: Path,
) -> None:
    box = Office(tmp_path)
    box.there("desk1", "desk2", "desk3")

    async def scene() -> None:
        customer, agent = await box.talking()
        own = await box.listens()
        for key in "*2":
            box.it.line.press(own, key)
        box.it.line.refer(own, "202")
        await asyncio.sleep(1.0)
        assert box.heard_by(agent) == {customer, own} and box.it.line.referred == [(own, 603)]

    box.run(scene)


class Watched(Walk):
    """The walk of the transfers, with supervisors who come, press keys, hold and hang up."""

    def __init__(self, box: Office, seed: int) -> None:
        super().__init__(box, seed)
        self.office = box
        self.supervisors: list[str] = []

    async def _step(self, customer: str) -> None:
        chance, box = self.chance, self.office
        up = [leg for leg in self.supervisors if box.it.line.is_up(leg)]
        up = [leg for leg in up if leg in box.supervised] or up
        if not self.supervisors:
            self.supervisors.append(await box.listens())
            return
        does = chance.randrange(8)
        match does if up else min(does, 3):
            case 0 | 1:
                code = "*51" + chance.choice(["201", "201", "201", "202", "203", "300", "", "first"])
                self.supervisors.append(
                    box.it.line.call_from(chance.choice(["desk3", "desk3", "desk2", "desk1"]), code)
                )
            case 4 | 5:
                await box.keys(chance.choice(up), chance.choice(["*1", "*2", "*2", "*3", "*3", "7", "**"]))
            case 6:
                line = box.it.line
                chance.choice([line.hang_up, line.hang_up, line.hold, line.resume, line.vanish])(chance.choice(up))
            case _:
                await super()._step(customer)

    def _look(self, customer: str) -> None:
        super()._look(customer)
        box = self.office
        listening = [own for own in box.supervised if box.it.line.is_up(own)]
        assert len({box.supervised[own].customer for own in listening}) == len(listening), "one for each customer"
        for own in listening:
            command = box.supervised[own]
            assert own not in (command.customer, command.agent)
            if command.mode != "join":
                assert own not in box.heard_by(customer), "heard by the customer"
            heard = box.heard_by(own)
            assert heard in (set(), {command.customer, command.agent})
            others = [leg for each in box.rung.values() for leg in each if leg != command.agent]
            assert not any(own in box.heard_by(leg) for leg in others), "heard by somebody whom it is not about"


def test_random_walks_with_supervisors_lose_nobody(tmp_path: Path) -> None:
    """One record, no leg and no agent left over, all recordings sealed, each listening with its beginning and end."""
    seen: dict[str, int] = {}
    for seed in range(WALKS):
        folder = tmp_path / str(seed)
        folder.mkdir()
        box = Office(folder, supervision_tone=random.Random(seed).choice(["none", "agent", "all"]))
        records = box.run(Watched(box, seed).run, 1500.0)
        record = incoming(records)
        states = record.ringing_ms + record.menu_ms + record.waiting_ms + record.talking_ms + record.hold_ms
        assert states == record.total_ms, seed
        assert all(leg.ended_ms is not None for each in records for leg in each.legs), seed
        assert all(each.state == "sealed" for each in record.recordings), seed
        if record.transfers and steps(record)[-1] in ("left", "lost"):
            assert CUSTOMER in box.waiting(), seed
        for each in records:
            told = story(each)
            for state, mode, detail in told:
                word = detail if state in ("refused", "ended") else f"{state} {mode}"
                seen[word] = seen.get(word, 0) + 1
            states_told = [state for state, _, _ in told if state in ("started", "ended")]
            assert states_told == ["started", "ended"] * (len(states_told) // 2), seed
        own = [step.recording for step in record.supervision if step.state == "started"]
        assert len(record.recordings) == (1 + len(own) if record.recordings else 0), seed
    print(f"walks: {WALKS}, steps: {dict(sorted(seen.items()))}")
    assert seen.keys() >= {"started listen", "mode whisper", "mode join", "left", "agent_left", "customer_left", "idle"}
