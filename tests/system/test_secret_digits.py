"""A card number is pressed in a secret step and while the agent has paused: nowhere on the box is it found afterwards.

It is pressed by RFC 4733, by INFO and as tones, and the agent's telephone plays the tones too. What is searched: every
file of the box, its log, the records in clear, the events' digits in their order and backwards, what is exported, what
has left for a target, and the opened sound by a detector of tones. The same call without protection is found there.
"""

from __future__ import annotations

import asyncio
import audioop
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from appliance.recorder import reading
from appliance.records.database import Connection
from appliance.records.reader import Conversation
from tests.support import sounds
from tests.support.box import Box, free_ports, running
from tests.support.softphone import Softphone, Talk
from tests.support.waiting import until

CARD = "5041728309614427"
LEAST = 7  # of it in a row is a find: among millions of other figures six come by chance
TONES = sounds.frames(sounds.encode(sounds.keys(CARD, -10.0, 80), "PCMA"))
CUSTOMER, AGENT = (sounds.frames(sounds.encode(sounds.sine((hertz,), 1.0, -15.0), "PCMA")) for hertz in (400.0, 300.0))
FLOW = """
[flow]
name = "welcome"
start = "hello"
[variables]
card = "{kind}"
[node.hello]
kind = "notice"
prompt = ["recording_notice"]
next = "pay"
[node.pay]
kind = "digits"
prompt = ["goodbye"]
into = "card"
least = 16
most = 16
timeout_seconds = 30
between_seconds = 15
attempts = 1
next = "line"
on_failure = "bye"
[node.line]
kind = "enqueue"
queue = "q0"
on_nobody = "bye"
[node.bye]
kind = "goodbye"
prompt = ["goodbye"]
"""


def test_a_number_that_is_pressed_under_protection_is_found_nowhere(tmp_path: Path) -> None:
    assert the_places(tmp_path, is_protected=True) == set()


def test_the_same_number_without_protection_is_found(tmp_path: Path) -> None:
    found = the_places(tmp_path, is_protected=False)
    assert found >= {"records", "events", "cdr json", "target", "sound left", "sound right"}


def the_places(folder: Path, is_protected: bool) -> set[str]:
    (trunk,) = free_ports(1, "127.0.0.2")
    disk = folder / "disk"
    disk.mkdir()
    extra = (
        '[[queue]]\nname = "q0"\nagents = ["first"]\n'
        f'[[target]]\nname = "usb"\nkind = "folder"\nfolder = "{disk}"\n[sync]\nbatch_seconds = 0.2\n'
    )
    flow = FLOW.format(kind="secret" if is_protected else "digits")
    box = Box(f"127.0.0.2:{trunk}", phones=("desk1",), flow=flow, extra=extra, services=("media", "calls", "sync"))
    with running(box):
        asyncio.run(_scene(box, trunk, is_protected))
        (record,) = box.conversations(1)
        assert record.agent == "first" and [each.state for each in record.recordings] == ["sealed"]
        assert [step.how for step in record.pauses] == (["keys", "keys"] if is_protected else [])
        assert "Traceback" not in box.log
        return {name for name, holds in _searches(box, disk, record).items() if holds()}


async def _scene(box: Box, trunk: int, is_protected: bool) -> None:
    customer = Softphone(("127.0.0.1", box.sip), ("127.0.0.2", trunk), frames=CUSTOMER, keeps_frames=True)
    phone = Softphone(
        ("127.0.0.1", box.sip), ("127.0.0.3", 0), user="desk1", password=box.password, frames=AGENT, keeps_frames=True
    )
    for each in (customer, phone):
        await each.start()
    try:
        async with asyncio.timeout(20):
            await phone.is_registered.wait()
        talk = customer.call("02188123456", "09121234567")
        await until(lambda: any(each.node == "pay" for each in _now(box)), 30)
        await _presses(customer, talk)
        await until(lambda: bool(phone.talks), 20)
        (own,) = phone.talks.values()
        await until(lambda: talk.frames[-1:] != [] and talk.frames[-1] in AGENT, 20)
        if is_protected:
            await _turns(box, phone, own, 1)
        await until(lambda: talk.frames[-1] in AGENT, 20)
        own.says.extend(TONES)
        await _presses(customer, talk)
        await until(lambda: not own.says, 20)
        await asyncio.sleep(0.5)  # what is under way
        if is_protected:
            await _turns(box, phone, own, 2)
        await until(lambda: talk.frames[-1] in AGENT, 20)
        heard = len(talk.frames) + 50
        await until(lambda: len(talk.frames) >= heard, 10)
        customer.hang_up(talk)
        await until(lambda: own.ended is not None, 10)
    finally:
        for each in (customer, phone):
            await each.stop()


async def _presses(phone: Softphone, talk: Talk) -> None:
    """The number as tones, then half of its keys by RFC 4733 and half by INFO."""
    talk.says.extend(TONES)
    await until(lambda: not talk.says, 20)
    for key in CARD[:8]:
        phone.press(talk, key)
        await until(lambda: not talk.digits, 5)
        await asyncio.sleep(0.1)
    for key in CARD[8:]:
        phone.inform(talk, key)
        await asyncio.sleep(0.1)


async def _turns(box: Box, phone: Softphone, talk: Talk, steps: int) -> None:
    for key in "*5":
        phone.press(talk, key)
        await until(lambda: not talk.digits, 5)
        await asyncio.sleep(0.1)
    await until(lambda: len(_now(box)[0].pauses) == steps, 10)


def _now(box: Box) -> list[Conversation]:
    with box.reader() as reader:
        return reader.last(1)


# Where it is looked for ----------------------------------------------------------------------------------------------


def holds(text: str | bytes) -> bool:
    """Whether enough of the number stands here in a row, forwards or backwards."""
    found = text.decode("latin-1") if isinstance(text, bytes) else text
    parts = [number[at : at + LEAST] for number in (CARD, CARD[::-1]) for at in range(len(CARD) - LEAST + 1)]
    return any(part in found for part in parts)


def _searches(box: Box, disk: Path, record: Conversation) -> dict[str, Callable[[], bool]]:
    with box.reader() as reader:
        last = reader.last_event()
    asyncio.run(until(lambda: _sent(box) >= last, 30))
    with box.reader() as reader:
        dump, digits = reader.within(_dumped)
    left, right = _sound(box, record)

    def exported(*arguments: str) -> str:
        command = [sys.executable, "-m", "appliance", "cdr", *arguments, "--config", str(box.file)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    logged = "".join(re.findall(r"(?i)(?:digit|key|signal)\W{0,4}([0-9])\b", box.log))
    return {
        "files": lambda: any(holds(each.read_bytes()) for each in box.folder.rglob("*") if each.is_file()),
        "log": lambda: holds(box.log) or holds(logged),
        "records": lambda: holds(dump),
        "events": lambda: holds(digits),
        "cdr json": lambda: holds(exported("--json")),
        "cdr csv": lambda: holds(exported()),
        "target": lambda: any(holds(each.read_bytes()) for each in disk.rglob("*") if each.is_file()),
        "sound left": lambda: holds(sounds.heard_keys(left)),
        "sound right": lambda: holds(sounds.heard_keys(right)),
    }


def _sent(box: Box) -> int:
    """Up to which event the target has read everything back."""
    with box.reader() as reader:
        return max((each.last for each in reader.receipts() if each.unit == "events"), default=0)


def _dumped(db: Connection) -> tuple[str, str]:
    """Every value of every table in clear, and all that any event says of a digit, in their order."""
    tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()]
    rows = [str(row) for table in tables for row in db.execute(f"SELECT * FROM {table}").fetchall()]
    bodies = [json.loads(row[0]) for row in db.execute("SELECT body FROM event_body ORDER BY n").fetchall()]
    return "\n".join(rows), "".join(str(body.get("digit", "")) for body in bodies)


def _sound(box: Box, record: Conversation) -> tuple[sounds.Samples, sounds.Samples]:
    (part,) = record.recordings
    opened = reading.open_recording(box.data / "kept" / part.recording, box.identity, part.recording)
    left, right = (
        np.frombuffer(audioop.alaw2lin(opened.stereo[side::2], 2), "<i2").astype(np.float64) for side in (0, 1)
    )
    assert float(np.abs(left).max()) > 1000, "they are heard otherwise"
    return left, right


@pytest.mark.parametrize("milliseconds", [60, 80, 150])
def test_the_detector_hears_every_key_and_none_in_speech(milliseconds: int) -> None:
    through = audioop.alaw2lin(sounds.encode(sounds.keys("0123456789*#", -12.0, milliseconds), "PCMA"), 2)
    assert sounds.heard_keys(np.frombuffer(through, "<i2").astype(np.float64)) == "0123456789*#"
    assert len(sounds.heard_keys(sounds.speech("Please tell me the number of your card.", "en-us"))) < LEAST
