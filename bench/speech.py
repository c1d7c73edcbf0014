"""Speech marks against labels: precision, recall, onset; and the figures of a talk that follow from them.

Two people talk as drawn from a seed, in voices of espeak-ng (fa, en), each on a channel of its own, so that it is known
of every 20 ms who speaks. They go through G.711 and noise into the very ``Recorder`` that the box runs, and what it has
marked is read back from the sealed recording. A label is what is heard in the clean voice: a frame within 35 dB of the
voice's loudest, and pauses under 200 ms between such frames, as people who label speech do.
Synthetic voices are not people, and noise that is made is not an office: see README.md for what that means.
"""

from __future__ import annotations

import random
import statistics
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from appliance.recorder import reading
from appliance.recorder.events import Sealed
from appliance.recorder.live import LiveRecording
from appliance.recorder.speech import Conversation
from tests.recorder.given import CLASSIC, Box, named
from tests.support import sounds
from tests.support.sounds import Samples

TALKS = 6  # of each condition
TURNS = 14
SPEECH_DBM0 = -20.0  # of the frames that are speech
LINE_DBM0 = -65.0  # what a quiet line carries anyway
NOISES = ("white", "hum", "babble")
SNRS_DB: tuple[float, ...] = (20.0, 10.0, 5.0)
LABEL_DB = 35.0
JOINED_FRAMES = 10
ONSET_FRAMES = 25  # an utterance whose first mark is further away was not found
ANCHOR_FRAME = 30  # noise, and like no other
OVERLAP_SHARE, PAUSE_SHARE = 0.15, 0.15


@dataclass(frozen=True, slots=True)
class Talk:
    """Both sides as sound, and of every 20 ms whether each speaks."""

    sides: tuple[Samples, Samples]
    labels: tuple[list[bool], list[bool]]


@dataclass(frozen=True, slots=True)
class Counted:
    """Of one condition, over both sides of all its talks."""

    precision: float
    recall: float
    onset_ms: tuple[float, float]  # the median, and the 95th percentile of its size
    not_found: float  # share of utterances
    talk_share_off: float  # the largest difference from the labels, in shares of 1
    overtalk_off: float  # of the sum over all talks, relative to the labels
    dead_air_off: float


def talk(seed: int) -> Talk:
    """Two people in turns: short pauses, now and then a long one, now and then one speaks into the other."""
    chance = random.Random(seed)
    language = chance.choice(("fa", "en"))
    voices = chance.sample([voice for voice in sounds.VOICES if voice.startswith(language)], 2)
    placed: tuple[list[tuple[int, Samples]], list[tuple[int, Samples]]] = ([], [])
    at = sounds.RATE
    for turn in range(TURNS):
        said = _utterance(chance, voices[turn % 2])
        at = at // 160 * 160
        placed[turn % 2].append((at, said))
        kind = chance.random()
        if kind < OVERLAP_SHARE:
            at += round(len(said) * 0.7)
        elif kind < OVERLAP_SHARE + PAUSE_SHARE:
            at += len(said) + round(chance.uniform(3.5, 6.0) * sounds.RATE)
        else:
            at += len(said) + round(chance.uniform(0.3, 1.2) * sounds.RATE)
    length = (max(start + len(said) for side in placed for start, said in side) + sounds.RATE) // 160 * 160
    sides = [_side(side, length) for side in placed]
    return Talk((sides[0][0], sides[1][0]), (sides[0][1], sides[1][1]))


def _utterance(chance: random.Random, voice: str) -> Samples:
    said = sounds.speech(chance.choice(sounds.sentences(voice[:2])), voice, chance.randrange(120, 200))
    return said / _effective(said[_heard(said).repeat(160)[: len(said)]]) * sounds.ZERO_DBM0 * 10 ** (SPEECH_DBM0 / 20)


def _side(utterances: Iterable[tuple[int, Samples]], length: int) -> tuple[Samples, list[bool]]:
    line, label = np.zeros(length), np.zeros(length // 160, bool)
    for start, said in utterances:
        line[start : start + len(said)] += said
        heard = _heard(said)
        first = start // 160
        label[first : first + len(heard)] |= heard[: len(label) - first]
    return line, _joined(label.tolist())


def _heard(said: Samples) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which frames of a clean voice are loud enough to be heard."""
    padded = np.concatenate([said, np.zeros(-len(said) % 160)]).reshape(-1, 160)
    levels = np.sqrt(np.mean(padded**2, axis=1))
    return np.asarray(levels > levels.max() * 10 ** (-LABEL_DB / 20))


def _joined(label: list[bool]) -> list[bool]:
    """Short pauses belong to what is said around them."""
    found, last = list(label), None
    for frame, is_speech in enumerate(label):
        if is_speech:
            if last is not None and 1 < frame - last <= JOINED_FRAMES:
                found[last:frame] = [True] * (frame - last)
            last = frame
    return found


def _effective(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples**2)))


def noise(kind: str, chance: random.Random, samples: int) -> Samples:
    """So many samples with an effective value of 1: white, hum (lower is louder) or eight who babble."""
    if kind == "babble":
        voices = [np.resize(_utterance(chance, chance.choice(sounds.VOICES)), samples) for _ in range(8)]
        made = sum((np.roll(voice, chance.randrange(samples)) for voice in voices), start=np.zeros(samples))
    else:
        made = np.random.default_rng(chance.getrandbits(32)).standard_normal(samples)
        if kind == "hum":
            made = np.convolve(made, np.exp(-np.arange(400) / 60.0), "same")
    return made / _effective(made)


def marked(found: Talk, law: str, kind: str, snr_db: float, seed: int) -> tuple[list[bool], list[bool]]:
    """What the recorder marks of a talk on a noisy line; without a ``kind`` of noise on a quiet one."""
    chance = random.Random(seed)
    level = sounds.ZERO_DBM0 * 10 ** ((SPEECH_DBM0 - snr_db if kind else LINE_DBM0) / 20)
    lines = [side + level * noise(kind or "white", chance, len(side)) for side in found.sides]
    left, right = (sounds.frames(sounds.encode(line, law)) for line in lines)
    with tempfile.TemporaryDirectory() as folder:
        box = Box(Path(folder))
        live = box.recorder.start(named(1), "s1", law, "c", 1, "k", "{}", box.now - 0.01)
        assert isinstance(live, LiveRecording)
        for number, (heard, sent) in enumerate(zip(left, right, strict=True)):
            live.heard(number * 160, heard, box.now)
            live.sent(number * 160, sent, False, box.now)
            box.tick()
        live.stop(box.now)
        box.wait_for(Sealed)
        opened = reading.open_recording(Path(folder) / "kept" / named(1), CLASSIC)
        box.close()
    spoken = [*opened.spoken()]
    starts = [_place(opened.stereo[side::2], sent) for side, sent in ((0, left), (1, right))]
    count = len(found.labels[0])
    marks = [([each[side] for each in spoken[starts[side] :]] + [False] * count)[:count] for side in (0, 1)]
    return marks[0], marks[1]


def _place(channel: bytes, sent: Sequence[bytes]) -> int:
    """In which frame of a recording the first packet lies: a stream begins somewhere in its first moments."""
    return channel.index(sent[ANCHOR_FRAME]) // 160 - ANCHOR_FRAME


def counted(pairs: Sequence[tuple[tuple[list[bool], list[bool]], tuple[list[bool], list[bool]]]]) -> Counted:
    """Labels and marks of each talk, compared."""
    right = wrong = missed = 0
    onsets: list[int] = []
    begun = 0
    for labels, marks in pairs:
        for label, mark in zip(labels, marks, strict=True):
            right += sum(a and b for a, b in zip(label, mark, strict=True))
            wrong += sum(b and not a for a, b in zip(label, mark, strict=True))
            missed += sum(a and not b for a, b in zip(label, mark, strict=True))
            for start in _onsets(label):
                begun += 1
                near = range(max(0, start - ONSET_FRAMES), min(len(mark), start + ONSET_FRAMES))
                firsts = [frame for frame in near if mark[frame] and not (frame and mark[frame - 1])]
                onsets += [min((frame - start for frame in firsts), key=abs)] if firsts else []
    figures = [(_figures(labels), _figures(marks)) for labels, marks in pairs]
    sizes = sorted(abs(each) * 20 for each in onsets) or [0]
    return Counted(
        precision=right / max(1, right + wrong),
        recall=right / max(1, right + missed),
        onset_ms=(statistics.median(onsets or [0]) * 20, sizes[round(0.95 * (len(sizes) - 1))]),
        not_found=1 - len(onsets) / max(1, begun),
        talk_share_off=max(abs(was[0] - found[0]) for was, found in figures),
        overtalk_off=_off([was[1] for was, _ in figures], [found[1] for _, found in figures]),
        dead_air_off=_off([was[2] for was, _ in figures], [found[2] for _, found in figures]),
    )


def _onsets(label: list[bool]) -> list[int]:
    return [frame for frame, is_speech in enumerate(label) if is_speech and not (frame and label[frame - 1])]


def _figures(sides: tuple[list[bool], list[bool]]) -> tuple[float, int, int]:
    """Our share of the talk, overtalk and dead air in milliseconds, by the recorder's own rules."""
    conversation = Conversation()
    for left, right in zip(*sides, strict=True):
        conversation.frame(left, right, False)
    talk_ms = conversation.left.talk_ms + conversation.right.talk_ms
    return conversation.right.talk_ms / max(1, talk_ms), conversation.overtalk_ms, conversation.dead_air_ms


def _off(was: Sequence[int], found: Sequence[int]) -> float:
    return (sum(found) - sum(was)) / max(1, sum(was))


def conditions() -> list[tuple[str, float]]:
    """A quiet line, then every noise at every distance from the voice (dB)."""
    return [("", 0.0), *((kind, snr_db) for kind in NOISES for snr_db in SNRS_DB)]


def measure(talks: int = TALKS) -> list[dict[str, object]]:
    """A row of figures for each condition, on the same talks; A-law and mu-law by turns."""
    made = [talk(seed) for seed in range(talks)]
    rows: list[dict[str, object]] = []
    for kind, snr_db in conditions():
        pairs = [
            (each.labels, marked(each, ("PCMA", "PCMU")[seed % 2], kind, snr_db, seed))
            for seed, each in enumerate(made)
        ]
        found = counted(pairs)
        rows.append(
            {
                "noise": kind or "none", "snr_db": snr_db if kind else None, "precision": round(found.precision, 3),
                "recall": round(found.recall, 3), "onset_median_ms": found.onset_ms[0],
                "onset_p95_ms": found.onset_ms[1], "not_found": round(found.not_found, 3),
                "talk_share_off": round(found.talk_share_off, 3), "overtalk_off": round(found.overtalk_off, 3),
                "dead_air_off": round(found.dead_air_off, 3),
            }
        )  # fmt: skip
    return rows
