"""A conversation: its legs, what was heard and chosen in it, its end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class State(StrEnum):
    """What a conversation is doing; the times in all states add up to its length exactly."""

    RINGING = "ringing"  # the customer's leg is not answered yet
    MENU = "menu"  # hears the flow
    WAITING = "waiting"  # an agent is being rung
    TALKING = "talking"
    HOLD = "hold"


class Outcome(StrEnum):
    SERVED = "served"  # an agent and the customer were connected
    ABANDONED = "abandoned"  # the customer left before that, by hanging up
    FINISHED = "finished"  # the flow came to its end by itself
    REFUSED = "refused"  # never answered: no line, no capacity
    CRASHED = "crashed"  # a process of the box died under it
    FAILED = "failed"  # a fault of the box or the network ended it


@dataclass(frozen=True, slots=True)
class ConversationOpened:
    """``customer`` is E.164 where it could be read, else as it arrived; empty for withheld."""

    kind: ClassVar[str] = "conversation.opened"
    conversation: str
    direction: str  # in, out
    line: str
    trunk: str
    called: str
    customer: str
    customer_as_arrived: str
    customer_name: str
    is_withheld: bool
    flow: str
    flow_hash: str
    language: str


@dataclass(frozen=True, slots=True)
class StateEntered:
    kind: ClassVar[str] = "conversation.state"
    conversation: str
    state: State
    offset_ms: int


@dataclass(frozen=True, slots=True)
class QueueJoined:
    """The customer was offered to a waiting line, by the menu or by an agent."""

    kind: ClassVar[str] = "queue.joined"
    conversation: str
    queue: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class NodeEntered:
    kind: ClassVar[str] = "flow.node"
    conversation: str
    node: str
    node_kind: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class DigitTaken:
    """A key press that the flow consumed (never one of a secret step)."""

    kind: ClassVar[str] = "flow.digit"
    conversation: str
    node: str
    digit: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class LanguageChosen:
    kind: ClassVar[str] = "conversation.language"
    conversation: str
    language: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class LegOpened:
    """``role`` is customer or agent; ``party`` an E.164 number or the agent's name; ``via`` a trunk or phone."""

    kind: ClassVar[str] = "leg.opened"
    conversation: str
    leg: str
    role: str
    party: str
    via: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class LegAnswered:
    kind: ClassVar[str] = "leg.answered"
    conversation: str
    leg: str
    codec: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class LegEnded:
    """``cause`` is a word of signalling.port.Cause; MOS times ten and loss in thousandths of what we received."""

    kind: ClassVar[str] = "leg.ended"
    conversation: str
    leg: str
    cause: str
    code: int
    offset_ms: int
    mos10: int | None = None
    lost_permille: int | None = None


@dataclass(frozen=True, slots=True)
class LegMoved:
    """A leg that another conversation had is this one's from here on (a transfer with Replaces)."""

    kind: ClassVar[str] = "leg.moved"
    conversation: str
    leg: str
    role: str
    party: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class CustomerPassedOn:
    """A step of a transfer. ``how``: keys, refer, replaces, park (into a slot, for anybody to take).

    ``state``: asked, parked, asking (the other side speaks with the agent), done, back (the agent has the customer
    again), recalled (was rung again for that), line (the customer waits in a line), left (the customer hung up), lost
    (nobody).
    """

    kind: ClassVar[str] = "call.passed_on"
    conversation: str
    agent: str  # who passes on
    target: str
    how: str
    state: str
    detail: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class CallForwarded:
    """``whom`` was dialled and has calls sent to ``to``."""

    kind: ClassVar[str] = "call.forwarded"
    conversation: str
    whom: str
    to: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class CallCameBack:
    """What we passed to extension ``number`` of a peer came back from there for ``to``.

    ``state``: followed (it is rung here instead), passed_on (the extension had answered, and gave the customer away),
    loop (it would go round; nothing is rung).
    """

    kind: ClassVar[str] = "call.came_back"
    conversation: str
    peer: str
    number: str
    to: str
    state: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class Supervised:
    """Somebody listens to an agent's call. ``mode``: listen, whisper (only the agent hears them), join (both do).

    ``state``: started, mode (another one), ended (``detail``: left, agent_left, customer_left), refused (``detail``:
    why; it stands in the supervisor's own call, unless they came too late for another one). ``recording`` is what holds
    the supervisor's own voice; empty: nothing does.
    """

    kind: ClassVar[str] = "call.supervised"
    conversation: str
    supervisor: str
    agent: str  # refused: as it was dialled
    leg: str
    state: str
    mode: str
    detail: str
    recording: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class MediaInterrupted:
    """The media process died under the conversation and took it up again ``gap_ms`` later."""

    kind: ClassVar[str] = "media.interrupted"
    conversation: str
    gap_ms: int
    offset_ms: int


@dataclass(frozen=True, slots=True)
class ConversationClosed:
    """All legs have ended; the record closes when its recordings are sealed or lost (<= 5 s)."""

    kind: ClassVar[str] = "conversation.closed"
    conversation: str
    outcome: Outcome
    detail: str
    agent: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class RecordClosed:
    """The CDR of the conversation stands (``revision`` 1); later facts raise the revision."""

    kind: ClassVar[str] = "record.closed"
    conversation: str


@dataclass(frozen=True, slots=True)
class ConversationErased:
    """The bodies of everything before about this conversation are erased; their commitments and this stay.

    ``recordings`` are to be destroyed wherever they lie: on the box and at every target.
    """

    kind: ClassVar[str] = "conversation.erased"
    conversation: str
    reason: str
    actor: str
    recordings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DialRefused:
    """A call to the outside, or the wish to be called back, was refused: ``reason`` is a word of outbound.Refusal."""

    kind: ClassVar[str] = "dial.refused"
    conversation: str
    trunk: str
    number: str
    number_kind: str  # a word of numbers.Kind
    reason: str
    purpose: str  # callback, transfer, divert, request, agent, ...
    offset_ms: int


@dataclass(frozen=True, slots=True)
class SurveyAnswered:
    """A later answer to the same question replaces the one before. A comment's value is its seconds."""

    kind: ClassVar[str] = "survey.answered"
    conversation: str
    question: str  # csat, nps, resolved, comment
    value: int
    node: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class Identified:
    """Who the caller is was proven, or could not be; ``identity`` is an id, never what was pressed."""

    kind: ClassVar[str] = "caller.identified"
    conversation: str
    method: str  # pin, code
    is_proven: bool
    identity: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class MessageTaken:
    """A stretch of the recording is a message: where it lies, and the request that it opened."""

    kind: ClassVar[str] = "message.taken"
    conversation: str
    what: str  # message, complaint, comment
    request: str
    begins_ms: int
    ends_ms: int


@dataclass(frozen=True, slots=True)
class LookedUp:
    """One of the owner's servers was asked; what it said is not kept."""

    kind: ClassVar[str] = "flow.lookup"
    conversation: str
    node: str
    lookup: str
    is_found: bool
    reason: str
    milliseconds: int
    offset_ms: int
