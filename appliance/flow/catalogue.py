"""The flows of the box: read from their folder with what they refer to, checked, and kept by name.

The room's only adapter to the disk. ``House`` is what a flow's names mean outside the flow: sounds, calendars, people.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import Problem
from appliance.flow.check import Surroundings, check, errors
from appliance.flow.load import MAX_TEXT_BYTES, load
from appliance.flow.model import Flow, Script, Slot, prompts_of
from appliance.flow.trial import USUAL_SECONDS
from appliance.hours.load import load_folder as load_hours
from appliance.hours.model import Hours
from appliance.saying import texts

Flows = Mapping[str, Flow]

PLAYED_BY_THE_BOX = frozenset(
    {
        "outage_notice",
        "callback_brief",
        "promise_brief",
        "missed_brief",
        "message_brief",
        "callback_waited",
        "feature_unknown",
        "feature_no_sense",
        "feature_refused",
        "supervise_nobody",
        "supervise_oneself",
        "supervise_not_allowed",
        "supervise_idle",
        "supervise_taken",
        "switch_night_on",
        "switch_closed_until",
        "switch_open_until",
        "switch_by_hours",
        "promise_made",
        "caller_left",
        "park_slot",
        "park_full",
        "park_empty",
        "agent_there",
        "agent_away",
        "agent_missed",
        "break_next",
        "break_waits",
        "seat_ask_extension",
        "seat_ask_pin",
        "seat_choose_pin",
        "seat_repeat_pin",
        "seat_pin_weak",
        "seat_pin_differs",
        "seat_locked",
        "seat_left",
        "seat_no_pin",
        "pin_wrong",
        "phone_silent",
        "phone_rings",
        "forward_on",
        "forward_off",
        "recording_paused",
        "recording_resumed",
        "recording_nothing",
        "recording_notice",
        "at_time",
        "callback_press",
        "callback_hello",
        "callback_ask_reached",
        "agent_call",
        "agent_call_from",
        "agent_press",
        "agent_wraps_up",
        "caller_blocked",
        "list_next",
        "list_left",
        "list_ask_outcome",
        "list_not_now",
        "list_nobody",
        "list_closed",
        "list_paused",
        "list_not_yours",
    }
)
SOUNDS = (".ulaw", ".alaw")
LEAST_BYTES = 160  # 20 ms of G.711, one packet: anything shorter is heard by nobody
BYTES_A_SECOND = 8000
TRIALS = ".test.toml"  # tests of a flow lie beside it


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What flows refer to. None: not known here, so not checked."""

    prompts: Path
    scripts: Mapping[tuple[str, str], Script]
    calendars: Mapping[str, Hours]
    agents: Collection[str] | None = None
    queues: Collection[str] | None = None
    lookups: Collection[str] | None = None
    may_dial: Callable[[str], bool] | None = None

    @property
    def surroundings(self) -> Surroundings:
        return Surroundings(
            length_of=self.length_of,
            agents=self.agents,
            queues=self.queues,
            calendars=self.calendars,
            lookups=self.lookups,
            may_dial=self.may_dial,
        )

    def length_of(self, language: str, prompt: str) -> float:
        """Seconds of a prompt's sound; 0 where there is none."""
        if prompt.startswith("tone:"):
            return 0.1
        for ending in SOUNDS:
            try:
                size = (self.prompts / language / f"{prompt}{ending}").stat().st_size
            except OSError:
                continue
            if size >= LEAST_BYTES:
                return size / BYTES_A_SECOND
        return 0.0

    def spoken_length(self, language: str, prompt: str) -> float:
        """The same for a call that is not: a sound that is missing lasts as long as most."""
        return self.length_of(language, prompt) or USUAL_SECONDS


def house(
    flows: Path,
    prompts: Path,
    agents: Collection[str] | None = None,
    queues: Collection[str] | None = None,
    lookups: Collection[str] | None = None,
    may_dial: Callable[[str], bool] | None = None,
) -> House:
    """Reads what lies beside the flows: the calendars of ``flows/hours`` and the texts with values."""
    folder = flows / "hours"
    return House(
        prompts=prompts,
        scripts=scripts(prompts),
        calendars=load_hours(folder) if folder.is_dir() else {},
        agents=agents,
        queues=queues,
        lookups=lookups,
        may_dial=may_dial,
    )


def scripts(prompts: Path) -> dict[tuple[str, str], Script]:
    """The prompts whose text speaks values."""
    found: dict[tuple[str, str], Script] = {}
    for language, named in texts.read(prompts).items():
        for name, text in named.items():
            parts = texts.script_of(name, text)
            if parts != (name,):
                found[language, name] = tuple(each if isinstance(each, str) else Slot(*each) for each in parts)
    return found


def load_file(file: Path) -> Flow:
    """One flow, not yet checked and without scripts; Problem where it cannot be read."""
    try:
        if file.stat().st_size > MAX_TEXT_BYTES:
            raise Problem("flow.too_long", file=file.name, most=MAX_TEXT_BYTES)
        text = file.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Problem("flow.unreadable", file=str(file), reason=reason) from error
    return load(text, file.name)


def findings(flow: Flow, house: House) -> list[Problem]:
    """What is wrong with a flow in this house, and what could be better."""
    return check(furnished(flow, house), house.surroundings)


def unused(flows: Collection[Flow], house: House) -> list[Problem]:
    """Texts of prompts that none of these flows plays, and those that one language has and another lacks: advice."""
    named = texts.read(house.prompts)
    played = {prompt for flow in flows for node in flow.nodes.values() for _, prompt in prompts_of(node)}
    played |= {prompt for flow in flows for prompt in flow.limit_prompt} | PLAYED_BY_THE_BOX
    everywhere = {prompt for prompts in named.values() for prompt in prompts}
    found: list[Problem] = []
    for language, prompts in named.items():
        file = f"{language}.toml"
        found += [
            Problem("flow.unused_prompt", file=file, prompt=prompt, language=language)
            for prompt in prompts
            if prompt not in played
        ]
        found += [
            Problem("flow.text_missing", file=file, prompt=prompt, language=language)
            for prompt in sorted(everywhere - prompts.keys())
        ]
    return found


def furnished(flow: Flow, house: House) -> Flow:
    """The flow with the scripts of the prompts that speak values."""
    return dataclasses.replace(flow, scripts=house.scripts)


def load_folder(path: Path, house: House, walked: Collection[str] | None = None) -> Flows:
    """Every flow of the folder, compiled and checked; raises the first Problem with which it could not be published.

    Flows that are not ``walked`` (None: all are) may name people and servers that are not there.
    """
    anywhere = dataclasses.replace(house, agents=None, queues=None, lookups=None)
    if not path.is_dir():
        raise Problem("flow.unreadable", file=str(path), reason="no such folder")
    flows: dict[str, Flow] = {}
    for file in flow_files(path):
        flow = load_file(file)
        if flow.name in flows:
            raise Problem("flow.twice", file=file.name, line=flow.line("flow", "name"), name=flow.name)
        for problem in errors(findings(flow, house if walked is None or flow.name in walked else anywhere)):
            raise problem
        flows[flow.name] = furnished(flow, house)
    return flows


def flow_files(path: Path) -> list[Path]:
    """The flows of a folder, without their tests."""
    return [file for file in sorted(path.glob("*.toml")) if not file.name.endswith(TRIALS)]
