"""Row 4: nobody who came earlier, and could have been served now, is passed over; row 16: what priorities cost.

Only what surely stands in its line counts. Loose, and why: a line where media died just now (10 s: streams are told
anew), an agent who has just refused this caller (5 s, the line's own rule), a place that was taken while the clock was
in doubt (earlier by as long as the box was down), one person who rings twice, and a callback that may be in somebody's
hand, held by a telephone, or short of a line.
"""

from __future__ import annotations

from collections.abc import Collection

from tests.simulation.model_seen import (
    DOUBT_SECONDS,
    REFUSED_SECONDS,
    SETTLED_SECONDS,
    SLACK,
    Caller,
    Line,
    Place,
    Seen,
    Wish,
    name_of,
)


class Turns(Seen):
    """Adds who is served before whom."""

    def _in_turn(self, at: float, agent: str, who: Caller | Wish, slack: float) -> None:
        """Row 4: nobody who came earlier, and could have been served now, is passed over."""
        if at - self.media_at < 10.0 or not self.is_media_up or not who.line:
            return
        line = self.lines[who.line]
        for other in self.callers.values():
            if other is who or not (other.is_waiting and other.is_up and other.line) or other.ringing:
                continue
            if other.line == who.line:
                self.count("pairs compared")
            if (
                other.place[1] >= who.place[0] - SLACK
                or other.joined >= at - slack - SLACK
                or other.rung_until >= at - SLACK
            ):
                continue
            if slack and (other.line != who.line or other.rung_until > at - REFUSED_SECONDS - slack - 1.0):
                continue
            if isinstance(who, Caller) and who.priority > other.priority:
                continue
            if isinstance(who, Caller) and who.number == other.number != "":
                continue  # one person who rings twice
            if self._may_serve(at, agent, other) if agent else self._waits_for_all(at, other, line, slack):
                self._suspects.append((at, f"{name_of(who)} at {who.place} is served before", other))
        if isinstance(who, Caller) and who.priority == 0:
            for wish in self.wishes:
                is_before = wish.line == who.line and wish.place[1] < who.place[0] - SLACK
                if is_before and self._reaches(at, agent, wish) and self._must_stand(at, wish):
                    self.fail("row 4", f"{who.name} is served before the callback of {wish.customer} at {wish.place}")

    def _waits_for_all(self, at: float, caller: Caller, line: Line, slack: float) -> bool:
        """Whether any agent of this line could have been asked for this caller, whichever was reserved."""
        if caller.line != line.name:
            return False
        since = max(caller.joined, self.doubted_at)
        return at - since >= slack + line.prefer_seconds + line.level_seconds * (max(line.levels.values()) - 1)

    def _may_serve(self, at: float, agent: str, caller: Caller) -> bool:
        line = self.lines[caller.line]
        waited = at - caller.place[1]
        if caller.place[0] < self.doubted_at:
            waited -= DOUBT_SECONDS
        if agent not in line.levels or self._refused.get((agent, caller.name), 0.0) > at:
            return False
        joined = at - caller.joined
        return waited >= (line.levels[agent] - 1) * line.level_seconds and min(waited, joined) >= line.prefer_seconds

    def _reaches(self, at: float, agent: str, wish: Wish) -> bool:
        """Whether this agent is asked for this callback by now: those of a later level only after a while."""
        line = self.lines[wish.line]
        level = line.levels.get(agent, 0) if agent else max(line.levels.values())
        return level > 0 and at - wish.since - SETTLED_SECONDS >= (level - 1) * line.level_seconds

    def _must_stand(self, at: float, wish: Wish) -> bool:
        """Whether this callback surely stands in its line: fresh, in nobody's hand, with room and cap to spare."""
        if wish.is_closed or wish.is_unsure or wish.attempts or wish.was_rung or wish.ringing or not self.is_clock_sure:
            return False
        people = {wish.customer, wish.asker} - {""}
        others = [each for each in self.wishes if {each.customer, each.asker} & people and each is not wish]
        if any(wish.is_owed or not each.is_closed for each in others):
            return False  # one call at a time; who was tried in vain is left in peace by what nobody asked for
        if any(attempt.ended is None or attempt.ended > at - 300.0 for each in others for attempt in each.attempts):
            return False  # it may be the same one, asked for again, and have its pause still
        if self._was_up(wish, at):
            return False
        ready = max(wish.since, self.up_since, self.sure_since, self._tight_at)
        return SETTLED_SECONDS < at - ready < 280.0

    def _was_up(self, wish: Wish, at: float) -> bool:
        """Whether somebody held it lately: whoever asked for it may still be on the telephone."""
        people = {wish.customer, wish.asker} - {""}
        return any(people & {each.number, each.other} and each.ended > at - 8.0 for each in self.callers.values())


def overtaken(served: Collection[tuple[Place, float, int]]) -> tuple[int, int]:
    """Row 16: of how many callers, how many were overtaken and waited more than twice as long as in order of arrival.

    The same agents were free at the same moments; in order of arrival the first free one is for the first who came.
    """
    moments = sorted(at for _, at, _ in served)
    order = sorted(served, key=lambda each: each[0][1])
    usual = {}
    for (place, at, priority), moment in zip(order, moments, strict=True):
        usual[place, at, priority] = max(0.0, moment - place[1])
    beyond = 0
    for place, at, priority in served:
        is_overtaken = any(
            other[2] > priority and other[0][0] > place[1] and place[1] < other[1] < at for other in served
        )
        beyond += is_overtaken and at - place[1] > 2 * usual[place, at, priority] + 1.0
    return len(order), beyond
