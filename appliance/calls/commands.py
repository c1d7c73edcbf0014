"""``pasokh number``. What it does stands in number.py, which is imported when it is asked for."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from appliance.calls.number import Settings


def register(
    subparsers: argparse._SubParsersAction[Any], load: Callable[[Path], Settings], default_config: Path
) -> None:
    """Adds ``number`` to the command line."""
    about = "what a number is, what would be dialled and shown, and whether the policy lets it out"
    command = subparsers.add_parser("number", help=about, description=about)
    command.add_argument("number", metavar="NUMBER", help="in any written form")
    command.add_argument("--trunk", default="", metavar="NAME", help="one trunk (all of them)")
    command.add_argument("--config", type=Path, default=default_config, help="the settings' file")
    command.add_argument("--json", action="store_true", help="one JSON document")

    def run(chosen: argparse.Namespace) -> int:
        from appliance.calls import number

        return number.tell(chosen, load(chosen.config))

    command.set_defaults(run=run)
