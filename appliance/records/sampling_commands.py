"""``pasokh recording sample``: who should be listened to next, and why."""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from typing import Any

from appliance import messages
from appliance.messages import Language
from appliance.records import cdr, sampling
from appliance.records.commands import add_places, aligned, count, reader_of, when
from appliance.records.sampling import DAYS, RANDOM, RISKY, Listed


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds ``sample`` to ``pasokh recording``."""
    text = "who should be listened to next, and why: some at random, some by risk"
    command = subparsers.add_parser("sample", help=text, description=text)
    add_places(command)
    command.add_argument("--days", type=count, default=DAYS, metavar="N", help=f"of the last N days ({DAYS})")
    command.add_argument("--agent", default="", metavar="NAME", help="of one agent only")
    command.add_argument("--random", type=int, default=RANDOM, metavar="N", help=f"how many at random ({RANDOM})")
    command.add_argument("--risky", type=int, default=RISKY, metavar="N", help=f"how many by risk ({RISKY})")
    command.add_argument(
        "--seed", default="", metavar="TEXT", help="another draw; the same text draws the same (today)"
    )
    command.add_argument("--json", action="store_true", help="one JSON document a line")
    command.set_defaults(run=_sample)


def _sample(chosen: argparse.Namespace) -> int:
    now = time.time_ns() // 1_000_000
    with reader_of(chosen) as reader:
        found = reader.within(
            lambda db: sampling.drawn(db, now, chosen.days, chosen.agent, chosen.random, chosen.risky, chosen.seed)
        )
    if chosen.json:
        for each in found:
            reasons = [dataclasses.asdict(reason) for reason in each.sample.reasons]
            print(
                json.dumps(
                    {
                        "score": each.sample.score,
                        "reasons": reasons,
                        "listened": [dataclasses.asdict(play) for play in each.plays],
                        "record": cdr.as_json(each.conversation),
                    },
                    ensure_ascii=False,
                )
            )
        return 0
    language = messages.chosen_language()
    for line in _table(found, language):
        print(line)
    return 0


def _table(found: list[Listed], language: Language) -> list[str]:
    headings = (
        "records.column_opened",
        "records.column_agent",
        "records.column_talked",
        "records.column_why",
        "records.column_listened",
    )
    rows = [
        [
            *(messages.text(heading, language) for heading in headings),
            messages.text("records.column_recording", language),
        ]
    ]
    for each in found:
        one = each.conversation
        recorded = " ".join(part.recording for part in one.recordings if part.is_kept)
        why = "; ".join(sampling.in_words(reason, language) for reason in each.sample.reasons)
        talked = f"{(one.talking_ms + one.hold_ms) / 1000:.1f}"
        rows.append(
            [
                when(one.opened, language),
                one.agent,
                talked,
                why,
                ", ".join(dict.fromkeys(play.actor for play in each.plays)),
                recorded,
            ]
        )
    return aligned(rows)
