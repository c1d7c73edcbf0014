"""The owner's customer program hears who rings at whom when it rings, and no call waits for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from appliance.calls.desk import Reply
from appliance.calls.screen_pop import FAILURES_TO_TELL, MOST_AT_ONCE
from appliance.calls.servers import BoxServers
from appliance.clock import SystemClock
from appliance.lookup.settings import Identity, Lookup, Sms
from appliance.signalling import port as signalling
from appliance.signalling.loopback import Behaviour
from tests.lookup.test_http import server
from tests.simulation.test_contacts import ALI, KARIMI, Scene, a_talk
from tests.simulation.test_menus import Servers


class Program(Servers):
    """A customer program, as a test wants it."""

    def __init__(self, now: Callable[[], float], answers: Callable[[], Reply] = lambda: Reply(True)) -> None:
        super().__init__()
        self.told: list[tuple[float, Mapping[str, str]]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self._now, self._answers = now, answers

    async def look_up(self, lookup: str, values: Mapping[str, str]) -> Reply:
        assert lookup == "crm"
        self.told.append((self._now(), values))
        await self.may_answer.wait()
        return self._answers()


def the_scene(folder: Path, answers: Callable[[], Reply] = lambda: Reply(True)) -> tuple[Scene, Program]:
    scene = Scene(folder, KARIMI, screen_pop="crm")
    program = Program(scene.it.clock.monotonic, answers)
    scene.it.office.servers = program
    return scene, program


def test_who_rings_is_told_when_the_telephone_is_dialled(tmp_path: Path) -> None:
    scene, program = the_scene(tmp_path)
    rang: list[float] = []
    submit = scene.it.line.submit

    def submitted(command: signalling.Command) -> None:
        if isinstance(command, signalling.Dial):
            rang.append(scene.it.clock.monotonic())
        submit(command)

    scene.it.line.submit = submitted  # type: ignore[method-assign]
    (talk,) = scene.play(lambda: a_talk(scene))
    ((at, values),) = program.told
    assert at == pytest.approx(rang[0], abs=0.01)
    assert values["number"] == "+989121234567" and values["name"] == "علی کریمی" and values["agent"] == talk.agent
    assert values["conversation"] == talk.conversation and values["direction"] == "in" and values["is_vip"] == "no"
    assert scene.it.office.counters["screen_pops"] == 1 and not scene.it.office.screen_pops.findings()


def test_a_program_that_hangs_delays_no_call_and_is_asked_no_more_than_so_often_at_once(tmp_path: Path) -> None:
    scene, program = the_scene(tmp_path)
    program.may_answer.clear()

    async def many() -> None:
        for _ in range(MOST_AT_ONCE + 2):
            await a_talk(scene)
        program.may_answer.set()

    talks = scene.play(many)
    assert len(talks) == MOST_AT_ONCE + 2 and all(talk.agent for talk in talks)
    assert len(program.told) == MOST_AT_ONCE and scene.it.office.counters["screen_pops_dropped"] == 2


def test_a_program_that_fails_is_a_finding_until_it_answers_again(tmp_path: Path) -> None:
    answers = [Reply(False, reason="timeout")] * FAILURES_TO_TELL + [Reply(True)]
    scene, program = the_scene(tmp_path, lambda: answers[len(program.told) - 1])
    found: list[list[str]] = []

    async def calls() -> None:
        for _ in answers:
            await a_talk(scene)
            found.append([finding.key for finding in scene.it.switchboard.snapshot().findings])

    scene.play(calls)
    assert "calls.screen_pop" not in found[0] and "calls.screen_pop" in found[-2]
    assert "calls.screen_pop" not in found[-1]


def test_colleagues_are_nobody_s_customers(tmp_path: Path) -> None:
    scene, program = the_scene(tmp_path)

    async def inside() -> None:
        for phone in ("desk1", "desk2"):
            scene.it.line.register(phone, Behaviour(answers_after=1.0, talks_seconds=5.0))
        scene.it.line.call_from("desk1", "second")
        await asyncio.sleep(20.0)

    scene.play(inside)
    assert [dial.to for dial in scene.dialled] and not program.told


def test_over_http_it_is_one_post_with_the_fields_that_were_chosen(tmp_path: Path) -> None:
    seen: list[bytes] = []

    async def crm(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        seen.append(await reader.readuntil(b"}"))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async def scene() -> Reply:
        async with server(crm) as port:
            lookup = Lookup(
                name="crm", url=f"http://127.0.0.1:{port}/ring", method="POST", sends=("number", "agent"),
                allows_private=True,
            )  # fmt: skip
            box = BoxServers((lookup,), Sms(), Identity(), lambda _name: "t0ken", tmp_path / "pins", SystemClock())
            return await box.look_up("crm", {"number": ALI, "agent": "first", "name": "Ali"})

    assert asyncio.run(scene()).is_ok
    assert seen[0].startswith(b"POST /ring HTTP/1.1\r\n") and b"Authorization: Bearer t0ken\r\n" in seen[0]
    assert json.loads(seen[1]) == {"number": ALI, "agent": "first"}
