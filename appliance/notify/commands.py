"""``pasokh notify test``: one message to a number or an address, by the settings, past no limit and into no record."""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from appliance import messages
from appliance.errors import Problem
from appliance.lookup.gateway import Outcome
from appliance.notify import ready
from appliance.notify.outbox import Notice
from appliance.notify.parts import count as parts_of
from appliance.notify.ready import Writing
from appliance.places import Places
from appliance.signalling import numbers

EXIT_NOT_SENT = 1

Load = Callable[[Path], tuple[str, Writing, Places]]
"""Reads a settings' file whole: the box's name, what it writes by, its places."""


def register(subparsers: argparse._SubParsersAction[Any], load: Load, default: Path) -> None:
    """Adds ``notify`` to the command line."""
    about = "what the box writes to people"
    commands = subparsers.add_parser("notify", help=about, description=about).add_subparsers(
        metavar="COMMAND", required=True
    )
    about = "send one message now, to see that the SMS gateway or the mail server takes it, and say what came of it"
    test = commands.add_parser("test", help=about, description=about)
    to = test.add_mutually_exclusive_group(required=True)
    to.add_argument("--sms", metavar="NUMBER", help="a mobile number")
    to.add_argument("--mail", metavar="ADDRESS", help="an e-mail address")
    test.add_argument("--config", type=Path, default=default, metavar="FILE", help="the settings' file")
    test.add_argument("--json", action="store_true", help="one JSON document")
    test.set_defaults(run=lambda chosen: _test(chosen, load))


def _test(chosen: argparse.Namespace, load: Load) -> int:
    box, writing, places = load(chosen.config)
    gateway, post = ready.check(writing, places)
    language = messages.chosen_language()
    text = messages.text("notify.test", language, box=box)
    if chosen.sms is not None:
        number = numbers.normalise(chosen.sms)
        if not gateway.is_there:
            raise Problem("notify.no_way", what="SMS", section="sms", setting="url")
        if number.kind != "mobile":
            raise Problem("notify.not_mobile", last4=chosen.sms[-4:])
        written = numbers.dial_form(number, writing.sms.number_form)
        values = {"number": written, "text": text, "language": language, "code": "123456", "firm": box, "when": ""}
        last4 = Notice("", "alarm", "sms", "", language, 0, to=written).last4
        outcome = asyncio.run(gateway.send("alarm", values))
    else:
        if not post.is_there:
            raise Problem("notify.no_way", what="e-mail", section="mail", setting="server")
        last4 = Notice("", "alarm", "mail", "", language, 0, to=chosen.mail).last4
        outcome = post.send(chosen.mail, text, text + "\n", f"test {secrets.token_hex(8)}")
    _say(chosen, outcome, last4, parts_of(text) if chosen.sms is not None else 0, language)
    return 0 if outcome.state == "sent" else EXIT_NOT_SENT


def _say(chosen: argparse.Namespace, outcome: Outcome, last4: str, parts: int, language: messages.Language) -> None:
    if chosen.json:
        print(json.dumps({"to": last4, "outcome": outcome.state, "detail": outcome.detail, "parts": parts}))
        return
    words = {
        "sent": "notify.test_sent",
        "refused": "notify.test_refused",
        "later": "notify.test_later",
        "unknown": "notify.test_unknown",
    }
    print(messages.text(words[outcome.state], language, to=last4, detail=outcome.detail or "-"))
