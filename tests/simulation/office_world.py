"""A small office that anything may happen to: the box's ground in virtual time, people outside, processes that die.

A ``Life`` is one calls process: everything in its memory is gone when it is killed, and the next one starts from the
database file and the file of legs, by the same function as on the box (calls/restart.py). Media is a process of its own
that dies apart. What people do is drawn when it is their turn; the model (model.py) sees only what passes here.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast
from unittest import mock

import sqlcipher3.dbapi2

from appliance.calls import restart
from appliance.calls.office import Office
from appliance.calls.runtime import KeptLegs
from appliance.calls.settings import Agent, CalledLine, Calls, Queue
from appliance.calls.switchboard import Switchboard
from appliance.clock import VirtualClock
from appliance.flow.load import load
from appliance.flow.model import Flow
from appliance.ids import uuid7
from appliance.media import port as media
from appliance.media.client import MediaState
from appliance.media.loopback import LoopbackMedia
from appliance.records import database, ledger, schema
from appliance.records.events import Happened
from appliance.records.store import Store
from appliance.records.writer import LINGER_SECONDS, DirectWriter, Work
from appliance.signalling import port as signalling
from appliance.signalling.loopback import Behaviour, Loopback
from appliance.signalling.settings import Phone, Signalling, Trunk
from tests.simulation.model import Model
from tests.simulation.model_seen import Line, Row
from tests.support.virtual_time import VirtualLoop

KEY = bytes(range(32))
MORNING_MS = 1_790_000_000_000
TRUNK = "provider"
OURS = "02188123456"
LOST_SECONDS = 20.0  # after so long without a packet media says that a stream is silent
LONG_AGO_MS = (3_600_000, MORNING_MS - 1_000_000)  # how far back a box without a battery clock may start

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rules:
    """What is drawn once for a run."""

    queues: tuple[Queue, ...]
    agents: tuple[str, ...]
    priority: int  # of those who press 4
    announces_every: int
    waits_at_most: int
    max_calls: int
    kept: int
    most_callbacks: int
    disk_seconds: float  # how long a commit takes

    def lines(self) -> dict[str, Line]:
        return {
            queue.name: Line(
                queue.name,
                queue.rules.agents,
                queue.later_seconds,
                queue.prefer_seconds,
                queue.callback_first == "agent",
                queue.callback_attempts,
                queue.callback_spacing_minutes * 60,
                queue.callback_expires_hours * 3600,
            )
            for queue in self.queues
        }


def drawn_rules(chance: random.Random) -> Rules:
    agents = tuple(f"agent{number}" for number in range(1, chance.randint(1, 4) + 1))
    queues = []
    for number in range(1, chance.choice((1, 1, 2, 3)) + 1):
        members = chance.sample(agents, chance.randint(1, len(agents)))
        later = tuple(members[1:]) if len(members) > 1 and chance.random() < 0.25 else ()
        queues.append(
            Queue(
                name=f"q{number}",
                agents=tuple(members[:1] if later else members),
                later=later,
                later_seconds=chance.choice((10.0, 30.0)),
                strategy=chance.choice(("in_order", "longest_idle", "round_robin", "ring_all")),
                ring_seconds=chance.choice((6.0, 12.0, 20.0)),
                wrap_up_seconds=chance.choice((0.0, 0.0, 10.0, 30.0)),
                most_waiting=chance.choice((0, 0, 0, 2)),
                misses=chance.choice((1, 2, 3)),
                after_misses="pause",  # what the model of who is offered what knows
                pause_seconds=chance.choice((15.0, 60.0)),
                prefer_seconds=chance.choice((0.0, 0.0, 15.0)),
                callback_first=chance.choice(("agent", "customer")),
                callback_attempts=chance.choice((1, 2, 3)),
                callback_spacing_minutes=chance.choice((0.5, 1.0, 2.0)),
                callback_expires_hours=chance.choice((0.15, 1.0)),
            )
        )
    max_calls = chance.choice((0, 0, 3, 4, 6))
    return Rules(
        tuple(queues),
        agents,
        priority=chance.choice((0, 0, 5)),
        announces_every=chance.choice((10, 45)),
        waits_at_most=chance.choice((40, 300)),
        max_calls=max_calls,
        kept=chance.choice((1, 1, 2)) if max_calls else 1,
        most_callbacks=chance.choice((1, 2, 4)),
        disk_seconds=chance.choice((0.002, 0.002, 0.02, 0.8)),
    )


_FLOW = """[flow]
name = "welcome"
start = "hello"
languages = ["fa", "en"]
max_seconds = 900
[variables]
code = "digits"
other = "digits"
[node.hello]
kind = "notice"
prompt = "hello"
next = "main"
[node.main]
kind = "menu"
prompt = "main_menu"
timeout_seconds = 5
attempts = 2
wrong_prompt = "wrong"
timeout_prompt = "nothing"
on_failure = "say1"
[node.main.keys]
4 = "sayvip"
5 = "ask1"
9 = "english"
{keys}
[node.english]
kind = "goto"
language = "en"
next = "main"
[node.sayvip]
kind = "say"
prompt = "to_q1_{priority}"
next = "vip"
[node.vip]
kind = "enqueue"
queue = "q1"
priority = {priority}
announce = "place"
every_seconds = {every}
whole_seconds = {whole}
leave_key = "1"
on_leave = "ask1"
on_nobody = "busy1"
next = "bye"
[node.bye]
kind = "goodbye"
prompt = "bye"
[node.sorry]
kind = "goodbye"
prompt = "sorry"
"""
_QUEUE = """[node.say{n}]
kind = "say"
prompt = "to_q{n}_0"
next = "line{n}"
[node.line{n}]
kind = "enqueue"
queue = "q{n}"
announce = "place"
every_seconds = {every}
whole_seconds = {whole}
leave_key = "1"
on_leave = "ask{n}"
on_nobody = "busy{n}"
next = "bye"
[node.busy{n}]
kind = "menu"
prompt = "busy"
timeout_seconds = 4
attempts = 1
on_failure = "bye"
[node.busy{n}.keys]
1 = "ask{n}"
2 = "say{n}"
[node.ask{n}]
kind = "menu"
prompt = "ask_q{n}"
timeout_seconds = 4
attempts = 2
on_failure = "keep{n}"
[node.ask{n}.keys]
1 = "keep{n}"
2 = "number{n}"
[node.number{n}]
kind = "digits"
prompt = "number_q{n}"
into = "other"
least = 11
most = 11
timeout_seconds = 5
attempts = 1
next = "give{n}"
on_failure = "sorry"
[node.give{n}]
kind = "callback"
queue = "q{n}"
number = "{{other}}"
into = "code"
next = "given{n}"
on_failure = "sorry"
[node.keep{n}]
kind = "callback"
queue = "q{n}"
into = "code"
next = "kept{n}"
on_failure = "sorry"
[node.kept{n}]
kind = "goodbye"
prompt = "kept_q{n}"
outcome = "callback"
[node.given{n}]
kind = "goodbye"
prompt = "given_q{n}"
outcome = "callback"
"""


def flow_of(rules: Rules) -> Flow:
    numbers = range(1, len(rules.queues) + 1)
    settings = {"every": rules.announces_every, "whole": rules.waits_at_most}
    text = _FLOW.format(keys="\n".join(f'{n} = "say{n}"' for n in numbers), priority=rules.priority, **settings)
    return load(text + "".join(_QUEUE.format(n=n, **settings) for n in numbers), "welcome.toml")


def seconds_of(piece: media.Piece) -> float:
    return 1.0 if piece.path.startswith("tone:") else 3.0


def e164(national: str) -> str:
    return f"+98{national[1:]}" if national else ""


def template(folder: Path) -> Path:
    """A database with its tables and nothing in them, to be copied for each run."""
    with unencrypted():
        Store(folder / "template.db", KEY, VirtualClock(MORNING_MS)).close()
    return folder / "template.db"


@contextlib.contextmanager
def unencrypted(has_tables: bool = False) -> Iterator[None]:
    """What a kill leaves of a database is the same without a cipher; thousands of runs are twice as fast."""

    def connect(uri: str, _key: bytes) -> database.Connection:
        made = sqlcipher3.dbapi2.connect(
            uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        return cast("database.Connection", made)

    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(database, "_connect", connect))
        if has_tables:
            stack.enter_context(mock.patch.object(schema.migrations, "apply", return_value=None))
        yield


class Disk(DirectWriter):
    """Commits as the writer's thread does: a while after ``put``, and not at once when asked to."""

    def __init__(self, store: Store, world: World) -> None:
        super().__init__(store)
        self.is_dead = False
        self._world = world
        self._is_scheduled = False

    def put(self, happened: Happened) -> None:
        if self.is_dead:
            return
        super().put(happened)
        if not self._is_scheduled:
            self._is_scheduled = True
            self._world.loop.call_later(LINGER_SECONDS, self._write)

    def _write(self) -> None:
        self._is_scheduled = False
        self.flush_now()

    def flush_now(self) -> None:
        if not self.is_dead:
            super().flush_now()

    async def flush(self) -> None:
        await asyncio.sleep(self._world.disk_seconds())
        self.flush_now()

    async def call(self, work: Work[T]) -> T:
        await asyncio.sleep(self._world.disk_seconds())
        self.flush_now()
        return work(self._store)


class Legs(KeptLegs):
    """The file of legs of a process that may be dead: then its timers write nothing any more."""

    is_dead = False

    def keep(self, key: signalling.LegKey) -> None:
        if not self.is_dead:
            super().keep(key)

    def forget(self, leg: str) -> None:
        if not self.is_dead:
            super().forget(leg)


class LineOf:
    """Signalling as one process sees it."""

    def __init__(self, world: World) -> None:
        self.is_dead = False
        self._world = world

    def submit(self, command: signalling.Command) -> None:
        if not self.is_dead:
            self._world.submitted(command)


class MouthOf:
    """Media as one process sees it: the client's machine, and whatever media process is there."""

    def __init__(self, world: World) -> None:
        self.is_dead = False
        self.state = MediaState(lambda: uuid7(world.clock.utc_ms()))
        self._world = world

    def submit(self, command: media.Command) -> None:
        if self.is_dead:
            return
        self.state.commanded(command, self._world.clock.monotonic())
        self._world.mouthed(command)
        if self._world.media is not None:
            self._world.media.submit(command)

    def accepts(self) -> bool:
        return self._world.media is not None and self._world.media.accepts()


class Life:
    """One calls process, from its start to its death."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.clock = restart.BoxClock(world.clock)
        self.store = Store(world.folder / "calls.db", KEY, self.clock)
        self.clock.not_before(self.store.within(ledger.last_moment))
        self.records = Disk(self.store, world)
        self.kept = Legs(world.folder / "legs.jsonl")
        self.line, self.mouth = LineOf(world), MouthOf(world)
        rules = world.rules
        self.office = Office(
            box="test",
            boot="",
            settings=Calls(
                lines=(CalledLine(name="office", trunk=TRUNK, flow="welcome"),),
                agents=tuple(Agent(name=name, phone=name.replace("agent", "desk")) for name in rules.agents),
                queues=rules.queues,
                most_callbacks=rules.most_callbacks,
                kept_for_callers=rules.kept,
            ),
            sip=Signalling(
                trunks=(Trunk(name=TRUNK, proxy="192.0.2.9", registers=False, max_calls=rules.max_calls),),
                phones=tuple(Phone(name=name.replace("agent", "desk")) for name in rules.agents),
            ),
            line=self.line,
            mouth=self.mouth,
            records=self.records,
            clock=self.clock,
            flows={"welcome": world.flow},
            prompts=Path("/prompts"),
            changed=lambda: None,
            verify=lambda _sealed: None,
            is_clock_sure=self.clock.is_sure,
        )
        restart.recall(self.office, self.store)
        self.switchboard = Switchboard(self.office, self.kept)
        self.switchboard.shut()

    async def kill(self) -> None:
        """All that was in memory is gone: nothing that still runs of it reaches anything."""
        self.line.is_dead = self.mouth.is_dead = self.records.is_dead = self.kept.is_dead = True
        self.switchboard.callbacks.stop()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.store.close()


class World:
    """``scenes`` (people.py) say what people do; this is the ground that they and the box stand on."""

    def __init__(self, folder: Path, chance: random.Random, empty: Path) -> None:
        self.folder, self.chance = folder, chance
        self.rules = drawn_rules(chance)
        self.flow = flow_of(self.rules)
        self.clock = VirtualClock(MORNING_MS)
        self.loop = VirtualLoop(self.clock)
        self.line = Loopback(self._signalled, self.clock, keeps_legs=True)
        self.loop.sources.append(self.line)
        self.media: LoopbackMedia | None = None
        self._start_media()
        shutil.copy(empty, folder / "calls.db")
        rules = self.rules
        self.model = Model(rules.lines(), rules.max_calls, rules.kept, rules.most_callbacks)
        self.life: Life | None = None
        self.present: set[str] = set()
        self.on_dial: Callable[[signalling.Dial], Behaviour | None] = lambda _dial: None
        self._by_info: dict[str, bool] = {}  # legs: whether their keys come by INFO
        self._was_shown = False
        self._vanished: set[str] = set()
        self._prepared: dict[str, signalling.Dial] = {}  # INVITEs that wait until they are written down
        self._missed: list[signalling.Offered] = []  # INVITEs that are repeated while nobody answers
        self._talks: dict[str, tuple[str, str]] = {}  # recordings of a media process that died: id, conversation
        self.loop.set_exception_handler(self._fault)

    @property
    def now(self) -> float:
        return self.clock.monotonic()

    def disk_seconds(self) -> float:
        return self.rules.disk_seconds * self.chance.uniform(0.2, 1.0)

    def later(self, seconds: float, action: Callable[..., object], *args: object) -> None:
        self.loop.call_later(seconds, action, *args)

    def _fault(self, _loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        self.model.fail("always", f"a fault: {context.get('message')} {context.get('exception')!r}")

    # Signalling -------------------------------------------------------------------------------------------------------

    def submitted(self, command: signalling.Command) -> None:
        """What the box says to the network."""
        model, now = self.model, self.now
        match command:
            case signalling.Dial(leg, signalling.ToPhone(phone), _, caller):
                name = phone.replace("desk", "agent")
                model.rings_agent(now, leg, name, caller.name, e164(caller.number))
                behaviour = self.on_dial(command)
                if behaviour is not None and name in self.present:
                    self.line.phones[phone] = behaviour
            case signalling.Dial(leg, signalling.ToTrunk(_, number), waits=True):
                self._prepared[leg] = command
            case signalling.Go(leg) if leg in self._prepared:
                dial = self._prepared.pop(leg)
                assert isinstance(dial.to, signalling.ToTrunk)
                model.dials(now, leg, e164(dial.to.number), self._committed_attempt(leg))
                self.line.outside = self.on_dial(dial) or Behaviour()
            case signalling.Dial(leg, signalling.ToTrunk(_, number)):
                model.fail("row 3", f"{number} is dialled by an INVITE that nobody has written down")
            case signalling.Answer(leg):
                model.answers(now, leg)
            case signalling.Refuse(leg, code) if leg in model.callers:
                model.refuses(now, leg, code)
            case signalling.HangUp(leg):
                model.gone(now, leg)
            case _:  # a word on the way, or about a leg of another process
                pass
        self.line.submit(command)

    def _committed_attempt(self, leg: str) -> tuple[str, str, str] | None:
        assert self.life is not None
        with self.life.store.transaction() as db:
            row = db.execute(
                "SELECT request.id, queue, state FROM attempt JOIN request ON request.id = attempt.request"
                " WHERE leg = ?",
                (leg,),
            ).fetchone()
        return (row[0], row[1], row[2]) if row else None

    def _signalled(self, event: signalling.Event) -> None:
        """What the network says to the box."""
        match event:
            case signalling.Answered(leg):
                self.model.picks_up(self.now, leg)
            case signalling.Refused(leg, code):
                self.model.turned_down(self.now, leg, code)
            case signalling.HungUp(leg):
                self.model.gone(self.now, leg)
            case signalling.Offered() if self.life is None and self.chance.random() < 0.5:
                self._missed.append(event)
            case _:
                pass
        if self.life is not None:
            if isinstance(event, signalling.Offered):
                self.model.callers[event.leg].is_known = True
            self.life.switchboard.signalled(event)

    def rings(self, number: str, name: str) -> str:
        """Somebody rings; ``number`` empty: withheld."""
        leg = self.line.call_in(TRUNK, OURS, number, name=name)
        self.model.rings_in(self.now, leg, name, e164(number))
        return leg

    def hangs_up(self, leg: str) -> None:
        if self.line.is_up(leg) and leg not in self._vanished:
            self.model.gone(self.now, leg)
            self.line.hang_up(leg)

    def vanishes(self, leg: str) -> None:
        """The other side is gone without a word; media tells when nothing was heard for long enough."""
        if self.line.is_up(leg) and leg not in self._vanished:
            self._vanished.add(leg)
            self.line.vanish(leg)
            self.later(LOST_SECONDS, lambda: self._mediated(media.MediaSilent(leg, round(LOST_SECONDS))))

    def presses(self, leg: str, key: str) -> None:
        if self.line.is_up(leg) and leg not in self._vanished:
            self.model.presses(self.now, leg, key)
            by_info = self._by_info.setdefault(leg, self.chance.random() < 0.2)
            if self.media is not None and not by_info:
                self.media.press(leg, key)
            else:
                self.line.press(leg, key)

    def appears(self, agent: str) -> None:
        self.present.add(agent)
        self.line.register(agent.replace("agent", "desk"), Behaviour())

    def disappears(self, agent: str) -> None:
        self.present.discard(agent)
        self.line.unregister(agent.replace("agent", "desk"))

    # Media ------------------------------------------------------------------------------------------------------------

    def mouthed(self, command: media.Command) -> None:
        model, now = self.model, self.now
        match command:
            case media.Play(stream, play, pieces, loops):
                *_, language, word = ["", "", *pieces[0].path.split("/")]
                model.plays(now, stream, play, (word,), language if language in ("fa", "en") else "", loops)
            case media.Stop(stream, play):
                model.quiet(now, stream, play)
            case media.Bridge(left, right):
                model.joins(now, left, right)
            case media.Unbridge(stream) | media.Close(stream):
                model.parts(now, stream)
            case _:
                pass

    def _mediated(self, event: media.ClientEvent) -> None:
        if isinstance(event, media.PlayEnded):
            self.model.quiet(self.now, event.stream, event.play)
        if self.life is None:
            return
        if not isinstance(event, media.MediaLost | media.MediaBack | media.RecordingContinued):
            self.life.mouth.state.happened(event)
        self.life.switchboard.mediated(event)

    def _start_media(self) -> None:
        def told(event: media.ClientEvent) -> None:
            if self.media is made:
                self._mediated(event)

        self.media = made = LoopbackMedia(told, self.clock, seconds_of)
        self.loop.sources.append(made)

    def media_dies(self) -> None:
        if self.media is None:
            return
        self.model.note(self.now, "media dies")
        self.model.count("media deaths")
        self.model.is_media_up = False
        lost, self.media = self.media, None
        self.loop.sources.remove(lost)
        for stream in lost._streams.values():
            if stream.recording:
                self._talks[stream.recording] = stream.recording, ""
        if self.life is not None:
            state = self.life.mouth.state
            state.birth, state.lost_at = "", self.now
            self._mediated(media.MediaLost(tuple(state.streams)))

    def media_returns(self) -> None:
        self.model.note(self.now, "media is back")
        self.model.is_media_up, self.model.media_at = True, self.now
        self._start_media()
        if self.life is not None:
            self._connect(self.life)
        recovered, self._talks = list(self._talks), {}
        for recording in recovered:
            sealed = media.RecordingSealed(recording, "recovered", "", 1, "", "", 1000, 0, 0, 0, 0, 0, 0)
            self.later(1.0, self._mediated, sealed)

    def _connect(self, life: Life) -> None:
        """The client finds a media process that it does not know: everything is said again."""
        assert self.media is not None
        life.mouth.state.birth = birth = str(id(self.media))
        self._mediated(media.Hello(1, birth, True, "", (), 400))
        commands, events = life.mouth.state.replay(self.now)
        for command in commands:
            self.media.submit(command)
        for event in events:
            self._mediated(event)

    # The calls process ------------------------------------------------------------------------------------------------

    async def starts(self) -> None:
        life = self.life = Life(self)
        if self.media is not None:
            self._connect(life)
        missed, self._missed = self._missed, []
        for offered in missed:
            if self.line.is_up(offered.leg):
                self._signalled(offered)
        await restart.resume(life.switchboard, life.kept.left_over)
        self.model.restarted(self.now, *self._owed())

    async def dies(self) -> None:
        assert self.life is not None
        life, self.life = self.life, None
        with life.store.transaction() as db:
            cut_off = [
                row[0]
                for row in db.execute(
                    "SELECT customer FROM conversation LEFT JOIN cdr ON cdr.conversation = conversation.id"
                    " WHERE cdr.conversation IS NULL AND direction = 'in' AND is_withheld = 0 AND total_ms IS NULL"
                )
            ]
        self.life = life
        rows, attempts = self._owed()
        self.life = None
        self.model.killed(self.now, rows, cut_off, attempts)
        await life.kill()

    def _owed(self) -> tuple[list[Row], list[str]]:
        """Requests and unfinished attempts as they are on the disk."""
        assert self.life is not None
        with self.life.store.transaction() as db:
            rows = [
                Row(*row)
                for row in db.execute("SELECT id, customer, queue, state FROM request WHERE what = 'callback'")
            ]
            attempts = [row[0] for row in db.execute("SELECT leg FROM attempt WHERE ended IS NULL")]
        return rows, attempts

    def owed(self) -> set[str]:
        """Every call that is owed to somebody, as it is on the disk."""
        assert self.life is not None
        with self.life.store.transaction() as db:
            return {
                row[0]
                for row in db.execute(
                    "SELECT id FROM request WHERE what IN ('callback', 'promise', 'missed')"
                    " AND state IN ('open', 'doing')"
                )
            }

    def look(self) -> None:
        """Once a second, and before what happens next: what the box says of itself."""
        life = self.life
        engaged: list[str] = []
        shown: list[str] = []
        page: dict[str, str] = {}
        if life is not None:
            engaged = list(life.office.floor.engaged())
            if engaged or self._was_shown:
                picture = life.switchboard.snapshot()
                shown = [call.agent for call in picture.calls if call.agent]
                page = {agent.name: agent.doing for agent in picture.agents}
        self._was_shown = bool(shown)
        self.model.second(self.now, engaged, shown, page, self.line.is_up)

    def read(self) -> None:
        if self.life is not None:
            self.model.committed(self.now, self._owed()[0])

    def outcomes(self) -> Iterator[tuple[str, str]]:
        assert self.life is not None
        with self.life.store.transaction() as db:
            yield from db.execute("SELECT leg, outcome FROM attempt WHERE ended IS NOT NULL").fetchall()

    def set_clock(self, back_ms: int) -> None:
        """The wall clock is so far back; 0: it is right."""
        right = MORNING_MS
        self.clock._utc_ms_at_zero = right - back_ms
        is_sure = back_ms == 0
        self.model.note(self.now, f"the clock is {back_ms / 1000:.0f} s back")
        if is_sure and not self.model.is_clock_sure:
            self.model.sure_since = self.now
        self.model.is_clock_sure = is_sure

    def counters(self) -> Mapping[str, int]:
        assert self.life is not None
        return self.life.office.counters
