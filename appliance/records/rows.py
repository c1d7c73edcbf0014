"""Which rows an event changes: pure, the same for a new event and for a rebuild of everything.

A change is a statement and its values; ``apply`` runs it in the transaction of its event. Changes look at nothing but
their own event, the row they change and the rows of the same conversation, so the order of events is the only thing
that counts, and an event about something unknown changes nothing.
"""

from __future__ import annotations

from appliance.messages.folding import fold
from appliance.records import events, list_rows
from appliance.records.database import Value
from appliance.records.events import Happened

Change = tuple[str, tuple[Value, ...]]

_OPEN = """INSERT INTO conversation (id, opened_n, opened, direction, line, trunk, called, customer,
customer_as_arrived, customer_name, is_withheld, flow, flow_hash, language, folded_name)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING"""

# Adds the time since the last change to the state that was, so that the five sums always reach state_since_ms exactly.
# ?1 is the offset, ?2 the conversation; an offset that goes back adds nothing. A closed conversation stands still.
_ELAPSED = """ringing_ms = ringing_ms + iif(state = 'ringing', max(?1 - state_since_ms, 0), 0),
menu_ms = menu_ms + iif(state = 'menu', max(?1 - state_since_ms, 0), 0),
waiting_ms = waiting_ms + iif(state = 'waiting', max(?1 - state_since_ms, 0), 0),
talking_ms = talking_ms + iif(state = 'talking', max(?1 - state_since_ms, 0), 0),
hold_ms = hold_ms + iif(state = 'hold', max(?1 - state_since_ms, 0), 0),
state_since_ms = max(state_since_ms, ?1)"""
_STATE = f"UPDATE conversation SET {_ELAPSED}, state = ?3 WHERE id = ?2 AND closed IS NULL"  # noqa: S608 - constants only
_CLOSE = f"""UPDATE conversation SET {_ELAPSED}, total_ms = max(state_since_ms, ?1), closed = ?3, outcome = ?4,
detail = ?5, agent = iif(?6 = '', agent, ?6), state = 'closed' WHERE id = ?2 AND closed IS NULL"""  # noqa: S608 - constants only

_QUEUE = "UPDATE conversation SET queue = ? WHERE id = ?"
# A step that asks whether the call may be recorded: consent_how stays empty where the answer was no.
_NODE = "UPDATE conversation SET node = ?, was_asked = max(was_asked, ?) WHERE id = ?"
_DIGIT = "UPDATE conversation SET digits = digits || ? WHERE id = ?"
_LANGUAGE = "UPDATE conversation SET language = ? WHERE id = ?"
_INTERRUPTED = (
    "UPDATE conversation SET interruptions = interruptions + 1, interrupted_ms = interrupted_ms + ? WHERE id = ?"
)
_CONSENT = "UPDATE conversation SET consent = ?, consent_how = ? WHERE id = ? AND consent = ''"  # the customer's own
_PAUSED = "INSERT INTO paused (n, conversation, by, state, how, at_ms) VALUES (?, ?, ?, ?, ?, ?)"
_LEG = """INSERT INTO leg (id, conversation, role, party, via, opened_ms) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING"""
_LEG_ANSWERED = "UPDATE leg SET answered_ms = ?, codec = ? WHERE id = ? AND answered_ms IS NULL"
_AGENT = """UPDATE conversation SET agent = (SELECT party FROM leg WHERE id = ?1)
WHERE id = ?2 AND (SELECT role FROM leg WHERE id = ?1) = 'agent'"""
_LEG_ENDED = """UPDATE leg SET ended_ms = ?, cause = ?, code = ?, mos10 = ?, lost_permille = ?
WHERE id = ? AND ended_ms IS NULL"""
_RECORDING = """INSERT INTO recording (id, conversation, part, consent, opened_ms, state) VALUES (?, ?, ?, ?, ?, 'live')
ON CONFLICT DO NOTHING"""
_RECORDING_REFUSED = """INSERT INTO recording (id, conversation, part, consent, opened_ms, state, reason)
VALUES (?1, ?2, 0, '', ?3, 'refused', ?4) ON CONFLICT (id) DO UPDATE SET state = 'refused', reason = ?4"""
_GAP = "UPDATE recording SET gaps = gaps + 1, gap_ms = gap_ms + ?, reason = ? WHERE id = ?"
_SEALED = """UPDATE recording SET state = ?, body_bytes = ?, body_sha256 = ?, seal_sha256 = ?, milliseconds = ?,
missing_ms = ?, left_talk_ms = ?, right_talk_ms = ?, overtalk_ms = ?, dead_air_ms = ?, longest_silence_ms = ?,
left_interruptions = ?, right_interruptions = ?, replies = ?, reply_ms = ? WHERE id = ?"""
# What is searched for stands in one row: the sums over all recordings of a conversation.
_SPOKEN = f"""UPDATE conversation SET (overtalk_ms, dead_air_ms, recorded_ms) = (
SELECT coalesce(sum(overtalk_ms), 0), coalesce(sum(dead_air_ms), 0),
coalesce(sum(iif(state IN {events.KEPT_STATES}, milliseconds, 0)), 0) FROM recording WHERE conversation = ?1)
WHERE id = ?1"""  # noqa: S608 - constants only
_VERIFIED = "UPDATE recording SET verified = ?, verified_reason = ?, verified_at = ? WHERE id = ?"
_RECORD = "INSERT INTO cdr (conversation, revision, closed, changed_n) VALUES (?, 1, ?, ?) ON CONFLICT DO NOTHING"
_REVISED = "UPDATE cdr SET revision = revision + 1, changed_n = ? WHERE conversation = ?"
_REVISED_BY_CHECK = """UPDATE cdr SET revision = revision + 1, changed_n = ?1
WHERE conversation = (SELECT conversation FROM recording WHERE id = ?2 AND verified != ?3)"""
_TRUNK = """INSERT INTO trunk_state (trunk, state, code, since) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (trunk) DO UPDATE SET state = ?2, code = ?3, since = ?4"""
_PHONE = """INSERT INTO phone_state (phone, is_registered, since) VALUES (?1, ?2, ?3)
ON CONFLICT (phone) DO UPDATE SET is_registered = ?2, since = ?3"""
_STARTED = """INSERT INTO service_state (service, version, boot, started, starts, losses, lost, lost_detail)
VALUES (?1, ?2, ?3, ?4, 1, 0, NULL, '')
ON CONFLICT (service) DO UPDATE SET version = ?2, boot = ?3, started = ?4, starts = starts + 1"""
_LOST = """INSERT INTO service_state (service, version, boot, started, starts, losses, lost, lost_detail)
VALUES (?1, '', '', NULL, 0, 1, ?2, ?3)
ON CONFLICT (service) DO UPDATE SET losses = losses + 1, lost = ?2, lost_detail = ?3"""
_OF_CONVERSATION = (
    "recording", "leg", "cdr", "request", "attempt", "survey", "identified", "message", "notice", "reply",
    "passed_on", "supervised", "wrap_up", "brief", "draft", "hold", "going",
    "paused",
    "list_attempt",
)  # fmt: skip
_TOMBSTONE = """INSERT INTO tombstone (conversation, n, at, reason, actor) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (conversation) DO UPDATE SET n = excluded.n, at = excluded.at,
reason = excluded.reason, actor = excluded.actor"""
_REQUEST = """INSERT INTO request (id, number, code, conversation, what, customer, language, queue, opened, due,
detail, moved, agent, place, trunk) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"""
# Moved after its time was over (15 min of grace, FIGURES.md): that promise was broken, whatever comes of the new time.
_REQUEST_CHANGED = f"""UPDATE request SET late = late + (due > 0 AND due <> ?2 AND ?5 > due + {events.ON_TIME_MS}),
customer = ?1, due = ?2, queue = ?3, by = ?4 WHERE id = ?6"""  # noqa: S608 - constants only
_REQUEST_REMINDED = "UPDATE request SET reminded = ? WHERE id = ?"
_REQUEST_RENEWED = "UPDATE request SET renewed = ? WHERE id = ?"
_REQUEST_MOVED = "UPDATE request SET state = ?, by = ?, moved = ? WHERE id = ?"
_DIALLED = """INSERT INTO attempt (conversation, request, leg, trunk, began, began_ms, dial)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING"""
_ATTEMPTED = "UPDATE attempt SET ended = ?, outcome = ?, agent = ?, heard = ? WHERE conversation = ? AND ended IS NULL"
_SURVEY = """INSERT INTO survey (conversation, question, value, at) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (conversation, question) DO UPDATE SET value = ?3, at = ?4"""
_IDENTIFIED = """INSERT INTO identified (conversation, method, is_proven, identity) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (conversation) DO UPDATE SET method = ?2, is_proven = ?3, identity = ?4"""
_MESSAGE = "INSERT INTO message (n, conversation, what, request, begins_ms, ends_ms) VALUES (?, ?, ?, ?, ?, ?)"
_FLOW_VERSION = "INSERT INTO flow_version (n, flow, flow_hash, what, by, at) VALUES (?, ?, ?, ?, ?, ?)"
_SWITCH = """INSERT INTO switch_state (switch, value, by, since) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (switch) DO UPDATE SET value = ?2, by = ?3, since = ?4"""
_SEAT = """INSERT INTO seat (agent, phone, since) VALUES (?1, ?2, ?3)
ON CONFLICT (agent) DO UPDATE SET phone = ?2, since = ?3"""
_AGENT_TIME = "INSERT INTO agent_time (n, agent, at, state, detail) VALUES (?, ?, ?, ?, ?)"
_AGENT_GAP = "INSERT INTO agent_gap (n, why, begins, ends) VALUES (?, ?, ?, ?)"
_NOTICE = """INSERT INTO notice (name, conversation, what, channel, about, last4, language, planned, not_before)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"""
_NOTICE_TRIED = "UPDATE notice SET state = 'trying', tries = tries + 1, tried = ? WHERE name = ?"
_NOTICE_ENDED = "UPDATE notice SET state = ?, detail = ?, reference = ?, ended = ? WHERE name = ?"
_NOTICE_DELIVERED = "UPDATE notice SET delivery = ? WHERE name = ?"
_LEG_MOVED = """UPDATE leg SET conversation = ?1, role = ?2, party = ?3, opened_ms = ?4,
answered_ms = iif(answered_ms IS NULL, NULL, ?4) WHERE id = ?5"""
_PASSED_ON = """INSERT INTO passed_on (n, conversation, agent, target, how, state, detail, at_ms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_SUPERVISED = """INSERT INTO supervised (n, conversation, supervisor, agent, leg, state, mode, detail, recording, at_ms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
# What was missed and is given after all is late; ?3 is the state that this event makes.
_WRAP_UP = """INSERT INTO wrap_up (conversation, agent, state, disposition, note, resolved, kind, n, at, at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
ON CONFLICT (conversation, agent) DO UPDATE SET state = CASE WHEN state <> 'missed' THEN state
 WHEN ?3 = 'given' THEN 'late' ELSE 'missed' END,
disposition = ?4, note = ?5, resolved = ?6, kind = ?7, n = ?8, at = ?9, at_ms = ?10"""
_DRAFT_OVER = "DELETE FROM draft WHERE conversation = ? AND agent = ?"
_BRIEF = """INSERT INTO brief (conversation, agent, text, n, at_ms) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (conversation, agent) DO UPDATE SET text = ?3, n = ?4, at_ms = ?5"""
_REPLY = """INSERT INTO reply (name, conversation, what, customer, text, at, n) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING"""
_RECEIPT = """INSERT INTO receipt (target, key, unit, recording, first, last, sha256, size, place, n, at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"""
# A recording is sent where one target has all three files; ?1 is the time, ?2 the recording, ?3 the target.
_SENT = """UPDATE recording SET sent_at = ?1 WHERE id = ?2 AND sent_at IS NULL
AND (SELECT count(DISTINCT unit) FROM receipt WHERE recording = ?2 AND target = ?3) = 3"""
_AWAY = """INSERT INTO taken_away (recording, target, left, at) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (recording, target) DO UPDATE SET left = ?3, at = ?4"""
_TAKEN_BACK = "DELETE FROM receipt WHERE target = ? AND recording = ?"
_UNSENT = """UPDATE recording SET sent_at = NULL WHERE id = ?1
AND NOT EXISTS (SELECT 1 FROM receipt WHERE recording = ?1 GROUP BY target HAVING count(DISTINCT unit) = 3)"""
_CONTACT = """INSERT INTO contact (id, name, latin, numbers, language, is_vip, is_blocked, is_unrecorded, note, saved,
folded, folded_name) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
ON CONFLICT (id) DO UPDATE SET name = ?2, latin = ?3, numbers = ?4, language = ?5, is_vip = ?6, is_blocked = ?7,
is_unrecorded = ?8, note = ?9, saved = ?10, folded = ?11, folded_name = ?12"""
_CONTACT_GONE = "DELETE FROM contact WHERE id = ?"
_CONTACT_NUMBER = "INSERT OR REPLACE INTO contact_number (number, contact) VALUES (?, ?)"
_CONTACT_NUMBERS_GONE = "DELETE FROM contact_number WHERE contact = ?"
_HELD = "INSERT INTO hold (id, conversation, number, why, by, at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_RELEASED = "UPDATE hold SET released = ? WHERE id = ? AND released IS NULL"
_EXPIRED = "INSERT INTO going (recording, conversation, cause, at) VALUES (?, ?, 'expired', ?) ON CONFLICT DO NOTHING"
# What was gone from the box already is looked for once more: an erasure is certain, or it is none.
_TO_DESTROY = """INSERT INTO going (recording, conversation, cause, at) VALUES (?, ?, 'erased', ?)
ON CONFLICT (recording) DO UPDATE SET cause = 'erased', at = excluded.at, gone = NULL"""
_CAME_LATE = "UPDATE going SET gone = NULL WHERE recording = ?"  # media closed it when it was to be gone
_DELETED = "UPDATE going SET gone = ? WHERE recording = ?"
_ERASURE = "INSERT OR IGNORE INTO erasure (n) SELECT n FROM event WHERE subject = ? AND n < ?"
_BODIES = "DELETE FROM event_body WHERE n IN (SELECT n FROM event WHERE subject = ? AND n < ?)"


def changes(happened: Happened, n: int, at: int) -> tuple[Change, ...]:
    """What event ``n`` of UTC ms ``at`` changes, in order."""
    match happened:
        case events.ConversationOpened():
            return ((_OPEN, _opened(happened, n, at)),)
        case events.StateEntered():
            return ((_STATE, (happened.offset_ms, happened.conversation, happened.state)),)
        case events.QueueJoined(conversation, queue, _):
            return ((_QUEUE, (queue, conversation)),)
        case events.NodeEntered():
            return ((_NODE, (happened.node, int(happened.node_kind == "consent"), happened.conversation)),)
        case events.DigitTaken():
            return ((_DIGIT, (happened.digit, happened.conversation)),)
        case events.LanguageChosen():
            return ((_LANGUAGE, (happened.language, happened.conversation)),)
        case events.LegOpened(conversation, leg, role, party, via, offset_ms):
            return ((_LEG, (leg, conversation, role, party, via, offset_ms)),)
        case events.LegAnswered():
            return (
                (_LEG_ANSWERED, (happened.offset_ms, happened.codec, happened.leg)),
                (_AGENT, (happened.leg, happened.conversation)),
            )
        case events.LegEnded(_, leg, cause, code, offset_ms, mos10, lost):
            return ((_LEG_ENDED, (offset_ms, cause, code, mos10, lost, leg)),)
        case events.LegMoved(conversation, leg, role, party, offset_ms):
            return ((_LEG_MOVED, (conversation, role, party, offset_ms, leg)),)
        case events.CustomerPassedOn(conversation, agent, target, how, state, detail, offset_ms):
            return ((_PASSED_ON, (n, conversation, agent, target, how, state, detail, offset_ms)),)
        case events.Supervised(conversation, supervisor, agent, leg, state, mode, detail, recording, offset_ms):
            step = n, conversation, supervisor, agent, leg, state, mode, detail, recording, offset_ms
            return ((_SUPERVISED, step),)
        case events.WrapUpGiven() | events.WrapUpMissed():
            return _wrapped_up(happened, n, at)
        case events.TransferBriefed(conversation, agent, text, offset_ms):
            return (_BRIEF, (conversation, agent, text, n, offset_ms)), (_REVISED, (n, conversation))
        case events.MediaInterrupted():
            return ((_INTERRUPTED, (happened.gap_ms, happened.conversation)),)
        case events.ConsentGiven() | events.ConsentKept():
            return ((_CONSENT, (happened.consent, happened.how, happened.conversation)),)
        case events.RecordingPaused(conversation, by, state, how, offset_ms):
            return ((_PAUSED, (n, conversation, by, state, how, offset_ms)),)
        case events.ConversationClosed():
            return ((_CLOSE, _closed(happened, at)),)
        case events.RecordClosed():
            return ((_RECORD, (happened.conversation, at, n)),)
        case events.ConversationErased():
            return _erased(happened, n, at)
        case (
            events.RecordingOpened()
            | events.RecordingRefused()
            | events.RecordingGap()
            | events.RecordingSealed()
            | events.RecordingVerified()
        ):
            return _of_recording(happened, n, at)
        case (
            events.RecordingHeld() | events.RecordingReleased() | events.RecordingExpired() | events.RecordingDeleted()
        ):
            return (_of_keeping(happened, at),)
        case events.TrunkTurned(trunk, state, code):
            return ((_TRUNK, (trunk, state, code, at)),)
        case events.PhoneTurned(phone, is_registered):
            return ((_PHONE, (phone, int(is_registered), at)),)
        case events.ServiceStarted(service, version, boot, _):
            return ((_STARTED, (service, version, boot, at)),)
        case events.ServiceLost(service, detail):
            return ((_LOST, (service, at, detail)),)
        case (
            events.RequestOpened()
            | events.RequestMoved()
            | events.RequestChanged()
            | events.RequestReminded()
            | events.RequestRenewed()
            | events.CallbackDialled()
            | events.CallbackEnded()
            | events.SurveyAnswered()
            | events.Identified()
            | events.MessageTaken()
        ):
            return _of_ledger(happened, n, at)
        case events.AgentSeated(agent, phone):
            return ((_SEAT, (agent, phone, at)),)
        case events.AgentLeft(agent):
            return ((_SEAT, (agent, "", at)),)
        case events.AgentEntered(agent, state, detail):
            return ((_AGENT_TIME, (n, agent, at, state, detail)),)
        case events.AttendanceGap(why, begins, ends):
            return ((_AGENT_GAP, (n, why, begins, ends)),)
        case events.FlowPublished(flow, flow_hash, what, by):
            return ((_FLOW_VERSION, (n, flow, flow_hash, what, by, at)),)
        case events.SwitchTurned(switch, value, by):
            return ((_SWITCH, (switch, value, by, at)),)
        case events.NoticePlanned() | events.NoticeTried() | events.NoticeEnded() | events.NoticeDelivered():
            return (_of_notice(happened, at),)
        case events.ReplyReceived(conversation, reply, what, customer, text):
            return ((_REPLY, (reply, conversation, what, customer, text, at, n)),)
        case events.ContactSaved():
            return _contact(happened, at)
        case events.ContactRemoved(contact):
            return (_CONTACT_GONE, (contact,)), (_CONTACT_NUMBERS_GONE, (contact,))
        case (
            events.ListEntryAdded()
            | events.ListTurned()
            | events.ListEntryDialled()
            | events.ListAttemptSettled()
            | events.DoNotCallSet()
            | events.DoNotCallLifted()
        ):
            return list_rows.changes(happened, n, at)
        case events.UpstreamReceipt(target, unit, key, recording, first, last, sha256, size, place):
            values = target, key, unit, recording, first, last, sha256, size, place, n, at
            return (_RECEIPT, values), *(((_SENT, (at, recording, target)),) if recording else ())
        case events.UpstreamErased(target, recording, left):
            away = _AWAY, (recording, target, left, at)
            return (_TAKEN_BACK, (target, recording)), (_UNSENT, (recording,)), away
        case (
            events.CallCameBack()
            | events.CallForwarded()
            | events.SettingsTaken()
            | events.PinSet()
            | events.PinRefused()
            | events.PinLocked()
            | events.PinUnlocked()
            | events.CredentialSet()
            | events.SignedIn()
            | events.SignedOut()
            | events.SignInRefused()
            | events.LookedUp()
            | events.RecordingTaken()
            | events.RecordingExported()
            | events.DialRefused()
            | events.CallerBlocked()
            | events.HeadSigned()
            | events.RecipientsChanged()
            | events.KeysDrilled()
            | events.BackupMade()
            | events.BackupFailed()
            | events.BackupDrilled()
            | events.BoxRestored()
        ):
            return ()


def erased_bodies(subject: str, n: int) -> tuple[Change, ...]:
    """What takes the bodies away that event ``n`` erased; not part of a rebuild, which finds them gone."""
    return (_ERASURE, (subject, n)), (_BODIES, (subject, n))


def _of_recording(
    happened: events.RecordingOpened
    | events.RecordingRefused
    | events.RecordingGap
    | events.RecordingSealed
    | events.RecordingVerified,
    n: int,
    at: int,
) -> tuple[Change, ...]:
    match happened:
        case events.RecordingOpened(conversation, recording, part, consent, offset_ms):
            return ((_RECORDING, (recording, conversation, part, consent, offset_ms)),)
        case events.RecordingRefused(conversation, recording, reason, offset_ms):
            name = recording or f"none-{conversation}"  # refused before it got an id
            return ((_RECORDING_REFUSED, (name, conversation, offset_ms, reason)),)
        case events.RecordingGap(conversation, recording, reason, missing_ms):
            return (_GAP, (missing_ms, reason, recording)), (_REVISED, (n, conversation))
        case events.RecordingSealed():
            of = happened.conversation
            late = _CAME_LATE, (happened.recording,)
            return (_SEALED, _sealed(happened)), (_SPOKEN, (of,)), (_REVISED, (n, of)), late
        case events.RecordingVerified(recording, state, reason):
            return (_REVISED_BY_CHECK, (n, recording, state)), (_VERIFIED, (state, reason, at, recording))


def _of_keeping(
    happened: events.RecordingHeld | events.RecordingReleased | events.RecordingExpired | events.RecordingDeleted,
    at: int,
) -> Change:
    match happened:
        case events.RecordingHeld(hold, conversation, number, by, why):
            return _HELD, (hold, conversation, number, why, by, at)
        case events.RecordingReleased(hold):
            return _RELEASED, (at, hold)
        case events.RecordingExpired(conversation, recording):
            return _EXPIRED, (recording, conversation, at)
        case events.RecordingDeleted(_, recording):
            return _DELETED, (at, recording)


def _of_ledger(
    happened: events.RequestOpened
    | events.RequestMoved
    | events.RequestChanged
    | events.RequestReminded
    | events.RequestRenewed
    | events.CallbackDialled
    | events.CallbackEnded
    | events.SurveyAnswered
    | events.Identified
    | events.MessageTaken,
    n: int,
    at: int,
) -> tuple[Change, ...]:
    match happened:
        case events.RequestOpened(conversation, request, number, code, what, customer, language, queue, due, detail):
            named = request, number, code, conversation, what, customer, language, queue, at, due, detail, at
            return ((_REQUEST, (*named, happened.agent, happened.place, happened.trunk)),)
        case events.RequestChanged(request, customer, due, queue, by):
            return ((_REQUEST_CHANGED, (customer, due, queue, by, at, request)),)
        case events.RequestRenewed(request):
            return ((_REQUEST_RENEWED, (at, request)),)
        case events.RequestReminded(request):
            return ((_REQUEST_REMINDED, (at, request)),)
        case events.RequestMoved(request, state, by, _):
            return ((_REQUEST_MOVED, (state, by, at, request)),)
        case events.CallbackDialled(conversation, request, leg, trunk, _, offset_ms, dial):
            return ((_DIALLED, (conversation, request, leg, trunk, at, offset_ms, dial)),)
        case events.CallbackEnded(conversation, _, outcome, agent, _, heard):
            return ((_ATTEMPTED, (at, outcome, agent, heard, conversation)),)
        case events.SurveyAnswered(conversation, question, value):
            return (_SURVEY, (conversation, question, value, at)), (_REVISED, (n, conversation))
        case events.Identified(conversation, method, is_proven, identity):
            return ((_IDENTIFIED, (conversation, method, int(is_proven), identity)),)
        case events.MessageTaken(conversation, what, request, begins_ms, ends_ms):
            return ((_MESSAGE, (n, conversation, what, request, begins_ms, ends_ms)),)


def _wrapped_up(happened: events.WrapUpGiven | events.WrapUpMissed, n: int, at: int) -> tuple[Change, ...]:
    of = happened.conversation, happened.agent
    state = "given" if isinstance(happened, events.WrapUpGiven) else "missed"
    said = happened.disposition, happened.note, happened.resolved, happened.kind_of_call
    return (_WRAP_UP, (*of, state, *said, n, at, happened.offset_ms)), (_DRAFT_OVER, of), (_REVISED, (n, of[0]))


def _of_notice(
    happened: events.NoticePlanned | events.NoticeTried | events.NoticeEnded | events.NoticeDelivered, at: int
) -> Change:
    match happened:
        case events.NoticePlanned(conversation, notice, what, channel, about, last4, language, not_before):
            return _NOTICE, (notice, conversation, what, channel, about, last4, language, at, not_before)
        case events.NoticeTried(_, notice):
            return _NOTICE_TRIED, (at, notice)
        case events.NoticeEnded(_, notice, _, _, _, outcome, detail, _, reference):
            state = "waiting" if outcome == "later" else outcome
            return _NOTICE_ENDED, (state, detail, reference, at, notice)
        case events.NoticeDelivered(_, notice, state):
            return _NOTICE_DELIVERED, (state, notice)


def _opened(happened: events.ConversationOpened, n: int, at: int) -> tuple[Value, ...]:
    return (
        happened.conversation,
        n,
        at,
        happened.direction,
        happened.line,
        happened.trunk,
        happened.called,
        happened.customer,
        happened.customer_as_arrived,
        happened.customer_name,
        int(happened.is_withheld),
        happened.flow,
        happened.flow_hash,
        happened.language,
        fold(happened.customer_name),
    )


def _closed(happened: events.ConversationClosed, at: int) -> tuple[Value, ...]:
    return (happened.offset_ms, happened.conversation, at, happened.outcome, happened.detail, happened.agent)


def _sealed(happened: events.RecordingSealed) -> tuple[Value, ...]:
    return (
        happened.state,
        happened.body_bytes,
        happened.body_sha256,
        happened.seal_sha256,
        happened.milliseconds,
        happened.missing_ms,
        happened.left_talk_ms,
        happened.right_talk_ms,
        happened.overtalk_ms,
        happened.dead_air_ms,
        happened.longest_silence_ms,
        happened.left_interruptions,
        happened.right_interruptions,
        happened.replies,
        happened.reply_ms,
        happened.recording,
    )


def _erased(happened: events.ConversationErased, n: int, at: int) -> tuple[Change, ...]:
    conversation = happened.conversation
    return (
        *((f"DELETE FROM {table} WHERE conversation = ?", (conversation,)) for table in _OF_CONVERSATION),  # noqa: S608 - names of our own
        ("DELETE FROM conversation WHERE id = ?", (conversation,)),
        (_TOMBSTONE, (conversation, n, at, happened.reason, happened.actor)),
        *((_TO_DESTROY, (recording, conversation, at)) for recording in happened.recordings),
    )


def _contact(happened: events.ContactSaved, at: int) -> tuple[Change, ...]:
    contact, numbers = happened.contact, happened.numbers
    here = ["0" + number[3:] for number in numbers if number.startswith("+98")]  # as people write them
    folded = fold(" ".join((happened.name, happened.latin, *here, *numbers, happened.note)))
    values = (
        contact,
        happened.name,
        happened.latin,
        " ".join(numbers),
        happened.language,
        int(happened.is_vip),
        int(happened.is_blocked),
        int(happened.is_unrecorded),
        happened.note,
        at,
        folded,
        fold(f"{happened.name} {happened.latin}"),
    )
    return (
        (_CONTACT, values),
        (_CONTACT_NUMBERS_GONE, (contact,)),
        *((_CONTACT_NUMBER, (number, contact)) for number in numbers),
    )
