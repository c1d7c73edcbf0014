"""What must be true of an office whatever happens: a list of what was seen from outside, and rules over it.

The model hears what left the box and what came to it (INVITEs, answers, BYEs, keys, what is played, who is joined to
whom), what is committed when the process dies, and once a second whom the box counts as busy; it says what is wrong.
The rules of turns stand in model_turns.py, those of promises in model_owed.py; here are rows 15, 17 and 18.

Loose, and why: an agent may be rung in the instant in which the caller hangs up; a refused call is told from a callback
that has just taken a line by looking again when attempts are written, and a callback that is done may hold its line
while the agent is still asked, or while media does not answer; an agent may count as busy without a dialog while a
customer is asked first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping

from tests.simulation.model_owed import Owed
from tests.simulation.model_seen import (
    BUSY_SECONDS,
    QUIET_SECONDS,
    SETTLED_SECONDS,
    SLACK,
    Caller,
    Ring,
    Wish,
)


class Model(Owed):
    """The whole."""

    # Callers ----------------------------------------------------------------------------------------------------------

    def rings_in(self, at: float, leg: str, name: str, number: str) -> None:
        self.note(at, f"{name} ({number or 'withheld'}) rings")
        self.callers[leg] = Caller(name, number, leg, at, is_early=not self.is_box_up)
        self.count("calls")

    def answers(self, at: float, leg: str) -> None:
        """The box answers a caller."""
        caller = self.callers[leg]
        self.note(at, f"{caller.name} is answered")
        caller.is_answered = True
        caller.began = at if caller.is_early else caller.began  # before, nobody was there to see them come
        self._silent.setdefault(leg, at)

    def refuses(self, at: float, leg: str, code: int) -> None:
        caller = self.callers[leg]
        self.note(at, f"{caller.name} is refused: {code}")
        if code == 486:
            inbound = sum(other.is_up and other.is_known and other is not caller for other in self.callers.values())
            outbound = self._most_callbacks_up()
            self.count("refused: every line taken")
            is_media_settled = self.is_media_up and at - self.media_at > SETTLED_SECONDS
            if (
                inbound + outbound < self._max_calls and is_media_settled
            ):  # unless a callback has just taken a line, and is written down
                text = f"{caller.name} is refused with {inbound} in and {outbound} out on {self._max_calls}"
                self._refusals.append((at, text))
            if inbound < self._kept:
                self.fail("row 17", f"{outbound} callbacks hold lines that are kept for callers")
        self.gone(at, leg)

    def presses(self, at: float, leg: str, key: str) -> None:
        who = self.callers.get(leg)
        ring = self.rings.get(leg)
        name = who.name if who else ring.agent if ring else "the customer"
        if who is None or not who.keys.endswith(key):
            self.note(at, f"{name} presses {key}")
        if who is not None:
            who.keys += key
            who.pressed_at = at
        if ring is not None and isinstance(ring.who, Wish) and ring.is_answered:
            last = [each for _, each in self.customers.values() if each.number == ring.number]
            attempt = max(last, key=lambda each: each.began, default=None)
            if attempt is not None and attempt.answered is not None and key == "1":
                attempt.is_given = attempt.is_given or ring.starred or attempt.ended is not None
            ring.starred = key == "*"
        found = self.customers.get(leg)
        if found is not None and key == "1" and found[1].answered is not None:
            found[1].is_given = found[1].is_given or not found[1].is_first

    # Sound ------------------------------------------------------------------------------------------------------------

    def plays(self, at: float, stream: str, play: int, prompts: tuple[str, ...], language: str, loops: bool) -> None:
        self._playing[stream] = play
        self._silent.pop(stream, None)
        caller = self.callers.get(stream)
        if caller is None or not caller.is_up:
            found = self.customers.get(stream)
            if found is not None and language and found[0].language not in ("", language):
                self.fail("language", f"{found[0].customer} asked in {found[0].language} and hears {language}")
            return
        if language == "en" and "9" in caller.keys:
            caller.language = "en"
        if language and language != caller.language:
            self.fail("language", f"{caller.name} chose {caller.language} and hears {language}")
        word = prompts[0]
        asked_at = max(caller.asked_at, caller.pressed_at)
        if not word.startswith("tone:"):
            caller.asks_for = word.split("_")[1] if word.startswith(("ask_", "number_")) else ""
            caller.asked_at, caller.asked_keys = at, len(caller.keys)
        if loops and word == "music":
            if caller.next_line:
                self._joins(at, caller)
            elif not caller.is_waiting:  # keys pressed ahead: the line was not named
                caller.is_waiting, caller.line, caller.joined = True, "", at
        elif word.startswith("to_"):
            _, caller.next_line, priority = word.split("_")
            caller.priority = int(priority)
        elif word.startswith(("kept_", "given_")):
            how, line = word.split("_")
            self._promised(at, caller, line, caller.other if how == "given" else caller.number, asked_at)
        elif word == "busy" and caller.next_line:  # the line was full: who came is kept in mind as having come then
            caller.places.setdefault(caller.next_line, (at, at))
            caller.next_line = ""
        elif caller.is_waiting and not word.startswith(("place", "tone:")):
            self.note(at, f"{caller.name} has left the line: {word}")
            caller.is_waiting = False

    def _joins(self, at: float, caller: Caller) -> None:
        line = caller.line = caller.next_line
        caller.next_line = ""
        kept = self.in_line(caller.number, line) if caller.number else None
        doubtful = self._perhaps_of(caller.number, line)
        stands = kept.place if kept is not None else (at, at)
        if doubtful is not None:  # it may be theirs still
            stands = min(doubtful.place[0], stands[0]), at
        elif kept is not None and self._may_be_over(at, kept):
            stands = kept.place[0], at
        for other in self.callers.values():  # who asks for the same number just now may have been kept, and not told
            is_same = other is not caller and other.is_up and other.number == caller.number != ""
            if is_same and line in other.may_be_asked_in(self.lines):
                stands = min(stands[0], other.places.get(line, (other.began, at))[0]), at
        first = caller.places.setdefault(line, stands)
        caller.joined, caller.is_waiting = at, True
        # who comes again to the same line in one call has left it meanwhile: either place is right
        caller.place = stands if kept is not None else (first[0], at)
        self.note(at, f"{caller.name} waits in {line} at {caller.place}")
        self.count("waits")
        if kept is not None:
            self.count("rang again: waits at the old place")

    def quiet(self, at: float, stream: str, play: int) -> None:
        """A play has ended, or was stopped (0: whatever it is)."""
        if stream in self._playing and play in (0, self._playing[stream]):
            del self._playing[stream]
            if stream not in self._partner:
                self._silent.setdefault(stream, at)

    def joins(self, at: float, left: str, right: str) -> None:
        for one, other in ((left, right), (right, left)):
            self._partner[one] = other
            self._playing.pop(one, None)
            self._silent.pop(one, None)
        for customer, agent in ((left, right), (right, left)):
            if agent in self.rings and self.rings[agent].is_answered:
                self.rings[agent].is_joined = True
                self._connected(at, customer, self.rings[agent])

    def parts(self, at: float, stream: str) -> None:
        other = self._partner.pop(stream, "")
        self._partner.pop(other, None)
        for each in (stream, other):
            if each and each not in self._playing:
                self._silent.setdefault(each, at)

    def _connected(self, at: float, leg: str, ring: Ring) -> None:
        caller = self.callers.get(leg)
        if caller is not None and not caller.is_connected:
            self.note(at, f"{caller.name} speaks with {ring.agent}")
            caller.is_connected, caller.is_waiting, caller.connected_at = True, False, at
            self.count("served")
            if caller.line:
                self.served[caller.line].append((caller.place, at, caller.priority))
            for wish in self.of(caller.number) if caller.number else ():
                wish.is_closed = caller.number not in wish.perhaps
                self.count("got through by ringing again")
            for wish in self.wishes if caller.number else ():
                wish.is_maybe_settled |= caller.number in wish.perhaps
        found = self.customers.get(leg)
        if found is not None and found[1].answered is not None and not found[1].was_joined:
            self.note(at, f"{found[0].customer} speaks with {ring.agent}")
            found[1].was_joined = True
            self.served[found[0].line].append((found[0].place, at, 0))
            self.count("called back and joined")

    # Agents -----------------------------------------------------------------------------------------------------------

    def rings_agent(self, at: float, leg: str, agent: str, name: str, number: str) -> None:
        """An INVITE to an agent's phone; who it is for stands in it."""
        who: Caller | Wish | None
        is_plain = True
        if name:
            who = next((each for each in self.callers.values() if each.name == name), None)
        else:
            rung = [w for w in self.of(number) if w.customer == number and agent in self.lines[w.line].levels]
            rung = rung or [
                w for w, attempt in self.customers.values() if attempt.ended is None and w.customer == number
            ]
            is_plain = len(rung) == 1  # else it is not told which of the two lines it is for
            who = next(iter(rung), None)
        self.note(at, f"{agent} is rung for {name or number}")
        if who is None:
            self.fail("row 5", f"{agent} is rung for {name or number}, who wants nothing")
            return
        if any(ring.agent == agent and ring.is_up for ring in self.rings.values()):
            self.fail("row 18", f"{agent} is rung twice at once")
        self.rings[leg] = Ring(agent, who, number, at)
        who.ringing.add(leg)
        if isinstance(who, Caller) and not (who.is_waiting or who.ended >= at - SLACK):
            self.fail("row 18", f"{agent} is rung for {who.name}, who does not wait")
        if isinstance(who, Wish) and not who.attempts:
            who.was_rung = True
        if is_plain and not (isinstance(who, Wish) and any(each.ended is None for each in who.attempts)):
            self._in_turn(at, agent, who, 0.0)

    def picks_up(self, at: float, leg: str) -> None:
        ring = self.rings.get(leg)
        if ring is not None:
            ring.is_answered = True
            self.note(at, f"{ring.agent} picks up")
        found = self.customers.get(leg)
        if found is not None:
            self.note(at, f"{found[0].customer} picks up")
            found[1].answered = at
            self._silent.setdefault(leg, at)

    def turned_down(self, at: float, leg: str, code: int) -> None:
        found = self.customers.get(leg)
        if found is not None:
            found[1].code = code
        self.gone(at, leg)

    # Once a second ----------------------------------------------------------------------------------------------------

    def second(
        self,
        at: float,
        engaged: Collection[str],
        shown: Collection[str],
        page: Mapping[str, str],
        is_up: Callable[[str], bool],
    ) -> None:
        """Row 18, and what callers hear.

        ``engaged`` are busy agents, ``shown`` those who speak by the page, ``page`` what it says that each does.
        """
        self.note(at, "") if self._suspects else None
        self.count("seconds looked at")
        self._look_for_room(at)
        if self._refusals and self._refusals[0][0] < at - SETTLED_SECONDS:
            since, text = self._refusals.pop(0)
            if not any(since <= attempt.began <= at for _, attempt in self.customers.values()):
                self.fail("row 17", text)
        if at >= self._orphans_until:
            left = [leg for leg in self._orphans if is_up(leg)]
            if left:
                self.fail("row 5", f"legs of the dead process are still up: {left}")
            self._orphans, self._orphans_until = [], math.inf
        if not self.is_box_up:
            return
        rings = [ring for ring in self.rings.values() if ring.is_up]
        live = {ring.agent for ring in rings}
        talking = {ring.agent for ring in rings if ring.is_joined}
        is_reserved = any(
            not each.is_first and each.ended is None and not each.was_joined for _, each in self.customers.values()
        )
        for agent in live - set(engaged):
            self.fail("row 18", f"{agent} has a dialog and does not count as busy")
        for agent in live:
            if page.get(agent) not in ("offered", "talking", "not_registered"):
                self.fail("row 18", f"{agent} has a dialog, and the page says {page.get(agent)}")
        idle = set(engaged) - live if not is_reserved else set()
        self._idle = {agent: self._idle.get(agent, at) for agent in idle}
        for agent, since in self._idle.items():
            if at - max(since, self.media_at) > BUSY_SECONDS:
                self.fail("row 18", f"{agent} counts as busy and has had no dialog for {BUSY_SECONDS} s")
        if talking != set(shown):
            self.fail("row 18", f"{sorted(talking)} speak, the page shows {sorted(shown)}")
        if self.is_media_up:
            for stream, since in self._silent.items():
                if at - max(since, self.media_at) > QUIET_SECONDS and self._hears(stream):
                    self.fail("row 15", f"{self._who(stream)} hears nothing for {at - since:.1f} s")

    def _hears(self, stream: str) -> bool:
        caller = self.callers.get(stream)
        if caller is not None:
            return caller.is_answered and caller.is_up
        found = self.customers.get(stream)
        return found is not None and found[1].answered is not None and found[1].ended is None

    def _who(self, stream: str) -> str:
        caller = self.callers.get(stream)
        return caller.name if caller is not None else self.customers[stream][0].customer

    def _look_for_room(self, at: float) -> None:
        """Whether callbacks could be kept from standing in their lines now."""
        wanted = sum(not each.is_closed for each in self.wishes)
        wanted += sum(wish.is_closed and attempt.ended is None for wish, attempt in self.customers.values())
        inbound = sum(each.ended > at - 8.0 for each in self.callers.values())
        room = not self._max_calls or inbound + self._most_callbacks_up() + self._kept + 1 < self._max_calls
        if wanted > self._most_callbacks or not room:
            self._tight_at = at
