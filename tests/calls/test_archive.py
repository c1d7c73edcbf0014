"""Holds, retention and erasure as calls carries them out: over real records, in virtual time."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.calls.archive import Archive, Space
from appliance.calls.upstream import Strain, Upstream
from appliance.clock import VirtualClock
from appliance.control import wire
from appliance.errors import Problem
from appliance.records import chain, keeping, ledger
from appliance.records.events import (
    ConversationClosed,
    ConversationErased,
    Happened,
    Outcome,
    QueueJoined,
    RecordClosed,
    RecordingOpened,
    RecordingSealed,
    UpstreamReceipt,
)
from appliance.records.store import Store
from appliance.records.writer import DirectWriter
from appliance.retention.plan import DAY_MS, Rules
from appliance.retention.settings import Keep, Retention
from tests.records.given import KEY, opened, sealed

SARA, REZA = "+989121234567", "+989351112233"
RUNS, STEPS = (400, 120) if os.environ.get("PASOKH_LONG") else (6, 100)
HUGE = Space(10**12, 10**12, 0)


@dataclasses.dataclass
class _Shown:
    upstream: tuple[wire.Upstream, ...] = ()
    findings: dict[str, wire.Finding] = dataclasses.field(default_factory=dict)
    last_event: int = 0
    strain: Strain = dataclasses.field(default_factory=Strain)
    calls_now: int = 0


class Scene:
    """Records with an archive; ``found`` are its findings, ``forgotten`` what media was told."""

    def __init__(self, folder: Path, rules: Rules | None = None) -> None:
        self.loop = asyncio.new_event_loop()
        self.clock = VirtualClock()
        self.store = Store(folder / "calls.db", KEY, self.clock)
        self.records = DirectWriter(self.store)
        self.rules = rules or Rules(Retention(days=30), frozenset({"usb"}))
        self.found: dict[str, Problem] = {}
        self.forgotten: list[str] = []
        self.is_sure = True
        self.space = HUGE
        self.archive = Archive(
            self.rules, self.records, self.clock, lambda: self.is_sure, lambda: self.space, self.forgotten.extend,
            self._found, area_code="021",
        )  # fmt: skip
        self.upstream = Upstream(self.records, self.clock, _Shown(), lambda: None)

    def _found(self, place: str, problem: Problem | None) -> None:
        self.found.pop(place, None)
        if problem is not None:
            self.found[place] = problem

    def happened(self, *events: Happened) -> None:
        for one in events:
            self.records.put(one)
        self.records.flush_now()

    def call(self, name: str, customer: str = SARA, *, is_over: bool = True, parts: int = 1) -> None:
        self.happened(opened(name, customer))
        for part in range(1, parts + 1):
            self.happened(RecordingOpened(name, f"{name}-r{part}", part, f"{name}-consent", 10))
        if is_over:
            self.happened(*(sealed(name, f"{name}-r{part}") for part in range(1, parts + 1)))
            self.happened(ConversationClosed(name, Outcome.SERVED, "", "sara", 2000), RecordClosed(name))

    def sent(self, recording: str, target: str = "usb") -> None:
        self.happened(
            *(UpstreamReceipt(target, unit, f"{recording}.{unit}", recording, 0, 0, "", 1, "there")
              for unit in ("head", "seal", "body"))
        )  # fmt: skip

    def passes(self, days: float, *, every_ms: int = DAY_MS // 4) -> None:
        """Time in which the archive looks now and then."""
        until = self.clock.utc_ms() + round(days * DAY_MS)
        while self.clock.utc_ms() < until:
            self.wait(min(every_ms, until - self.clock.utc_ms()))
            self.look()

    def look(self) -> None:
        self.loop.run_until_complete(self.archive.look())

    def wait(self, milliseconds: int) -> None:
        self.clock.advance_to(self.clock.monotonic() + milliseconds / 1000)

    def order(self, kind: type[wire.ArchiveOrder], about: str, why: str = "asked") -> wire.Affected:
        reply = self.loop.run_until_complete(self.archive.carry_out(kind("token", about, why), "owner"))
        assert isinstance(reply, wire.Affected)
        return reply

    def refused(self, kind: type[wire.ArchiveOrder], about: str, why: str = "asked") -> str:
        before = self.store.head()
        with pytest.raises(Problem) as caught:
            self.order(kind, about, why)
        assert self.store.head() == before
        return caught.value.key

    @property
    def going(self) -> dict[str, str]:
        return {one.recording: one.cause for one in self.store.within(keeping.going)}

    def rows(self, query: str) -> list[tuple[object, ...]]:
        return self.store.within(lambda db: [tuple(row) for row in db.execute(query).fetchall()])

    def destroyed(self, *recordings: str) -> None:
        self.loop.run_until_complete(self.upstream.answer(wire.TellDestroyed(recordings)))


HOLD, RELEASE, ERASE = wire.HoldRecordings, wire.ReleaseRecordings, wire.EraseRecordings


@pytest.fixture
def made() -> Iterator[Callable[..., Scene]]:
    """Makes scenes, and closes them."""
    scenes: list[Scene] = []

    def make(folder: Path, rules: Rules | None = None) -> Scene:
        scenes.append(Scene(folder, rules))
        return scenes[-1]

    yield make
    for each in scenes:
        each.loop.close()
        each.store.close()


@pytest.fixture
def scene(made: Callable[..., Scene], tmp_path: Path) -> Scene:
    return made(tmp_path)


# Erasing --------------------------------------------------------------------------------------------------------------


def test_an_erased_conversation_leaves_a_tombstone_and_its_recordings_are_to_go(scene: Scene) -> None:
    scene.call("c1", parts=2)
    scene.call("c2")
    assert scene.order(ERASE, "c1", "her wish") == wire.Affected(1, 2)
    assert scene.going == {"c1-r1": "erased", "c1-r2": "erased"} and scene.forgotten == ["c1-r1", "c1-r2"]
    tombstones = scene.store.within(
        lambda db: db.execute("SELECT conversation, reason, actor FROM tombstone").fetchall()
    )
    assert tombstones == [("c1", "her wish", "owner")]
    assert isinstance(scene.store.verify(), chain.Head)
    scene.destroyed("c1-r1", "c2-r1", "c1-r1")
    assert scene.going == {"c1-r2": "erased"}
    rows = scene.rows("SELECT * FROM going ORDER BY recording")
    scene.store.rebuild()
    assert scene.rows("SELECT * FROM going ORDER BY recording") == rows


def test_a_number_in_any_written_form_takes_all_its_conversations_with_it_and_no_other(scene: Scene) -> None:
    for name, customer in (("c1", SARA), ("c2", REZA), ("c3", SARA)):
        scene.call(name, customer)
    assert scene.order(ERASE, "۰۹۱۲ ۱۲۳ ۴۵۶۷") == wire.Affected(2, 2)
    assert set(scene.going) == {"c1-r1", "c3-r1"}
    assert scene.refused(ERASE, SARA) == "retention.nobody"


def test_a_number_without_its_area_code_is_one_of_the_offices_own(scene: Scene) -> None:
    scene.call("c1", "+982188123456")
    assert scene.order(ERASE, "88123456") == wire.Affected(1, 1)


def test_whoever_is_on_the_telephone_now_is_erased_after_the_call_and_nothing_before(scene: Scene) -> None:
    scene.call("c1")
    scene.call("c2", is_over=False)
    assert scene.refused(ERASE, SARA) == scene.refused(ERASE, "c2") == "retention.on_the_telephone"
    scene.happened(sealed("c2", "c2-r1"), ConversationClosed("c2", Outcome.SERVED, "", "", 1), RecordClosed("c2"))
    assert scene.order(ERASE, SARA) == wire.Affected(2, 2)


def test_withheld_numbers_are_nobodys(scene: Scene) -> None:
    scene.happened(dataclasses.replace(opened("c1", ""), is_withheld=True))
    for about in ("anonymous", "unavailable", "Restricted", ""):
        assert scene.refused(ERASE, about) == scene.refused(HOLD, about) == "retention.withheld"


@pytest.mark.parametrize("kind", [HOLD, RELEASE, ERASE])
def test_what_is_unknown_or_erased_or_without_a_reason_is_refused(scene: Scene, kind: type[wire.ArchiveOrder]) -> None:
    scene.call("c1")
    assert scene.refused(kind, "no-such") == scene.refused(kind, "x" * 5000) == "retention.unknown"
    for why in ("", "  \n", "x" * 201):
        assert scene.refused(kind, "c1", why) == "retention.no_reason"
    scene.order(ERASE, "c1")
    assert scene.refused(kind, "c1") == "retention.erased"


def test_a_recording_that_is_closed_after_its_erasure_is_destroyed_too(scene: Scene) -> None:
    scene.happened(opened("c1"), RecordingOpened("c1", "c1-r1", 1, "consent", 1))
    lost = RecordingSealed("c1", "c1-r1", "lost", 0, "", "", 0, 0, 0, 0, 0, 0)
    scene.happened(lost, ConversationClosed("c1", Outcome.CRASHED, "", "", 1), RecordClosed("c1"))
    scene.order(ERASE, "c1")
    scene.destroyed("c1-r1")
    assert scene.going == {}
    assert scene.store.within(lambda db: ledger.conversation_of(db, "c1-r1")) == "c1"
    scene.happened(sealed("c1", "c1-r1", "recovered"))
    assert scene.going == {"c1-r1": "erased"}


def test_what_is_not_gone_after_a_minute_is_said_until_it_is(scene: Scene) -> None:
    scene.call("c1")
    scene.order(ERASE, "c1")
    scene.look()
    assert "erasing" not in scene.found
    scene.wait(61_000)
    scene.look()
    assert scene.found["erasing"].key == "retention.not_gone"
    scene.destroyed("c1-r1")
    scene.look()
    assert "erasing" not in scene.found


# Holding --------------------------------------------------------------------------------------------------------------


def test_a_hold_wins_over_an_erasure_until_it_is_released(scene: Scene) -> None:
    scene.call("c1")
    scene.call("c2")
    scene.order(HOLD, "c2", "a suit")
    with pytest.raises(Problem) as caught:
        scene.order(ERASE, SARA)
    assert (caught.value.key, caught.value.fields["by"], caught.value.fields["why"]) == (
        "retention.held",
        "owner",
        "a suit",
    )
    assert "1234567" not in str(caught.value) and scene.going == {}
    with pytest.raises(Problem) as caught:
        scene.order(ERASE, "0935 999 88 77")
    assert caught.value.fields == {"about": "...8877"}
    assert scene.order(ERASE, "c1") == wire.Affected(1, 1)
    assert scene.order(RELEASE, "c2", "settled") == wire.Affected(1, 1)
    assert scene.refused(RELEASE, "c2") == "retention.not_held"
    assert scene.order(ERASE, SARA) == wire.Affected(1, 1)


def test_a_hold_on_a_number_holds_the_calls_that_are_still_to_come(scene: Scene) -> None:
    assert scene.order(HOLD, SARA, "a suit") == wire.Affected(0, 0)
    scene.call("c1")
    scene.call("c2", REZA)
    assert scene.refused(ERASE, "c1") == scene.refused(ERASE, SARA) == "retention.held"
    assert scene.refused(RELEASE, "c1") == "retention.held_by_number"
    assert scene.order(ERASE, "c2") == wire.Affected(1, 1)
    assert scene.order(RELEASE, "0912 123 4567") == wire.Affected(1, 1)
    assert scene.refused(RELEASE, SARA) == "retention.not_held"
    assert scene.order(ERASE, "c1") == wire.Affected(1, 1)


def test_two_holds_are_two(scene: Scene) -> None:
    scene.call("c1")
    scene.order(HOLD, "c1")
    scene.order(HOLD, SARA)
    scene.order(RELEASE, "c1")
    assert scene.refused(ERASE, "c1") == "retention.held"


def test_a_hold_saves_what_has_expired_and_is_still_there(scene: Scene) -> None:
    scene.call("c1")
    scene.sent("c1-r1")
    scene.passes(31)
    assert scene.going == {"c1-r1": "expired"}
    scene.order(HOLD, SARA)
    assert scene.going == {}
    scene.order(RELEASE, SARA)
    assert scene.going == {"c1-r1": "expired"}


# What time does -------------------------------------------------------------------------------------------------------


def test_a_recording_goes_from_the_box_when_it_is_upstream_and_its_time_is_over(scene: Scene) -> None:
    scene.call("c1")
    scene.call("c2")
    scene.sent("c1-r1")
    scene.passes(29.9)
    assert scene.going == {} and scene.found == {}
    scene.passes(0.2)
    assert scene.going == {"c1-r1": "expired"} and scene.forgotten == []
    assert scene.found["retention"].fields == {"count": 1} and scene.found["retention"].key == "retention.not_sent"
    scene.sent("c2-r1")
    scene.passes(0.1)
    assert set(scene.going) == {"c1-r1", "c2-r1"} and scene.found == {}
    scene.destroyed("c1-r1", "c2-r1")
    scene.passes(1)
    assert scene.going == {} and scene.order(ERASE, "c1") == wire.Affected(1, 1)
    assert scene.going == {"c1-r1": "erased"}  # looked for once more


def test_without_a_target_nothing_goes_before_the_owner_has_said_so(made: Callable[..., Scene], tmp_path: Path) -> None:
    for says, found in ((False, {}), (True, {"c1-r1": "expired"})):
        (tmp_path / str(says)).mkdir()
        scene = made(tmp_path / str(says), Rules(Retention(days=1, without_upstream=says), frozenset()))
        scene.call("c1")
        scene.passes(2)
        assert scene.going == found
        assert [problem.key for problem in scene.found.values()] == ([] if says else ["retention.no_target"])


def test_every_line_has_its_own_time(made: Callable[..., Scene], tmp_path: Path) -> None:
    keeps = Keep(name="a", queue="support", days=0), Keep(name="b", queue="sales", days=2)
    scene = made(tmp_path, Rules(Retention(days=10, keeps=keeps), frozenset({"usb"})))
    for name, queue in (("c1", "support"), ("c2", "sales"), ("c3", "")):
        scene.call(name)
        scene.sent(f"{name}-r1")
        if queue:
            scene.happened(QueueJoined(name, queue, 1))
    scene.passes(3)
    assert set(scene.going) == {"c2-r1"}
    scene.passes(30)
    assert set(scene.going) == {"c2-r1", "c3-r1"}


def test_nothing_goes_while_the_clock_is_in_doubt_or_within_an_hour_of_a_jump(scene: Scene) -> None:
    scene.call("c1")
    scene.sent("c1-r1")
    scene.is_sure = False
    scene.passes(40)
    assert scene.going == {}
    scene.is_sure = True
    scene.passes(1 / 25)
    assert scene.going == {}
    scene.passes(2 / 24)
    assert set(scene.going) == {"c1-r1"}


def test_a_box_that_starts_in_a_wrong_year_deletes_nothing_before_its_clock_is_set(scene: Scene) -> None:
    scene.call("c1")
    scene.sent("c1-r1")
    now = scene.clock.monotonic()
    scene.clock = VirtualClock(scene.clock.utc_ms() + 400 * DAY_MS, now)
    scene.archive._clock = scene.clock
    scene.passes(0.9 / 24)
    scene.clock = VirtualClock(scene.clock.utc_ms() - 400 * DAY_MS, scene.clock.monotonic())  # now it is set
    scene.archive._clock = scene.clock
    scene.passes(2)
    assert scene.going == {}


# The disk -------------------------------------------------------------------------------------------------------------


def test_a_disk_that_will_be_full_within_two_weeks_or_is_four_fifths_full_is_said(scene: Scene) -> None:
    for day in range(10):
        scene.call(f"c{day}")
        scene.passes(1)
    size = scene.store.within(lambda db: keeping.stored(db, 0))[0].size
    for days, share, key in ((5, 0.5, "retention.full_soon"), (20, 0.5, ""), (20, 0.1, "retention.filling")):
        free = days * size + 10**6
        scene.space = Space(round(free / share), free, 10**6)
        scene.passes(0.05)
        found = scene.found.get("disk")
        assert (found.key if found else "") == key
        if key == "retention.full_soon":
            assert found is not None and found.fields == {"days": 5, "percent": 50}


# Anything at all ------------------------------------------------------------------------------------------------------


class Model:
    """What may be gone by the rules alone: it sees orders, receipts and time, and none of the rows."""

    def __init__(self, days: int, targets: frozenset[str]) -> None:
        self.days, self.targets = days, targets
        self.calls: dict[str, tuple[str, int]] = {}  # customer, opened
        self.receipts: dict[str, set[str]] = {}
        self.held: dict[str, int] = {}
        self.erased: set[str] = set()

    def is_held(self, name: str) -> bool:
        return bool(self.held.get(name) or self.held.get(self.calls[name][0]))

    def may_be_gone(self, name: str, now: int) -> bool:
        if name in self.erased:
            return True
        is_due = now >= self.calls[name][1] + self.days * DAY_MS
        return is_due and not self.is_held(name) and self.receipts[name] >= self.targets


@pytest.mark.parametrize("seed", range(RUNS))
def test_whatever_happens_nothing_is_gone_that_may_not_be_and_all_goes_that_may(
    made: Callable[..., Scene], tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    targets = frozenset(("usb", "store")[: chance.randint(1, 2)])
    scene, model = made(tmp_path, Rules(Retention(days=3), targets)), Model(3, targets)
    gone: set[str] = set()

    def destroy() -> None:
        """What sync does; a kill comes between doing and telling as often as not."""
        found = scene.store.within(keeping.going)
        for one in found:
            assert model.may_be_gone(one.conversation, scene.clock.utc_ms()), (one, model.calls[one.conversation])
            gone.add(one.conversation)
        if chance.random() < 0.5:
            scene.destroyed(*(one.recording for one in found))

    steps: list[Callable[[], None]] = [
        lambda: _calls(scene, model, chance), lambda: _sends(scene, model, chance), destroy,
        lambda: scene.passes(chance.choice((0.02, 0.3, 1.5))), lambda: _orders(scene, model, chance),
        lambda: _orders(scene, model, chance),
    ]  # fmt: skip
    for _ in range(STEPS):
        chance.choice(steps)()
    for name in model.calls:
        for target in targets - model.receipts[name]:
            if name not in model.erased:
                scene.sent(f"{name}-r1", target)
        model.receipts[name] |= targets
    scene.passes(4)
    for _ in range(20):
        destroy()
    assert {name for name in model.calls if model.may_be_gone(name, scene.clock.utc_ms())} <= gone
    assert isinstance(scene.store.verify(), chain.Head)
    print(f"seed {seed}: calls {len(model.calls)}, erased {len(model.erased)}, gone {len(gone)}, held {model.held}")


def _calls(scene: Scene, model: Model, chance: random.Random) -> None:
    name, customer = f"c{len(model.calls)}", chance.choice((SARA, REZA))
    model.calls[name], model.receipts[name] = (customer, scene.clock.utc_ms()), set()
    scene.call(name, customer)


def _sends(scene: Scene, model: Model, chance: random.Random) -> None:
    """To one target after the other, as sync does; what is erased is not sent any more."""
    for name in list(model.calls):
        for target in sorted(model.targets - model.receipts[name]):
            if name not in model.erased and chance.random() < 0.4:
                scene.sent(f"{name}-r1", target)
                model.receipts[name].add(target)


def _orders(scene: Scene, model: Model, chance: random.Random) -> None:
    about = chance.choice([*model.calls, SARA, REZA])
    names = [about] if about in model.calls else [name for name in model.calls if model.calls[name][0] == about]
    kind = chance.choice((HOLD, RELEASE, ERASE))
    meant = [name for name in names if name not in model.erased]
    try:
        scene.order(kind, about)
    except Problem:
        if kind is HOLD:
            assert about in model.erased
        elif kind is RELEASE:
            assert not model.held.get(about)
        else:
            assert not meant or model.held.get(about) or any(model.is_held(name) for name in meant)
        return
    if kind is HOLD:
        model.held[about] = model.held.get(about, 0) + 1
    elif kind is RELEASE:
        model.held[about] = 0
    else:
        assert not any(model.is_held(name) for name in meant) and not model.held.get(about)
        model.erased.update(meant)


def test_the_event_of_an_erasure_before_this_version_is_read_as_one_without_recordings(scene: Scene) -> None:
    scene.call("c1")
    scene.happened(ConversationErased("c1", "asked", "owner"))
    assert scene.going == {} and scene.refused(ERASE, "c1") == "retention.erased"
