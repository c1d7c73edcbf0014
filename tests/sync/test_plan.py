"""The plan of one target in virtual time: order, pauses, probes, budget, and seven days without upstream."""

from __future__ import annotations

import bisect
import itertools
import os
import random
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.sync.faults import Why
from appliance.sync.plan import PENDING, Greet, Job, Plan, Probe, Rules, Send, State
from appliance.sync.units import ORDER, Kind

RULES = Rules()
DAY = 86_400.0
NO_CHANCE: Callable[[], float] = lambda: 0.0  # noqa: E731 - a constant jitter


@dataclass
class Shelf:
    """plan.Book in memory: pending jobs by kind, in order."""

    jobs: dict[int, Job] = field(default_factory=dict)
    pending: dict[Kind, list[int]] = field(default_factory=dict)

    def add(self, *jobs: Job) -> None:
        for job in jobs:
            self.jobs[job.number] = job
            bisect.insort(self.pending.setdefault(job.kind, []), job.number)

    def first(self, kind: Kind, passing_over: Collection[int]) -> Job | None:
        return next((self.jobs[n] for n in self.pending.get(kind, []) if n not in passing_over), None)

    def became(self, number: int, state: State | None, sent: int = 0, day: int = 0) -> None:
        job = self.jobs[number]
        today = (job.sent_today if job.day == day else 0) + sent
        self.jobs[number] = replace(job, state=state or job.state, tries=job.tries + 1, sent_today=today, day=day)
        if state is not None and state not in PENDING:
            self.pending[job.kind].remove(number)


def job(number: int, kind: Kind = Kind.BODY, size: int = 500_000) -> Job:
    return Job(number, kind, State.QUEUED, size)


def greeted() -> Plan:
    plan = Plan(RULES, NO_CHANCE)
    plan.is_greeted = True
    return plan


def test_nothing_is_sent_before_it_is_known_whose_the_target_is() -> None:
    shelf = Shelf()
    shelf.add(job(1))
    plan = Plan(RULES, NO_CHANCE)
    assert plan.next(0, shelf) == Greet()
    assert plan.failed(Why.OTHER_BOX, "", 0) is None
    assert plan.next(1, shelf) is None and plan.parked is not None and plan.parked.reason == "denied"
    assert plan.next(30, shelf) == Greet()
    plan.greeted()
    assert plan.next(30, shelf) == Send(job(1))


def test_kinds_go_in_their_order_and_numbers_in_theirs() -> None:
    shelf = Shelf()
    numbers = list(range(1, 43))
    random.Random(5).shuffle(numbers)
    shelf.add(*(job(number, ORDER[number % len(ORDER)]) for number in numbers))
    plan, sent = greeted(), []
    while (command := plan.next(0, shelf)) is not None:
        assert isinstance(command, Send)
        sent.append(command.job)
        shelf.became(command.job.number, plan.verified(command.job.number))
    assert [(ORDER.index(one.kind), one.number) for one in sent] == sorted(
        (ORDER.index(one.kind), one.number) for one in sent
    )
    assert len(sent) == 42


def test_in_quiet_hours_only_recordings_wait() -> None:
    shelf = Shelf()
    shelf.add(job(1, Kind.BODY), job(2, Kind.RECORDS))
    plan = greeted()
    assert plan.next(0, shelf, is_quiet=True) == Send(job(2, Kind.RECORDS))
    shelf.became(2, plan.verified(2))
    assert plan.next(0, shelf, is_quiet=True) is None
    assert plan.next(0, shelf) == Send(job(1, Kind.BODY))


def test_pauses_double_from_half_a_minute_to_a_quarter_of_an_hour() -> None:
    shelf = Shelf()
    shelf.add(job(1))
    plan = greeted()
    now, tries = 0.0, list[float]()
    while len(tries) < 9:
        command = plan.next(now, shelf)
        if isinstance(command, Send):
            tries.append(now)
        if command is not None:
            plan.failed(Why.UNREACHABLE, "", now)
        deadline = plan.deadline(now)
        assert deadline is not None and deadline <= now + RULES.probe
        now = deadline
    pauses = [later - sooner for sooner, later in itertools.pairwise(tries)]
    assert pauses == [30, 60, 120, 240, 480, 900, 900, 900]


def test_a_probe_that_succeeds_ends_the_pause_and_one_that_lied_is_not_believed_again() -> None:
    shelf = Shelf()
    shelf.add(job(1))
    plan = greeted()
    for faults in range(3):  # three faults: the pause is two minutes now
        plan.next(faults * 1000.0, shelf)
        plan.failed(Why.UNREACHABLE, "", faults * 1000.0)
    assert plan.next(2060, shelf) == Probe(writes=False)
    plan.probed(2060)
    assert plan.next(2060, shelf) == Send(job(1))
    plan.failed(Why.UNREACHABLE, "", 2060)  # the probe lied: the pause of the fourth fault runs out
    assert plan.next(2120, shelf) == Probe(writes=False)
    plan.probed(2120)
    assert plan.next(2121, shelf) is None
    plan.next(2180, shelf)
    plan.probed(2180)
    plan.next(2240, shelf)
    plan.probed(2240)
    assert plan.next(2300, shelf) == Send(job(1))


def test_after_an_error_of_the_server_one_byte_is_written_before_a_whole_object() -> None:
    shelf = Shelf()
    shelf.add(job(1))
    plan = greeted()
    for now in (0, 30, 90):
        assert plan.next(now, shelf) == Send(job(1))
        plan.failed(Why.FULL, "", now)
    assert plan.next(150, shelf) == Probe(writes=True)


def test_a_target_with_nothing_to_send_is_probed_until_it_works() -> None:
    plan = greeted()
    shelf = Shelf()
    shelf.add(job(1))
    plan.next(0, shelf)
    shelf.became(1, State.VOID)
    plan.failed(Why.GONE, "", 0)
    assert plan.next(30, shelf) == Greet()
    plan.greeted()
    assert plan.parked is None and plan.next(31, shelf) is None and plan.deadline(31) is None


def test_what_is_refused_holds_up_nothing_and_is_looked_at_again_each_hour() -> None:
    shelf = Shelf()
    shelf.add(job(1), job(2))
    plan = greeted()
    assert plan.next(0, shelf) == Send(job(1))
    shelf.became(1, plan.failed(Why.FOREIGN, "", 0))
    assert shelf.jobs[1].state is State.REFUSED and plan.parked is None
    assert plan.next(0, shelf) == Send(job(2))
    shelf.became(2, plan.verified(2))
    assert plan.next(3599, shelf) is None and plan.deadline(3599) == 3600
    again = plan.next(3600, shelf)
    assert isinstance(again, Send) and again.job.number == 1
    shelf.became(1, plan.verified(1))
    assert plan.next(3600, shelf) is None


def test_what_was_read_back_wrong_is_read_again_after_growing_pauses_and_never_given_up() -> None:
    shelf = Shelf()
    shelf.add(job(1))
    plan = greeted()
    now, pauses = 0.0, list[float]()
    for _ in range(8):
        assert isinstance(plan.next(now, shelf), Send)
        assert plan.failed(Why.MANGLED, "", now) is None and plan.parked is None
        later = plan.deadline(now)
        assert later is not None
        pauses.append(later - now)
        now = later
    assert pauses == [30, 60, 120, 240, 480, 900, 900, 900]


def test_a_unit_that_fails_three_times_lets_others_go_first() -> None:
    shelf = Shelf()
    shelf.add(job(1, size=10), job(2, size=10))
    plan = greeted()
    now, tried = 0.0, list[int]()
    while len(tried) < 4:
        command = plan.next(now, shelf)
        if isinstance(command, Send):
            tried.append(command.job.number)
            if command.job.number == 1:
                plan.failed(Why.FAILING, "", now)
            else:
                shelf.became(2, plan.verified(2))
        elif isinstance(command, Probe):
            plan.probed(now)
        now = max(now, plan.deadline(now) or now)
    assert tried == [1, 1, 1, 2]


def test_410_switches_off_until_a_person_says_otherwise() -> None:
    shelf = Shelf()
    shelf.add(job(1, Kind.CALL))
    plan = greeted()
    plan.next(0, shelf)
    plan.failed(Why.DISABLED, "", 0)
    assert plan.next(DAY, shelf) is None and plan.deadline(DAY) is None and plan.is_disabled
    plan.try_now()
    assert isinstance(plan.next(DAY, shelf), Send)


def test_a_full_server_costs_an_object_its_budget_a_day_and_no_more() -> None:
    """The first version of the worker sent 46 times the data to a server that took the whole body and said 500."""
    shelf = Shelf()
    size = 5_000_000
    shelf.add(job(1, size=size))
    plan, now, sent = greeted(), 0.0, 0
    while now < 2 * DAY - 1:
        day = int(now // DAY)
        command = plan.next(now, shelf, day=day)
        match command:
            case Send():
                sent += size
                state = plan.failed(Why.FAILING, "500", now)
                shelf.became(1, state, size, day)
            case Probe():
                plan.probed(now)  # one byte fits
            case Greet() | None:
                now = max(now + 0.001, plan.deadline(now) or now + 60)
    assert sent <= 2 * (RULES.budget * size + (1 << 20))
    assert sent >= 2 * size
    assert plan.spent == 1
    plan.try_now()
    assert plan.spent == 0


# A simulated upstream -------------------------------------------------------------------------------------------------


@dataclass
class Upstream:
    """A server with faults from one moment to another; ``has`` counts how often each unit was stored."""

    faults: list[tuple[float, float, Why]]
    has: dict[int, int] = field(default_factory=dict)
    seconds_per_unit: float = 0.5

    def fault(self, now: float) -> Why | None:
        return next((why for since, until, why in self.faults if since <= now < until), None)


@dataclass
class Run:
    """Drives a plan in virtual time; what is added comes at its time."""

    upstream: Upstream
    shelf: Shelf = field(default_factory=Shelf)
    plan: Plan = field(default_factory=lambda: Plan(RULES, random.Random(7).random))
    now: float = 0.0
    named: dict[float, Why] = field(default_factory=dict)  # when the page first showed a fault, and which
    asked: list[float] = field(default_factory=list)
    order: list[Job] = field(default_factory=list)

    def why(self) -> Why | None:
        """What the page names now."""
        return self.plan.parked.why if self.plan.parked else None

    def until(self, end: float, arrivals: Iterable[tuple[float, Job]] = ()) -> None:
        waiting = sorted(arrivals, key=lambda one: one[0])
        while True:
            while waiting and waiting[0][0] <= self.now:
                self.shelf.add(waiting.pop(0)[1])
            command = self.plan.next(self.now, self.shelf, day=int(self.now // DAY))
            if command is not None:
                self.asked.append(self.now)
                self._carry_out(command)
                continue
            deadline = self.plan.deadline(self.now)
            times = [time for time in (deadline, waiting[0][0] if waiting else None) if time is not None]
            if not times or min(times) >= end:
                self.now = end
                return
            self.now = max(self.now, min(times))

    def _carry_out(self, command: Greet | Probe | Send) -> None:
        why = self.upstream.fault(self.now)
        if why is not None:
            state = self.plan.failed(why, "", self.now)
            if isinstance(command, Send):
                self.shelf.became(command.job.number, state, command.job.size, int(self.now // DAY))
            self.named.setdefault(self.now, why)
            return
        match command:
            case Greet():
                self.plan.greeted()
            case Probe():
                self.plan.probed(self.now)
            case Send(job):
                self.now += self.upstream.seconds_per_unit
                self.upstream.has[job.number] = self.upstream.has.get(job.number, 0) + 1
                self.order.append(job)
                self.shelf.became(job.number, self.plan.verified(job.number))


def recordings(count: int, seconds: float, start: float = 0.0) -> list[tuple[float, Job]]:
    """Calls spread over a time: each a body, a seal, a head, and a batch of events now and then."""
    found, number = [], 0
    for index in range(count):
        at = start + seconds * index / count
        for kind, size in ((Kind.HEAD, 1600), (Kind.SEAL, 8000), (Kind.BODY, 500_000), (Kind.EVENTS, 9000)):
            number += 1
            found.append((at, job(number, kind, size)))
    return found


def test_seven_days_without_upstream_and_two_thousand_calls_then_everything_arrives_once() -> None:
    run = Run(Upstream([(3600.0, 3600 + 7 * DAY, Why.UNREACHABLE)]))
    calls = recordings(2000, 7 * DAY)
    run.until(3600 + 7 * DAY, calls)
    during = [time for time in run.asked if 3600 <= time < 3600 + 7 * DAY]
    assert max(later - sooner for sooner, later in itertools.pairwise(during)) <= RULES.probe
    assert len(during) < 7 * DAY / 45  # patient: no storm of tries
    ended = run.now
    run.until(ended + DAY)
    assert len(run.upstream.has) == 8000 and set(run.upstream.has.values()) == {1}
    first_after = next(time for time in run.asked if time >= ended)
    assert first_after - ended <= RULES.probe
    bodies = [one.number for one in run.order if one.kind is Kind.BODY]
    assert bodies == sorted(bodies)


TARGET_FAULTS = [
    Why.UNREACHABLE, Why.SILENT, Why.CUT, Why.FAILING, Why.BUSY, Why.FULL, Why.DENIED, Why.GONE, Why.CERTIFICATE,
    Why.HOST_KEY, Why.CLOCK, Why.PUBLIC, Why.UNEXPECTED, Why.SETTINGS,
]  # fmt: skip


@pytest.mark.parametrize("why", TARGET_FAULTS)
@pytest.mark.parametrize("hours", [0.02, 0.5, 8.0])
def test_a_fault_is_named_at_once_probed_each_minute_and_gone_within_sixteen_minutes(why: Why, hours: float) -> None:
    begin, end = 100.0, 100 + 3600 * hours
    run = Run(Upstream([(begin, end, why)]))
    run.until(end, recordings(20, end + 600))
    assert min(run.named) <= begin + (end + 600) / 20 + 1 and set(run.named.values()) == {why}
    assert run.why() is why
    waited = [time for time in run.asked if begin <= time]
    assert all(later - sooner <= RULES.probe for sooner, later in itertools.pairwise(waited[1:]))
    run.until(end + 16 * 60)
    assert run.why() is None
    arrived = [number for number, one in run.shelf.jobs.items() if one.state is State.VERIFIED]
    assert len(arrived) == len(run.shelf.jobs) and set(run.upstream.has.values()) == {1}


@settings(max_examples=400 if os.environ.get("PASOKH_LONG") else 60)
@given(
    st.lists(
        st.tuples(st.floats(0, 40_000), st.floats(1, 8000), st.sampled_from(TARGET_FAULTS)), min_size=0, max_size=8
    ),
    st.integers(0, 1 << 30),
)
def test_whatever_faults_come_in_whatever_order_everything_arrives_once_and_in_order(
    faults: list[tuple[float, float, Why]], seed: int
) -> None:
    run = Run(Upstream([(since, since + length, why) for since, length, why in faults]))
    run.plan.chance = random.Random(seed).random
    run.until(50_000 + 2 * 3600, recordings(30, 40_000))
    run.until(run.now + 2 * DAY)
    assert set(run.upstream.has) == set(run.shelf.jobs) and set(run.upstream.has.values()) <= {1}
    assert run.plan.parked is None
