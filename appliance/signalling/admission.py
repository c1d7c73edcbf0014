"""Who may speak to the box at all: decided from the source alone, before anything is parsed.

Trunks may always speak: a scanner that fakes a trunk's address must not be able to silence it. Everybody else has a
bucket of requests, and a count of offences (a wrong password, a message that cannot be read); too many of these and the
source hears nothing for a while. A first challenge is no offence: every phone begins with one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from appliance.signalling.settings import Signalling

OFFENCES_BEFORE_BAN = 10
OFFENCES_SECONDS = 60.0  # an offence is forgotten after this
BURST_SECONDS = 4.0  # how many seconds' worth of requests may come at once
MAX_SOURCES = 4_096  # addresses are free to whoever fakes them: the table is bounded


class Verdict(Enum):
    SPEAK = auto()
    SILENCE = auto()


@dataclass(slots=True)
class _Source:
    tokens: float
    filled_at: float
    offences: float = 0.0
    offended_at: float = 0.0
    banned_until: float = 0.0


class Admission:
    """Rates and bans by source address. Times are monotonic seconds."""

    def __init__(self, settings: Signalling) -> None:
        self._rate = float(settings.requests_per_second)
        self._burst = self._rate * BURST_SECONDS
        self._banned_seconds = float(settings.banned_seconds)
        self._sources: dict[str, _Source] = {}

    def judge(self, ip: str, now: float, is_trunk: bool) -> Verdict:
        """Takes one message of ``ip`` into account and says whether it is heard."""
        if is_trunk:
            return Verdict.SPEAK
        source = self._source(ip, now)
        if source.banned_until > now:
            return Verdict.SILENCE
        source.tokens = min(self._burst, source.tokens + (now - source.filled_at) * self._rate)
        source.filled_at = now
        if source.tokens < 1.0:
            return Verdict.SILENCE
        source.tokens -= 1.0
        return Verdict.SPEAK

    def offended(self, ip: str, now: float, is_trunk: bool) -> None:
        """One offence of ``ip``; they fade, one per minute's tenth, so that a mistyped password is forgiven."""
        if is_trunk:
            return
        source = self._source(ip, now)
        faded = (now - source.offended_at) * OFFENCES_BEFORE_BAN / OFFENCES_SECONDS
        source.offences = max(0.0, source.offences - faded) + 1.0
        source.offended_at = now
        if source.offences >= OFFENCES_BEFORE_BAN:
            source.banned_until = now + self._banned_seconds
            source.offences = 0.0

    def banned(self, now: float) -> list[str]:
        """The addresses that hear nothing now."""
        return [ip for ip, source in self._sources.items() if source.banned_until > now]

    def _source(self, ip: str, now: float) -> _Source:
        source = self._sources.get(ip)
        if source is None:
            if len(self._sources) >= MAX_SOURCES:
                self._forget(now)
            source = self._sources[ip] = _Source(self._burst, now)
        return source

    def _forget(self, now: float) -> None:
        """Drops who is quiet; if all are busy, the oldest half that is not banned; bans go last."""
        quiet = [ip for ip, each in self._sources.items() if now - each.filled_at > OFFENCES_SECONDS]
        quiet = [ip for ip in quiet if self._sources[ip].banned_until <= now]
        if not quiet:
            quiet = [ip for ip, each in self._sources.items() if each.banned_until <= now][: MAX_SOURCES // 2]
        for ip in quiet or list(self._sources)[: MAX_SOURCES // 2]:
            del self._sources[ip]
