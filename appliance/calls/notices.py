"""Writes to people what the box has to say: plans from what happened, sends one at a time, keeps what came of it.

A task of the calls process beside its loop: what waits for a server waits here and nowhere else (SMS within the
gateway's budget, e-mail in a thread of its own). ``NoticeTried`` is on the disk before anything leaves; a message that
a crash found under way is ``unknown`` and never sent again. The full number of a caller is in no event of these: it is
read from the request or the conversation when the message goes, and screened then like a call.

One thing can be lost: what happened in the last tenth of a second before a crash and was not planned yet.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import shutil
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, get_args

from appliance.clock import Clock
from appliance.errors import Problem
from appliance.lookup.gateway import Gateway, Outcome
from appliance.messages import Language
from appliance.messages.calendar import DAY_MS
from appliance.notify import texts
from appliance.notify.alarms import Alarm, Alarms, Over, Raised
from appliance.notify.mail import Post
from appliance.notify.outbox import TO_OWNER, Channel, Kind, Notice, Outbox
from appliance.notify.parts import count as parts_of
from appliance.notify.ready import Writing
from appliance.notify.texts import Facts
from appliance.records import events, notices
from appliance.records.events import Happened
from appliance.records.notices import Subject
from appliance.records.writer import Records
from appliance.signalling import numbers

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
SETTLE_MS = 60_000  # who was missed may ring again, or be rung, within a minute
REFUSED_MS = 3_600_000  # so long a recording that was refused counts as a fault
FAILING = 3  # messages in a row that were not taken are a finding
LOW_SHARE = 0.05  # of the disk
POLL_SECONDS = (30, 120, 600, 3600, 21_600)  # after sending; then nobody asks any more
_KINDS: Mapping[str, Kind] = {kind: kind for kind in get_args(Kind)}
_STILL = {"missed": {"open", "doing"}, "callback": {"open", "doing"}, "promise": {"open", "doing"}}

Facing = Callable[[], Mapping[str, Problem]]
"""What is wrong with the box now, by its place."""


class House(Protocol):
    """What must be known of the business: ``calls.office.Office``."""

    box: str
    clock: Clock
    records: Records

    @property
    def is_clock_sure(self) -> Callable[[], bool]: ...

    def callback_number(self, number: str, trunk: str) -> tuple[str, str]:
        """The number in E.164 and why it may not be called; empty where it may."""
        ...

    def count(self, what: str) -> None: ...


class Notices:
    """``faults`` are looked at every few seconds; ``found`` is told what is wrong with writing itself.

    ``hindered`` is why nothing may be sent at all: a secret that lies open.
    """

    def __init__(
        self,
        writing: Writing,
        office: House,
        ways: tuple[Gateway, Post],
        data: Path,
        language: Language,
        faults: Facing,
        found: Callable[[str, Problem | None], None],
        hindered: Problem | None = None,
    ) -> None:
        self._writing = writing
        self._office = office
        self._gateway, self._post = ways
        self._data = data
        self._language = language
        self._faults = faults
        self._found = found
        self._hindered = hindered
        self._outbox = Outbox(writing.notify)
        self._alarms = Alarms(round(writing.notify.alarm_minutes * 60_000), {})
        self._inbox: deque[Happened] = deque()
        self._news = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mail")
        self._refused: tuple[str, int] | None = None
        self._failures = 0
        self._texts: dict[tuple[str, Kind], tuple[str, str]] = {}  # of alarms, by place
        self._looked = float("-inf")
        self._polls: dict[str, tuple[str, str, int, int]] = {}  # name: conversation, reference, sent at, step

    @property
    def is_on(self) -> bool:
        return self._hindered is None and (self._writing.writes_to_callers or self._writing.writes_to_owner)

    def written(self, happened: Sequence[Happened]) -> None:
        """These events are on the disk."""
        if self.is_on:
            for one in happened:
                if isinstance(one, _LOOKED_AT):
                    self._inbox.append(one)
                    self._news.set()

    async def start(self) -> None:
        """What the records know: what waits, what was under way, what the limits count, which alarms stand."""
        if self._hindered is not None:
            log.error("no messages are sent: %s", self._hindered)
            self._found("notices", self._hindered)
        now = self._office.clock.utc_ms()
        kept, names, tried, raised, unknown = await self._office.records.call(
            lambda store: store.within(
                lambda db: (
                    notices.open_notices(db),
                    notices.names_since(db, now - 7 * DAY_MS),
                    notices.tried_since(db, now - DAY_MS),
                    notices.alarms_raised(db),
                    notices.undelivered(db, now - DAY_MS),
                )
            )
        )
        waiting = {each.name for each in kept if each.state == "waiting"}
        for name in names:
            if name not in waiting:
                self._outbox.know(name)
        for each in kept:
            await self._restore(each)
        for at, what, about, last4 in tried:
            subject = None if what in TO_OWNER else await self._subject(about)
            self._outbox.count(at, subject.customer if subject else last4, what in TO_OWNER)
        self._alarms = Alarms(round(self._writing.notify.alarm_minutes * 60_000), raised)
        if self._gateway.tells_delivery:
            self._polls = {name: (conversation, reference, at, 0) for name, conversation, reference, at in unknown}

    async def run(self) -> None:
        """Until it is cancelled."""
        while self.is_on:
            await self.look()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def look(self) -> None:
        """Plans what is new, and sends what may go now."""
        self._news.clear()
        while self._inbox:
            await self._plan(self._inbox.popleft())
        await self._look_for_faults()
        now = self._office.clock.utc_ms()
        for old in self._outbox.expired(now):
            self._ended(old, Outcome("refused", "too old"), "expired")
        while (notice := self._outbox.due(self._office.clock.utc_ms(), self._office.is_clock_sure())) is not None:
            await self._send(notice)
        await self._poll()

    # Planning ---------------------------------------------------------------------------------------------------------

    async def _plan(self, happened: Happened) -> None:
        notify = self._writing.notify
        match happened:
            case events.RequestOpened(_, request, _, _, "missed", _, _, _, _, "") if notify.missed:
                await self._to_caller("missed", request, f"missed:{request}", SETTLE_MS)
            case events.RequestOpened(_, request, _, _, "callback") if notify.requests:
                await self._to_caller("callback", request, f"callback:{request}")
            case events.RequestOpened(_, request, _, _, "promise") if notify.promises:
                await self._to_caller("promise", request, f"promise:{request}")
            case events.RequestOpened(_, request, _, _, "message" | "request" | "complaint") if notify.requests:
                await self._to_caller("request", request, f"request:{request}")
            case events.RequestChanged(request, _, due) if notify.promises:
                await self._to_caller("promise_moved", request, f"promise_moved:{request}:{due}")
            case events.RequestMoved(request, "done") if notify.promises:
                await self._to_caller("promise_kept", request, f"promise_kept:{request}")
            case events.ConversationClosed(conversation, events.Outcome.SERVED) if notify.asks_callers:
                if _chance(conversation) < notify.survey_share:
                    await self._to_caller("survey", conversation, f"survey:{conversation}")
            case events.RecordingRefused(_, _, reason):
                self._refused = reason, self._office.clock.utc_ms()
            case _:
                pass  # nobody is written to about it

    async def _to_caller(self, kind: Kind, about: str, name: str, later_ms: int = 0) -> None:
        subject = await self._subject(about)
        if subject is None or self._number(subject) is None:
            return
        if kind.startswith("promise") and subject.what != "promise":
            return
        now = self._office.clock.utc_ms()
        self._add(
            Notice(
                name, kind, "sms", about, subject.language, now, now + later_ms if later_ms else 0,
                subject.conversation, subject.customer,
            )
        )  # fmt: skip

    def _add(self, notice: Notice) -> None:
        if self._outbox.add(notice):
            self._office.records.put(
                events.NoticePlanned(
                    notice.conversation, notice.name, notice.kind, notice.channel, notice.about, notice.last4,
                    notice.language, notice.not_before,
                )
            )  # fmt: skip

    def _number(self, subject: Subject) -> str | None:
        """Where an SMS may go: a mobile number at which the box may also call, and wants it; None for any other."""
        if not subject.customer or subject.is_stopped:
            return None
        number, refusal = self._office.callback_number(subject.customer, subject.trunk)
        never = {numbers.normalise(each).e164 for each in self._writing.notify.never}
        if refusal or numbers.normalise(number).kind != "mobile" or number in never:
            return None
        return number

    async def _subject(self, about: str) -> Subject | None:
        return await self._office.records.call(lambda store: store.within(lambda db: notices.subject_of(db, about)))

    async def _restore(self, kept: notices.Kept) -> None:
        """What waited waits on; what was under way is never sent again; alarms are raised anew where they stand."""
        kind, channel = _KINDS[kept.what], _CHANNELS[kept.channel]
        subject = None if kind in TO_OWNER else await self._subject(kept.about)
        notice = Notice(
            kept.name, kind, channel, kept.about, kept.language, kept.planned, kept.not_before, kept.conversation,
            subject.customer if subject else "",
        )  # fmt: skip
        if kept.state == "trying":
            self._ended(notice, Outcome("unknown", "the box was restarted"), "unknown", kept.last4)
        elif subject is None:
            self._ended(notice, Outcome("refused", "the box was restarted"), "needless", kept.last4)
        else:
            self._outbox.add(notice)

    # Alarms -----------------------------------------------------------------------------------------------------------

    async def _look_for_faults(self) -> None:
        now = self._office.clock.monotonic()
        if not self._writing.writes_to_owner or now - self._looked < LOOK_SECONDS / 2:
            return
        self._looked = now
        faults = dict(self._faults())
        faults.update(await asyncio.to_thread(self._of_disk))
        at = self._office.clock.utc_ms()
        if self._refused is not None and 0 <= at - self._refused[1] < REFUSED_MS:
            faults["recording"] = Problem("notify.recording_refused", reason=self._refused[0])
        for alarm in self._alarms.look(faults, at):
            self._tell_owner(alarm, at)

    def _of_disk(self) -> dict[str, Problem]:
        try:
            usage = shutil.disk_usage(self._data)
        except OSError:
            return {}
        if usage.free >= LOW_SHARE * usage.total:
            return {}
        return {
            "disk": Problem(
                "notify.disk_low", megabytes=usage.free // 1_000_000, percent=100 * usage.free // usage.total
            )
        }

    def _tell_owner(self, alarm: Alarm, now: int) -> None:
        kind: Kind = "alarm" if isinstance(alarm, Raised) else "alarm_over"
        self._texts[alarm.place, kind] = texts.alarm(
            self._office.box, alarm.problem, isinstance(alarm, Over), self._language
        )
        notify = self._writing.notify
        channels: tuple[tuple[Channel, tuple[str, ...]], ...] = (("mail", notify.alarm_mail), ("sms", notify.alarm_sms))
        for channel, people in channels:
            for number, to in enumerate(people, 1):
                name = f"{kind}:{alarm.place}:{now}:{channel}{number}"
                self._add(Notice(name, kind, channel, alarm.place, self._language, now, to=to))

    def answer(self, name: str, number: str, text: str) -> None:
        """Tells the owner by SMS what came of an order of theirs; ``name`` is that order's, for each its own."""
        self._texts[name, "answer"] = text, text
        now = self._office.clock.utc_ms()
        self._add(Notice(f"answer:{name}", "answer", "sms", name, self._language, now, to=number))
        self._news.set()

    # Sending ----------------------------------------------------------------------------------------------------------

    async def _send(self, notice: Notice) -> None:
        """One message: screened, written down, handed over, and what came of it."""
        if notice.kind in TO_OWNER:
            subject_line, text = self._texts[notice.about, notice.kind]
            if notice.channel == "mail":
                await self._hand_over(notice, 0, self._mailed(notice, subject_line, text))
            else:
                await self._hand_over_sms(notice, notice.to, subject_line, {"text": subject_line})
            return
        subject = await self._subject(notice.about)
        number = None if subject is None else self._number(subject)
        still = _STILL.get(notice.kind)
        if subject is None or number is None or (still is not None and subject.state not in still):
            self._outbox.over(notice.name)
            self._ended(notice, Outcome("refused", "needless"), "needless")
            return
        language: Language = "en" if notice.language == "en" else "fa"
        facts = Facts(
            self._writing.notify.firm or self._office.box,
            subject.code,
            subject.due,
            self._writing.notify.survey_url.replace("{id}", subject.conversation or notice.about),
        )
        text = texts.sms(notice.kind, facts, language, self._writing.notify.survey_reply)
        await self._hand_over_sms(notice, number, text, texts.values(facts, language))

    async def _hand_over_sms(self, notice: Notice, number: str, text: str, values: Mapping[str, str]) -> None:
        parts = parts_of(text)
        if parts > self._writing.sms.most_parts:
            self._outbox.over(notice.name)
            self._ended(notice, Outcome("refused", "too long"), "refused", parts=parts)
            return
        written = numbers.dial_form(numbers.normalise(number), self._writing.sms.number_form)
        known = {**values, "number": written, "text": text, "language": notice.language}
        kind = "alarm" if notice.kind in TO_OWNER else notice.kind
        await self._hand_over(notice, parts, self._gateway.send(kind, known))

    async def _mailed(self, notice: Notice, subject: str, text: str) -> Outcome:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._post.send, notice.to, subject, text, notice.name)

    async def _hand_over(self, notice: Notice, parts: int, work: Awaitable[Outcome]) -> None:
        records, clock = self._office.records, self._office.clock
        self._outbox.tried(notice.name, clock.utc_ms())
        records.put(events.NoticeTried(notice.conversation, notice.name))
        await records.flush()
        outcome = await work
        if outcome.state == "later":
            self._outbox.again(notice.name, clock.utc_ms())
        else:
            self._outbox.over(notice.name)
        if outcome.state == "sent" and outcome.reference and notice.channel == "sms" and self._gateway.tells_delivery:
            self._polls[notice.name] = notice.conversation, outcome.reference, clock.utc_ms(), 0
        self._ended(notice, outcome, outcome.state, parts=parts)
        self._failures = 0 if outcome.state == "sent" else self._failures + 1
        problem = Problem("notify.failing", channel=notice.channel, detail=outcome.detail, count=self._failures)
        self._found("notices", problem if self._failures >= FAILING else None)

    def _ended(self, notice: Notice, outcome: Outcome, word: str, last4: str = "", parts: int = 0) -> None:
        if notice.kind == "answer" and word != "later":
            self._texts.pop((notice.about, "answer"), None)
        last4 = last4 or notice.last4
        self._office.records.put(
            events.NoticeEnded(
                notice.conversation, notice.name, notice.kind, notice.channel, last4, word, outcome.detail, parts,
                outcome.reference,
            )
        )  # fmt: skip
        self._office.count(f"notices_{word}")
        log.info("notice %s by %s to %s: %s %s", notice.kind, notice.channel, last4, word, outcome.detail)

    async def _poll(self) -> None:
        """Asks what became of messages, less and less often."""
        now = self._office.clock.utc_ms()
        for name, (conversation, reference, at, step) in list(self._polls.items()):
            if now - at < 1000 * POLL_SECONDS[step]:
                continue
            state: str = await self._gateway.delivery(reference)
            if not state and step + 1 < len(POLL_SECONDS):
                self._polls[name] = conversation, reference, at, step + 1
                continue
            del self._polls[name]
            self._office.records.put(events.NoticeDelivered(conversation, name, state or "silent"))
            self._office.count(f"notices_{state or 'silent'}")


_CHANNELS: Mapping[str, Channel] = {channel: channel for channel in get_args(Channel)}
_LOOKED_AT = (
    events.RequestOpened,
    events.RequestChanged,
    events.RequestMoved,
    events.ConversationClosed,
    events.RecordingRefused,
)


def _chance(conversation: str) -> float:
    """0 to 1, the same for a conversation at every look, and chosen by nobody."""
    return int.from_bytes(hashlib.sha256(conversation.encode()).digest()[:4], "big") / 2**32
