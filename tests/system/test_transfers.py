"""Transfers over real SIP: eighteen ways in which a customer changes hands, beside each other on one real box.

Every party has a voice that is one byte. What the customer heard, packet by packet, is what the owner's key finds in
the recording: each voice as long, in the same order. The telephones are our own softphone; baresip passes on below.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest

from appliance.recorder import reading
from appliance.records.database import Connection
from appliance.records.reader import Conversation
from appliance.signalling import port
from tests.support.box import Box, free_ports, running
from tests.support.softphone import Softphone, Talk
from tests.support.voices import Scene
from tests.support.waiting import until
from tests.system.test_baresip import baresip
from tests.system.test_callbacks import FLOW as CALLBACK

CUSTOMER, A, B, C, OUTSIDE = (bytes([value]) * 160 for value in (0x11, 0x22, 0x33, 0x44, 0x66))
NAMES = {CUSTOMER[0]: "customer", A[0]: "a", B[0]: "b", C[0]: "c", OUTSIDE[0]: "outside"}
FRAME_MS = 20
SLACK_FRAMES = 8  # at each change of voices a packet or two are under way
LEAST_FRAMES = 10

FLOW = """
[flow]
name = "f{n}"
start = "hello"
[node.hello]
kind = "notice"
prompt = ["recording_notice"]
next = "line"
[node.line]
kind = "enqueue"
queue = "q{n}"
on_nobody = "bye"
[node.bye]
kind = "goodbye"
prompt = ["goodbye"]
"""


@dataclass
class Case(Scene):
    """One customer and three telephones: of the line's agent ``a``, of ``b`` and of ``c``."""

    voices: ClassVar = NAMES
    number: int
    provider: Softphone
    phones: tuple[Softphone, ...]
    answers: list[str]  # what each of the three does when it is rung
    rung: list[int]  # which of the three was rung, in order
    talk: Talk | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def outside(self) -> str:
        return f"0935777{self.number:04}"

    def extension(self, who: str) -> str:
        return str(200 + 3 * self.number + "abc".index(who))

    def of(self, who: str) -> Talk:
        """The newest call of a telephone."""
        return self.newest(self.phones["abc".index(who)])

    def behaves(self, who: str, answer: str) -> None:
        self.answers["abc".index(who)] = answer

    async def begins(self) -> Talk:
        """The customer and ``a`` speak."""
        self.talk = self.provider.call(self.line, self.customer)
        await self.hears("a", seconds=25)
        await asyncio.sleep(1.0)
        return self.talk

    async def keys(self, who: str, keys: str) -> None:
        await self.press(self.phones["abc".index(who)], keys)
        await asyncio.sleep(0.1)

    def hang_up(self, who: str) -> None:
        self.phones["abc".index(who)].hang_up(self.of(who))


async def hold(case: Case) -> None:
    await case.begins()
    phone, talk = case.phones[0], case.of("a")
    phone.hold(talk, True)
    await case.hears("")
    await asyncio.sleep(1.0)
    phone.hold(talk, False)
    await case.hears("a")


async def blind(case: Case) -> None:
    await case.begins()
    await case.keys("a", f"*7{case.extension('b')}#")
    await case.hears("b")
    await until(lambda: case.of("a").ended is not None, 3)


async def blind_busy(case: Case) -> None:
    case.behaves("b", "busy")
    await case.begins()
    await case.keys("a", f"*7{case.extension('b')}#")
    await asyncio.sleep(1.0)
    await case.hears("a", seconds=2)


async def blind_recalled(case: Case) -> None:
    """``b`` rings and is never taken; ``a`` has hung up, and is rung again."""
    case.behaves("b", "ring")
    await case.begins()
    first = case.of("a")
    await case.keys("a", f"*7{case.extension('b')}#")
    case.hang_up("a")
    await case.hears("")
    await case.hears("a", seconds=45)
    assert case.of("a") is not first


async def warm(case: Case) -> None:
    await case.begins()
    await case.keys("a", f"*8{case.extension('b')}#")
    await case.hears("b", talk=case.of("a"))
    await case.hears("a", talk=case.of("b"))
    assert case.talk is not None and case.now(case.talk) == ""
    await asyncio.sleep(1.0)
    await case.keys("a", "*7")
    await case.hears("b")


async def warm_by_hanging_up(case: Case) -> None:
    await case.begins()
    await case.keys("a", f"*8{case.extension('b')}#")
    await case.hears("a", talk=case.of("b")) if case.phones[1].talks else await asyncio.sleep(1.5)
    case.hang_up("a")
    await case.hears("b")


async def consult_refused(case: Case) -> None:
    case.behaves("b", "busy")
    await case.begins()
    await case.keys("a", f"*8{case.extension('b')}#")
    took = await case.hears("a", seconds=2)
    case.notes.append(f"returned {took:.2f}")


async def consult_left(case: Case) -> None:
    await case.begins()
    await case.keys("a", f"*8{case.extension('b')}#")
    await case.hears("b", talk=case.of("a"))
    case.hang_up("b")
    took = await case.hears("a", seconds=2)
    case.notes.append(f"returned {took:.2f}")


async def swap(case: Case) -> None:
    await case.begins()
    await case.keys("a", f"*8{case.extension('b')}#")
    await case.hears("b", talk=case.of("a"))
    await case.keys("a", "*8")
    await case.hears("a")
    await asyncio.sleep(0.8)
    await case.keys("a", "*8")
    await case.hears("")
    await case.hears("b", talk=case.of("a"))
    await case.keys("a", "*7")
    await case.hears("b")


async def give_up(case: Case) -> None:
    await case.begins()
    await case.keys("a", f"*8{case.extension('b')}#")
    await case.hears("b", talk=case.of("a"))
    await case.keys("a", "*0")
    await case.hears("a", seconds=2)
    await until(lambda: case.of("b").ended is not None, 2)


async def caller_leaves_while_it_rings(case: Case) -> None:
    case.behaves("b", "ring")
    talk = await case.begins()
    await case.keys("a", f"*7{case.extension('b')}#")
    await case.hears("")
    await asyncio.sleep(0.5)
    case.provider.hang_up(talk)
    began = time.monotonic()
    await until(lambda: case.of("a").ended is not None, 3)
    case.notes.append(f"ended {time.monotonic() - began:.2f}")


async def caller_leaves_while_asked(case: Case) -> None:
    talk = await case.begins()
    await case.keys("a", f"*8{case.extension('b')}#")
    await case.hears("b", talk=case.of("a"))
    case.provider.hang_up(talk)
    await case.hears("", talk=case.of("a"))  # told that the caller has gone
    await until(lambda: case.of("a").ended is not None and case.of("b").ended is not None, 10)


async def refer(case: Case) -> None:
    await case.begins()
    phone, talk = case.phones[0], case.of("a")
    phone.hold(talk, True)
    await case.hears("")
    phone.refer(talk, case.extension("b"))
    await case.hears("b")
    await until(lambda: talk.ended is not None, 3)
    assert phone.told == [202]


async def attended(case: Case) -> None:
    await case.begins()
    phone, talk = case.phones[0], case.of("a")
    phone.hold(talk, True)
    await case.hears("")
    own = phone.call(case.extension("b"), "desk")
    await case.hears("b", talk=own)
    await asyncio.sleep(0.6)
    phone.refer(talk, case.extension("b"), own)
    await case.hears("b")
    await until(lambda: talk.ended is not None and own.ended is not None, 3)


async def to_the_outside(case: Case) -> None:
    await case.begins()
    await case.keys("a", f"*7{case.outside}#")
    await case.hears("outside")


async def twice(case: Case) -> None:
    await case.begins()
    await case.keys("a", f"*7{case.extension('b')}#")
    await case.hears("b")
    await asyncio.sleep(1.0)
    await case.keys("b", f"*8{case.extension('c')}#")
    await case.hears("c", talk=case.of("b"))
    await case.keys("b", "*7")
    await case.hears("c")


async def a_callback(case: Case) -> None:
    """The customer is called back, and passed on."""
    case.behaves("a", "ring")
    asking = case.provider.call(case.line, case.customer)
    await until(lambda: asking.is_up, 10)
    await asyncio.sleep(1.0)
    case.provider.press(asking, "1")
    await until(lambda: asking.ended is not None, 30)
    case.behaves("a", "answer")
    await until(lambda: bool(case.phones[0].talks), 40)
    called = list(case.provider.talks.values())

    def back() -> list[Talk]:
        return [each for each in case.provider.talks.values() if each not in called and each.number == case.customer]

    for _ in range(20):
        case.phones[0].press(case.of("a"), "1")
        await asyncio.sleep(1.5)
        if back():
            break
    case.talk = back()[0]
    await case.hears("a", seconds=10)
    await case.keys("a", f"*7{case.extension('b')}#")
    await case.hears("b")


async def picked_up(case: Case) -> None:
    """It rings at ``a``, and ``b`` takes it."""
    case.behaves("a", "ring")
    case.talk = case.provider.call(case.line, case.customer)
    await until(lambda: len(case.rung) > 0, 25)
    own = case.phones[1].call(f"*8{case.extension('a')}", "desk")
    await case.hears("b")
    await asyncio.sleep(1.0)
    case.phones[1].hang_up(own)


CASES: dict[Callable[[Case], Awaitable[None]], tuple[list[str], list[str]]] = {
    hold: (["a"], []),
    blind: (["a", "b"], ["asked", "done"]),
    blind_busy: (["a"], ["asked", "back"]),
    blind_recalled: (["a"], ["asked", "recalled"]),
    warm: (["a", "b"], ["asked", "asking", "done"]),
    warm_by_hanging_up: (["a", "b"], ["asked", "asking", "done"]),
    consult_refused: (["a"], ["asked", "back"]),
    consult_left: (["a"], ["asked", "asking", "back"]),
    swap: (["a", "b"], ["asked", "asking", "done"]),
    give_up: (["a"], ["asked", "asking", "back"]),
    caller_leaves_while_it_rings: (["a"], ["asked", "left"]),
    caller_leaves_while_asked: (["a"], ["asked", "asking", "left"]),
    refer: (["a", "b"], ["asked", "done"]),
    attended: (["a", "b"], ["asked", "done"]),
    to_the_outside: (["a", "outside"], ["asked", "done"]),
    twice: (["a", "b", "c"], ["asked", "done", "asked", "asking", "done"]),
    a_callback: (["a", "b"], ["asked", "done"]),
    picked_up: (["b"], []),
}
IS_OWED = {caller_leaves_while_it_rings, caller_leaves_while_asked}


def the_box(trunk: int) -> Box:
    phones = [f"desk{number}" for number in range(1, 3 * len(CASES) + 1)]
    names = ["first", *(f"agent{number}" for number in range(2, len(phones) + 1))]
    lines = "".join(
        f'[[line]]\nname = "l{n}"\ntrunk = "provider"\nflow = "f{n}"\nnumber = "021880000{n:02}"\n'
        f'[[queue]]\nname = "q{n}"\nagents = ["{names[3 * n]}"]\n'
        for n in range(len(CASES))
    )
    box = Box(f"127.0.0.2:{trunk}", phones=phones, extra=lines)
    text = box.file.read_text()
    for number, name in enumerate(names):
        text = text.replace(
            f'[[agent]]\nname = "{name}"\n', f'[[agent]]\nname = "{name}"\nextension = "{200 + number}"\n'
        )
    box.file.write_text(text.replace("[calls]\n", "[calls]\nmost_callbacks = 4\n"))
    for n, case in enumerate(CASES):
        flow = CALLBACK.replace('"welcome"', f'"f{n}"').replace("reception", f"q{n}") if case is a_callback else ""
        (box.folder / "flows" / f"f{n}.toml").write_text(flow or FLOW.format(n=n), encoding="utf-8")
    return box


def runs(frames: list[bytes]) -> list[tuple[str, int]]:
    """Who is heard, and for how many frames, in order; music and tones, and what is shorter than a syllable, left out.

    Who is heard again after a pause in which nobody else was is one entry.
    """
    named = [NAMES.get(frame[0], "") if len(set(frame)) == 1 else "" for frame in frames]
    found = [(name, len(list(group))) for name, group in itertools.groupby(named)]
    spoken = [(name, count) for name, count in found if name and count >= LEAST_FRAMES]
    return [(name, sum(count for _, count in group)) for name, group in itertools.groupby(spoken, lambda each: each[0])]


def frames_of(channel: bytes) -> list[bytes]:
    """In frames, cut where a voice begins: a recording need not begin at the edge of a packet."""
    return [channel[at : at + 20] for at in range(0, len(channel), 20)]


def judge(box: Box, case: Case, record: Conversation, voices: list[str]) -> str:
    """The recording against what the customer heard and said."""
    assert case.talk is not None
    heard = runs(case.talk.frames)
    assert [name for name, _ in heard] == voices, (case.number, heard)
    if record.direction == "out":
        return ""  # callbacks are not recorded
    [recording] = record.recordings
    assert recording.state == "sealed" and not recording.missing_ms
    opened = reading.open_recording(box.data / "kept" / recording.recording, box.identity)
    left, right = opened.stereo[0::2], opened.stereo[1::2]
    recorded = [(name, count // 8) for name, count in runs(frames_of(right)) if count // 8 >= LEAST_FRAMES]
    assert [name for name, _ in recorded] == voices, (case.number, recorded)
    for (name, one), (_, other) in zip(heard, recorded, strict=True):
        assert abs(one - other) <= SLACK_FRAMES, f"case {case.number}: {name} was heard {one} frames, recorded {other}"
    mine = left.count(CUSTOMER[:1]) / 160
    assert abs(mine - recording.milliseconds / FRAME_MS) <= 4 * SLACK_FRAMES, "the customer's own voice, all the time"
    return f"heard {sum(count for _, count in heard)} frames, recorded {sum(count for _, count in recorded)}"


@pytest.mark.timeout(300)
def test_every_way_of_passing_on_is_one_record_and_one_recording_of_what_was_said() -> None:
    (trunk,) = free_ports(1, "127.0.0.2")
    with running(the_box(trunk)) as box:
        cases = asyncio.run(_all(box, trunk))
        found = box.conversations(
            len(CASES) + 3, 30
        )  # asking for a callback, an attended transfer's own call, picking up

        def owed(db: Connection) -> list[str]:
            rows = db.execute("SELECT customer FROM request WHERE state IN ('open', 'doing')").fetchall()
            return [str(row[0]) for row in rows]

        with box.reader() as reader:
            waiting = reader.within(owed)
        for (play, (voices, steps)), case in zip(CASES.items(), cases, strict=True):
            customer = f"+98{case.customer[1:]}"
            wanted = "out" if play is a_callback else "in"
            [record] = [each for each in found if each.customer == customer and each.direction == wanted]
            said = judge(box, case, record, voices)
            assert [each.state for each in record.transfers] == steps, play.__name__
            assert record.outcome == "served" and all(leg.ended_ms is not None for leg in record.legs), play.__name__
            states = record.ringing_ms + record.menu_ms + record.waiting_ms + record.talking_ms + record.hold_ms
            assert states == record.total_ms
            assert (customer in waiting) is (play in IS_OWED), play.__name__
            print(f"{play.__name__}: {said} {' '.join(case.notes)}")
        assert "Traceback" not in box.log


async def _all(box: Box, trunk: int) -> list[Case]:
    provider = Softphone(
        ("127.0.0.1", box.sip), ("127.0.0.2", trunk), voice=CUSTOMER, keeps_frames=True,
        voice_of=lambda number: OUTSIDE if number.startswith("0935") else CUSTOMER,
    )  # fmt: skip
    cases = []
    for number in range(len(CASES)):
        answers = ["answer"] * 3
        rung: list[int] = []
        phones = tuple(
            Softphone(
                ("127.0.0.1", box.sip), ("127.0.0.3", 0), user=f"desk{3 * number + each + 1}", password=box.password,
                voice=voice, keeps_frames=True, answer=functools.partial(_answer, answers, rung, each),
            )
            for each, voice in enumerate((A, B, C))
        )  # fmt: skip
        cases.append(Case(number, provider, phones, answers, rung))
    everybody = [provider, *(phone for case in cases for phone in case.phones)]
    for phone in everybody:
        await phone.start()
    try:
        async with asyncio.timeout(30):
            await asyncio.gather(*(phone.is_registered.wait() for case in cases for phone in case.phones))
        done = await asyncio.gather(
            *(_play(play, case) for play, case in zip(CASES, cases, strict=True)), return_exceptions=True
        )
        failed = [(play.__name__, error) for play, error in zip(CASES, done, strict=True) if error]
        assert not failed, failed
    finally:
        for phone in everybody:
            await phone.stop()
    return cases


def _answer(answers: list[str], rung: list[int], each: int, _offered: port.Offered) -> str:
    rung.append(each)
    return answers[each]


async def _play(play: Callable[[Case], Awaitable[None]], case: Case) -> None:
    await asyncio.sleep(0.3 * case.number)  # not all in the same moment
    await play(case)
    await asyncio.sleep(1.0)
    if case.talk is not None and case.talk.ended is None:
        case.provider.hang_up(case.talk)
        await until(functools.partial(getattr, case.talk, "ended"), 5)
    await until(lambda: all(talk.ended for phone in case.phones for talk in phone.talks.values()), 10)


# Another maker's telephone --------------------------------------------------------------------------------------------


def told(control: tuple[str, int], command: str, parameters: str = "") -> None:
    """One command to baresip (its ctrl_tcp: JSON in a netstring)."""
    text = json.dumps({"command": command, "params": parameters, "token": "t"}).encode()
    with socket.create_connection(control, timeout=5) as connection:
        connection.sendall(b"%d:%s," % (len(text), text))
        connection.recv(4096)


def test_the_transfer_key_of_another_makers_telephone_passes_on(tmp_path: Path) -> None:
    (trunk,) = free_ports(1, "127.0.0.2")
    (control,) = free_ports(1)
    extra = '[[queue]]\nname = "q0"\nagents = ["first"]\n'
    box = Box(
        f"127.0.0.2:{trunk}", phones=("desk1", "desk2"), flow=FLOW.format(n=0).replace('"f0"', '"welcome"'), extra=extra
    )
    with running(box):
        phone = baresip(tmp_path / "phone", box.sip, box.password, control)
        try:
            asyncio.run(_by_baresip(box, trunk, ("127.0.0.1", control)))
        finally:
            phone.kill()
            phone.communicate()
        [record] = box.conversations(1)
        log = (tmp_path / "phone" / "log").read_text(errors="replace")
        assert [(each.how, each.state) for each in record.transfers] == [("refer", "asked"), ("refer", "done")], log
        assert record.agent == "agent2" and "Traceback" not in box.log
        assert [leg.cause for leg in record.legs if leg.party == "first"] == ["ended_here"]


async def _by_baresip(box: Box, trunk: int, control: tuple[str, int]) -> None:
    customer = Softphone(("127.0.0.1", box.sip), ("127.0.0.2", trunk), voice=CUSTOMER, keeps_frames=True)
    second = Softphone(("127.0.0.1", box.sip), ("127.0.0.3", 0), user="desk2", password=box.password, voice=B)
    for each in (customer, second):
        await each.start()
    try:
        async with asyncio.timeout(20):
            await second.is_registered.wait()
        kept = box.data / "runtime" / "sip.json"
        await until(lambda: '"desk1"' in kept.read_text().replace('"desk1": []', ""), 15)
        talk = customer.call("02188123456", "09121234567")
        await until(lambda: len(talk.frames) > 400, 30)
        await asyncio.to_thread(told, control, "transfer", f"sip:agent2@127.0.0.1:{box.sip}")
        await until(lambda: runs(talk.frames[-40:]) == [("b", 40)], 15)
        customer.hang_up(talk)
        await until(lambda: all(each.ended for each in second.talks.values()), 5)
    finally:
        for each in (customer, second):
            await each.stop()
