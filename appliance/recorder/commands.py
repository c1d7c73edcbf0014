"""``pasokh recording``: the owner's tools. The private key is named by its file, never kept.

A recording is named by its id (looked for in the box's data folder) or by the path of one of its files, so that the
same commands work on the box (``list``, ``verify`` without a key) and on the owner's machine.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import hashlib
import json
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from appliance import messages
from appliance.errors import Problem
from appliance.recorder import bulk_commands, export, reading, seal, telling, viewer
from appliance.recorder.reading import Verdict
from appliance.recorder.segments import SUFFIXES, is_id
from appliance.records import sampling_commands
from appliance.records.search_form import E164, only_digits

DEFAULT_DATA = Path("/var/lib/pasokh")
EXIT_BROKEN = 1

_STATES = {
    "verified": "recorder.state_verified",
    "open": "recorder.state_open",
    "damaged": "recorder.state_damaged",
    "missing": "recorder.state_missing",
    "live": "recorder.state_live",
    "closed": "recorder.state_closed",
}


def register(
    subparsers: argparse._SubParsersAction[Any],
    e164: E164 = only_digits,
    add_orders: Callable[[argparse._SubParsersAction[Any]], None] = lambda _: None,
) -> None:
    """Adds ``recording`` to the command line; ``e164`` as for a search, ``add_orders`` what others do with them."""
    text = "recordings: which there are, what they hold, whether they are whole"
    room = subparsers.add_parser("recording", help=text, description=text)
    commands: argparse._SubParsersAction[Any] = room.add_subparsers(metavar="COMMAND", required=True)
    text = "the recordings of the box, oldest first (no key needed)"
    lists = commands.add_parser("list", help=text, description=text)
    lists.set_defaults(run=_list)
    text = "what one recording holds: who, when, marks, gaps, speech"
    opens = commands.add_parser("open", help=text, description=text)
    opens.add_argument("recording", metavar="RECORDING", help="its id, or the path of one of its files")
    opens.set_defaults(run=_open)
    text = "whether recordings are whole (without a key), and the box's own (with it)"
    verify = commands.add_parser("verify", help=text, description=text)
    verify.add_argument("recording", nargs="*", metavar="RECORDING", help="ids or paths; all of the box if none")
    verify.set_defaults(run=_verify)
    text = "a recording as a WAV, FLAC or Opus file"
    exports = commands.add_parser("export", help=text, description=text)
    exports.add_argument("recording", metavar="RECORDING", help="its id, or the path of one of its files")
    exports.add_argument("--out", type=Path, required=True, metavar="FILE", help="ends in .wav, .flac, .opus or .ogg")
    exports.set_defaults(run=_export)
    text = "the offline viewer: one HTML file in which a browser opens and plays recordings, without any box"
    shows = commands.add_parser("viewer", help=text, description=text)
    shows.add_argument("--out", type=Path, required=True, metavar="FILE", help="where it is written")
    shows.set_defaults(run=_viewer)
    telling.add_reason(exports)
    for parser in (opens, verify, exports):
        parser.add_argument(
            "--key", type=Path, required=parser is not verify, metavar="FILE", help="the owner's private key"
        )
        parser.add_argument("--id", default="", metavar="HEX", help="the id it must have (default: the file's name)")
    for parser in (lists, opens, verify, exports):
        parser.add_argument("--data", type=Path, metavar="FOLDER", help=f"the box's data folder ({DEFAULT_DATA})")
        parser.add_argument("--config", type=Path, metavar="FILE", help="the settings' file that names it")
        parser.add_argument("--json", action="store_true", help="one JSON document a line")
    bulk_commands.register(commands, e164)
    sampling_commands.register(commands)
    add_orders(commands)


# Recordings -----------------------------------------------------------------------------------------------------------


def _list(chosen: argparse.Namespace) -> int:
    data = _data(chosen)
    rows = [_row(base, "kept") for base in _bases(data / "kept")] + [
        _row(base, "live") for base in _bases(data / "live")
    ]
    rows.sort(key=lambda row: row["recording"])
    if chosen.json:
        for row in rows:
            print(json.dumps(row))
        return 0
    for row in rows:
        state = _say(_STATES[row["state"]])
        print(f"{row['recording']}  {row['started_utc'][:19]}  {row['milliseconds'] / 1000:8.1f}  {state}")
    if not rows:
        print(_say("recorder.list_empty", folder=str(data)))
    return 0


def _row(base: Path, folder: str) -> dict[str, Any]:
    """What can be told without a key and without reading the sound."""
    try:
        records, _ = seal.walk(base.with_suffix(".seal").read_bytes())
    except FileNotFoundError:
        records = []
    is_closed = bool(records) and records[-1].type is seal.Type.END
    state = "closed" if is_closed else "live" if folder == "live" else "open" if records else "damaged"
    return {
        "recording": base.name,
        "folder": folder,
        "state": state,
        "started_utc": datetime.datetime.fromtimestamp(
            reading.started_utc_ms(base.name) / 1000, datetime.UTC
        ).isoformat(timespec="milliseconds"),
        "milliseconds": reading.milliseconds_of(records[-1].body_bytes, is_closed) if records else 0,
        "body_bytes": records[-1].body_bytes if records else 0,
    }


def _open(chosen: argparse.Namespace) -> int:
    opened = reading.open_recording(_base(chosen, chosen.recording), reading.load_identity(chosen.key), chosen.id)
    speech = opened.speech()
    if chosen.json:
        document = {
            "recording": opened.recording,
            "is_closed": opened.is_closed,
            "milliseconds": opened.milliseconds,
            "filled_ms": list(opened.filled_ms),
            "late_packets": len(opened.late),
            "about": opened.about,
            "speech": dataclasses.asdict(speech),
            "marks": [dataclasses.asdict(mark) for mark in opened.marks],
        }
        print(json.dumps(document, ensure_ascii=False))
        return 0
    state = _say("recorder.state_closed" if opened.is_closed else "recorder.state_open")
    print(_say("recorder.open_recording", recording=opened.recording, state=state, law=opened.law))
    print(
        _say(
            "recorder.open_conversation",
            conversation=str(opened.about.get("conversation", "")),
            part=int(opened.about.get("part", 0)),
            consent=str(opened.about.get("consent", "")),
        )
    )
    print(_say("recorder.open_length", seconds=_seconds(opened.milliseconds), late=len(opened.late)))
    print(
        _say(
            "recorder.open_speech",
            left=_seconds(speech.left_talk_ms),
            right=_seconds(speech.right_talk_ms),
            both=_seconds(speech.overtalk_ms),
            none=_seconds(speech.dead_air_ms),
        )
    )
    print(
        _say(
            "recorder.open_talk",
            silence=_seconds(speech.longest_silence_ms),
            left=speech.left_interruptions,
            right=speech.right_interruptions,
            replies=speech.replies,
            delay=_seconds(speech.reply_ms // speech.replies if speech.replies else 0),
        )
    )
    for mark in opened.marks:
        length = f" {_seconds(mark.milliseconds)} s" if mark.milliseconds else ""
        print(f"  {_seconds(mark.at_ms):>8}  {mark.kind}{length}  {mark.detail}".rstrip())
    return 0


def _verify(chosen: argparse.Namespace) -> int:
    identity = reading.load_identity(chosen.key) if chosen.key else None
    bases = [_base(chosen, given) for given in chosen.recording] or _bases(_data(chosen) / "kept")
    is_whole = True
    for base in bases:
        verdict = reading.verify(base, identity, chosen.id)
        is_whole = is_whole and verdict.state in ("verified", "open")
        if chosen.json:
            print(json.dumps({"recording": base.name, **dataclasses.asdict(verdict)}))
        else:
            print(f"{base.name}  {_in_words(verdict)}")
    return 0 if is_whole else EXIT_BROKEN


def _in_words(verdict: Verdict) -> str:
    word = _say(_STATES[verdict.state])
    if verdict.state in ("damaged", "missing"):
        return f"{word}: {verdict.reason}"
    key = "recorder.with_key" if verdict.is_authentic else "recorder.without_key"
    return f"{word}  {_seconds(verdict.milliseconds)} s  {_say(key)}"


def _export(chosen: argparse.Namespace) -> int:
    base = _base(chosen, chosen.recording)
    occasion = telling.occasion(chosen)
    opened = reading.open_recording(base, reading.load_identity(chosen.key), chosen.id)
    export.may_write(chosen.out)
    is_on_record = occasion.tell([opened.recording], chosen.out.suffix.removeprefix(".").lower())
    size = export.write(opened, chosen.out)
    if not is_on_record:
        export.write_new(export.report_of(chosen.out), export.report(opened.recording, chosen.out, occasion))
    if chosen.json:
        said = {"recording": opened.recording, "is_closed": opened.is_closed, "bytes": size}
        print(json.dumps({**said, "is_on_record": is_on_record}))
        return 0
    key = "recorder.exported" if opened.is_closed else "recorder.exported_open"
    print(_say(key, file=str(chosen.out), seconds=_seconds(opened.milliseconds)))
    if not is_on_record:
        print(_say("recorder.not_on_record", report=export.report_of(chosen.out).name))
    return 0


def _viewer(chosen: argparse.Namespace) -> int:
    page = viewer.html()
    export.write_new(chosen.out, page.encode(), 0o644)
    digest = hashlib.sha256(page.encode()).hexdigest()
    print(_say("recorder.viewer_written", file=str(chosen.out), digest=digest))
    return 0


# Names and places -----------------------------------------------------------------------------------------------------


def _base(chosen: argparse.Namespace, given: str) -> Path:
    if is_id(given) and not Path(given + ".seal").exists():
        data = _data(chosen)
        for folder in (data / "kept", data / "live"):
            if any((folder / (given + suffix)).exists() for suffix in SUFFIXES):
                return folder / given
        raise Problem("recorder.not_there", file=str(data / "kept" / given))
    base = reading.base_of(Path(given))
    if not any(base.with_suffix(suffix).exists() for suffix in SUFFIXES):
        raise Problem("recorder.not_there", file=given)
    return base


def _bases(folder: Path) -> Sequence[Path]:
    if not folder.is_dir():
        raise Problem("recorder.no_data_folder", folder=str(folder.parent))
    names = {path.stem for path in folder.iterdir() if path.suffix in SUFFIXES and is_id(path.stem)}
    return [folder / name for name in sorted(names)]


def _data(chosen: argparse.Namespace) -> Path:
    if chosen.data is not None:
        return Path(chosen.data)
    if chosen.config is None:
        return DEFAULT_DATA
    config: Path = chosen.config
    try:
        box = tomllib.loads(config.read_text(encoding="utf-8")).get("box", {})
        named = Path(box.get("data_folder", str(DEFAULT_DATA)))
        return (config.resolve().parent / named).resolve()
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise Problem("recorder.not_settings", file=str(config), reason=str(error)) from error


def _say(key: str, **fields: str | int) -> str:
    return messages.text(key, messages.chosen_language(), **fields)


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.1f}"
