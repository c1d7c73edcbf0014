"""A year of an office's conversations, made up by a seed: for searches, and for how long they take."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from appliance.clock import VirtualClock
from appliance.records.events import (
    ConsentGiven,
    ConversationClosed,
    ConversationOpened,
    CustomerPassedOn,
    Happened,
    LegAnswered,
    LegEnded,
    LegOpened,
    NodeEntered,
    Outcome,
    QueueJoined,
    RecordClosed,
    RecordingOpened,
    RecordingSealed,
    State,
    StateEntered,
    SurveyAnswered,
)
from appliance.records.store import Stamped, Store
from tests.records.given import KEY

BEGINS = 1_790_000_000_000  # September 2026
YEAR_MS = 365 * 86_400_000
AGENTS = ("sara", "reza", "نیما", "mina", "ali", "هدی", "omid", "zahra", "kian", "laleh", "babak", "شیرین")
LINES, QUEUES = ("office", "shop", "خدمات"), ("reception", "doctors", "فروش", "sales")
NAMES = ("علی کریمی", "علي كريمي", "مُحَمَّد رضایی", "Zahra Ahmadi", "شرکت پارس‌نوین", "سيد كاظم", "", "", "", "واحد ۱۲")
DIGEST = "ab" * 32
BATCH = 1000  # conversations in one transaction


def store(folder: Path, count: int, seed: int = 1) -> Store:
    """A calls.db with so many conversations, over a year, in the order in which they began."""
    made = Store(folder / "calls.db", KEY, VirtualClock(BEGINS))
    chance = random.Random(seed)
    customers = [_customer(chance) for _ in range(max(3, count // 5))]
    for first in range(0, count, BATCH):
        batch: list[Stamped] = []
        for number in range(first, min(count, first + BATCH)):
            at = BEGINS + number * YEAR_MS // count
            batch += [Stamped(happened, at, 0) for happened in conversation(chance, number, customers)]
        made.apply_stamped(batch)
    return made


def conversation(chance: random.Random, number: int, customers: list[tuple[str, str]]) -> Iterator[Happened]:
    """One conversation as its events: abandoned, served by one or more, recorded or not, still going on."""
    c = f"{number:08x}-0000-7000-8000-{chance.getrandbits(48):012x}"
    customer, name = customers[int(len(customers) * chance.random() ** 3)]  # some ring often
    direction, line = chance.choices(("in", "out"), (9, 1))[0], chance.choice(LINES)
    written = "0" + customer.removeprefix("+98")
    yield ConversationOpened(
        c, direction, line, "main", "02188123456", customer, written, name, not customer, "welcome", "cd" * 32, "fa"
    )
    yield LegOpened(c, f"{c}-a", "customer", customer, "main", 0)
    yield LegAnswered(c, f"{c}-a", "PCMA", 20)
    asks = chance.random() < 0.2
    yield NodeEntered(c, "consent" if asks else "notice", "consent" if asks else "notice", 30)
    is_recorded = chance.random() < 0.85
    if is_recorded:
        yield ConsentGiven(c, f"{c}-k", "asked" if asks else "notice", "notice", 4_000)
        yield RecordingOpened(c, f"{c}-r", 1, f"{c}-k", 4_000)
    yield StateEntered(c, State.WAITING, 5_000)
    yield QueueJoined(c, chance.choice(QUEUES), 5_000)
    waits = 5_000 + int(chance.expovariate(1 / 20_000))
    if chance.random() < 0.01:
        return  # it goes on
    if chance.random() < 0.15:
        yield ConversationClosed(c, Outcome.ABANDONED, "", "", waits)
        yield from _end(chance, c, is_recorded, waits)
        return
    talks = int(chance.lognormvariate(11.5, 1.0))
    agents = chance.sample(AGENTS, chance.choices((1, 2, 3), (90, 8, 2))[0])
    for place, agent in enumerate(agents):
        yield LegOpened(c, f"{c}-{place}", "agent", agent, "desk1", waits)
        yield LegAnswered(c, f"{c}-{place}", "PCMA", waits)
        yield StateEntered(c, State.TALKING, waits)
        if place:
            yield CustomerPassedOn(c, agents[place - 1], agent, "keys", "done", "", waits)
        waits += talks // len(agents)
        yield LegEnded(c, f"{c}-{place}", "hung_up", 200, waits, 43, 1)
    yield ConversationClosed(c, chance.choices((Outcome.SERVED, Outcome.FAILED), (99, 1))[0], "", agents[-1], waits)
    if chance.random() < 0.1:
        yield SurveyAnswered(c, "csat", chance.randint(1, 5), "survey", waits)
    yield from _end(chance, c, is_recorded, waits)


def _end(chance: random.Random, c: str, is_recorded: bool, length: int) -> Iterator[Happened]:
    if is_recorded:
        silence = int(chance.expovariate(1 / 4_000)) // 20 * 20
        yield RecordingSealed(
            c, f"{c}-r", "sealed" if chance.random() < 0.99 else "lost", 16 * length, DIGEST, DIGEST, length, 0,
            length // 3, length // 3, int(length * chance.random() * 0.06), max(0, silence - 3_000), silence,
            1, 2, 9, 7_000,
        )  # fmt: skip
    yield RecordClosed(c)


def _customer(chance: random.Random) -> tuple[str, str]:
    if chance.random() < 0.05:
        return "", ""
    ten = f"9{chance.randrange(10**9):09}" if chance.random() < 0.7 else f"21{chance.randrange(2 * 10**7, 9 * 10**7)}"
    return f"+98{ten}", chance.choice(NAMES)
