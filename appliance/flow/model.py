"""A flow as data: the nodes a caller may stand at. Frozen, complete, and checked before any caller meets it.

Every reference to another node is a name in ``Flow.nodes``; every prompt is a name without language or ending. Times
are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

KEYS = "0123456789*#"


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """Plays prompts; a key press cuts them short and is kept for the next menu."""

    kind: ClassVar[str] = "say"
    prompts: tuple[str, ...]
    next: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Tells that the call is recorded. It cannot be cut short; recording may start after its end."""

    kind: ClassVar[str] = "notice"
    prompts: tuple[str, ...]
    next: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Menu:
    """Asks for one key. A wrong key and silence count together; after ``attempts`` the walk goes to ``on_failure``."""

    kind: ClassVar[str] = "menu"
    prompts: tuple[str, ...]
    keys: Mapping[str, str]
    timeout_seconds: float
    on_failure: str
    attempts: int = 3
    wrong_prompts: tuple[str, ...] = ()
    timeout_prompts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Goto:
    """Goes on elsewhere, perhaps in another language."""

    kind: ClassVar[str] = "goto"
    next: str
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Rings agents in order. ``next`` is where the caller goes when the agent hangs up first; empty: the end."""

    kind: ClassVar[str] = "call"
    agents: tuple[str, ...]
    on_nobody: str
    ring_seconds: float = 20.0
    whole_seconds: float = 120.0
    next: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUp:
    """Says goodbye, if it has prompts, and ends the call. ``outcome`` is a word for the record."""

    kind: ClassVar[str] = "hangup"
    prompts: tuple[str, ...] = ()
    outcome: str = "goodbye"


Node = Say | Notice | Menu | Goto | Call | HangUp


@dataclass(frozen=True, slots=True)
class Flow:
    """``sha256`` names this very text of the flow; ``lines`` say where in the file a node or its setting stands."""

    name: str
    start: str
    languages: tuple[str, ...]
    nodes: Mapping[str, Node]
    needs_notice: bool = True
    sha256: str = ""
    file: str = ""
    lines: Mapping[tuple[str, ...], int] = field(default_factory=dict)

    def line(self, *path: str) -> int:
        """The line of ``node``, or of a setting of it; the nearest that is known."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def follows(node: Node) -> tuple[tuple[str, str], ...]:
    """Where the walk may go from here: pairs of the setting and the node it names."""
    match node:
        case Say(next=following) | Notice(next=following) | Goto(next=following):
            return (("next", following),)
        case Menu(keys=keys, on_failure=failure):
            return (*((f"keys.{key}", name) for key, name in keys.items()), ("on_failure", failure))
        case Call(on_nobody=nobody, next=following):
            return (("on_nobody", nobody), *((("next", following),) if following else ()))
        case HangUp():
            return ()


def prompts_of(node: Node) -> tuple[tuple[str, str], ...]:
    """Pairs of the setting and a prompt that it names."""
    match node:
        case Say(prompts=prompts) | Notice(prompts=prompts) | HangUp(prompts=prompts):
            return tuple(("prompt", prompt) for prompt in prompts)
        case Menu():
            return (
                *(("prompt", prompt) for prompt in node.prompts),
                *(("wrong_prompt", prompt) for prompt in node.wrong_prompts),
                *(("timeout_prompt", prompt) for prompt in node.timeout_prompts),
            )
        case Goto() | Call():
            return ()
