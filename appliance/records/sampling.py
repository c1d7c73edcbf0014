"""Who should be listened to next, and why: a random part for a fair picture, and a part by risk to find trouble.

Only the random part may be counted: every conversation of its days has the same chance, whoever spoke in it, so rates
found by listening to it are those of all. What risk points at says where to look, never how often it happens. Both
parts follow from the records and a seed alone: the same list comes again, on any machine, and can be shown to whoever
asks why this call was chosen.

Pure but for ``read`` and ``drawn``, which ask calls.db.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from appliance import messages
from appliance.messages import Language, calendar
from appliance.messages.calendar import DAY_MS
from appliance.records import recordings
from appliance.records.database import Connection
from appliance.records.reader import Conversation, conversations
from appliance.records.recordings import Play

DAYS, RANDOM, RISKY = 7, 5, 10  # of how many days, and how many rows of each part
REPEAT_MS = 7 * DAY_MS  # FIGURES.md, "repeat calls"
LONG_SILENCE_MS = 20_000  # a customer who hears nothing for so long asks whether anybody is there
OVERTALK_SHARE = 0.05  # of the recording: twice of what two polite people have
LEAST_OVERTALK_MS = 5_000  # a short call has a large share of little
MANY_TRANSFERS = 2  # passed on once is work, twice is being sent around
LOW_CSAT, LOW_NPS = 2, 6  # of 5; FIGURES.md, "NPS": 0 to 6 detract


class Why(StrEnum):
    """A reason to listen; its text in both languages is ``records.why_NAME``."""

    RANDOM = "random"
    LOW_SURVEY = "low_survey"
    LEFT_AFTER_TALK = "left_after_talk"
    TRANSFERS = "transfers"
    SILENCE = "silence"
    REPEAT = "repeat"
    OVERTALK = "overtalk"
    REFUSED_CONSENT = "refused_consent"


# What the customer has said weighs more than what was measured, and what was measured more than what is only possible.
WEIGHTS = {
    Why.LOW_SURVEY: 6,  # the customer says that it went badly
    Why.LEFT_AFTER_TALK: 5,  # hung up while nobody was with them, after somebody had been
    Why.TRANSFERS: 4,  # had to tell it again and again
    Why.SILENCE: 3,  # waited without being told why; also an agent who looks something up
    Why.REPEAT: 3,  # rang again within a week: perhaps it was not resolved
    Why.OVERTALK: 2,  # a quarrel, or a bad line with delay
    Why.REFUSED_CONSENT: 1,  # a right; many of them with one agent or line are worth a look at the record
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """The facts of one conversation that has ended. ``csat`` and ``nps`` are None where nothing was answered."""

    conversation: str
    number: int  # of its first event
    recorded_ms: int
    overtalk_ms: int
    longest_silence_ms: int
    transfers: int
    left_after_talk: bool
    refused_consent: bool
    csat: int | None
    nps: int | None
    is_repeat: bool


@dataclass(frozen=True, slots=True)
class Reason:
    """``value`` is what was found, in the unit of its text: seconds, times, points; 0 where there is none."""

    why: Why
    value: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """One row of the list. ``score`` is the sum of the weights of its reasons (random has none)."""

    conversation: str
    score: int
    reasons: tuple[Reason, ...]

    @property
    def is_random(self) -> bool:
        """Whether it belongs to the part that may be counted."""
        return self.reasons[0].why is Why.RANDOM


@dataclass(frozen=True, slots=True)
class Listed:
    """A row of the list with its record, and who has listened to it already, the last first."""

    sample: Sample
    conversation: Conversation
    plays: tuple[Play, ...]


def reasons(one: Candidate) -> tuple[Reason, ...]:
    """Why this one may have gone badly, the weightiest first."""
    found: list[Reason] = []
    if one.csat is not None and one.csat <= LOW_CSAT:
        found.append(Reason(Why.LOW_SURVEY, one.csat))
    elif one.nps is not None and one.nps <= LOW_NPS:
        found.append(Reason(Why.LOW_SURVEY, one.nps))
    if one.left_after_talk:
        found.append(Reason(Why.LEFT_AFTER_TALK))
    if one.transfers >= MANY_TRANSFERS:
        found.append(Reason(Why.TRANSFERS, one.transfers))
    if one.longest_silence_ms >= LONG_SILENCE_MS:
        found.append(Reason(Why.SILENCE, one.longest_silence_ms // 1000))
    if one.is_repeat:
        found.append(Reason(Why.REPEAT))
    if one.overtalk_ms >= max(LEAST_OVERTALK_MS, OVERTALK_SHARE * one.recorded_ms):
        found.append(Reason(Why.OVERTALK, one.overtalk_ms // 1000))
    if one.refused_consent:
        found.append(Reason(Why.REFUSED_CONSENT))
    return tuple(sorted(found, key=lambda reason: -WEIGHTS[reason.why]))


def sample(candidates: Iterable[Candidate], seed: str, random_count: int, risk_count: int) -> list[Sample]:
    """The random part first, then the riskiest of the rest: the highest score, of equals the newest.

    Who is in the random part has its risks beside it; nobody is in the list twice. Only what has sound is drawn.
    """
    everyone = list(candidates)
    heard = sorted((one for one in everyone if one.recorded_ms), key=lambda one: _lot(seed, one.conversation))
    drawn = heard[: max(0, random_count)]
    taken = {one.conversation for one in drawn}
    rows = [_row(one, (Reason(Why.RANDOM), *reasons(one))) for one in drawn]
    risky = [(one, why) for one in everyone if one.conversation not in taken and (why := reasons(one))]
    risky.sort(key=lambda each: (-_score(each[1]), -each[0].number))
    return rows + [_row(one, why) for one, why in risky[: max(0, risk_count)]]


def read(db: Connection, since: int, until: int, agent: str = "") -> list[Candidate]:
    """All conversations that opened in that time (UTC ms) and have ended: with sound, or with a consent refused."""
    spoke = (
        " AND id IN (SELECT conversation FROM leg WHERE role = 'agent' AND party = ? AND answered_ms IS NOT NULL)"
        if agent
        else ""
    )
    rows = db.execute(_CANDIDATES + spoke, (since, until, *((agent,) if agent else ()))).fetchall()
    return [
        Candidate(
            conversation=row[0],
            number=row[1],
            recorded_ms=row[2],
            overtalk_ms=row[3],
            longest_silence_ms=row[4],
            transfers=row[5],
            left_after_talk=bool(row[6]),
            refused_consent=bool(row[7]),
            csat=row[8],
            nps=row[9],
            is_repeat=bool(row[10]),
        )
        for row in rows
    ]


_CANDIDATES = f"""SELECT id, opened_n, recorded_ms, overtalk_ms,
(SELECT coalesce(max(longest_silence_ms), 0) FROM recording WHERE recording.conversation = conversation.id),
(SELECT count(*) FROM passed_on WHERE passed_on.conversation = conversation.id
    AND passed_on.state IN ('done', 'line')),
talking_ms > 0 AND (outcome IN ('abandoned', 'failed', 'crashed')
    OR EXISTS (SELECT 1 FROM passed_on WHERE passed_on.conversation = conversation.id
        AND passed_on.state IN ('left', 'lost'))),
was_asked AND consent_how = '',
(SELECT value FROM survey WHERE survey.conversation = conversation.id AND question = 'csat'),
(SELECT value FROM survey WHERE survey.conversation = conversation.id AND question = 'nps'),
direction = 'in' AND customer <> '' AND EXISTS (SELECT 1 FROM conversation AS before
    WHERE before.customer = conversation.customer AND before.direction = 'in'
    AND before.opened >= conversation.opened - {REPEAT_MS} AND before.opened_n < conversation.opened_n
    AND before.opened <= conversation.opened)
FROM conversation WHERE opened >= ? AND opened < ? AND closed IS NOT NULL
AND (recorded_ms > 0 OR (was_asked AND consent_how = ''))"""  # noqa: S608 - constants only


def drawn(
    db: Connection,
    now_ms: int,
    days: int = DAYS,
    agent: str = "",
    random: int = RANDOM,
    risky: int = RISKY,
    seed: str = "",
) -> list[Listed]:
    """The list with its records. Without a seed it is that of the day in Tehran: the same until midnight."""
    candidates = read(db, now_ms - days * DAY_MS, now_ms, agent)
    rows = sample(candidates, seed or str(calendar.day_number(now_ms)), random, risky)
    return [
        Listed(row, conversations(db, "WHERE id = ?", (row.conversation,))[0], recordings.plays(db, row.conversation))
        for row in rows
    ]


def in_words(reason: Reason, language: Language) -> str:
    """A reason as a person reads it."""
    return messages.text(f"records.why_{reason.why}", language, value=reason.value)


def _row(one: Candidate, why: Sequence[Reason]) -> Sample:
    return Sample(one.conversation, _score(why), tuple(why))


def _score(why: Iterable[Reason]) -> int:
    return sum(WEIGHTS.get(reason.why, 0) for reason in why)


def _lot(seed: str, conversation: str) -> bytes:
    """A number drawn for a conversation: as good as random to whoever does not choose the seed, and found again."""
    return hashlib.sha256(f"pasokh/sample/v1\0{seed}\0{conversation}".encode()).digest()
