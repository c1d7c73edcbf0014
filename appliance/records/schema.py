"""The tables of calls.db, as migrations that are applied once each, in order, by the writer at its start.

``event`` is append-only and complete: triggers refuse every change of it, also by INSERT OR REPLACE. Only a body may
go, and only when an event in the chain says so (``erasure``). The tables of ``DERIVED`` follow from the events and can
be rebuilt; ``credential``, ``agent_pin`` and ``web_session`` hold secrets' hashes, ``draft`` what agents have typed and
not given yet (records/drafts.py), ``alive`` when the box last lived: no event carries them, and they live on.

Rows name conversations without a foreign key: an event about something unknown must be kept too, never refused.
"""

from __future__ import annotations

from sqlite_utils import Migrations
from sqlite_utils.db import Database

from appliance.messages.folding import fold

# Rebuilt from the events by Store.rebuild, in any order.
DERIVED = (
    "conversation", "leg", "recording", "cdr", "tombstone", "trunk_state", "phone_state", "service_state",
    "request", "attempt", "survey", "identified", "message", "flow_version", "switch_state", "notice",
    "receipt", "reply", "passed_on", "supervised", "wrap_up", "brief", "contact", "contact_number",
    "hold", "going", "paused", "taken_away", "list_entry", "list_attempt", "list_state", "do_not_call",
    "seat", "agent_time", "agent_gap",
)  # fmt: skip

migrations = Migrations("records")

_EVENTS = """
CREATE TABLE event (
    n INTEGER PRIMARY KEY,        -- 1, 2, 3, ... without a hole
    at INTEGER NOT NULL,          -- UTC ms
    mono INTEGER NOT NULL,        -- monotonic ms of the machine; comparable between events of one boot only
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    commitment BLOB NOT NULL,     -- SHA-256(salt || body)
    link BLOB NOT NULL            -- chain.link
) STRICT;
CREATE INDEX event_by_subject ON event (subject);
CREATE TABLE event_body (
    n INTEGER PRIMARY KEY REFERENCES event (n),
    salt BLOB NOT NULL,
    body BLOB NOT NULL            -- canonical JSON
) STRICT;
CREATE TABLE erasure (
    n INTEGER PRIMARY KEY REFERENCES event (n)  -- an event whose body may be, and is, erased
) STRICT;
CREATE TRIGGER event_follows BEFORE INSERT ON event
WHEN NEW.n IS NOT (SELECT coalesce(max(n), 0) + 1 FROM event)
BEGIN SELECT RAISE(ABORT, 'events are numbered without a hole'); END;
CREATE TRIGGER event_stays BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'events are only appended'); END;
CREATE TRIGGER event_is_fixed BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'events are only appended'); END;
CREATE TRIGGER event_body_is_fixed BEFORE UPDATE ON event_body
BEGIN SELECT RAISE(ABORT, 'events are only appended'); END;
CREATE TRIGGER event_body_stays BEFORE DELETE ON event_body
WHEN NOT EXISTS (SELECT 1 FROM erasure WHERE n = OLD.n)
BEGIN SELECT RAISE(ABORT, 'a body goes only by an erasure'); END;
CREATE TRIGGER event_body_is_not_replaced BEFORE INSERT ON event_body
WHEN EXISTS (SELECT 1 FROM erasure WHERE n = NEW.n) OR EXISTS (SELECT 1 FROM event_body WHERE n = NEW.n)
BEGIN SELECT RAISE(ABORT, 'events are only appended'); END;
CREATE TRIGGER erasure_has_its_event BEFORE INSERT ON erasure
WHEN NOT EXISTS (
    SELECT 1 FROM event AS told JOIN event AS gone ON gone.subject = told.subject
    WHERE gone.n = NEW.n AND told.n > gone.n AND told.kind = 'conversation.erased'
)
BEGIN SELECT RAISE(ABORT, 'an erasure needs its event'); END;
CREATE TRIGGER erasure_stays BEFORE DELETE ON erasure
BEGIN SELECT RAISE(ABORT, 'events are only appended'); END;
CREATE TRIGGER erasure_is_fixed BEFORE UPDATE ON erasure
BEGIN SELECT RAISE(ABORT, 'events are only appended'); END;
"""

_ROWS = """
CREATE TABLE conversation (
    id TEXT PRIMARY KEY,
    opened_n INTEGER NOT NULL,    -- number of its first event: the order of conversations
    opened INTEGER NOT NULL,      -- UTC ms
    closed INTEGER,
    direction TEXT NOT NULL, line TEXT NOT NULL, trunk TEXT NOT NULL, called TEXT NOT NULL,
    customer TEXT NOT NULL, customer_as_arrived TEXT NOT NULL, customer_name TEXT NOT NULL,
    is_withheld INTEGER NOT NULL,
    flow TEXT NOT NULL, flow_hash TEXT NOT NULL, language TEXT NOT NULL,
    node TEXT NOT NULL DEFAULT '', digits TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL DEFAULT 'ringing', state_since_ms INTEGER NOT NULL DEFAULT 0,
    ringing_ms INTEGER NOT NULL DEFAULT 0, menu_ms INTEGER NOT NULL DEFAULT 0, waiting_ms INTEGER NOT NULL DEFAULT 0,
    talking_ms INTEGER NOT NULL DEFAULT 0, hold_ms INTEGER NOT NULL DEFAULT 0,
    total_ms INTEGER,             -- the sum of the five above, once closed
    interruptions INTEGER NOT NULL DEFAULT 0, interrupted_ms INTEGER NOT NULL DEFAULT 0,
    consent TEXT NOT NULL DEFAULT '', consent_how TEXT NOT NULL DEFAULT '',
    agent TEXT NOT NULL DEFAULT '', outcome TEXT NOT NULL DEFAULT '', detail TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX conversation_by_order ON conversation (opened_n);
CREATE TABLE leg (
    id TEXT PRIMARY KEY, conversation TEXT NOT NULL,
    role TEXT NOT NULL, party TEXT NOT NULL, via TEXT NOT NULL,
    opened_ms INTEGER NOT NULL, answered_ms INTEGER, ended_ms INTEGER,  -- since the conversation opened
    codec TEXT NOT NULL DEFAULT '', cause TEXT NOT NULL DEFAULT '', code INTEGER NOT NULL DEFAULT 0,
    mos10 INTEGER, lost_permille INTEGER
) STRICT;
CREATE INDEX leg_by_conversation ON leg (conversation);
CREATE TABLE recording (
    id TEXT PRIMARY KEY, conversation TEXT NOT NULL, part INTEGER NOT NULL, consent TEXT NOT NULL,
    opened_ms INTEGER NOT NULL,
    state TEXT NOT NULL,          -- live, sealed, recovered, empty, lost, refused
    reason TEXT NOT NULL DEFAULT '',
    body_bytes INTEGER NOT NULL DEFAULT 0, body_sha256 TEXT NOT NULL DEFAULT '', seal_sha256 TEXT NOT NULL DEFAULT '',
    milliseconds INTEGER NOT NULL DEFAULT 0, missing_ms INTEGER NOT NULL DEFAULT 0,
    gaps INTEGER NOT NULL DEFAULT 0, gap_ms INTEGER NOT NULL DEFAULT 0,
    left_talk_ms INTEGER NOT NULL DEFAULT 0, right_talk_ms INTEGER NOT NULL DEFAULT 0,
    overtalk_ms INTEGER NOT NULL DEFAULT 0, dead_air_ms INTEGER NOT NULL DEFAULT 0,
    verified TEXT NOT NULL DEFAULT '', verified_reason TEXT NOT NULL DEFAULT '', verified_at INTEGER
) STRICT;
CREATE INDEX recording_by_conversation ON recording (conversation);
CREATE TABLE cdr (
    conversation TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,    -- 1 when the record closes; each later fact adds one
    closed INTEGER NOT NULL,      -- UTC ms
    changed_n INTEGER NOT NULL    -- number of the event that made this revision
) STRICT, WITHOUT ROWID;
CREATE INDEX cdr_by_change ON cdr (changed_n);
CREATE TABLE tombstone (
    conversation TEXT PRIMARY KEY, n INTEGER NOT NULL, at INTEGER NOT NULL, reason TEXT NOT NULL, actor TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE trunk_state (
    trunk TEXT PRIMARY KEY, state TEXT NOT NULL, code INTEGER NOT NULL, since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE phone_state (
    phone TEXT PRIMARY KEY, is_registered INTEGER NOT NULL, since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE service_state (
    service TEXT PRIMARY KEY, version TEXT NOT NULL, boot TEXT NOT NULL, started INTEGER,
    starts INTEGER NOT NULL, losses INTEGER NOT NULL, lost INTEGER, lost_detail TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""

_LEDGER = """
CREATE TABLE request (
    id TEXT PRIMARY KEY, number INTEGER NOT NULL, code TEXT NOT NULL,
    conversation TEXT NOT NULL, what TEXT NOT NULL, customer TEXT NOT NULL, language TEXT NOT NULL,
    queue TEXT NOT NULL, opened INTEGER NOT NULL, due INTEGER NOT NULL, detail TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'open', moved INTEGER NOT NULL, by TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX request_by_code ON request (code);
CREATE INDEX request_by_conversation ON request (conversation);
CREATE INDEX request_by_state ON request (state);
CREATE TABLE survey (
    conversation TEXT NOT NULL, question TEXT NOT NULL, value INTEGER NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (conversation, question)
) STRICT, WITHOUT ROWID;
CREATE TABLE identified (
    conversation TEXT PRIMARY KEY, method TEXT NOT NULL, is_proven INTEGER NOT NULL, identity TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE message (
    n INTEGER PRIMARY KEY, conversation TEXT NOT NULL, what TEXT NOT NULL, request TEXT NOT NULL,
    begins_ms INTEGER NOT NULL, ends_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX message_by_conversation ON message (conversation);
CREATE TABLE flow_version (
    n INTEGER PRIMARY KEY, flow TEXT NOT NULL, flow_hash TEXT NOT NULL, what TEXT NOT NULL, by TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE TABLE switch_state (
    switch TEXT PRIMARY KEY, value TEXT NOT NULL, by TEXT NOT NULL, since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""

_ATTEMPTS = """
CREATE TABLE attempt (
    conversation TEXT PRIMARY KEY, request TEXT NOT NULL, leg TEXT NOT NULL, trunk TEXT NOT NULL,
    began INTEGER NOT NULL, began_ms INTEGER NOT NULL,  -- UTC ms; ms since the conversation opened
    ended INTEGER, outcome TEXT NOT NULL DEFAULT '', agent TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX attempt_by_request ON attempt (request);
"""

_PROMISES = """
ALTER TABLE request ADD COLUMN agent TEXT NOT NULL DEFAULT '';
ALTER TABLE request ADD COLUMN place INTEGER NOT NULL DEFAULT 0;     -- UTC ms since when they wait; 0: opened
ALTER TABLE request ADD COLUMN trunk TEXT NOT NULL DEFAULT '';       -- empty: that of the conversation
ALTER TABLE request ADD COLUMN reminded INTEGER NOT NULL DEFAULT 0;  -- UTC ms
ALTER TABLE request ADD COLUMN late INTEGER NOT NULL DEFAULT 0;      -- how often it was moved when its time was over
ALTER TABLE attempt ADD COLUMN dial TEXT NOT NULL DEFAULT '';        -- how its INVITE is cancelled
CREATE INDEX request_by_customer ON request (customer);
CREATE INDEX conversation_by_customer ON conversation (customer, opened);
CREATE INDEX conversation_by_time ON conversation (opened);
"""

_NOTICES = """
CREATE TABLE notice (
    name TEXT PRIMARY KEY, conversation TEXT NOT NULL, what TEXT NOT NULL, channel TEXT NOT NULL,
    about TEXT NOT NULL, last4 TEXT NOT NULL, language TEXT NOT NULL,
    planned INTEGER NOT NULL, not_before INTEGER NOT NULL,  -- UTC ms
    state TEXT NOT NULL DEFAULT 'waiting', tries INTEGER NOT NULL DEFAULT 0, tried INTEGER NOT NULL DEFAULT 0,
    ended INTEGER NOT NULL DEFAULT 0, detail TEXT NOT NULL DEFAULT '', reference TEXT NOT NULL DEFAULT '',
    delivery TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX notice_by_state ON notice (state, ended);
CREATE INDEX notice_by_conversation ON notice (conversation);
CREATE INDEX notice_by_time ON notice (tried);
CREATE INDEX notice_by_plan ON notice (planned);
"""

_RECEIPTS = """
CREATE TABLE receipt (
    target TEXT NOT NULL, key TEXT NOT NULL,
    unit TEXT NOT NULL,           -- events, records, call, head, seal, body
    recording TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    sha256 TEXT NOT NULL, size INTEGER NOT NULL, place TEXT NOT NULL,
    n INTEGER NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (target, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX receipt_by_recording ON receipt (recording) WHERE recording != '';
CREATE INDEX receipt_by_order ON receipt (n);
ALTER TABLE recording ADD COLUMN sent_at INTEGER;  -- UTC ms: the first target has all of it, read back
"""

_REPLIES = """
CREATE TABLE reply (
    name TEXT PRIMARY KEY, conversation TEXT NOT NULL, what TEXT NOT NULL, customer TEXT NOT NULL, text TEXT NOT NULL,
    at INTEGER NOT NULL, n INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX reply_by_conversation ON reply (conversation);
CREATE INDEX reply_by_customer ON reply (customer, n);
CREATE INDEX notice_by_about ON notice (about);
"""

_PASSED_ON = """
CREATE TABLE passed_on (
    n INTEGER PRIMARY KEY, conversation TEXT NOT NULL, agent TEXT NOT NULL, target TEXT NOT NULL, how TEXT NOT NULL,
    state TEXT NOT NULL, detail TEXT NOT NULL, at_ms INTEGER NOT NULL  -- since the conversation opened
) STRICT;
CREATE INDEX passed_on_by_conversation ON passed_on (conversation);
"""

_SPOKEN = """
ALTER TABLE recording ADD COLUMN longest_silence_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE recording ADD COLUMN left_interruptions INTEGER NOT NULL DEFAULT 0;
ALTER TABLE recording ADD COLUMN right_interruptions INTEGER NOT NULL DEFAULT 0;
ALTER TABLE recording ADD COLUMN replies INTEGER NOT NULL DEFAULT 0;
ALTER TABLE recording ADD COLUMN reply_ms INTEGER NOT NULL DEFAULT 0;
"""

# A search reads the index alone (some 100 bytes a conversation instead of some 600), and the rows of what is shown.
_SEARCH = """
ALTER TABLE conversation ADD COLUMN queue TEXT NOT NULL DEFAULT '';        -- the waiting line they were in last
ALTER TABLE conversation ADD COLUMN was_asked INTEGER NOT NULL DEFAULT 0;  -- whether they may be recorded
ALTER TABLE conversation ADD COLUMN folded_name TEXT NOT NULL DEFAULT '';  -- messages.folding of customer_name
ALTER TABLE conversation ADD COLUMN overtalk_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN dead_air_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN recorded_ms INTEGER NOT NULL DEFAULT 0;
UPDATE conversation SET (overtalk_ms, dead_air_ms, recorded_ms) = (
    SELECT coalesce(sum(overtalk_ms), 0), coalesce(sum(dead_air_ms), 0),
    coalesce(sum(iif(state IN ('sealed', 'recovered'), milliseconds, 0)), 0)
    FROM recording WHERE conversation = conversation.id);
CREATE INDEX conversation_searched ON conversation (
    opened_n, opened, direction, line, queue, outcome, total_ms, overtalk_ms, dead_air_ms, recorded_ms, customer,
    folded_name, id);
CREATE INDEX conversation_by_line ON conversation (line);
CREATE INDEX conversation_by_queue ON conversation (queue);
CREATE INDEX leg_by_party ON leg (role, party, answered_ms, conversation);
CREATE INDEX survey_by_value ON survey (question, value);
"""

_SUPERVISED = """
CREATE TABLE supervised (
    n INTEGER PRIMARY KEY, conversation TEXT NOT NULL, supervisor TEXT NOT NULL, agent TEXT NOT NULL, leg TEXT NOT NULL,
    state TEXT NOT NULL, mode TEXT NOT NULL, detail TEXT NOT NULL, recording TEXT NOT NULL,
    at_ms INTEGER NOT NULL  -- since the conversation opened
) STRICT;
CREATE INDEX supervised_by_conversation ON supervised (conversation);
"""

_WRAP_UPS = """
CREATE TABLE wrap_up (
    conversation TEXT NOT NULL, agent TEXT NOT NULL,
    state TEXT NOT NULL,          -- given, missed, late (given after it was missed)
    disposition TEXT NOT NULL, note TEXT NOT NULL, resolved TEXT NOT NULL, kind TEXT NOT NULL,
    n INTEGER NOT NULL, at INTEGER NOT NULL, at_ms INTEGER NOT NULL,  -- UTC ms; ms since the conversation opened
    PRIMARY KEY (conversation, agent)
) STRICT, WITHOUT ROWID;
CREATE TABLE brief (
    conversation TEXT NOT NULL, agent TEXT NOT NULL, text TEXT NOT NULL, n INTEGER NOT NULL, at_ms INTEGER NOT NULL,
    PRIMARY KEY (conversation, agent)
) STRICT, WITHOUT ROWID;
CREATE TABLE draft (
    conversation TEXT NOT NULL, agent TEXT NOT NULL, line TEXT NOT NULL,
    disposition TEXT NOT NULL, note TEXT NOT NULL, resolved TEXT NOT NULL, kind TEXT NOT NULL,
    versions TEXT NOT NULL,       -- of these four, in this order
    PRIMARY KEY (conversation, agent)
) STRICT, WITHOUT ROWID;
"""

_CONTACTS = """
CREATE TABLE contact (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, latin TEXT NOT NULL,
    numbers TEXT NOT NULL,        -- in their order, parted by blanks
    language TEXT NOT NULL, is_vip INTEGER NOT NULL, is_blocked INTEGER NOT NULL, is_unrecorded INTEGER NOT NULL,
    note TEXT NOT NULL, saved INTEGER NOT NULL,
    folded TEXT NOT NULL          -- messages.folding.fold of all that is searched
) STRICT, WITHOUT ROWID;
CREATE TABLE contact_number (
    number TEXT PRIMARY KEY, contact TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX contact_number_by_contact ON contact_number (contact);
CREATE INDEX contact_by_name ON contact (name, id);
DROP TRIGGER erasure_has_its_event;
CREATE TRIGGER erasure_has_its_event BEFORE INSERT ON erasure
WHEN NOT EXISTS (
    SELECT 1 FROM event AS told JOIN event AS gone ON gone.subject = told.subject
    WHERE gone.n = NEW.n AND told.n > gone.n
    AND (told.kind = 'conversation.erased' OR (told.kind = 'contact.removed' AND gone.kind GLOB 'contact.*'))
)
BEGIN SELECT RAISE(ABORT, 'an erasure needs its event'); END;
"""

_KEEPING = """
CREATE TABLE hold (
    id TEXT PRIMARY KEY, conversation TEXT NOT NULL, number TEXT NOT NULL, why TEXT NOT NULL, by TEXT NOT NULL,
    at INTEGER NOT NULL, released INTEGER  -- UTC ms
) STRICT, WITHOUT ROWID;
CREATE INDEX hold_by_conversation ON hold (conversation) WHERE conversation != '' AND released IS NULL;
CREATE INDEX hold_by_number ON hold (number) WHERE number != '' AND released IS NULL;
CREATE TABLE going (              -- recordings whose files on the box are to go, or are gone
    recording TEXT PRIMARY KEY, conversation TEXT NOT NULL,
    cause TEXT NOT NULL,          -- expired, erased
    at INTEGER NOT NULL, gone INTEGER  -- UTC ms
) STRICT, WITHOUT ROWID;
CREATE INDEX going_still ON going (at) WHERE gone IS NULL;
"""

_PAUSED = """
CREATE TABLE paused (
    n INTEGER PRIMARY KEY, conversation TEXT NOT NULL, by TEXT NOT NULL,
    state TEXT NOT NULL,          -- paused, resumed
    how TEXT NOT NULL, at_ms INTEGER NOT NULL  -- since the conversation opened
) STRICT;
CREATE INDEX paused_by_conversation ON paused (conversation);
"""

# Where an erased recording is gone already: the receipts, which say where it lies, go with it.
_TAKEN_AWAY = """
CREATE TABLE taken_away (
    recording TEXT NOT NULL, target TEXT NOT NULL,
    left TEXT NOT NULL,           -- files that a lock still holds there; without their head nobody opens them
    at INTEGER NOT NULL,          -- UTC ms
    PRIMARY KEY (recording, target)
) STRICT, WITHOUT ROWID;
INSERT OR REPLACE INTO taken_away SELECT json_extract(CAST(b.body AS TEXT), '$.recording'), e.subject,
    json_extract(CAST(b.body AS TEXT), '$.left'), e.at
    FROM event AS e JOIN event_body AS b USING (n) WHERE e.kind = 'upstream.erased' ORDER BY e.n;
CREATE INDEX going_by_conversation ON going (conversation);
CREATE INDEX tombstone_by_order ON tombstone (n);
"""

_LISTS = """
CREATE TABLE list_entry (
    id TEXT PRIMARY KEY, n INTEGER NOT NULL, list_name TEXT NOT NULL, number TEXT NOT NULL, name TEXT NOT NULL,
    language TEXT NOT NULL, first TEXT NOT NULL, second TEXT NOT NULL, third TEXT NOT NULL, added INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'open',  -- open, done
    attempts INTEGER NOT NULL DEFAULT 0, not_before INTEGER NOT NULL DEFAULT 0, outcome TEXT NOT NULL DEFAULT '',
    result TEXT NOT NULL DEFAULT '', agent TEXT NOT NULL DEFAULT '', changed INTEGER NOT NULL DEFAULT 0  -- UTC ms
) STRICT, WITHOUT ROWID;
CREATE INDEX list_entry_in_order ON list_entry (list_name, n);
CREATE INDEX list_entry_by_number ON list_entry (number);
CREATE TABLE list_attempt (
    conversation TEXT PRIMARY KEY, entry TEXT NOT NULL, leg TEXT NOT NULL, agent TEXT NOT NULL,
    began INTEGER NOT NULL, began_ms INTEGER NOT NULL, ended INTEGER,  -- UTC ms; ms of the conversation; UTC ms
    outcome TEXT NOT NULL DEFAULT '', result TEXT NOT NULL DEFAULT '', dial TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX list_attempt_by_agent ON list_attempt (agent, began);
CREATE INDEX list_attempt_open ON list_attempt (began) WHERE ended IS NULL;
CREATE TABLE list_state (
    list_name TEXT PRIMARY KEY, is_paused INTEGER NOT NULL, by TEXT NOT NULL, since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE do_not_call (
    number TEXT PRIMARY KEY, mark TEXT NOT NULL, at INTEGER NOT NULL, by TEXT NOT NULL, why TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""

_AGENTS = """
CREATE TABLE seat (               -- since somebody sat down there by PIN or left; before, the settings say it
    agent TEXT PRIMARY KEY, phone TEXT NOT NULL, since INTEGER NOT NULL  -- empty: at none; UTC ms
) STRICT, WITHOUT ROWID;
CREATE TABLE agent_time (
    n INTEGER PRIMARY KEY, agent TEXT NOT NULL, at INTEGER NOT NULL, state TEXT NOT NULL, detail TEXT NOT NULL
) STRICT;
CREATE INDEX agent_time_by_agent ON agent_time (agent, at);
CREATE TABLE agent_gap (
    n INTEGER PRIMARY KEY, why TEXT NOT NULL, begins INTEGER NOT NULL, ends INTEGER NOT NULL
) STRICT;
CREATE TABLE agent_pin (
    agent TEXT PRIMARY KEY,
    hash TEXT NOT NULL,           -- Argon2id, with its parameters and salt
    is_code INTEGER NOT NULL      -- made by the owner: good for choosing one
) STRICT, WITHOUT ROWID;
CREATE TABLE alive (
    service TEXT PRIMARY KEY, at INTEGER NOT NULL  -- UTC ms
) STRICT, WITHOUT ROWID;
"""

_ACCESS = """
CREATE TABLE credential (
    actor TEXT PRIMARY KEY, role TEXT NOT NULL,
    hash TEXT NOT NULL,           -- Argon2id, with its parameters and salt
    must_set_password INTEGER NOT NULL, set_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE web_session (
    token_sha256 BLOB PRIMARY KEY, actor TEXT NOT NULL, role TEXT NOT NULL, began INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""


@migrations()
def events(database: Database) -> None:
    _run(database, _EVENTS)


@migrations()
def rows(database: Database) -> None:
    _run(database, _ROWS)


@migrations()
def access(database: Database) -> None:
    _run(database, _ACCESS)


@migrations()
def ledger(database: Database) -> None:
    _run(database, _LEDGER)


@migrations()
def attempts(database: Database) -> None:
    _run(database, _ATTEMPTS)


@migrations()
def promises(database: Database) -> None:
    _run(database, _PROMISES)


@migrations()
def attempts_heard(database: Database) -> None:
    """What an attempt's line let be heard."""
    database.execute("ALTER TABLE attempt ADD COLUMN heard TEXT NOT NULL DEFAULT ''")


@migrations()
def notices(database: Database) -> None:
    _run(database, _NOTICES)


@migrations()
def receipts(database: Database) -> None:
    _run(database, _RECEIPTS)


@migrations()
def replies(database: Database) -> None:
    _run(database, _REPLIES)


@migrations()
def requests_renewed(database: Database) -> None:
    """When a request was asked for again."""
    database.execute("ALTER TABLE request ADD COLUMN renewed INTEGER NOT NULL DEFAULT 0")


@migrations()
def signed_heads(database: Database) -> None:
    """The last signed head is asked for each minute."""
    database.execute("CREATE INDEX event_head ON event (n) WHERE kind = 'chain.head'")


@migrations()
def passed_on(database: Database) -> None:
    _run(database, _PASSED_ON)


@migrations()
def spoken(database: Database) -> None:
    _run(database, _SPOKEN)


@migrations()
def search(database: Database) -> None:
    _run(database, _SEARCH)
    names = database.execute("SELECT DISTINCT customer_name FROM conversation WHERE customer_name <> ''").fetchall()
    for (name,) in names:
        database.execute("UPDATE conversation SET folded_name = ? WHERE customer_name = ?", (fold(name), name))


@migrations()
def supervised(database: Database) -> None:
    _run(database, _SUPERVISED)


@migrations()
def wrap_ups(database: Database) -> None:
    _run(database, _WRAP_UPS)


@migrations()
def contacts(database: Database) -> None:
    _run(database, _CONTACTS)


@migrations()
def keeping(database: Database) -> None:
    _run(database, _KEEPING)


@migrations()
def paused(database: Database) -> None:
    _run(database, _PAUSED)


@migrations()
def taken_away(database: Database) -> None:
    _run(database, _TAKEN_AWAY)


@migrations()
def contact_names(database: Database) -> None:
    """A search by name looks at the names of contacts, never at their notes."""
    database.execute("ALTER TABLE contact ADD COLUMN folded_name TEXT NOT NULL DEFAULT ''")
    for contact, name, latin in database.execute("SELECT id, name, latin FROM contact").fetchall():
        database.execute("UPDATE contact SET folded_name = ? WHERE id = ?", (fold(f"{name} {latin}"), contact))


@migrations()
def outbound_lists(database: Database) -> None:
    _run(database, _LISTS)


@migrations()
def agents(database: Database) -> None:
    _run(database, _AGENTS)


def _run(database: Database, script: str) -> None:
    """Statement by statement: executescript would commit the transaction that the migration runs in."""
    statement = ""
    for line in script.strip().splitlines():
        statement += line + "\n"
        stripped = line.split("--")[0].rstrip()
        if stripped.endswith(";") and ("CREATE TRIGGER" not in statement or stripped.endswith("END;")):
            database.execute(statement)
            statement = ""
    assert not statement.strip()
