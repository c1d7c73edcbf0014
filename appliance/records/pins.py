"""The hashes of agents' PINs in calls.db: rows that follow from no event, since no event may carry a hash.

calls/pins.py decides; here is only the SQL.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from appliance.records.database import Connection


@dataclass(frozen=True, slots=True)
class KeptPin:
    """``is_code``: somebody else has made it, and whoever signs in by it must choose their own."""

    agent: str
    hash: str = field(repr=False)
    is_code: bool


def load(db: Connection) -> list[KeptPin]:
    """All of them."""
    rows = db.execute("SELECT agent, hash, is_code FROM agent_pin").fetchall()
    return [KeptPin(agent, hash_, bool(is_code)) for agent, hash_, is_code in rows]


def keep(db: Connection, pin: KeptPin) -> None:
    """Sets or replaces the PIN of its agent."""
    db.execute(
        "INSERT OR REPLACE INTO agent_pin (agent, hash, is_code) VALUES (?, ?, ?)",
        (pin.agent, pin.hash, int(pin.is_code)),
    )
