"""A flow as data: the nodes a caller may stand at. Frozen, complete, and checked before any caller meets it.

A field's name is its setting in the file, and its *form* (``form_of``) says what the file may hold there: the loader,
the checks and the drawing all read the forms, so a new kind of node is one dataclass here and its walk in run.py.
Times are seconds. Prompts are names without language or ending; ``{variable:kind}`` among them, or in a prompt's text,
is a value that is spoken (kinds: appliance.saying).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

KEYS = "0123456789*#"

Type = Literal["text", "number", "digits", "secret", "yes_no", "moment"]

# Variables that are there without being set; a flow cannot set them.
FACTS: Mapping[str, Type] = {
    "caller": "digits",
    "called": "digits",
    "line": "text",
    "language": "text",
    "now": "moment",
    "calls_now": "number",
    "calls_waiting": "number",
    "place": "number",  # in the line: 1 is next
    "wait_least": "number",  # minutes, as a range; not known where too few were served lately
    "wait_most": "number",
    "calls_missed": "number",
    "requests_open": "number",
    "holidays_to_confirm": "number",
    "is_night": "yes_no",
    "is_outage": "yes_no",
}
# Variables that nodes set by themselves: hours where it is not open; promises, and what finds a request that is due.
GIVEN: Mapping[str, Type] = {"next_open": "moment", "request_due": "moment"}


@dataclass(frozen=True, slots=True)
class Form:
    """What a setting holds: ``what`` is one of node, prompts, text, texts, seconds, count, keys, answers, languages,
    language, choice, flag, variable, values, cases, template, key."""

    what: str
    least: float = 0
    most: float = 0
    choices: tuple[str, ...] = ()
    type: Type | None = None  # of the variable that it sets


def _is(what: str, *bounds: float, choices: tuple[str, ...] = (), sets: Type | None = None) -> Mapping[str, Form]:
    least, most = bounds or (0, 0)
    return {"form": Form(what, least, most, choices, sets)}


def _node() -> Any:
    return field(metadata=_is("node"))


def _way() -> Any:
    """A node that need not be named."""
    return field(default="", metadata=_is("node"))


def _prompts() -> Any:
    return field(metadata=_is("prompts"))


def _maybe_prompts() -> Any:
    return field(default=(), metadata=_is("prompts"))


def _timeout() -> Any:
    return field(metadata=_is("seconds", 1, 60))


def _attempts(usual: int) -> Any:
    return field(default=usual, metadata=_is("count", 1, 10))


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """Plays prompts; a key press cuts them short and is kept for the next menu."""

    kind: ClassVar[str] = "say"
    prompt: tuple[str, ...] = _prompts()
    next: str = _node()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Tells that the call is recorded. It cannot be cut short; recording may start after its end."""

    kind: ClassVar[str] = "notice"
    prompt: tuple[str, ...] = _prompts()
    next: str = _node()


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """Asks whether the call may be recorded: 1 is yes, 2 is no, silence is no."""

    kind: ClassVar[str] = "consent"
    prompt: tuple[str, ...] = _prompts()
    timeout_seconds: float = _timeout()
    attempts: int = _attempts(2)
    wrong_prompt: tuple[str, ...] = _maybe_prompts()
    timeout_prompt: tuple[str, ...] = _maybe_prompts()
    on_yes: str = _node()
    on_no: str = _node()


@dataclass(frozen=True, slots=True, kw_only=True)
class Menu:
    """Asks for one key. A wrong key and silence count together; after ``attempts`` the walk goes to ``on_failure``."""

    kind: ClassVar[str] = "menu"
    prompt: tuple[str, ...] = _prompts()
    keys: Mapping[str, str] = field(metadata=_is("keys"))
    timeout_seconds: float = _timeout()
    on_failure: str = _node()
    attempts: int = _attempts(3)
    wrong_prompt: tuple[str, ...] = _maybe_prompts()
    timeout_prompt: tuple[str, ...] = _maybe_prompts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Digits:
    """Asks for several keys and keeps them in a variable; ``confirm`` reads them back and asks for 1 (right) or 2."""

    kind: ClassVar[str] = "digits"
    prompt: tuple[str, ...] = _prompts()
    into: str = field(metadata=_is("variable", sets="digits"))
    least: int = field(default=1, metadata=_is("count", 1, 30))
    most: int = field(default=30, metadata=_is("count", 1, 30))
    terminator: str = field(default="#", metadata=_is("key"))
    timeout_seconds: float = _timeout()
    between_seconds: float = field(default=4, metadata=_is("seconds", 1, 20))
    attempts: int = _attempts(3)
    wrong_prompt: tuple[str, ...] = _maybe_prompts()
    timeout_prompt: tuple[str, ...] = _maybe_prompts()
    confirm: str = field(default="", metadata=_is("choice", choices=("digits", "phone", "code", "number", "toman")))
    confirm_prompt: tuple[str, ...] = _maybe_prompts()
    next: str = _node()
    on_failure: str = _node()


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """Asks for the language by a key; who presses nothing keeps the one that is spoken."""

    kind: ClassVar[str] = "language"
    prompt: tuple[str, ...] = _prompts()
    keys: Mapping[str, str] = field(metadata=_is("languages"))
    timeout_seconds: float = _timeout()
    next: str = _node()


@dataclass(frozen=True, slots=True, kw_only=True)
class Goto:
    """Goes on elsewhere, perhaps in another language."""

    kind: ClassVar[str] = "goto"
    next: str = _node()
    language: str = field(default="", metadata=_is("language"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Goes on by whether the calendar's business is open; ways that are not named are those of ``on_closed``.

    While the clock is in doubt nobody is told "closed": without ``on_doubt`` the walk goes to ``on_open``. Where it is
    not open, ``next_open`` is set.
    """

    kind: ClassVar[str] = "hours"
    calendar: str = field(metadata=_is("text"))
    on_open: str = _node()
    on_closed: str = _node()
    on_break: str = _way()
    on_holiday: str = _way()
    on_night: str = _way()
    on_doubt: str = _way()


@dataclass(frozen=True, slots=True, kw_only=True)
class Enqueue:
    """Waits in a line for an agent. ``leave_key`` takes the caller to ``on_leave``.

    Who has a higher ``priority`` may overtake, but lets nobody wait more than twice as long as in order of arrival.
    ``announce`` is said at the beginning and every so often: ``place``, ``wait_least`` and ``wait_most`` (minutes) are
    known then; a prompt whose value is not known is left out. ``offer`` is added once the caller has waited so long:
    another way is offered there, which ``leave_key`` takes at any moment. ``on_full`` is taken where the line is full,
    ``on_absent`` where none of its agents is there (without it they are waited for); without them, ``on_nobody``.
    """

    kind: ClassVar[str] = "enqueue"
    queue: str = field(metadata=_is("text"))
    whole_seconds: float = field(default=600, metadata=_is("seconds", 3, 3600))
    leave_key: str = field(default="", metadata=_is("key"))
    priority: int = field(default=0, metadata=_is("count", 0, 9))
    announce: tuple[str, ...] = _maybe_prompts()
    every_seconds: float = field(default=45, metadata=_is("seconds", 10, 600))
    offer: tuple[str, ...] = _maybe_prompts()
    offer_after_seconds: float = field(default=60, metadata=_is("seconds", 0, 3600))
    on_leave: str = _way()
    on_full: str = _way()
    on_absent: str = _way()
    on_nobody: str = _node()
    next: str = _way()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Rings agents in order. ``next`` is where the caller goes when the agent hangs up first; empty: the end."""

    kind: ClassVar[str] = "call"
    agents: tuple[str, ...] = field(metadata=_is("texts"))
    on_nobody: str = _node()
    ring_seconds: float = field(default=20.0, metadata=_is("seconds", 3, 300))
    whole_seconds: float = field(default=120.0, metadata=_is("seconds", 3, 3600))
    next: str = _way()


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Rings a number, an extension, or what a variable holds, through the outbound policy."""

    kind: ClassVar[str] = "transfer"
    to: str = field(metadata=_is("template"))
    ring_seconds: float = field(default=30.0, metadata=_is("seconds", 3, 300))
    on_failure: str = _node()
    next: str = _way()


@dataclass(frozen=True, slots=True, kw_only=True)
class Voicemail:
    """Records a message after the prompt, until a key; its tracking code goes into a variable."""

    kind: ClassVar[str] = "voicemail"
    prompt: tuple[str, ...] = _prompts()
    what: Literal["message", "complaint"] = field(
        default="message", metadata=_is("choice", choices=("message", "complaint"))
    )
    most_seconds: float = field(default=120, metadata=_is("seconds", 5, 600))
    terminator: str = field(default="#", metadata=_is("key"))
    into: str = field(default="", metadata=_is("variable", sets="digits"))
    next: str = _node()
    on_failure: str = _node()


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """Keeps a place in a queue without holding the line; its tracking code goes into a variable."""

    kind: ClassVar[str] = "callback"
    queue: str = field(default="", metadata=_is("text"))
    number: str = field(default="{caller}", metadata=_is("template"))
    calendar: str = field(default="", metadata=_is("text"))
    into: str = field(default="", metadata=_is("variable", sets="digits"))
    next: str = _node()
    on_failure: str = _node()


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """Promises a call within so many minutes of opening time (of ``calendar``, where one is named)."""

    kind: ClassVar[str] = "promise"
    about: str = field(metadata=_is("template"))
    within_minutes: int = field(metadata=_is("count", 1, 20_160))
    number: str = field(default="{caller}", metadata=_is("template"))
    calendar: str = field(default="", metadata=_is("text"))
    into: str = field(default="", metadata=_is("variable", sets="digits"))
    next: str = _node()
    on_failure: str = _node()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Opens a request or complaint in the box's ledger; its tracking code goes into a variable."""

    kind: ClassVar[str] = "request"
    what: Literal["request", "complaint"] = field(
        default="request", metadata=_is("choice", choices=("request", "complaint"))
    )
    about: str = field(default="", metadata=_is("template"))
    into: str = field(metadata=_is("variable", sets="digits"))
    next: str = _node()
    on_failure: str = _node()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """Asks for a tracking code and finds its request; ``on_due`` is for open ones with a time (``request_due``)."""

    kind: ClassVar[str] = "tracking"
    prompt: tuple[str, ...] = _prompts()
    timeout_seconds: float = _timeout()
    attempts: int = _attempts(3)
    wrong_prompt: tuple[str, ...] = _maybe_prompts()
    timeout_prompt: tuple[str, ...] = _maybe_prompts()
    on_open: str = _node()
    on_due: str = _way()
    on_done: str = _node()
    on_unknown: str = _node()


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """One question about the call: csat (1 to 5), nps (two digits, 00 to 10), resolved (1 yes, 2 no), or a comment."""

    kind: ClassVar[str] = "survey"
    question: Literal["csat", "nps", "resolved", "comment"] = field(
        metadata=_is("choice", choices=("csat", "nps", "resolved", "comment"))
    )
    prompt: tuple[str, ...] = _prompts()
    timeout_seconds: float = _timeout()
    attempts: int = _attempts(2)
    wrong_prompt: tuple[str, ...] = _maybe_prompts()
    most_seconds: float = field(default=30, metadata=_is("seconds", 5, 120))
    next: str = _node()


@dataclass(frozen=True, slots=True, kw_only=True)
class Identify:
    """Proves who calls: a PIN against the box's list, or a code sent by SMS. What is pressed is secret."""

    kind: ClassVar[str] = "identify"
    method: Literal["pin", "code"] = field(metadata=_is("choice", choices=("pin", "code")))
    identity: str = field(default="{caller}", metadata=_is("template"))
    prompt: tuple[str, ...] = _prompts()
    least: int = field(default=4, metadata=_is("count", 3, 12))
    most: int = field(default=8, metadata=_is("count", 3, 12))
    timeout_seconds: float = _timeout()
    attempts: int = field(default=3, metadata=_is("count", 1, 3))
    wrong_prompt: tuple[str, ...] = _maybe_prompts()
    timeout_prompt: tuple[str, ...] = _maybe_prompts()
    on_yes: str = _node()
    on_no: str = _node()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Asks one of the owner's servers, two seconds at most; what it finds is in the variables ``into`` names."""

    kind: ClassVar[str] = "lookup"
    lookup: str = field(metadata=_is("text"))
    into: tuple[str, ...] = field(metadata=_is("variables"))
    wait_prompt: tuple[str, ...] = _maybe_prompts()
    next: str = _node()
    on_failure: str = _node()


@dataclass(frozen=True, slots=True, kw_only=True)
class Faq:
    """A menu of answers: each key plays its prompt and asks again; ``keys`` lead elsewhere."""

    kind: ClassVar[str] = "faq"
    prompt: tuple[str, ...] = _prompts()
    answers: Mapping[str, tuple[str, ...]] = field(metadata=_is("answers"))
    keys: Mapping[str, str] = field(metadata=_is("keys"))
    timeout_seconds: float = _timeout()
    attempts: int = _attempts(3)
    wrong_prompt: tuple[str, ...] = _maybe_prompts()
    timeout_prompt: tuple[str, ...] = _maybe_prompts()
    on_failure: str = _node()


@dataclass(frozen=True, slots=True, kw_only=True)
class Set:
    """Sets variables: to a text with ``{variables}``, a number, or true or false."""

    kind: ClassVar[str] = "set"
    values: Mapping[str, str | int | bool] = field(metadata=_is("values"))
    next: str = _node()


@dataclass(frozen=True, slots=True, kw_only=True)
class Choose:
    """Goes on by a variable: by a value itself, or for numbers ``<5``, ``<=5``, ``>5`` or ``>=5``; the first fits."""

    kind: ClassVar[str] = "choose"
    variable: str = field(metadata=_is("used"))
    cases: Mapping[str, str] = field(metadata=_is("cases"))
    otherwise: str = _node()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Plays the outage notice, if one is on, and goes on."""

    kind: ClassVar[str] = "outage"
    next: str = _node()


ACTIONS = (
    "night_on",
    "night_off",
    "closed_until",  # digits: MMDD of the Jalali year, the next such day; 0 takes it back
    "open_until",
    "divert_on",
    "divert_off",
    "outage_on",
    "outage_record",  # the notice is spoken by telephone
    "prompt_record",  # number in the reading list: that prompt is spoken by telephone
    "outage_off",
    "sign_off",
    "sign_on",
    "confirm_holidays",  # lunar days of the next three days are as the table has them
    "refuse_holidays",  # or are not
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """Changes how the box answers. Only flows with ``is_internal`` may, behind an identify node."""

    kind: ClassVar[str] = "control"
    action: str = field(metadata=_is("choice", choices=ACTIONS))
    value: str = field(default="", metadata=_is("template"))
    next: str = _node()
    on_failure: str = _node()


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodbye:
    """Says goodbye, if it has prompts, and ends the call. ``outcome`` is a word for the record."""

    kind: ClassVar[str] = "goodbye"
    prompt: tuple[str, ...] = _maybe_prompts()
    outcome: str = field(default="goodbye", metadata=_is("text"))


Node = (
    Say
    | Notice
    | Consent
    | Menu
    | Digits
    | Language
    | Goto
    | Hours
    | Enqueue
    | Call
    | Transfer
    | Voicemail
    | Callback
    | Promise
    | Request
    | Tracking
    | Survey
    | Identify
    | Lookup
    | Faq
    | Set
    | Choose
    | Outage
    | Control
    | Goodbye
)
KINDS: Mapping[str, type[Node]] = {kind.kind: kind for kind in Node.__args__}

PEOPLE = (Call, Enqueue, Transfer)
"""Nodes at which the caller may come to speak with a person."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A value spoken in a prompt: a variable, and a kind of appliance.saying."""

    variable: str
    kind: str


Script = tuple[str | Slot, ...]
"""What a prompt is made of: sounds and values, in the order of its language."""


@dataclass(frozen=True, slots=True)
class Flow:
    """``sha256`` names this very text of the flow; ``lines`` say where in the file a node or its setting stands.

    ``variables`` are the flow's own and their types; ``private`` may be said only to callers who have proven who they
    are. ``scripts`` holds the prompts with values in their text, by language and name.
    """

    name: str
    start: str
    languages: tuple[str, ...]
    nodes: Mapping[str, Node]
    needs_notice: bool = True
    is_internal: bool = False
    max_seconds: float = 900.0
    limit_prompt: tuple[str, ...] = ()
    variables: Mapping[str, Type] = field(default_factory=dict)
    private: frozenset[str] = frozenset()
    sha256: str = ""
    file: str = ""
    lines: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    scripts: Mapping[tuple[str, str], Script] = field(default_factory=dict)

    def line(self, *path: str) -> int:
        """The line of ``node``, or of a setting of it; the nearest that is known."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def type_of(self, variable: str) -> Type | None:
        """The type of a variable, None where there is none of this name."""
        return self.variables.get(variable) or FACTS.get(variable) or GIVEN.get(variable)


_FORMS: Mapping[type[Any], Mapping[str, tuple[Form, bool]]] = {
    kind: {each.name: (each.metadata["form"], each.default is dataclasses.MISSING) for each in dataclasses.fields(kind)}
    for kind in KINDS.values()
}


def forms(kind: type[Any]) -> Mapping[str, tuple[Form, bool]]:
    """Of each setting of a kind of node: its form, and whether the file must have it."""
    return _FORMS[kind]


def follows(node: Node) -> tuple[tuple[str, str], ...]:
    """Where the walk may go from here: pairs of the setting and the node it names."""
    found: list[tuple[str, str]] = []
    for name, (form, _) in forms(type(node)).items():
        value = getattr(node, name)
        if form.what == "node" and value:
            found.append((name, value))
        elif form.what in ("keys", "cases"):
            found += [(f"{name}.{key}", target) for key, target in value.items()]
    return tuple(found)


def prompts_of(node: Node) -> Iterator[tuple[str, str]]:
    """Pairs of the setting and a prompt that it names, values left out."""
    for setting, prompt in spoken_by(node):
        if isinstance(prompt, str):
            yield setting, prompt


def spoken_by(node: Node) -> Iterator[tuple[str, str | Slot]]:
    """Pairs of the setting and what it speaks: prompts and values."""
    for name, (form, _) in forms(type(node)).items():
        value = getattr(node, name)
        if form.what == "prompts":
            yield from ((name, part(each)) for each in value)
        elif form.what == "answers":
            yield from ((f"{name}.{key}", part(each)) for key, prompts in value.items() for each in prompts)


@functools.cache
def part(text: str) -> str | Slot:
    """A prompt's name as it is, or the value that ``{variable:kind}`` asks for."""
    if text.startswith("{") and text.endswith("}"):
        variable, _, kind = text[1:-1].partition(":")
        return Slot(variable, kind)
    return text
