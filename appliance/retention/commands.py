"""``pasokh recording hold``, ``release`` and ``erase``: the owner's orders about recordings, carried out by calls.

The owner signs in with the page's password, which is asked for and never stands in the command line: who ordered it
is in the records.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from appliance import messages
from appliance.control import client, wire
from appliance.places import Places

OWNER = "owner"
MOST_PASSWORD = 1000

Make = Callable[[str, str, str], wire.ArchiveOrder]

_ORDERS: dict[str, tuple[Make, str]] = {
    "hold": (wire.HoldRecordings, "nothing of a conversation or of a number is deleted or erased until it is released"),
    "release": (wire.ReleaseRecordings, "end a hold"),
    "erase": (wire.EraseRecordings, "destroy records and recordings, here and at every target; for ever"),
}
_DONE: dict[str, str] = {
    "hold": "retention.is_held",
    "release": "retention.is_released",
    "erase": "retention.is_erased",
}


def register(commands: argparse._SubParsersAction[Any], places_of: Callable[[Path], Places], default: Path) -> None:
    """Adds the three to ``pasokh recording``."""
    for name, (_, text) in _ORDERS.items():
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("about", metavar="CONVERSATION|NUMBER", help="an id of `pasokh cdr --json`, or a number")
        command.add_argument("--why", required=True, metavar="TEXT", help="the reason; it stays in the records")
        command.add_argument("--owner", default=OWNER, metavar="NAME", help=f"who signs in ({OWNER})")
        command.add_argument("--config", type=Path, default=default, help="the settings' file")
        command.add_argument("--json", action="store_true", help="one JSON document")

        def run(chosen: argparse.Namespace, name: str = name) -> int:
            return _run(chosen, name, places_of(chosen.config))

        command.set_defaults(run=run)


def _run(chosen: argparse.Namespace, name: str, places: Places) -> int:
    language = messages.chosen_language()
    asked = messages.text("retention.password", language, owner=chosen.owner) + " "
    password = getpass.getpass(asked) if sys.stdin.isatty() else sys.stdin.readline(MOST_PASSWORD).rstrip("\n")
    found = asyncio.run(_ordered(places, chosen, name, password))
    if chosen.json:
        print(json.dumps({"conversations": found.conversations, "recordings": found.recordings}))
        return 0
    print(messages.text(_DONE[name], language, conversations=found.conversations, recordings=found.recordings))
    return 0


async def _ordered(places: Places, chosen: argparse.Namespace, name: str, password: str) -> wire.Affected:
    async with client.reached(places.control_socket) as control:
        session = await control.sign_in(chosen.owner, password)
        try:
            reply = await control.order(_ORDERS[name][0](session.token, chosen.about, chosen.why))
        finally:
            await control.sign_out(session.token)
    assert isinstance(reply, wire.Affected)
    return reply
