"""What every agent does, put on record when it changes: the ground of records/attendance.py, and the office's minder.

It is looked whenever the office says that something is different (once for all that changes together), and once a
second, because time alone ends a wrap-up or a pause. What an agent has said about being away counts when they are
neither rung nor in a call, and before whether their telephone is there. Wall and monotonic clock are compared each
second: where they part by more than ``JUMP_MS`` the clock was set. While any agent is there it is written down twice a
minute that the box lives, and at a stop; a start puts the time since then on record as unknown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from appliance.queue.line import Doing
from appliance.records import attendance, events
from appliance.records.attendance import BEAT_SECONDS, State
from appliance.records.events import State as CallState
from appliance.records.store import Store

if TYPE_CHECKING:
    from appliance.calls.conversation import Conversation
    from appliance.calls.office import Office

LOOK_SECONDS = 1.0
JUMP_MS = 1000
DIRECTIONS = {"in": "in", "out": "out", "internal": "inside"}
MISSED, SIGNED_OUT = "missed", "signed_out"

Now = tuple[State, str]


class Timekeeper:
    """Nothing is put before ``start``."""

    def __init__(self, office: Office) -> None:
        self.conversations: Callable[[], Iterable[Conversation]] = tuple  # the switchboard's
        self._office = office
        self._known: dict[str, Now] = {}
        self._is_started = False
        self._is_waiting = False
        self._lived_until = 0
        self._apart = 0  # wall less monotonic milliseconds
        self._beat_at = 0.0

    def restore(self, store: Store) -> None:
        """Until when the process before this one is known to have lived; before anything new is put."""
        self._lived_until = store.within(attendance.last_alive)

    async def start(self) -> None:
        """The box runs again: until now nobody knows, and from now on everything is put on record."""
        now = self._office.clock.utc_ms()
        if self._lived_until:
            self._office.records.put(events.AttendanceGap("off", min(self._lived_until, now), now))
        self._apart, self._is_started = self._offset(), True
        self.look()
        await self._beat()

    async def stop(self) -> None:
        """The last moment at which this is known; to be called when every call has ended."""
        if self._is_started:
            self.look()
            await self._beat()
            self._is_started = False

    async def run(self) -> None:
        """Looks once a second, for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self._office.floor.look()
            if any(state is State.WRAP_UP for state, _ in self._known.values()):
                self._office.floor.pass_time()
            self._look_at_clock()
            self._office.seating.look()
            self._office.breaks.look()
            self._office.pins.look()
            self.look()
            if self._office.clock.monotonic() - self._beat_at >= BEAT_SECONDS and self._is_anybody_there():
                await self._beat()

    def changed(self) -> None:
        """Something is different: looks when all that happens now has happened."""
        if self._is_started and not self._is_waiting:
            self._is_waiting = True
            asyncio.get_running_loop().call_soon(self._look_soon)

    def look(self) -> None:
        """Puts what has changed since the last look."""
        engaged = self._office.floor.engaged()
        for agent in self._office.agents:
            now = self._now(agent, engaged)
            if self._known.get(agent) != now:
                self._known[agent] = now
                self._office.records.put(events.AgentEntered(agent, now[0].value, now[1]))

    def _look_soon(self) -> None:
        self._is_waiting = False
        if self._is_started:
            self.look()

    def _now(self, agent: str, engaged: Mapping[str, str]) -> Now:
        office = self._office
        if agent in engaged:
            return self._busy(agent, engaged[agent])
        absent = office.desk.switches.absent
        if not office.seats.is_reachable(agent):
            return State.AWAY, SIGNED_OUT
        if agent in absent:
            return State.AWAY, absent[agent]
        if office.why_away(agent):
            return State.NO_TELEPHONE, ""
        if office.floor.doing(agent) is Doing.WRAP_UP:
            return State.WRAP_UP, ""
        return (State.AWAY, MISSED) if office.floor.is_paused(agent) else (State.READY, "")

    def _busy(self, agent: str, conversation: str) -> Now:
        found = self._conversation(conversation)
        is_rung = found is not None and agent in found.rung
        if is_rung or self._office.floor.doing(agent) is Doing.OFFERED:
            return State.RUNG, ""
        direction = DIRECTIONS[found.direction] if found is not None else ""
        is_held = found is not None and found.state is CallState.HOLD
        return (State.HOLD if is_held else State.TALKING), direction

    def _conversation(self, conversation: str) -> Conversation | None:
        return next((each for each in self.conversations() if each.id == conversation), None)

    def _is_anybody_there(self) -> bool:
        return any(state is not State.NO_TELEPHONE for state, _ in self._known.values())

    async def _beat(self) -> None:
        self._beat_at, at = self._office.clock.monotonic(), self._office.clock.utc_ms()
        await self._office.records.call(lambda store: store.within(lambda db: attendance.alive(db, at)))

    def _look_at_clock(self) -> None:
        before, self._apart = self._apart, self._offset()
        if abs(self._apart - before) > JUMP_MS:
            now = self._office.clock.utc_ms()
            was = now - (self._apart - before)
            self._office.records.put(events.AttendanceGap("clock", min(was, now), max(was, now)))

    def _offset(self) -> int:
        return self._office.clock.utc_ms() - round(self._office.clock.monotonic() * 1000)
