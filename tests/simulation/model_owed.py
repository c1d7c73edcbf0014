"""Rows 3, 5, 6, 9 and 10: what people were told is kept, dialled as the policy says, and ends as it was seen to end.

Loose, and why: a request may be over once its attempts are used up, its number does not exist, a person has pressed the
key that says so (for this line or another), or it is too old; whoever asked again then has either place. Who hangs up
between the wish and the word that it is kept may have a request or none; who has given another number and was not told
yet may have either number. A wish is settled where another call of the same number got through before it was told.
Who was cut off may stand where the call began or where they waited.
"""

from __future__ import annotations

import math
from collections.abc import Collection

from tests.simulation.model_seen import (
    ASKED_SECONDS,
    COUNTED,
    DOUBT_SECONDS,
    REFUSED_SECONDS,
    SETTLED_SECONDS,
    SLACK,
    UNCOUNTED_SECONDS,
    Attempt,
    Caller,
    Place,
    Ring,
    Row,
    Wish,
    counts,
    name_of,
)
from tests.simulation.model_turns import Turns


class Owed(Turns):
    """Adds promises, attempts, and the death of the process."""

    # Legs that end --------------------------------------------------------------------------------------------------

    def gone(self, at: float, leg: str) -> None:
        """A leg is over, whoever ended it; told once or often."""
        caller = self.callers.get(leg)
        if caller is not None and caller.is_up:
            self.note(at, f"{caller.name} is gone")
            caller.is_up = caller.is_waiting = False
            caller.ended = at
            self._may_have_asked(at, caller)
        ring = self.rings.get(leg)
        if ring is not None and ring.is_up:
            self._ring_over(at, leg, ring)
        found = self.customers.get(leg)
        if found is not None and found[1].ended is None:
            wish, attempt = found
            self.note(at, f"the leg to {wish.customer} is over")
            attempt.ended, attempt.is_doubtful = at, not self.is_clock_sure
        self._silent.pop(leg, None)
        self._playing.pop(leg, None)

    def _ring_over(self, at: float, leg: str, ring: Ring) -> None:
        self.note(at, f"{ring.agent} is free of that call")
        ring.is_up = False
        ring.who.ringing.discard(leg)
        if not ring.is_answered:
            self._refused[ring.agent, name_of(ring.who)] = at + REFUSED_SECONDS
        if isinstance(ring.who, Caller):
            ring.who.rung_until = at

    # Customers --------------------------------------------------------------------------------------------------------

    def dials(self, at: float, leg: str, customer: str, row: tuple[str, str, str] | None) -> None:
        """An INVITE to a customer; ``row``: request, line and state, as committed with an attempt of this leg."""
        self.note(at, f"{customer} is dialled")
        self.count("attempts")
        if row is None:
            self.fail("row 3", f"{customer} is dialled, and no attempt is committed")
            return
        request, line, state = row
        owed = [each for each in self.of(customer) if each.customer == customer and each.line == line]
        wish = next(iter(owed), None)
        if wish is None or state not in ("open", "doing"):
            self.fail("row 3", f"{customer} is dialled for {line}, and is owed no call ({state})")
            return
        if wish.request and wish.request != request:
            if wish.perhaps_renewed == -math.inf:
                self.fail("row 6", f"{customer} has two requests in {line}")
            wish.attempts = []  # the one before was over when they asked again, and hung up before they were told
        wish.request, wish.is_unsure = request, False
        if leg in self.customers:
            self.fail("row 5", f"{customer} is dialled twice for one attempt")
        if any(other.ended is None and other.number == customer for _, other in self.customers.values()):
            self.fail("row 3", f"{customer} is dialled while another call to them is under way")
        on_phone = [
            each.name
            for each in self.callers.values()
            if each.is_up and each.is_known and each.number == customer and each.began < at - SLACK
        ]
        if on_phone:
            self.fail("row 6", f"{customer} is dialled and is on the telephone: {on_phone}")
        if not self.is_clock_sure:
            self.fail("clock", f"{customer} is dialled while the clock is in doubt")
        self._within_policy(at, wish)
        rules = self.lines[line]
        agents = [
            ring
            for ring in self.rings.values()
            if ring.is_up and isinstance(ring.who, Wish) and customer in (ring.number, ring.who.customer)
        ]
        if rules.is_agent_first and not any(ring.is_answered for ring in agents):
            self.fail("row 11", f"{customer} is dialled before an agent is there")
        attempt = Attempt(leg, customer, at, rules.is_agent_first)
        wish.attempts.append(attempt)
        self.customers[leg] = wish, attempt
        if not rules.is_agent_first:
            self._in_turn(at, "", wish, SETTLED_SECONDS)
        if self._max_calls:
            out = self._callbacks_up()
            inbound = sum(each.is_up and each.is_known for each in self.callers.values())
            if out > self._max_calls - self._kept or out + inbound > self._max_calls:
                self.fail("row 17", f"{out} callbacks and {inbound} calls on {self._max_calls} lines")
        if self._dialling() > self._most_callbacks:
            self.fail("row 17", "more callbacks at once than are allowed")

    def _within_policy(self, at: float, wish: Wish) -> None:
        rules = self.lines[wish.line]
        since = max(wish.renewed, wish.perhaps_renewed)
        counted = sum(counts(attempt) for attempt in wish.attempts if attempt.began >= since - SLACK)
        if since > -math.inf:  # one that was in somebody's hand when it was asked for again is not counted
            counted -= 1
        if counted >= rules.attempts:
            self.fail("row 3", f"{wish.customer} is dialled after {counted} of {rules.attempts} attempts")
        if any(attempt.code == 404 and not attempt.is_interrupted for attempt in wish.attempts):
            self.fail("row 9", f"{wish.customer} does not exist and is dialled again")
        for attempt in wish.attempts[-1:]:
            since = at - (attempt.ended or 0.0)
            least = UNCOUNTED_SECONDS
            if counts(attempt) and not attempt.is_interrupted:
                least = rules.spacing_seconds
            elif not counts(attempt) and not attempt.is_interrupted:
                least = min(least, rules.spacing_seconds)
            if attempt.is_doubtful:
                least -= DOUBT_SECONDS
            if attempt.is_interrupted:
                least -= SETTLED_SECONDS  # it was closed a little before the process said that it was up
            if since < least - 0.2:
                self.fail("row 9", f"{wish.customer} is dialled {since:.1f} s after the last time, not {least}")

    def _dialling(self) -> int:
        return sum(attempt.ended is None for _, attempt in self.customers.values())

    def _promised(self, at: float, caller: Caller, line: str, customer: str, asked_at: float) -> None:
        """Told, once it is on the disk: the place is of when it was asked for."""
        self.count("callbacks asked for")
        for other in self.of(caller.number) if caller.number else ():  # it may be this one that they have changed
            other.is_unsure |= other.line == line and other.customer != customer
        known = self.in_line(customer, line) or (self.in_line(caller.number, line) if caller.number else None)
        if known is not None and self._may_be_over(at, known):  # it is told below whether it was
            known.is_closed = True
            stood = caller.places.get(line, (at, at))
            place = min(known.place[0], stood[0]), max(known.place[1], stood[1])
            perhaps = frozenset({known.asker, known.customer, caller.number, *known.perhaps}) - {customer, ""}
            before = known.before or known.asker
            wish = Wish(customer, line, place, at, "", asker=caller.number, before=before, perhaps=perhaps)
            wish.was_rung = known.was_rung or bool(known.attempts)  # it may be the same one, and wait for its next time
            if customer == known.customer:  # an agent may be rung for it already
                wish.ringing, known.ringing = known.ringing, set()
                for leg in wish.ringing:
                    self.rings[leg].who = wish
            self.wishes.append(wish)
            return
        if known is not None and customer == known.customer:
            known.asker = known.asker if caller.number == known.asker else customer  # a second person wants it
            known.since, known.renewed, known.is_owed = at, asked_at, False
            self.note(at, f"{caller.name} is told too that {customer} is called back in {line}")
            return
        if known is not None:
            known.customer, known.asker, known.since = customer, caller.number, at
            known.renewed, known.is_owed = asked_at, False
            self.note(at, f"{caller.name} is told again that {customer} is called back in {line}")
            return
        place = caller.places.get(line, (min(asked_at, caller.joined), at))
        doubtful = self._perhaps_of(caller.number, line)
        if doubtful is not None:  # it may have been theirs, and is this now
            doubtful.is_unsure = True
            place = min(place[0], doubtful.place[0]), at
        self.note(at, f"{caller.name} is told that {customer} is called back in {line}, at {place}")
        if not self.is_clock_sure:
            place = place[0] - DOUBT_SECONDS, place[1]
        wish = Wish(customer, line, place, at, caller.language, asker=caller.number)
        wish.is_maybe_settled = any(  # another call of the same number got through while this one was written
            each.connected_at >= asked_at and each.number in {caller.number, customer} for each in self.callers.values()
        ) or (doubtful is not None and bool(doubtful.attempts))
        self.wishes.append(wish)

    def _may_have_asked(self, at: float, caller: Caller) -> None:
        """Somebody hung up while they were asked: what they pressed may be kept, and nobody has told them."""
        keys = caller.keys[caller.asked_keys :]
        has_pressed = keys or caller.pressed_at >= caller.asked_at - SLACK  # wrong ones too: two of them mean yes
        if not self.is_box_up or not (has_pressed or at - caller.asked_at >= ASKED_SECONDS):
            return
        for line in caller.may_be_asked_in(self.lines):
            for customer in dict.fromkeys((caller.other, caller.number)):  # keys of a number may have been a choice
                if customer:
                    self._may_want(at, caller, line, customer)

    def _may_want(self, at: float, caller: Caller, line: str, customer: str) -> None:
        known = self.in_line(customer, line) or (self.in_line(caller.number, line) if caller.number else None)
        if known is not None:
            known.perhaps_renewed = at
        for each in self.of(caller.number) if caller.number else ():
            each.is_unsure |= each.line == line and each.customer != customer  # it may be this one that has changed
        if known is not None and known.customer == customer:
            known.perhaps |= {caller.number, known.asker} - {"", customer}
            return
        place = caller.places.get(line, (min(caller.asked_at, caller.joined), at))
        wish = Wish(customer, line, (place[0] - DOUBT_SECONDS, at), at, "", asker=caller.number, is_unsure=True)
        if known is not None:
            known.is_unsure = True
            known.perhaps |= {caller.number, known.asker} - {"", known.customer}
            wish.place = min(wish.place[0], known.place[0]), at
            wish.perhaps, wish.attempts = known.perhaps - {customer}, list(known.attempts)
            wish.perhaps_renewed = at
        self.wishes.append(wish)

    # The process dies -------------------------------------------------------------------------------------------------

    def killed(self, at: float, rows: Collection[Row], cut_off: Collection[str], attempts: Collection[str]) -> None:
        """As committed: ``rows``, ``cut_off`` (numbers in open conversations), ``attempts`` (legs without an end)."""
        self.note(at, "the process is killed")
        self.count("kills")
        self.is_box_up = False
        self._open_before = {row.request: row for row in rows if row.state in ("open", "doing")}
        self._cut_off = [each for each in self.callers.values() if each.is_up and each.number in cut_off]
        # who had just gone may be owed a call too: that they went was not written down yet
        self._gone = [each for each in self.callers.values() if not each.is_up and each.ended > at - 7.0]
        self._orphans += [leg for leg, caller in self.callers.items() if caller.is_up and caller.is_known]
        self._orphans += [leg for leg, ring in self.rings.items() if ring.is_up]
        self._orphans += [leg for leg, (_, attempt) in self.customers.items() if attempt.ended is None]
        self._orphans_until = math.inf
        for leg, (_, attempt) in self.customers.items():
            if leg in attempts:
                attempt.is_interrupted = True
                attempt.ended = math.inf  # until the next process has closed it
        for ring in self.rings.values():
            if ring.is_up:
                ring.is_up = False
                ring.who.ringing.clear()
        for caller in self.callers.values():
            caller.is_waiting = False
        self._partner.clear()
        self._silent.clear()
        self._playing.clear()
        self._refused.clear()
        self._idle.clear()
        self._suspects.clear()
        self._refusals.clear()
        open_now = {(row.customer, row.line) for row in self._open_before.values()}
        for wish in reversed(self.wishes):  # of two of one person it is the later that is open still
            is_open = (wish.customer, wish.line) in open_now and not self.in_line(wish.customer, wish.line)
            if wish.is_closed and is_open and not wish.is_unsure:
                wish.is_closed = False  # that it was done had not been written down
            elif not wish.is_closed and (wish.customer, wish.line) not in open_now:
                if not (self._may_be_over(at, wish) or self._is_changing(wish)):
                    self.fail("row 5", f"{wish.customer} was told of a callback in {wish.line} that is not committed")
                wish.is_closed = True

    def restarted(self, at: float, rows: Collection[Row], attempts: Collection[str]) -> None:
        """The next process has brought back what it knows; as committed now."""
        self.note(at, "the next process is up")
        self.is_box_up, self.up_since = True, at
        if not self.is_clock_sure:
            self.doubted_at = at
        self._orphans_until = at + 2.0
        for leg in self._orphans:
            self.gone(at, leg)
        if attempts:
            self.fail("row 5", f"attempts without an end after a restart: {attempts}")
        by_request = {row.request: row for row in rows}
        for before in self._open_before.values():
            after = by_request.get(before.request)
            if after is None or after.state not in ("open", "doing"):
                self.fail(
                    "row 5", f"the request of {before.customer} was open and is {after.state if after else 'gone'}"
                )
            if self.in_line(before.customer, before.line) is None:  # nobody has heard of it yet
                lost = [*self._cut_off, *self._gone]
                asker = next((each.number for each in lost if each.other == before.customer), "")
                self.wishes.append(Wish(before.customer, before.line, (0.0, at), at, "", before.request, asker))
        for caller in self._cut_off:
            self.count("cut off")
            if not self._owe(at, caller, rows):
                self.fail("row 5", f"{caller.name} was cut off and is owed nothing")
        for caller in self._gone:
            self._owe(at, caller, rows)
        for _, attempt in self.customers.values():
            if attempt.ended == math.inf:
                attempt.ended, attempt.is_doubtful = at, not self.is_clock_sure

    def _owe(self, at: float, caller: Caller, rows: Collection[Row]) -> bool:
        """Takes over what the box owes to this caller; whether it owes anything."""
        known = [
            wish
            for wish in self.wishes
            if not wish.is_closed and caller.number in (wish.customer, wish.asker, wish.before, *wish.perhaps)
        ]
        numbers = {caller.number, caller.other, *(wish.customer for wish in known)} - {""} if caller.number else set()
        owed = [row for row in rows if row.customer in numbers and row.state in ("open", "doing")]
        for row in owed:
            here = [wish for wish in known if wish.customer == row.customer and wish.line == row.line]
            for wish in here:
                if caller.number == wish.customer != wish.asker != "":  # a second person wants it
                    wish.perhaps |= {wish.asker}
                    wish.asker = wish.customer
            if not any((w.customer, w.line) == (row.customer, row.line) and not w.is_closed for w in self.wishes):
                lost = [*self._cut_off, *self._gone]
                spans = [self._span(each, row.line) for each in lost if each.number == caller.number]
                place = min(span[0] for span in spans), max(span[1] for span in spans)
                if self.doubted_at > place[0]:
                    place = place[0] - DOUBT_SECONDS, place[1]
                self.note(at, f"{caller.name} is owed a call in {row.line} at {place}")
                wish = Wish(row.customer, row.line, place, at, "", row.request, caller.number, is_owed=True)
                self.wishes.append(wish)
        return bool(owed)

    @staticmethod
    def _span(caller: Caller, line: str) -> Place:
        """Where somebody who was cut off may stand: where the call began, or where they waited."""
        stood = caller.places.get(line, (caller.began, caller.began))
        return min(caller.began, stood[0]), max(caller.began, stood[1])

    # What is committed ------------------------------------------------------------------------------------------------

    def committed(self, at: float, rows: Collection[Row]) -> None:
        """Every request that was promised is there, once, and is not closed without a reason."""
        self.note(at, "") if self._suspects else None
        open_now = [(row.customer, row.line) for row in rows if row.state in ("open", "doing")]
        if len(open_now) != len(set(open_now)):
            self.fail("row 6", f"somebody has two requests in one line: {sorted(open_now)}")
        for wish in self.wishes:
            if (wish.customer, wish.line) in open_now and wish.since <= at - SETTLED_SECONDS:
                wish.is_unsure = False  # before, it may be one that is about to be done
            if wish.is_closed or wish.since > at - SETTLED_SECONDS or (wish.customer, wish.line) in open_now:
                continue
            if self._is_changing(wish):
                continue
            if not self._may_be_over(at, wish):
                self.fail("row 5", f"the callback of {wish.customer} in {wish.line} is closed without a reason")
            wish.is_closed = True

    def _may_be_over(self, at: float, wish: Wish) -> bool:
        rules = self.lines[wish.line]
        counted = sum(counts(attempt) for attempt in wish.attempts if attempt.began >= wish.renewed - SLACK)
        return (
            wish.is_maybe_settled
            or wish.is_unsure
            or counted >= rules.attempts
            or any(attempt.code == 404 for attempt in wish.attempts)
            or any(attempt.is_given for each in self._same_person(wish) for attempt in each.attempts)
            or len(wish.attempts) >= 20
            or at - max(wish.place[0], wish.renewed) > rules.expires_seconds - 1.0
        )

    def _is_changing(self, wish: Wish) -> bool:
        """Whether somebody is asked at which number, gives another for it, and was not told yet that it is so."""
        people = {wish.customer, wish.asker, *wish.perhaps} - {""}
        return any(
            each.is_up
            and wish.line in each.may_be_asked_in(self.lines)
            and each.number in people
            and (each.other or each.number) != wish.customer
            for each in self.callers.values()
        )

    def _same_person(self, wish: Wish) -> list[Wish]:
        """Who was reached for one line was reached for all."""
        people = {wish.customer, wish.asker, wish.before} - {""}
        return [each for each in self.wishes if {each.customer, each.asker} & people]

    def outcome(self, leg: str, outcome: str) -> None:
        """An attempt's end as committed agrees with what was seen (rows 9 and 10)."""
        found = self.customers.get(leg)
        if found is None:
            if outcome not in ("network", "no_agent", "interrupted"):
                self.fail("row 9", f"nobody was dialled, and the outcome is {outcome}")
            return
        wish, attempt = found
        self.count(f"outcome: {outcome}")
        if attempt.is_interrupted:
            expected = {"interrupted"}
        elif attempt.code:
            expected = {COUNTED.get(attempt.code, "network")}
        elif attempt.answered is None:
            expected = {"no_answer", "no_agent", "network"}
        else:
            expected = {"not_reached", "not_given", "no_agent"} | ({"reached"} if attempt.is_given else set())
        if outcome not in expected:
            self.fail("row 10", f"the outcome of {wish.customer} is {outcome}, not of {sorted(expected)}")
