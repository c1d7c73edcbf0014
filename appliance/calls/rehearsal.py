"""Tests of a flow as real calls: SIP and RTP over this machine's loopback, through the box's own processes.

Each case is a call of a user agent of its own to an office whose hours, servers and people are those of the case's
scene. Every prompt is replaced by a third of a second of sound that is unlike any other, so that what the caller's ear
hears names itself; what comes out is the same ``Trail`` as in virtual time, and ``script.verdict`` judges both.
Some calls run beside each other, each in an office with a media process of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from appliance.calls.desk import Asked, Reply
from appliance.calls.office import Office
from appliance.calls.parties import FRAME_BYTES, HOME, OUTSIDE, Caller, Telephone
from appliance.calls.settings import Agent as Person
from appliance.calls.settings import CalledLine, Calls, Queue
from appliance.calls.switchboard import Switchboard
from appliance.clock import SystemClock
from appliance.errors import Problem
from appliance.flow import model
from appliance.flow.catalogue import House
from appliance.flow.model import Flow
from appliance.flow.run import TICK_PLAY
from appliance.flow.script import Case
from appliance.flow.trial import HangsUp, Hears, Presses, Scene, SceneWorld, Speaks, Step, Trail, Waits, reply_of
from appliance.media import port as media
from appliance.media.client import MediaClient
from appliance.recorder import keys
from appliance.records import events
from appliance.records.events import Happened, State
from appliance.records.writer import Work
from appliance.signalling import port as signalling
from appliance.signalling.agent import Agent
from appliance.signalling.settings import Phone, Signalling, Trunk

AT_ONCE = 4
MARK_FRAMES = 15  # 0.3 s
QUIET_SECONDS = 0.2  # behind the last frame of a prompt
START_SECONDS = 60.0
MOST_WAITS = {"timeout_seconds": 4.0, "whole_seconds": 6.0, "ring_seconds": 3.0}
MOST_SECONDS = 240.0  # of one call
PEOPLE_SECRET = "of-a-rehearsal"  # noqa: S105 - of phones that live for one call on the loopback


def play(flow: Flow, house: House, cases: Sequence[Case]) -> list[Trail]:
    """What came of each case, in order."""
    return asyncio.run(_play(flow, house, cases))


async def _play(flow: Flow, house: House, cases: Sequence[Case]) -> list[Trail]:
    with tempfile.TemporaryDirectory(prefix="pasokh-rehearsal-") as folder:
        sounds = Path(folder) / "prompts"
        marks = _marked(house.prompts, sounds)
        waiting = list(enumerate(cases))[::-1]
        trails: dict[int, Trail] = {}

        async def one_stage(number: int) -> None:
            async with _stage(flow, house, Path(folder) / str(number), sounds, marks) as stage:
                while waiting:
                    place, case = waiting.pop()
                    trails[place] = await stage.call(case.scene)

        await asyncio.gather(*(one_stage(number) for number in range(min(AT_ONCE, len(cases)))))
        return [trails[place] for place in range(len(cases))]


def _marked(prompts: Path, into: Path) -> dict[bytes, str]:
    """Sounds of their own for all prompts; the first frame of each, by which it is known, and its name."""
    first: dict[bytes, str] = {}
    for sound in [*prompts.glob("*/*.ulaw"), *prompts.glob("*/*.alaw"), *prompts.glob("*.alaw")]:
        name = sound.stem
        target = into / sound.parent.relative_to(prompts) / f"{name}.alaw"
        target.parent.mkdir(parents=True, exist_ok=True)
        frames = [_frame_of(name, number) for number in range(MARK_FRAMES)]
        target.write_bytes(b"".join(frames))
        first[frames[0]] = name
    return first


def _frame_of(name: str, number: int) -> bytes:
    return hashlib.shake_128(f"{name} {number}".encode()).digest(FRAME_BYTES)


class _Records:
    """What happened, kept for the trail; nothing is written."""

    def __init__(self) -> None:
        self.happened: list[Happened] = []

    def put(self, happened: Happened) -> None:
        self.happened.append(happened)

    async def flush(self) -> None:
        return

    async def call(self, work: Work[object]) -> object:
        raise Problem("records.no_database", file=str(work))


@dataclass(slots=True)
class _SceneAnswers:
    scene: Scene = field(default_factory=Scene)
    is_asked: bool = False

    async def answer(self, asked: Asked) -> Reply:
        self.is_asked = True
        try:
            await asyncio.sleep(0.05)
            is_ok, values, reason = reply_of(self.scene, asked.question)
            return Reply(is_ok, values, reason)
        finally:
            self.is_asked = False


class _RunningWorld(SceneWorld):
    """The scene's moment goes on with the real clock."""

    def __init__(self, scene: Scene, house: House) -> None:
        super().__init__(scene, house.calendars)
        self._began = time.monotonic()
        self._at_ms = scene.at_ms

    def utc_ms(self) -> int:
        self.now_ms = self._at_ms + round(1000 * (time.monotonic() - self._began))
        return self.now_ms


class _Noted:
    """A mouth that notes what the flow begins to say."""

    def __init__(self, mouth: MediaClient, saying: set[int]) -> None:
        self._mouth = mouth
        self._saying = saying

    def submit(self, command: media.Command) -> None:
        if isinstance(command, media.Play) and command.play < TICK_PLAY:
            self._saying.add(command.play)
        self._mouth.submit(command)

    def accepts(self) -> bool:
        return self._mouth.accepts()


@contextlib.asynccontextmanager
async def _stage(  # type: ignore[no-untyped-def] # an iterator of _Stage, closed at the end
    flow: Flow, house: House, folder: Path, sounds: Path, marks: dict[bytes, str]
):
    stage = _Stage(flow, house, folder, sounds, marks)
    try:
        await stage.start()
        yield stage
    finally:
        await stage.stop()


class _Stage:
    """An office with a media process, a caller and the phones of its people."""

    def __init__(self, flow: Flow, house: House, folder: Path, sounds: Path, marks: dict[bytes, str]) -> None:
        self._flow = hurried(flow)
        self._house = house
        self._folder = folder
        self._sounds = sounds
        self._marks = marks
        self._clock = SystemClock()
        self._records = _Records()
        self._answers = _SceneAnswers()
        self._people = sorted(set(_people(flow))) or ["nobody"]
        self._saying: set[int] = set()  # the flow's plays that have not ended
        self._media: asyncio.subprocess.Process | None = None
        self._phones: list[Telephone] = []
        folder.mkdir()

    async def start(self) -> None:
        self._media = await _start_media(self._folder, self._sounds)
        settings = Signalling(
            address=HOME,
            port=0,
            tcp=False,
            trunks=(Trunk(name="caller", proxy=f"{OUTSIDE}:9", registers=False, sources=(OUTSIDE,)),),
            phones=tuple(Phone(name=name) for name in self._people),
        )
        self._agent = Agent(settings, lambda _name: PEOPLE_SECRET, self._clock, self._signalled)
        self._mouth = MediaClient(self._folder / "media-1.sock", self._clock, self._mediated)
        people = tuple(Person(name=name, phone=name) for name in self._people)
        queues = {node.queue for node in self._flow.nodes.values() if isinstance(node, model.Enqueue)}
        self._office = Office(
            box="rehearsal",
            boot="",
            settings=Calls(
                lines=(CalledLine(name="rehearsal", trunk="caller", flow=self._flow.name),),
                agents=people,
                queues=tuple(Queue(name=name, agents=tuple(self._people)) for name in queues),
                may_dial=("mobile", "landline", "short", "premium", "foreign", "unknown"),
            ),
            sip=settings,
            line=self._agent,
            mouth=_Noted(self._mouth, self._saying),
            records=self._records,  # type: ignore[arg-type] # asks no store
            clock=self._clock,
            flows={self._flow.name: self._flow},
            prompts=self._sounds,
            changed=lambda: None,
            verify=lambda _sealed: None,
            calendars=self._house.calendars,
        )
        self._office.answers = self._answers
        self._switchboard = Switchboard(self._office, None)
        self._mouth.start()
        await self._agent.start()
        self._phones = [Telephone(self._agent.port, name, PEOPLE_SECRET) for name in self._people]
        for phone in self._phones:
            await phone.start()
        async with asyncio.timeout(START_SECONDS):
            while not (self._mouth.accepts() and len(self._office.registered) == len(self._phones)):  # noqa: ASYNC110 - two processes come up by themselves
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        for phone in self._phones:
            await phone.stop()
        if hasattr(self, "_agent"):
            await self._switchboard.drain(2.0)
            await self._agent.stop()
            self._mouth.stop()
        if self._media is not None and self._media.returncode is None:
            self._media.terminate()
            await self._media.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def call(self, scene: Scene) -> Trail:
        """One call, from ringing to its record."""
        self._records.happened.clear()
        self._saying.clear()
        self._answers.scene = scene
        self._office.world = lambda _facts: _RunningWorld(scene, self._house)
        self._office.settings = _with_language(self._office.settings, scene.language)
        for phone in self._phones:
            phone.behave(scene.agents == "answer", scene.talk_seconds)
        caller = Caller(self._agent.port, self._marks)
        await caller.start(scene.called, scene.caller)
        began = time.monotonic()
        failed: int | None = None
        missing = ""
        try:
            async with asyncio.timeout(MOST_SECONDS):
                failed, missing = await self._steps(scene.steps, caller)
                while failed is None and not self._is_over(caller):
                    await self._wait(caller)
        except TimeoutError:
            failed, missing = len(scene.steps), ""
        finally:
            caller.hang_up()
        seconds = time.monotonic() - began
        while self._switchboard.sessions:  # noqa: ASYNC110 - ends by itself within the seal's wait
            await asyncio.sleep(0.05)
        await caller.stop()
        return Trail(self._nodes(), tuple(caller.heard), self._outcome(), seconds, failed, missing)

    # What the caller does ---------------------------------------------------------------------------------------------

    async def _steps(self, scene_steps: Sequence[Step], caller: Caller) -> tuple[int | None, str]:
        for number, step in enumerate(scene_steps):
            missing = await self._step(step, caller)
            if missing is not None:
                return number, missing
        return None, ""

    async def _step(self, step: Step, caller: Caller) -> str | None:
        """As trial.Trial takes it: what did not fit, or None."""
        match step:
            case Presses(keys=pressed, is_early=is_early):
                if is_early:
                    await asyncio.sleep(0.05)
                else:
                    await self._listen(caller)
                if self._is_over(caller):
                    return ""
                for key in pressed:
                    if key == "#" and self._is_taking_message():
                        await asyncio.sleep(1.2)
                    await caller.press(key)
            case Waits():
                await self._listen(caller)
                if self._is_over(caller):
                    return ""
                await self._wait(caller)
            case Hears(prompts):
                await self._listen(caller)
                for prompt in prompts:
                    try:
                        caller.marked = caller.heard.index(prompt, caller.marked) + 1
                    except ValueError:
                        return prompt
            case Speaks(seconds):
                await self._listen(caller)
                if self._is_over(caller) or not self._is_taking_message():
                    return ""
                await asyncio.sleep(max(1.2, min(seconds, 3.0)))
                await caller.press("#")
                await asyncio.sleep(0.2)
            case HangsUp():
                await self._listen(caller)
                caller.hang_up()
        return None

    async def _listen(self, caller: Caller) -> None:
        """Until the box has nothing more to say and waits for a key, or the call is over."""
        while not self._is_over(caller):
            is_busy = self._answers.is_asked or self._saying or self._state() not in (State.MENU, None)
            quiet = time.monotonic() - max(caller.heard_at, caller.acted_at)
            if caller.is_up and not is_busy and quiet > QUIET_SECONDS:
                return
            await asyncio.sleep(0.03)

    async def _wait(self, caller: Caller) -> None:
        """Nothing is pressed until the box speaks again or goes on."""
        before = len(caller.heard), len(self._nodes())
        while not self._is_over(caller) and (len(caller.heard), len(self._nodes())) == before:  # noqa: ASYNC110 - looks at the box's state
            await asyncio.sleep(0.03)
        await self._listen(caller)

    def _is_over(self, caller: Caller) -> bool:
        return caller.has_ended

    def _state(self) -> State | None:
        return next((session.state for session in self._switchboard.sessions.values()), None)

    def _is_taking_message(self) -> bool:
        nodes = self._nodes()
        node = self._flow.nodes[nodes[-1]] if nodes else None
        return isinstance(node, model.Voicemail) or (isinstance(node, model.Survey) and node.question == "comment")

    # What came of it --------------------------------------------------------------------------------------------------

    def _nodes(self) -> tuple[str, ...]:
        return tuple(each.node for each in self._records.happened if isinstance(each, events.NodeEntered))

    def _outcome(self) -> str:
        closed = [each for each in self._records.happened if isinstance(each, events.ConversationClosed)]
        return (closed[-1].detail or "abandoned") if closed else "endless"

    def _signalled(self, event: signalling.Event) -> None:
        asyncio.get_running_loop().call_soon(self._switchboard.signalled, event)

    def _mediated(self, event: media.ClientEvent) -> None:
        if isinstance(event, media.PlayEnded):
            self._saying.discard(event.play)
        asyncio.get_running_loop().call_soon(self._switchboard.mediated, event)


def hurried(flow: Flow) -> Flow:
    """The flow with shorter waits: nobody is rung for minutes, and silence is not listened to for long."""
    nodes: dict[str, model.Node] = {}
    for name, node in flow.nodes.items():
        waits = {
            setting: min(getattr(node, setting), most)
            for setting, most in MOST_WAITS.items()
            if setting in model.forms(type(node))
        }
        nodes[name] = dataclasses.replace(node, **waits)
    return dataclasses.replace(flow, nodes=nodes)


def _people(flow: Flow) -> Iterator[str]:
    for node in flow.nodes.values():
        if isinstance(node, model.Call):
            yield from node.agents
        elif isinstance(node, model.Enqueue):
            yield "queue"
        elif isinstance(node, model.Transfer) and "{" not in node.to:
            yield node.to


def _with_language(settings: Calls, language: str) -> Calls:
    (line,) = settings.lines
    changed = CalledLine(name=line.name, trunk=line.trunk, flow=line.flow, language="en" if language == "en" else "fa")
    return Calls(lines=(changed,), agents=settings.agents, queues=settings.queues, may_dial=settings.may_dial)


async def _start_media(folder: Path, sounds: Path) -> asyncio.subprocess.Process:
    """The media process of the box, with an owner's key that nobody keeps."""
    keys.install(keys.recipients_file(folder / "data"), keys.new_identity().recipient())
    settings = folder / "pasokh.toml"
    first = 10_000 + (os.getpid() * 37 + int(folder.name) * 800) % 20_000 // 2 * 2
    settings.write_text(
        f'[box]\ndata_folder = "{folder}/data"\nrun_folder = "{folder}"\nsecrets_folder = "{folder}/secrets"\n'
        f'[media]\nprompts_folder = "{sounds}"\nfirst_port = {first}\nlast_port = {first + 200}\n'
    )
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "appliance", "media", "--config", str(settings), stderr=asyncio.subprocess.DEVNULL
    )
