"""Messages to people, and what they write back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class ReplyReceived:
    """Somebody has sent an SMS to the box. ``reply`` is a name that follows from the gateway's id of it."""

    kind: ClassVar[str] = "reply.received"
    conversation: str  # the one that a survey was about; empty: none
    reply: str
    what: str  # survey, words, stop, start, order, refused (an order), stranger, before (lay there at the first look)
    customer: str  # E.164; empty of strangers and of the owner
    text: str  # of words only


@dataclass(frozen=True, slots=True)
class NoticePlanned:
    """Somebody is to be written to. ``about`` is a request, a conversation or the place of an alarm."""

    kind: ClassVar[str] = "notice.planned"
    conversation: str  # empty: the message is about none
    notice: str
    what: str  # a word of notify.outbox.Kind
    channel: str  # sms, mail
    about: str
    last4: str  # all that is kept of the recipient
    language: str
    not_before: int


@dataclass(frozen=True, slots=True)
class NoticeTried:
    """The message is handed over now: written before it leaves, so that no start sends it a second time."""

    kind: ClassVar[str] = "notice.tried"
    conversation: str
    notice: str


@dataclass(frozen=True, slots=True)
class NoticeEnded:
    """``outcome`` sent, later (not taken; it waits again), refused, unknown, expired or needless."""

    kind: ClassVar[str] = "notice.ended"
    conversation: str
    notice: str
    what: str
    channel: str
    last4: str
    outcome: str
    detail: str
    parts: int
    reference: str  # the gateway's id


@dataclass(frozen=True, slots=True)
class NoticeDelivered:
    """What the gateway says became of a message that it had taken: delivered, undelivered, silent."""

    kind: ClassVar[str] = "notice.delivered"
    conversation: str
    notice: str
    state: str
