"""What is wrong with a flow beyond its form: nothing is left for a caller to find.

Pure: what lies outside the flow (sounds, people, calendars, servers) is told by ``Surroundings``. Every finding is a
Problem with file and line; those in ``ADVICE`` hinder nobody from publishing. graph.py has what is asked of the ways
through a flow.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from appliance.errors import Problem
from appliance.flow import graph, model
from appliance.flow.model import Flow, Node, Slot, follows, forms, prompts_of, spoken_by
from appliance.flow.values import CASE, SPEAKS, names_in

MOST_CHOICES = 7
MOST_KEYS_TO_A_PERSON = 2
MOST_SECONDS_BEFORE_CHOICE = 30.0
ADVICE = frozenset(
    {"flow.many_choices", "flow.long_before_choice", "flow.unused_prompt", "flow.text_missing", "flow.not_recorded"}
)

LengthOf = Callable[[str, str], float]
"""Seconds of a prompt's sound: language, name. 0 where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a flow refers to. None: not known here, so not checked."""

    length_of: LengthOf
    agents: Collection[str] | None = None
    queues: Collection[str] | None = None
    calendars: Collection[str] | None = None
    lookups: Collection[str] | None = None
    may_dial: Callable[[str], bool] | None = None


def check(flow: Flow, around: Surroundings) -> list[Problem]:
    """Everything found, in the order of the file."""
    found = [*_targets(flow), *_unreachable(flow)]
    if not any(
        each.key == "flow.no_such_node" for each in found
    ):  # ways that lead nowhere would be found again by each of these
        found += [*_ways(flow), *_order(flow), *_variables(flow), *_long(flow, around)]
    found += [*_prompts(flow, around), *_slots(flow), *_names(flow, around), *_languages(flow), *_shape(flow)]
    return sorted(found, key=lambda problem: int(problem.fields.get("line", 0)))


def errors(found: list[Problem]) -> list[Problem]:
    """Those with which a flow cannot be published."""
    return [each for each in found if each.key not in ADVICE]


def _problem(flow: Flow, finding: str, node: str, /, *path: str, **fields: str | int | float) -> Problem:
    return Problem(finding, file=flow.file, line=flow.line("node", node, *path), node=node, **fields)


def _targets(flow: Flow) -> Iterator[Problem]:
    for name, node in flow.nodes.items():
        for setting, target in follows(node):
            if target not in flow.nodes:
                known = ", ".join(flow.nodes)
                path = setting.split(".")
                yield _problem(flow, "flow.no_such_node", name, *path, setting=setting, target=target, known=known)


def _unreachable(flow: Flow) -> Iterator[Problem]:
    reached = graph.reached(flow)
    for name in flow.nodes:
        if name not in reached:
            yield _problem(flow, "flow.unreachable", name)


def _ways(flow: Flow) -> Iterator[Problem]:
    """Ending, and never without a person for long."""
    reached = graph.reached(flow)
    circles = graph.silent_circles(flow)
    for circle in circles:
        yield _problem(flow, "flow.endless", circle[0], way=" > ".join([*circle, circle[0]]))
    trapped = graph.trapped(flow) & reached
    told = {name for circle in circles for name in circle}
    for name in flow.nodes:
        if name in trapped - told:
            yield _problem(flow, "flow.trapped", name)
    if flow.is_internal:
        return
    keys = graph.keys_to_a_person(flow)
    for name, node in flow.nodes.items():
        if isinstance(node, model.Menu | model.Faq) and name in reached and name not in trapped:
            needed = keys.get(name)
            if needed is None:
                yield _problem(flow, "flow.no_person", name, most=MOST_KEYS_TO_A_PERSON)
            elif needed > MOST_KEYS_TO_A_PERSON:
                yield _problem(flow, "flow.far_person", name, keys=needed, most=MOST_KEYS_TO_A_PERSON)


def _order(flow: Flow) -> Iterator[Problem]:
    """What must have happened on every way to a node before it."""
    heard = graph.true_on_every_way(flow, graph.announced)
    proven = graph.true_on_every_way(flow, graph.proven)
    has_notice = any(isinstance(node, model.Notice | model.Consent) for node in flow.nodes.values())
    if not flow.needs_notice and has_notice:
        yield Problem("flow.records_before_notice", file=flow.file, line=flow.line("flow", "needs_notice"))
    for name, node in flow.nodes.items():
        if name not in heard:
            continue
        if flow.needs_notice and not heard[name]:
            if isinstance(node, model.Voicemail) or (isinstance(node, model.Survey) and node.question == "comment"):
                yield _problem(flow, "flow.recorded_before_notice", name)
            elif isinstance(node, model.PEOPLE):
                yield _problem(flow, "flow.not_recorded", name)
        if not proven[name]:
            for setting, spoken in _said(flow, node):
                if spoken.variable in flow.private:
                    yield _problem(flow, "flow.told_before_identity", name, *setting.split("."), name=spoken.variable)
            if isinstance(node, model.Control):
                yield _problem(flow, "flow.control_before_identity", name)


def _said(flow: Flow, node: Node) -> Iterator[tuple[str, Slot]]:
    """The values that a node speaks: pairs of the setting and the slot."""
    for setting, each in spoken_by(node):
        if isinstance(each, Slot):
            yield setting, each
            continue
        for language in flow.languages:
            yield from ((setting, part) for part in flow.scripts.get((language, each), ()) if isinstance(part, Slot))


def _used(flow: Flow, node: Node) -> Iterator[tuple[str, str]]:
    """The variables that a node uses: pairs of the setting and the variable."""
    for setting, slot in _said(flow, node):
        yield setting, slot.variable
    for setting, (form, _) in forms(type(node)).items():
        value = getattr(node, setting)
        if form.what == "template":
            yield from ((setting, name) for name in names_in(value))
        elif form.what == "used":
            yield setting, value
        elif form.what == "values":
            for variable, template in value.items():
                if isinstance(template, str):
                    yield from ((f"{setting}.{variable}", name) for name in names_in(template))


def _variables(flow: Flow) -> Iterator[Problem]:
    """Known, set before they are used on every way, and never secret where they would be shown."""
    known = graph.set_on_every_way(flow)
    for name, node in flow.nodes.items():
        for setting, variable in graph.sets(node):
            kind = flow.variables.get(variable)
            if kind is None:
                yield _unknown(flow, name, setting, variable)
        told: set[tuple[str, str]] = set()
        for setting, variable in _used(flow, node):
            if (setting, variable) in told:
                continue
            told.add((setting, variable))
            if flow.type_of(variable) is None:
                yield _unknown(flow, name, setting, variable)
            elif variable not in model.FACTS and name in known and variable not in known[name]:
                yield _problem(flow, "flow.used_before_set", name, *setting.split("."), name=variable)
            if flow.type_of(variable) == "secret":
                yield _problem(flow, "flow.secret_shown", name, *setting.split("."), name=variable)
        if isinstance(node, model.Choose):
            kind = flow.type_of(node.variable)
            for case in node.cases:
                if CASE.fullmatch(case) and kind not in ("number", "moment"):
                    yield _problem(flow, "flow.bad_case", name, "cases", case, case=case, name=node.variable)
        if isinstance(node, model.Digits) and flow.variables.get(node.into) not in (None, "digits", "secret", "number"):
            kind = flow.variables[node.into]
            yield _problem(flow, "flow.wrong_type", name, "into", name=node.into, found=kind, expected="digits, secret")


def _unknown(flow: Flow, node: str, setting: str, variable: str) -> Problem:
    known = ", ".join([*flow.variables, *model.FACTS, *model.GIVEN])
    path = ("node", node, *setting.split("."))
    return Problem("flow.unknown_variable", file=flow.file, line=flow.line(*path), name=variable, known=known)


def _prompts(flow: Flow, around: Surroundings) -> Iterator[Problem]:
    for name, node in flow.nodes.items():
        for setting, prompt in prompts_of(node):
            yield from _missing(flow, around, name, setting, prompt)
    line = flow.line("flow", "limit_prompt")
    for prompt in flow.limit_prompt:
        for language in flow.languages:
            if around.length_of(language, prompt) <= 0:
                yield Problem(
                    "flow.no_prompt", file=flow.file, line=line, node="flow", prompt=prompt, language=language
                )


def _missing(flow: Flow, around: Surroundings, name: str, setting: str, prompt: str) -> Iterator[Problem]:
    for language in flow.languages:
        script = flow.scripts.get((language, prompt))
        sounds = [prompt] if script is None else [each for each in script if isinstance(each, str)]
        if any(around.length_of(language, sound) <= 0 for sound in sounds):
            yield _problem(flow, "flow.no_prompt", name, *setting.split("."), prompt=prompt, language=language)


def _slots(flow: Flow) -> Iterator[Problem]:
    """Values are spoken in a kind that fits their type, and the same ones in each language."""
    for name, node in flow.nodes.items():
        told: set[tuple[str, Slot]] = set()
        for setting, slot in _said(flow, node):
            kind = flow.type_of(slot.variable)
            if (setting, slot) not in told and kind is not None and slot.kind not in SPEAKS[kind]:
                told.add((setting, slot))
                known = ", ".join(SPEAKS[kind]) or "-"
                yield _problem(
                    flow, "flow.bad_slot", name, *setting.split("."),
                    name=slot.variable, found=slot.kind or "-", type=kind, known=known,
                )  # fmt: skip
        for setting, prompt in prompts_of(node):
            values = {
                language: {each.variable for each in flow.scripts.get((language, prompt), ()) if isinstance(each, Slot)}
                for language in flow.languages
            }
            first = flow.languages[0]
            for language in flow.languages[1:]:
                if values[language] != values[first]:
                    differing = ", ".join(sorted(values[language] ^ values[first]))
                    yield _problem(
                        flow, "flow.slots_differ", name, *setting.split("."),
                        prompt=prompt, first=first, second=language, names=differing,
                    )  # fmt: skip


def _names(flow: Flow, around: Surroundings) -> Iterator[Problem]:
    """People, lines, calendars, servers and numbers that are there."""
    for name, node in flow.nodes.items():
        match node:
            case model.Call(agents=agents) if around.agents is not None:
                for agent in agents:
                    if agent not in around.agents:
                        yield _absent(flow, "flow.unknown_agent", name, "agents", around.agents, agent=agent)
            case model.Enqueue(queue=queue) | model.Callback(queue=queue) if around.queues is not None:
                if queue and queue not in around.queues:
                    yield _absent(flow, "flow.unknown_queue", name, "queue", around.queues, queue=queue)
            case model.Hours() if around.calendars is not None and node.calendar not in around.calendars:
                yield _absent(flow, "flow.unknown_hours", name, "calendar", around.calendars, calendar=node.calendar)
            case model.Lookup() if around.lookups is not None and node.lookup not in around.lookups:
                yield _absent(flow, "flow.unknown_lookup", name, "lookup", around.lookups, lookup=node.lookup)
            case model.Transfer(to=to) if around.may_dial is not None and "{" not in to and not around.may_dial(to):
                yield _problem(flow, "flow.forbidden_number", name, "to", number=to)
            case _:
                pass
        calendar = node.calendar if isinstance(node, model.Callback | model.Promise) else ""
        if calendar and around.calendars is not None and calendar not in around.calendars:
            yield _absent(flow, "flow.unknown_hours", name, "calendar", around.calendars, calendar=calendar)


def _absent(flow: Flow, finding: str, node: str, setting: str, known: Collection[str], /, **fields: str) -> Problem:
    return _problem(flow, finding, node, setting, known=", ".join(sorted(known)) or "-", **fields)


def _languages(flow: Flow) -> Iterator[Problem]:
    for name, node in flow.nodes.items():
        spoken: Mapping[str, str] = {}
        if isinstance(node, model.Goto) and node.language:
            spoken = {"language": node.language}
        elif isinstance(node, model.Language):
            spoken = {f"keys.{key}": language for key, language in node.keys.items()}
        for setting, language in spoken.items():
            if language not in flow.languages:
                yield _problem(flow, "flow.unspoken_language", name, *setting.split("."), language=language)


def _shape(flow: Flow) -> Iterator[Problem]:
    """Settings that contradict each other, and menus that nobody can keep in mind."""
    for name, node in flow.nodes.items():
        match node:
            case model.Menu(keys=keys) if len(keys) > MOST_CHOICES:
                yield _problem(flow, "flow.many_choices", name, "keys", count=len(keys), most=MOST_CHOICES)
            case model.Faq(keys=keys, answers=answers):
                if len(keys) + len(answers) > MOST_CHOICES:
                    count = len(keys) + len(answers)
                    yield _problem(flow, "flow.many_choices", name, "answers", count=count, most=MOST_CHOICES)
                for key in keys:
                    if key in answers:
                        yield _problem(flow, "flow.key_twice", name, "answers", key, key=key)
            case model.Digits() | model.Identify():
                if node.least > node.most:
                    yield _problem(flow, "flow.least_over_most", name, "least", least=node.least, most=node.most)
                if isinstance(node, model.Digits) and node.least != node.most and not node.terminator:
                    yield _problem(flow, "flow.no_terminator", name, "most", least=node.least, most=node.most)
                if isinstance(node, model.Digits) and node.confirm and not node.confirm_prompt:
                    yield _problem(flow, "flow.missing_key", name, "confirm", setting="confirm_prompt")
                if isinstance(node, model.Digits) and node.confirm and flow.variables.get(node.into) == "secret":
                    yield _problem(flow, "flow.secret_shown", name, "confirm", name=node.into)
            case model.Enqueue(leave_key=key, on_leave=leave) if bool(key) != bool(leave):
                setting = "on_leave" if key else "leave_key"
                yield _problem(flow, "flow.missing_key", name, "leave_key" if key else "on_leave", setting=setting)
            case model.Control() if not flow.is_internal:
                yield _problem(flow, "flow.control_outside", name)
            case _:
                pass


def _seconds(flow: Flow, around: Surroundings, language: str, prompt: str) -> float:
    """How long a prompt's own words last; the values in it are short."""
    script = flow.scripts.get((language, prompt), (prompt,))
    return sum(around.length_of(language, each) for each in script if isinstance(each, str))


def _long(flow: Flow, around: Surroundings) -> Iterator[Problem]:
    """Prompts that a caller must sit through before the first choice."""
    for language in flow.languages:
        name, seconds = graph.longest_before_choice(flow, lambda prompt: _seconds(flow, around, language, prompt))  # noqa: B023 - called at once
        if seconds > MOST_SECONDS_BEFORE_CHOICE:
            yield _problem(
                flow, "flow.long_before_choice", name,
                seconds=round(seconds), language=language, most=round(MOST_SECONDS_BEFORE_CHOICE),
            )  # fmt: skip
            return
