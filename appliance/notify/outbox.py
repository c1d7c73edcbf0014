"""What is to be sent, when, and when again. A machine in UTC milliseconds, because it outlives the box's restarts.

Each message has a name of its own that follows from what it is about, so the same thing is never planned twice. The
driver writes ``tried`` down before it sends. A message that was taken, or perhaps taken, is over; one that surely was
not is tried again with growing pauses until it is too old. Callers are written to outside the quiet hours only, never
while the clock is in doubt, not above the rate of an hour and not above the owner's measure for one recipient in a day;
what would break a limit waits. What the owner is told has a rate of its own and no quiet hours. The oldest goes first.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import Literal

from appliance.errors import Problem
from appliance.messages.calendar import TEHRAN
from appliance.notify.settings import Notify

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
FIRST_PAUSE_MS, LONGEST_PAUSE_MS = 30_000, 15 * MINUTE_MS

Channel = Literal["sms", "mail"]
Kind = Literal[
    "missed", "callback", "promise", "promise_moved", "promise_kept", "request", "survey",
    "alarm", "alarm_over", "answer",
]  # fmt: skip
TO_OWNER = frozenset({"alarm", "alarm_over", "answer"})


@dataclass(frozen=True, slots=True)
class Notice:
    """One message. ``about`` is a request, a conversation, or the place of an alarm; ``planned`` is UTC ms."""

    name: str
    kind: Kind
    channel: Channel
    about: str
    language: str
    planned: int
    not_before: int = 0
    conversation: str = ""
    to: str = field(default="", repr=False)

    @property
    def last4(self) -> str:
        """All that logs and events know of the recipient."""
        return self.to.partition("@")[0][-4:] if self.channel == "sms" else _hidden(self.to)


@dataclass(slots=True)
class _Waiting:
    notice: Notice
    tries: int = 0
    not_before: int = 0
    is_trying: bool = False


class Outbox:
    """``settings`` say the limits; ``known`` are the names of messages that were planned before."""

    def __init__(self, settings: Notify) -> None:
        self._settings = settings
        self._quiet = quiet_hours(settings)
        self._waiting: dict[str, _Waiting] = {}
        self._known: set[str] = set()
        self._sent: list[tuple[int, str, bool]] = []  # when, to whom, whether to the owner; of the last day

    def __len__(self) -> int:
        return len(self._waiting)

    def know(self, name: str) -> None:
        """This message was planned before the start: it is never planned again."""
        self._known.add(name)

    def count(self, at: int, to: str, is_to_owner: bool) -> None:
        """Something was sent before the start; the limits count it."""
        self._sent.append((at, to, is_to_owner))

    def add(self, notice: Notice) -> bool:
        """A new message, or one that waited before the start (``know`` is not called for it); False for a known one."""
        if notice.name in self._known:
            return False
        self._known.add(notice.name)
        self._waiting[notice.name] = _Waiting(notice, not_before=notice.not_before)
        return True

    def due(self, now: int, is_clock_sure: bool) -> Notice | None:
        """What goes now, if anything does."""
        self._forget(now)
        for waiting in sorted(self._waiting.values(), key=lambda each: each.notice.planned):
            if self._may_go(waiting, now, is_clock_sure):
                return waiting.notice
        return None

    def tried(self, name: str, now: int) -> None:
        """It is being sent: from here on it counts against every limit, whatever comes of it."""
        waiting = self._waiting[name]
        waiting.tries += 1
        waiting.is_trying = True
        self._sent.append((now, waiting.notice.to, waiting.notice.kind in TO_OWNER))

    def over(self, name: str) -> None:
        """Sent, refused, perhaps sent, or needless by now."""
        self._waiting.pop(name, None)

    def again(self, name: str, now: int) -> None:
        """It was surely not taken."""
        waiting = self._waiting[name]
        waiting.is_trying = False
        waiting.not_before = now + min(FIRST_PAUSE_MS * 2 ** (waiting.tries - 1), LONGEST_PAUSE_MS)

    def expired(self, now: int) -> list[Notice]:
        """What is too old to be sent; it is out of the box."""
        longest = round(self._settings.expires_hours * HOUR_MS)
        gone = [
            each.notice
            for each in self._waiting.values()
            if not each.is_trying and now - max(each.notice.planned, each.notice.not_before) > longest
        ]
        for notice in gone:
            del self._waiting[notice.name]
        return gone

    def _may_go(self, waiting: _Waiting, now: int, is_clock_sure: bool) -> bool:
        notice = waiting.notice
        if waiting.is_trying or waiting.not_before > now:
            return False
        recent = [entry for entry in self._sent if now - entry[0] < HOUR_MS]
        if notice.kind in TO_OWNER:
            return sum(is_to_owner for _, _, is_to_owner in recent) < self._settings.alarms_per_hour
        if not is_clock_sure or is_quiet(self._quiet, now):
            return False
        if sum(not is_to_owner for _, _, is_to_owner in recent) >= self._settings.per_hour:
            return False
        to_them = sum(to == notice.to and not is_to_owner for _, to, is_to_owner in self._sent)
        return to_them < self._settings.per_recipient_day

    def _forget(self, now: int) -> None:
        """What is older than a day, or lies in a future that a false clock had shown."""
        self._sent = [entry for entry in self._sent if -HOUR_MS < now - entry[0] < DAY_MS]


def quiet_hours(settings: Notify) -> tuple[int, int]:
    """From and until, in minutes of the day; Problem where a setting is no time."""
    return _minute("quiet_from", settings.quiet_from), _minute("quiet_until", settings.quiet_until)


def is_quiet(quiet: tuple[int, int], now: int) -> bool:
    """Whether callers are left in peace at this moment (UTC ms); the same time twice means never."""
    local = datetime.datetime.fromtimestamp(now / 1000, TEHRAN)
    minute = local.hour * 60 + local.minute
    begins, ends = quiet
    return begins <= minute < ends if begins <= ends else minute >= begins or minute < ends


def _minute(setting: str, text: str) -> int:
    hours, _, minutes = text.partition(":")
    if not (hours.isascii() and hours.isdigit() and minutes.isascii() and minutes.isdigit() and len(minutes) == 2):
        raise Problem("notify.bad_time", setting=setting, value=text[:20])
    if int(hours) > 23 or int(minutes) > 59:
        raise Problem("notify.bad_time", setting=setting, value=text[:20])
    return int(hours) * 60 + int(minutes)


def _hidden(address: str) -> str:
    """An address without the person in it."""
    person, _, server = address.partition("@")
    return f"{person[:1]}...@{server}" if server else ""
