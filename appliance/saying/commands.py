"""``pasokh say``: how a value is spoken, and of which sounds."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from appliance import messages, saying
from appliance.places import shipped_flows

SOUNDS = (".ulaw", ".alaw")
EXIT_MISSING = 1


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds ``say`` to the command line."""
    about = "how a value is spoken: its words, and the sounds they are made of"
    say = subparsers.add_parser("say", help=about, description=about)
    say.add_argument("language", choices=messages.LANGUAGES, help="fa or en")
    say.add_argument("kind", choices=saying.KINDS, metavar="KIND", help=", ".join(saying.KINDS))
    say.add_argument("value", metavar="VALUE", help='21300, 0912..., 17:30, 2026-11-23, 5-10; "۲۱٬۳۰۰" as well')
    say.add_argument("--prompts", type=Path, metavar="FOLDER", help="where the sounds are (those of the box)")
    say.add_argument("--json", action="store_true", help="one JSON document")
    say.set_defaults(run=_say)


def _say(chosen: argparse.Namespace) -> int:
    spoken = saying.say(chosen.language, chosen.kind, chosen.value)
    folder = (chosen.prompts or shipped_flows() / "prompts") / chosen.language
    missing = [name for name in spoken.pieces if not any((folder / f"{name}{ending}").is_file() for ending in SOUNDS)]
    if chosen.json:
        found = {"words": spoken.words, "sounds": spoken.pieces, "missing": missing}
        print(json.dumps(found, ensure_ascii=False))
    else:
        print(spoken.words)
        print(" ".join(spoken.pieces))
        if missing:
            print(messages.text("saying.missing", messages.chosen_language(), names=" ".join(dict.fromkeys(missing))))
    return EXIT_MISSING if missing else 0
