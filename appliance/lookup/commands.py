"""``pasokh pin``: the PINs by which callers prove who they are. A PIN is never on the command line."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path
from typing import Any

from appliance import messages
from appliance.lookup import pins

DEFAULT = Path("/etc/pasokh/secrets/pins")


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds ``pin`` to the command line."""
    about = "the PINs by which callers prove who they are"
    commands = subparsers.add_parser("pin", help=about, description=about).add_subparsers(
        metavar="COMMAND", required=True
    )
    for name, about, work in (
        ("set", "give an identity a PIN (typed unseen, or the first line of standard input)", _set),
        ("remove", "take an identity's PIN away", _remove),
        ("list", "the identities that have a PIN", _list),
    ):
        command = commands.add_parser(name, help=about, description=about)
        if name != "list":
            command.add_argument(
                "identity", metavar="IDENTITY", help='a customer number, or "owner" for remote control'
            )
        command.add_argument("--file", type=Path, default=DEFAULT, metavar="FILE", help=f"the list ({DEFAULT})")
        command.set_defaults(run=work)


def _set(chosen: argparse.Namespace) -> int:
    language = messages.chosen_language()
    if sys.stdin.isatty():
        pin = getpass.getpass(f"{messages.text('lookup.ask_pin', language)} ")
    else:
        pin = sys.stdin.readline().strip()
    pins.put(chosen.file, chosen.identity, pin)
    print(messages.text("lookup.pin_set", language, identity=chosen.identity))
    return 0


def _remove(chosen: argparse.Namespace) -> int:
    pins.remove(chosen.file, chosen.identity)
    return 0


def _list(chosen: argparse.Namespace) -> int:
    for identity in sorted(pins.read(chosen.file)):
        print(identity)
    return 0
