"""The hashes of passwords, codes and page sessions in calls.db: the only rows that do not follow from events.

No event may carry a hash, so a rebuild leaves these tables as they are. calls/access.py decides; here is only the SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from appliance.records.database import Connection


@dataclass(frozen=True, slots=True)
class Credential:
    """How ``actor`` signs in. ``must_set_password``: the hash is that of a code, good for one thing only."""

    actor: str
    role: str
    hash: str = field(repr=False)
    must_set_password: bool
    set_at: int  # UTC ms


@dataclass(frozen=True, slots=True)
class KeptSession:
    token_sha256: bytes = field(repr=False)
    actor: str
    role: str
    began: int  # UTC ms


def load(db: Connection) -> tuple[list[Credential], list[KeptSession]]:
    """All of both."""
    credentials = db.execute("SELECT actor, role, hash, must_set_password, set_at FROM credential").fetchall()
    sessions = db.execute("SELECT token_sha256, actor, role, began FROM web_session").fetchall()
    return (
        [Credential(actor, role, hash_, bool(must), at) for actor, role, hash_, must, at in credentials],
        [KeptSession(*session) for session in sessions],
    )


def keep(db: Connection, credential: Credential) -> None:
    """Sets or replaces the credential of its actor."""
    db.execute(
        "INSERT OR REPLACE INTO credential (actor, role, hash, must_set_password, set_at) VALUES (?, ?, ?, ?, ?)",
        (
            credential.actor,
            credential.role,
            credential.hash,
            int(credential.must_set_password),
            credential.set_at,
        ),
    )


def drop(db: Connection, actor: str) -> None:
    """They cannot sign in any more."""
    db.execute("DELETE FROM credential WHERE actor = ?", (actor,))


def keep_session(db: Connection, session: KeptSession) -> None:
    db.execute(
        "INSERT OR REPLACE INTO web_session (token_sha256, actor, role, began) VALUES (?, ?, ?, ?)",
        (session.token_sha256, session.actor, session.role, session.began),
    )


def drop_sessions(db: Connection, tokens_sha256: Sequence[bytes]) -> None:
    """Ends these sessions; unknown ones do not matter."""
    db.executemany("DELETE FROM web_session WHERE token_sha256 = ?", [(token,) for token in tokens_sha256])
