"""Random lives of lamps under loss, doubling, delay, restarts and moves; what the telephone knows is held against them.

The telephones answer as real ones do: 200 to what they know, 481 to what they have forgotten, sometimes 503. The oracle
sees only what passes between box and telephone.
"""

from __future__ import annotations

import heapq
import itertools
import os
import random
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.signalling import lamps, wire
from appliance.signalling.port import LampState, ShowLamp, ShowMessages
from appliance.signalling.subscriptions import GAP_SECONDS
from appliance.signalling.transactions import LIFE, Peer
from tests.signalling.given import SETTINGS, Bench, reply
from tests.signalling.watching import Desk, Lamp
from tests.support.watcher import Told, read

WALKS = 10_000 if os.environ.get("PASOKH_LONG") else 60
EXTENSIONS = ("201", "202")
PHONES = ("desk1", "desk2")
QUIET_SECONDS = 2 * LIFE + 10

numbers = st.integers(0, 3)
MOVES = st.one_of(
    st.tuples(st.just("show"), st.sampled_from(EXTENSIONS), st.sampled_from(list(LampState))),
    st.tuples(st.just("show"), st.sampled_from(EXTENSIONS), st.sampled_from(list(LampState))),
    st.tuples(st.just("messages"), st.sampled_from(EXTENSIONS), numbers),
    st.tuples(st.just("wait"), st.just(""), st.sampled_from([0.01, 0.2, 0.6, 3.0, 35.0, 200.0])),
    st.tuples(st.sampled_from(["watch", "watch", "messages-watch", "once"]), st.sampled_from(EXTENSIONS), numbers),
    st.tuples(
        st.sampled_from(["renew", "take-back", "restart", "vanish", "return", "move", "busy"]), st.just(""), numbers
    ),
)


@dataclass
class Seen:
    """One subscription as it passes on the wire. ``outcome`` of each NOTIFY: the final status that reached the box."""

    sent: list[tuple[float, Told]] = field(default_factory=list)
    outcome: dict[int, int] = field(default_factory=dict)
    answered_at: dict[int, float] = field(default_factory=dict)
    is_forgotten: bool = False  # by the telephone


class Walk:
    def __init__(self, seed: int, loss: float) -> None:
        self.chance, self.loss = random.Random(seed), loss
        self.bench = Bench(replace(SETTINGS, requests_per_second=100_000), seed=seed)
        self.places = itertools.count(30)
        self.desks = {name: Desk(self.bench, self._place(), name) for name in PHONES}
        self.lamps: dict[str, list[Lamp]] = {name: [] for name in PHONES}
        self.seen: dict[str, Seen] = {}  # by Call-ID
        self.gone: set[str] = set()  # telephones that hear nothing
        self.is_busy: set[str] = set()  # that answer 503 once
        self.read = 0
        self.air: list[tuple[float, int, bytes | wire.Request, Peer]] = []
        self.count = itertools.count()
        self.shown: dict[tuple[str, str], str] = {}
        for extension in EXTENSIONS:
            self.show(ShowLamp(extension, LampState.DARK))
            self.show(ShowMessages(extension, 0))
        for each in self.desks.values():
            each.register()

    def _place(self) -> Peer:
        return Peer("udp", (f"192.168.1.{next(self.places)}", 5062))

    def show(self, shown: lamps.Shown) -> None:
        state = (
            shown.state.value if isinstance(shown, ShowLamp) else f"{'yes' if shown.waiting else 'no'} {shown.waiting}"
        )
        self.shown[lamps.event_of(shown), shown.extension] = state
        self.bench.submit(shown)

    # The network ------------------------------------------------------------------------------------------------------

    def carry(self) -> None:
        """What the box has said since: on its way, lost, or twice."""
        for message, peer in self.bench.sent[self.read :]:
            if isinstance(message, wire.Request) and message.method == "NOTIFY":
                self._noted(message)
                self._send(message, peer)
        self.read = len(self.bench.sent)

    def _noted(self, message: wire.Request) -> None:
        seen, told = self.seen.setdefault(message.headers.get("call-id") or "", Seen()), read(message)
        if seen.sent and seen.sent[-1][1].cseq == told.cseq:
            return  # repeated
        assert told.cseq == len(seen.sent) + 1 and told.version in (told.cseq - 1, -1)
        if seen.sent:
            then, before = seen.sent[-1]
            code = seen.outcome.get(before.cseq)
            assert code is not None, "a NOTIFY while another is under way"
            assert 200 <= code < 300 or code == 503, f"a NOTIFY after {code}"
            assert not before.is_last, "a NOTIFY after the last"
            assert told.is_last or self.bench.now >= then + GAP_SECONDS - 1e-9
        seen.sent.append((self.bench.now, told))

    def _send(self, what: bytes | wire.Request, peer: Peer) -> None:
        for _ in range(1 + (self.chance.random() < 0.1)):
            if self.chance.random() >= self.loss:
                at = self.bench.now + self.chance.choice((0.001, 0.02, 0.3, 1.5))
                heapq.heappush(self.air, (at, next(self.count), what, peer))

    def wait(self, seconds: float) -> None:
        until = self.bench.now + seconds
        while True:
            self.carry()
            deadline = self.bench.heart.deadline
            moments = [each for each in (deadline, self.air[0][0] if self.air else None) if each is not None]
            if not moments or min(moments) > until:
                break
            self.bench.wait(max(0.0, min(moments) - self.bench.now))
            self.carry()
            while self.air and self.air[0][0] <= self.bench.now:
                _, _, what, peer = heapq.heappop(self.air)
                self._arrived(what, peer)
        self.bench.wait(until - self.bench.now)
        self.carry()
        self.bench.heart.phones_turned(self.bench.registrar.due(self.bench.now), self.bench.now)

    def _arrived(self, what: bytes | wire.Request, peer: Peer) -> None:
        if isinstance(what, bytes):
            answer = wire.parse(what)
            assert isinstance(answer, wire.Response)
            seen = self.seen[answer.headers.get("call-id") or ""]
            cseq = int((answer.headers.get("cseq") or "").split()[0])
            seen.outcome.setdefault(cseq, answer.code)
            self.bench.receive(what, peer)
            return
        name = next((name for name, desk in self.desks.items() if desk.peer == peer), None)
        if name is None or name in self.gone:
            return
        known = self.seen[what.headers.get("call-id") or ""]
        if name in self.is_busy:
            self.is_busy.discard(name)
            self._send(reply(what, 503, "Retry-After: 5"), peer)
        else:
            self._send(reply(what, 481 if known.is_forgotten else 200), peer)

    # The telephones ---------------------------------------------------------------------------------------------------

    def step(self, what: str, extension: str, number: object) -> None:
        name = PHONES[number % 2] if isinstance(number, int) else ""
        if name in self.gone and what != "return":
            return
        match what, number:
            case "show", LampState() as state:
                self.show(ShowLamp(extension, state, call="c", is_caller=self.chance.random() < 0.5))
            case "messages", int(waiting):
                self.show(ShowMessages(extension, waiting))
            case "wait", float(seconds):
                self.wait(seconds)
            case "watch" | "messages-watch" | "once", int():
                event = "message-summary" if what == "messages-watch" else "dialog"
                lamp = self.desks[name].watch(extension, event, *(["Expires: 0"] if what == "once" else []))
                assert lamp.code == 200
                self.lamps[name].append(lamp)
            case "renew" | "take-back", int(which) if self.lamps[name]:
                lamp = self.lamps[name][which % len(self.lamps[name])]
                self.desks[name].renew(lamp, *(["Expires: 0"] if what == "take-back" else []))
                assert lamp.code in (200, 481)
            case "restart", int():
                for lamp in self.lamps[name]:
                    self.seen[lamp.caller.call_id].is_forgotten = True
                self.lamps[name].clear()
            case "vanish", int():
                self.gone.add(name)
            case "return", int():
                self.gone.discard(name)
            case "move", int():
                self.desks[name].register(seen_at=self._place())
            case "busy", int():
                self.is_busy.add(name)
            case _:
                pass
        self.carry()

    def is_right(self) -> None:
        """Everybody hears again; once it is quiet, what each living subscription was told last is so."""
        self.gone.clear()
        self.is_busy.clear()
        self.loss = 0.0
        self.wait(QUIET_SECONDS)
        alive = {each.dialog.call_id: each for each in self.bench.heart.subscriptions._all.values()}
        for call_id, seen in self.seen.items():
            assert seen.sent, "a SUBSCRIBE that was accepted leads to a NOTIFY"
            told = seen.sent[-1][1]
            if call_id in alive:
                assert not alive[call_id].ending and seen.outcome[told.cseq] == 200 and not told.is_last
                assert told.state.partition("/")[0] == self.shown[alive[call_id].key]
            else:
                is_refused = seen.outcome.get(told.cseq, 408) not in (200, 503)
                assert told.is_last or is_refused or told.cseq not in seen.outcome, "ended without a word"


@settings(max_examples=WALKS)
@given(
    seed=st.integers(0, 2**32),
    loss=st.sampled_from([0.0, 0.1, 0.3, 0.6]),
    moves=st.lists(MOVES, min_size=25, max_size=50),
)
def test_what_was_acknowledged_last_is_what_is_so_once_it_is_quiet(
    seed: int, loss: float, moves: list[tuple[str, str, object]]
) -> None:
    walk = Walk(seed, loss)
    for move in moves:
        walk.step(*move)
    walk.is_right()
    walk.bench.heart.subscriptions.stop(walk.bench.now)
    walk.wait(QUIET_SECONDS)
    assert len(walk.bench.heart.subscriptions) == 0 and walk.bench.is_clean
