"""``pasokh recording export-all``: many recordings as files, by folder or by what a search finds."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from appliance import messages
from appliance.progress import Bar
from appliance.recorder import bulk, export, reading, telling
from appliance.recorder.bulk import Source
from appliance.records import search
from appliance.records.commands import DEFAULT_DATA, reader_at
from appliance.records.search_commands import add_filters, has_filters, query_of
from appliance.records.search_form import E164

EXIT_BROKEN = 1
FORMS = tuple(ending.removeprefix(".") for ending in export.ENCODERS)


def register(subparsers: argparse._SubParsersAction[Any], e164: E164) -> None:
    """Adds ``export-all`` to ``pasokh recording``."""
    text = "many recordings as files, with a list and digests; goes on where it was stopped"
    command = subparsers.add_parser("export-all", help=text, description=text)
    command.add_argument(
        "--from", dest="source", type=Path, metavar="FOLDER",
        help=f"where the sealed files lie, in it or in folders of it ({DEFAULT_DATA}/kept)",
    )  # fmt: skip
    command.add_argument("--key", type=Path, required=True, metavar="FILE", help="the owner's private key")
    command.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="made where it is missing")
    command.add_argument("--format", choices=FORMS, default="wav", help="wav (default), flac, opus or ogg")
    telling.add_reason(command)
    add_filters(command)
    for name, text in (("--database", "for a search: calls.db"), ("--database-key", "for a search: its key")):
        command.add_argument(name, type=Path, metavar="FILE", help=text)
    command.add_argument("--config", type=Path, metavar="FILE", help="the settings' file of the box")
    command.add_argument("--json", action="store_true", help="one JSON document for each recording")
    command.set_defaults(run=lambda chosen: _export_all(chosen, e164))


def _export_all(chosen: argparse.Namespace, e164: E164) -> int:
    occasion = telling.occasion(chosen)
    identity = reading.load_identity(chosen.key)
    folder = chosen.source or DEFAULT_DATA / "kept"
    sources = bulk.find(folder)
    if has_filters(chosen):
        sources = _searched(chosen, e164, folder, sources)
    counts: Counter[str] = Counter()
    all_bytes, done_bytes = sum(source.body_bytes for source in sources), 0
    with Bar("recorder.bar_exporting") as bar:
        for done in bulk.export_all(sources, identity, chosen.out, "." + chosen.format, occasion):
            counts["failed" if done.entry.state == "failed" else "new" if done.is_new else "there"] += 1
            if chosen.json:
                print(json.dumps({**dataclasses.asdict(done.entry), "is_new": done.is_new}, ensure_ascii=False))
            if done.entry.state == "failed":
                bar.say(done.entry.reason)
            done_bytes += done.source.body_bytes
            bar.show(done_bytes, all_bytes)
    if not chosen.json:
        print(_say("recorder.all_exported", folder=str(chosen.out), new=counts["new"], there=counts["there"]))
        if counts["failed"]:
            print(_say("recorder.all_failed", failed=counts["failed"], list=bulk.LIST))
    return EXIT_BROKEN if counts["failed"] else 0


def _searched(chosen: argparse.Namespace, e164: E164, folder: Path, there: Sequence[Source]) -> list[Source]:
    """The recordings of the conversations that are found; those whose files are missing too."""
    known = {source.recording: source for source in there}
    with reader_at(chosen.database, chosen.database_key, chosen.config) as reader:
        return [
            known.get(part.recording, Source(part.recording, folder / part.recording))
            for conversation in search.every(reader, query_of(reader, chosen, e164))
            for part in conversation.recordings
            if part.is_kept
        ]


def _say(key: str, **fields: str | int) -> str:
    return messages.text(key, messages.chosen_language(), **fields)
