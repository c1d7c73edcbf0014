"""baresip, a second independent softphone: registers as an agent and answers; both voices lie in the recording."""

from __future__ import annotations

import asyncio
import audioop
import math
import subprocess
import time
import wave
from pathlib import Path

from appliance.recorder import reading
from tests.support.box import Box, free_ports, running
from tests.support.softphone import Softphone, Talk

RATE = 8000


def warble(first: float, second: float, seconds: float) -> bytes:
    """A voice that can be told apart: two pitches in turn, in syllables of uneven length."""
    samples = bytearray()
    lengths = [0.17, 0.31, 0.11, 0.23, 0.29, 0.13]
    at = number = 0
    while len(samples) < 2 * RATE * seconds:
        hertz = (first, second)[number % 2]
        for _ in range(int(RATE * lengths[number % len(lengths)])):
            samples += round(9000 * math.sin(2 * math.pi * hertz * at / RATE)).to_bytes(2, "little", signed=True)
            at += 1
        samples += bytes(2 * int(RATE * 0.06))
        number += 1
    return bytes(samples)


def envelope(linear: bytes, hertz: float, step: int = 40) -> list[float]:
    """Strength of one pitch every 5 ms (Goertzel over 20 ms)."""
    samples = memoryview(linear).cast("h")
    factor = 2 * math.cos(4 * math.pi * hertz / RATE)  # every second sample is enough below 2 kHz
    found = []
    for start in range(0, len(samples) - 160, step):
        one = two = 0.0
        for sample in samples[start : start + 160 : 2]:
            one, two = sample + factor * one - two, one
        found.append(max(0.0, one * one + two * two - factor * one * two))
    return found


def best_shift(one: list[float], other: list[float], most: int) -> tuple[int, float]:
    """By how many steps ``other`` is later, and how well they agree then (-1 to 1)."""

    def agreement(shift: int) -> float:
        pairs = [(a, other[n + shift]) for n, a in enumerate(one) if 0 <= n + shift < len(other)]
        mean_a, mean_b = sum(a for a, _ in pairs) / len(pairs), sum(b for _, b in pairs) / len(pairs)
        top = sum((a - mean_a) * (b - mean_b) for a, b in pairs)
        below = math.sqrt(sum((a - mean_a) ** 2 for a, _ in pairs) * sum((b - mean_b) ** 2 for _, b in pairs))
        return top / below if below else 0.0

    return max(((shift, agreement(shift)) for shift in range(most + 1)), key=lambda pair: pair[1])


def first_moment(moments: list[float]) -> float:
    """When the first of these frames was due, by the one that a busy machine delayed least."""
    return min(moment - 0.020 * number for number, moment in enumerate(moments))


def write_wav(file: Path, linear: bytes) -> None:
    with wave.open(str(file), "wb") as opened:
        opened.setnchannels(1)
        opened.setsampwidth(2)
        opened.setframerate(RATE)
        opened.writeframes(linear)


def baresip(
    folder: Path,
    box: int,
    password: str,
    control: int = 0,
    user: str = "desk1",
    modules: str = "",
    host: str = "127.0.0.1",
) -> subprocess.Popen[bytes]:
    """baresip as an agent's phone at the port ``box``: answers by itself, speaks a file, no sound card.

    ``control`` is a port for commands, ``modules`` are lines of its settings that go before the usual ones.
    """
    folder.mkdir()
    write_wav(folder / "voice.wav", warble(700, 1100, 40))
    (folder / "accounts").write_text(
        f"<sip:{user}@{host}:{box};transport=udp>;auth_user={user};auth_pass={password};"
        "answermode=auto;regint=120;audio_codecs=pcma,pcmu\n"
    )
    (folder / "config").write_text(
        "audio_player aufile,/dev/null\n"
        f"audio_source aufile,{folder}/voice.wav\n"
        "audio_alert aufile,/dev/null\n"
        "module_path /usr/lib/baresip/modules\n"
        "rtp_ports 41000-41100\n"  # it binds to the machine's first address that is not loopback: it cannot do without
        + modules
        + "module g711.so\nmodule aufile.so\nmodule_tmp account.so\nmodule_app menu.so\n"
        + (f"module_app ctrl_tcp.so\nctrl_tcp_listen 127.0.0.1:{control}\n" if control else "")
    )
    (folder / "contacts").write_text("")
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(["baresip", "-f", str(folder)], stdin=subprocess.PIPE, stdout=log, stderr=log)


def test_an_independent_softphone_is_an_agent_and_both_voices_lie_in_their_channels(tmp_path: Path) -> None:
    (trunk,) = free_ports(1, "127.0.0.2")
    customer_voice = audioop.lin2alaw(warble(300, 500, 40), 2)
    with running(Box(f"127.0.0.2:{trunk}")) as box:
        phone = baresip(tmp_path / "phone", box.sip, box.password)
        try:
            talk = asyncio.run(_scene(box, trunk, customer_voice))
        finally:
            phone.kill()
            phone.communicate()
        (conversation,) = box.conversations(1)
        assert conversation.outcome == "served", (tmp_path / "phone" / "log").read_text(errors="replace")
        opened = reading.open_recording(box.data / "kept" / conversation.recordings[0].recording, box.identity)
    left = audioop.alaw2lin(opened.stereo[0::2], 2)
    right = audioop.alaw2lin(opened.stereo[1::2], 2)
    talked = slice(-2 * 8 * 5000, -2 * 8 * 1000)  # four seconds of the talk, without its end
    mine, theirs = left[talked], right[talked]
    assert sum(envelope(mine, 300)) > 20 * sum(envelope(mine, 700)), "the customer is left"
    assert sum(envelope(theirs, 700)) > 20 * sum(envelope(theirs, 300)), "the agent is right"
    # What the telephone heard, and what it sent, moment by moment, is what the two channels hold, at the same place.
    heard = audioop.alaw2lin(b"".join(talk.frames[-250:]), 2)
    sent = audioop.alaw2lin(b"".join(voice for _, voice in talk.sent[-250:]), 2)
    right_shift, right_agrees = best_shift(envelope(theirs, 700)[100:600], envelope(heard, 700), 300)
    left_shift, left_agrees = best_shift(envelope(mine, 300)[100:600], envelope(sent, 300), 300)
    assert right_agrees > 0.95 and left_agrees > 0.95, (right_agrees, left_agrees)
    sent_at, heard_at = first_moment([moment for moment, _ in talk.sent[-250:]]), first_moment(talk.heard[-250:])
    offset = (sent_at + 0.005 * left_shift) - (heard_at + 0.005 * right_shift)
    print(f"offset of the channels: {1000 * offset:.1f} ms")
    assert abs(offset) <= 0.020 + 0.005, f"{1000 * offset:.0f} ms, beside the step of the measurement"
    assert abs(opened.milliseconds - (conversation.total_ms or 0) + conversation.recordings[0].opened_ms) < 700


async def _scene(box: Box, trunk: int, voice: bytes) -> Talk:
    """A customer who asks for a person and talks for some seconds."""
    caller = Softphone(
        ("127.0.0.1", box.sip),
        ("127.0.0.2", trunk),
        keeps_frames=True,
        frames=[voice[n : n + 160] for n in range(0, len(voice), 160)],
    )
    await caller.start()
    until = time.monotonic() + 15
    while '"desk1"' not in (box.data / "runtime" / "sip.json").read_text().replace('"desk1": []', ""):
        assert time.monotonic() < until, "baresip did not register"
        await asyncio.sleep(0.1)
    talk = caller.call("02188123456", "09121234567")
    await asyncio.sleep(9)
    caller.press(talk, "1")
    await asyncio.sleep(12)  # some of it is "connecting"; the last five seconds are the agent's alone
    assert talk.is_up
    caller.hang_up(talk)
    await asyncio.sleep(0.5)
    await caller.stop()
    return talk
