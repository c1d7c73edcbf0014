"""``pasokh upstream``: how the targets stand, as the page shows it; and what a person may do about one."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import Any

import msgspec

from appliance import messages
from appliance.control import client, wire
from appliance.errors import Problem
from appliance.messages import Language, calendar
from appliance.messages.numbers import digits
from appliance.places import Places


def register(subparsers: argparse._SubParsersAction[Any], run: Any, adopt: Any) -> None:
    """Adds ``upstream`` to the command line; ``run`` and ``adopt`` know the settings' file."""
    text = "what goes upstream: targets, what is pending, the last receipt, what is wrong"
    upstream = subparsers.add_parser("upstream", help=text, description=text)
    steps = upstream.add_subparsers(metavar="COMMAND", required=True)
    text = "how every target stands"
    shown = steps.add_parser("show", help=text, description=text)
    shown.add_argument("--json", action="store_true", help="one JSON document a line")
    shown.set_defaults(run=run, target="")
    text = "try a target at once, after something was put right"
    again = steps.add_parser("retry", help=text, description=text)
    again.set_defaults(run=run, json=False)
    text = "this box sends to a target from now on: after its card moved to new hardware, or for a new disk"
    taken = steps.add_parser("adopt", help=text, description=text)
    taken.set_defaults(run=adopt)
    for step in (again, taken):
        step.add_argument("target", help="the name of a [[target]]")
    for step in (shown, again, taken):
        step.add_argument("--config", type=Path, default=Path("/etc/pasokh/pasokh.toml"), help="the settings' file")


def show(places: Places, target: str, as_json: bool) -> int:
    """Shows how targets stand, or has one tried at once."""
    found = asyncio.run(_asked(places, target))
    if target:
        return 0
    if as_json:
        for each in found.targets:
            print(json.dumps(msgspec.to_builtins(_named(each)), ensure_ascii=False))
        return 0
    language = messages.chosen_language()
    if not found.is_running:
        for line in messages.problem_lines(Problem("sync.stopped"), language):
            print(line)
    now = round(time.time() * 1000)
    for each in found.targets:
        for line in lines(each, now, language):
            print(line)
    if not found.targets:
        print(messages.text("sync.none_set", language))
    return 0


def lines(target: wire.Upstream, now_utc_ms: int, language: Language) -> list[str]:
    """A target in a few lines: how it stands, what waits, the last receipt, what is wrong and what to do."""

    def say(key: str, **fields: str | int | float) -> str:
        return messages.text(key, language, **{name: digits(str(value), language) for name, value in fields.items()})

    said = [
        say(f"sync.state_{target.state}", target=target.name, kind=target.kind),
        "  " + say("sync.waits", count=target.pending, kilobytes=round(target.pending_bytes / 1000))
        + (" " + say("sync.oldest", length=calendar.age(now_utc_ms - target.oldest_utc_ms, language))
           if target.pending else ""),
        "  " + (say("sync.receipts", count=target.receipts, moment=calendar.moment(target.receipt_utc_ms, language))
                if target.receipt_utc_ms else say("sync.no_receipt")),
    ]  # fmt: skip
    for finding in (*((target.fault,) if target.fault else ()), *target.remarks):
        said += [f"  {line}" for line in messages.problem_lines(Problem(finding.key, **finding.fields), language)]
    return said


def _named(target: wire.Upstream) -> dict[str, Any]:
    """By names of fields: on the socket they are arrays."""
    found = {name: getattr(target, name) for name in target.__struct_fields__}
    found["fault"] = {"key": target.fault.key, **target.fault.fields} if target.fault else None
    found["remarks"] = [{"key": each.key, **each.fields} for each in target.remarks]
    return found


async def _asked(places: Places, target: str) -> wire.UpstreamNow:
    async with client.reached(places.control_socket) as control:
        if target:
            await control.try_upstream(target)
        return await control.upstream()
