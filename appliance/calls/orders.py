"""What people of the office order by page and button, carried out: calls, promises, switches, recordings to hear.

Who may is decided before (control.py); whether it can be done is said here, and a Problem says why it cannot, in words
for who ordered it. Of two who order the same thing one is first: the other is told what is so now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from appliance.calls.conversation import Conversation
from appliance.calls.desk import asked_by, due_of
from appliance.calls.office import EndCall, Office
from appliance.control import wire
from appliance.control.wire import Done, Promised, Reply, Saved
from appliance.errors import Problem
from appliance.records import events, ledger, recordings

CLOSED_BY_HAND = ("done", "cancelled")
USES = ("play",)  # what recordings are taken for
MOST_LETTERS = 200  # of a reason
MOST_USER, MOST_ID = 64, 64

# Why something is not done: the words of desk.py and outbound.py, and what a person reads.
PROBLEMS: Mapping[str, str] = {
    "past": "desk.past",
    "closed_hour": "desk.closed_hour",
    "being_dialled": "desk.being_dialled",
    "no_such_request": "desk.no_such_request",
    "no_number": "desk.no_number",
    "not_callable": "desk.not_callable",
    "not_a_number": "desk.not_callable",
    "too_long": "desk.not_callable",
    "short": "desk.not_callable",
    "emergency": "desk.not_callable",
    "internal": "desk.internal",
    "own_number": "desk.own_number",
    "forbidden": "desk.forbidden",
    "denied": "desk.forbidden",
    "premium": "desk.forbidden",
    "satellite": "desk.forbidden",
    "foreign": "desk.forbidden",
}


class Orders:
    """``sessions`` are the conversations under way, by id; ``changed`` is told when the picture is different."""

    def __init__(self, office: Office, sessions: Mapping[str, Conversation], changed: Callable[[], None]) -> None:
        self._office = office
        self._sessions = sessions
        self._changed = changed

    async def carry_out(self, order: wire.OfficeOrder, by: str) -> Reply:
        """Does what ``by`` has ordered. Problem where it cannot be done."""
        match order:
            case wire.HangUpCall(_, conversation):
                self._hang_up(conversation)
            case wire.Turn(_, action, value):
                if not self._office.desk.turn(action, value, by):
                    raise Problem("desk.no_sense", value=value or action)
            case wire.MakePromise():
                return self._promise(order)
            case wire.ChangeRequest(_, request, number, due):
                moment = self._moment(due) if due else None
                _raise(self._office.desk.change(request, by, number=number, due=moment), number)
            case wire.CallNow(_, request):
                _raise(self._office.desk.call_now(request, by), "")
            case wire.CloseRequest(_, request, state):
                await self._close(request, state, by)
            case wire.SaveContacts(_, contacts):
                return Saved(await self._office.contacts.save(contacts, by))
            case wire.RemoveContacts(_, contacts):
                await self._office.contacts.remove(contacts, by)
            case wire.AskLists():
                return self._office.lists.now()
            case wire.CheckNumbers(_, list_name, numbers):
                return self._office.lists.check(list_name, numbers)
            case wire.AddToList(_, list_name, rows):
                return await self._office.lists.add(list_name, rows, by)
            case wire.TurnList(_, list_name, is_paused):
                await self._office.lists.turn(list_name, is_paused, by)
            case wire.ForbidNumbers(_, numbers, why):
                return await self._office.lists.forbid_all(numbers, by, why[:MOST_LETTERS])
            case wire.AllowNumber(_, number):
                await self._office.lists.allow(number, by)
            case wire.MoveCaller(_, conversation, line, seen):
                self._move(conversation, line, seen)
            case wire.TakeRecording(_, recording, use, why):
                await self._take(recording, use, why, by)
            case wire.ExportRecordings():
                await self._export(order, by)
        self._changed()
        return Done()

    def _hang_up(self, conversation: str) -> None:
        session = self._sessions.get(conversation)
        if session is None:
            raise Problem("control.no_such_call")
        session.inbox.put(EndCall("asked"))

    def _promise(self, order: wire.MakePromise) -> Promised:
        trunks = self._office.sip.trunks
        asked = asked_by("", "", order.language, trunks[0].name if trunks else "")  # whose area code numbers may lack
        reply = self._office.desk.promise(
            asked, order.number, order.queue, self._moment(order.due), order.about, order.agent
        )
        _raise(reply.reason, order.number)
        return Promised(str(reply.values["code"]), int(reply.values["due"]))

    def _moment(self, written: str) -> int:
        due = due_of(written, self._office.clock.utc_ms())
        if due is None:
            raise Problem("desk.no_such_moment", value=written[:40])
        return due

    async def _close(self, request: str, state: str, by: str) -> None:
        if state not in CLOSED_BY_HAND:
            raise Problem("desk.no_sense", value=state[:40])
        if self._office.desk.close(request, state, by):
            return
        found = await self._office.records.call(lambda store: store.within(lambda db: ledger.of_id(db, request)))
        if found is None or found.state not in ("open", "doing"):
            raise Problem("desk.no_such_request")
        self._office.records.put(events.RequestMoved(request, state, by, "by hand"))

    async def _take(self, recording: str, use: str, why: str, by: str) -> None:
        """Puts on record who takes a recording and why; returns when it is on the disk."""
        if use not in USES:
            raise Problem("desk.no_sense", value=use[:40])
        if not why.strip():
            raise Problem("listen.no_why")
        records = self._office.records
        known = recordings.takeable(
            await records.call(lambda store: store.within(lambda db: recordings.of(db, recording)))
        )
        records.put(events.RecordingTaken(known.conversation, recording, by, use, why.strip()[:MOST_LETTERS]))
        await records.flush()

    async def _export(self, order: wire.ExportRecordings, by: str) -> None:
        """Puts on record who exports what and why, also of what the records do not know; returns when it is on disk."""
        if order.form not in wire.EXPORTED or not 0 < len(order.recordings) <= wire.MOST_EXPORTED:
            raise Problem("desk.no_sense", value=order.form[:40])
        why, user = order.why.strip()[:MOST_LETTERS], order.user.strip()[:MOST_USER]
        if not why:
            raise Problem("recorder.no_reason", most=MOST_LETTERS)
        records, actor = self._office.records, f"{by}: {user}" if user else by
        for recording in dict.fromkeys(name[:MOST_ID] for name in order.recordings):
            known = await records.call(lambda store: store.within(lambda db: recordings.of(db, recording)))  # noqa: B023 - asked at once
            conversation = known.conversation if known else ""
            records.put(events.RecordingExported(conversation, recording, actor, order.form, why))
        await records.flush()

    def _move(self, conversation: str, line: str, seen: str) -> None:
        if line not in self._office.queues:
            raise Problem("desk.no_line", line=line[:40], known=", ".join(sorted(self._office.queues)) or "-")
        now = self._office.floor.line_of(conversation)
        if not now:
            raise Problem("desk.waits_no_more")
        if now != seen:
            raise Problem("desk.moved_already", line=now)
        if not self._office.floor.move(conversation, line):
            raise Problem("desk.waits_no_more")
        moved = self._sessions.get(conversation)
        if moved is not None:
            moved.put(events.QueueJoined(conversation, line, moved.offset_ms()))


def _raise(reason: str, number: str) -> None:
    if reason:
        key = PROBLEMS.get(reason, "desk.not_callable")
        fields = {"number": number[:40]} if key in ("desk.not_callable", "desk.forbidden") else {}
        raise Problem(key, **fields)
