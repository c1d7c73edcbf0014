"""Menus on a running box with real calls: published under load, and a PIN that leaves no trace."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from pathlib import Path

from appliance.flow import catalogue
from appliance.flow.shelf import Shelf
from appliance.lookup import pins
from appliance.places import shipped_flows
from appliance.recorder import reading
from tests.support.box import Box, free_ports, running
from tests.support.softphone import Softphone, Talk
from tests.support.waiting import until
from tests.system.test_crashes import VOICE

PUBLISHES = 20
CALLS = 50
PIN = "70418265"


def test_fifty_callers_keep_their_menu_through_twenty_publishes_and_rollbacks(tmp_path: Path) -> None:
    """Each version ends with another word; the word of each record is that of the hash it names."""
    (trunk,) = free_ports(1, "127.0.0.2")
    text = (shipped_flows() / "welcome.toml").read_text(encoding="utf-8")
    house = catalogue.house(shipped_flows(), shipped_flows() / "prompts", ["first"])
    drafts = []
    for number in range(PUBLISHES // 2):
        draft = tmp_path / f"draft{number}.toml"
        draft.write_text(text.replace('outcome = "nobody"', f'outcome = "version_{number}"'), encoding="utf-8")
        drafts.append(draft)
    words = {catalogue.load_file(draft).sha256: f"version_{number}" for number, draft in enumerate(drafts)}
    words[catalogue.load_file(shipped_flows() / "welcome.toml").sha256] = "nobody"
    with running(Box(f"127.0.0.2:{trunk}")) as box:
        shelf = Shelf(box.data / "flows")

        async def publishing() -> None:
            for number in range(PUBLISHES):
                await asyncio.sleep(1.3)
                if number % 2:
                    await asyncio.to_thread(shelf.roll_back, "welcome", time.time_ns() // 1_000_000, "owner")
                else:
                    now_ms = time.time_ns() // 1_000_000
                    await asyncio.to_thread(shelf.publish, drafts[number // 2], house, now_ms, "owner")

        async def one_call(caller: Softphone, number: int) -> None:
            await asyncio.sleep(0.4 * number)
            talk = caller.call("02188123456", f"0912000{number:04}")
            await until(lambda: talk.is_up, 15)
            await asyncio.sleep(9.0)  # the greeting and the notice are played to their end
            caller.press(talk, "1")
            await until(lambda: talk.ended is not None, 30)

        async def scene() -> None:
            caller = Softphone(("127.0.0.1", box.sip), ("127.0.0.2", trunk))
            await caller.start()
            try:
                await asyncio.gather(publishing(), *(one_call(caller, number) for number in range(CALLS)))
            finally:
                await caller.stop()

        asyncio.run(scene())
        conversations = box.conversations(CALLS)
        assert [each.detail for each in conversations] == [words[each.flow_hash] for each in conversations]
        assert len({each.flow_hash for each in conversations}) >= 5
        with box.reader() as reader:
            taken_up = reader.versions("welcome")
        assert {each.what for each in taken_up} == {"published", "rolled_back"} and len(taken_up) >= PUBLISHES - 2
        assert "Traceback" not in box.log


def test_a_pin_is_in_no_record_log_or_recording_of_a_running_box() -> None:
    (trunk,) = free_ports(1, "127.0.0.2")
    flow = (shipped_flows() / "remote.toml").read_text(encoding="utf-8").replace('name = "remote"', 'name = "welcome"')
    with running(Box(f"127.0.0.2:{trunk}", flow=flow)) as box:
        pins.put(box.folder / "secrets" / "pins", "owner", PIN)

        async def scene() -> Talk:
            caller = Softphone(("127.0.0.1", box.sip), ("127.0.0.2", trunk), voice=VOICE)
            await caller.start()
            try:
                talk = caller.call("02188123456", "09121234567")
                await until(lambda: talk.is_up, 15)
                await asyncio.sleep(3.0)
                for key in PIN:
                    caller.press(talk, key)
                    await asyncio.sleep(0.2)
                await asyncio.sleep(6.0)
                caller.press(talk, "1")  # the night switch is asked for
                await asyncio.sleep(3.0)
                caller.press(talk, "1")
                await asyncio.sleep(4.0)
                caller.hang_up(talk)
                await asyncio.sleep(0.5)
                return talk
            finally:
                await caller.stop()

        asyncio.run(scene())
        (conversation,) = box.conversations(1)
        assert conversation.digits == "11" and conversation.node in ("main", "night_is_now_on"), conversation
        (part,) = conversation.recordings
        opened = reading.open_recording(box.data / "kept" / part.recording, box.identity, part.recording)
        left = opened.stereo[0::2]
        silent = [byte in (0xD5, 0xFF) for byte in left[::160]]
        longest = max(sum(1 for _ in group) for is_silent, group in itertools.groupby(silent) if is_silent)
        assert 50 * 4 < longest < 50 * 14, "the customer hums all the time; the recording hears nothing meanwhile"
        assert not all(silent), "and hears again afterwards"
        key = bytes.fromhex((box.folder / "secrets" / "database-key").read_text())
        assert key
        with box.reader() as reader:
            told = reader.presses(conversation.conversation)
        assert [what for kind, _, what in told if kind == "digit"] == ["1", "1"]
        assert [what for kind, _, what in told if kind == "identified"] == ["proven"]
        for file in box.folder.rglob("*"):
            if file.is_file():
                content = file.read_bytes()
                assert PIN.encode() not in content and PIN[:6].encode() not in content, file.name
        assert PIN[:6] not in box.log and "Traceback" not in box.log


def test_a_notice_that_the_owner_speaks_by_telephone_is_what_is_heard_from_then_on() -> None:
    (trunk,) = free_ports(1, "127.0.0.2")
    flow = (shipped_flows() / "remote.toml").read_text(encoding="utf-8").replace('name = "remote"', 'name = "welcome"')
    with running(Box(f"127.0.0.2:{trunk}", flow=flow)) as box:
        pins.put(box.folder / "secrets" / "pins", "owner", PIN)
        index = box.data / "spoken" / "spoken.json"

        async def scene() -> Talk:
            caller = Softphone(("127.0.0.1", box.sip), ("127.0.0.2", trunk), voice=VOICE, keeps_frames=True)
            await caller.start()
            try:
                talk = caller.call("02188123456", "09121234567")
                await until(lambda: talk.is_up, 15)
                await asyncio.sleep(1.0)
                for keys, pause in ((f"{PIN}#", 4.0), ("4", 2.0), ("3", 9.0)):
                    for key in keys:
                        caller.press(talk, key)
                        await asyncio.sleep(0.2)
                    await asyncio.sleep(pause)  # at the end: the words, the beep, and some seconds of the notice
                caller.press(talk, "#")
                await until(index.is_file, 10)
                await asyncio.sleep(6.0)
                caller.hang_up(talk)
                await asyncio.sleep(0.5)
                return talk
            finally:
                await caller.stop()

        talk = asyncio.run(scene())
        (conversation,) = box.conversations(1)
        chosen = json.loads(index.read_text())["fa/outage_notice"]
        assert conversation.node == "hear_notice", conversation
        kept = (box.data / "spoken" / "fa" / f"{chosen}.alaw").read_bytes()
        assert 2.0 < len(kept) / 8000 < 12.0
        frames = {kept[at : at + 160] for at in range(0, len(kept) - 160, 160)}
        assert len([frame for frame in talk.frames if frame in frames]) > 50, "it is heard back"
        assert "Traceback" not in box.log
