"""``pasokh recording`` and ``pasokh keys``: the owner's tools. The private key is named by its file, never kept.

A recording is named by its id (looked for in the box's data folder) or by the path of one of its files, so that the
same commands work on the box (``list``, ``verify`` without a key) and on the owner's machine.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from appliance import messages
from appliance.errors import Problem
from appliance.recorder import export, keys, reading, seal
from appliance.recorder.reading import Verdict
from appliance.recorder.segments import SUFFIXES

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
_ID = re.compile(r"[0-9a-f]{32}")


def register(
    subparsers: argparse._SubParsersAction[Any],
    add_orders: Callable[[argparse._SubParsersAction[Any]], None] = lambda _: None,
) -> None:
    """Adds ``recording`` and ``keys`` to the command line; ``add_orders`` what another room does with recordings."""
    add_orders(_register_recording(subparsers))
    text = "the keys recordings are sealed to"
    commands = subparsers.add_parser("keys", help=text, description=text).add_subparsers(
        metavar="COMMAND", required=True
    )
    text = "make a pair of keys: the private one for the owner, the public one for the box"
    new = commands.add_parser("new", help=text, description=text)
    new.add_argument("--classic", action="store_true", help="X25519, which every age program opens (not hybrid)")
    new.add_argument("--out", type=Path, required=True, metavar="FILE", help="where the private key is written")
    new.add_argument("--install", type=Path, metavar="FOLDER", help="add the public key to this data folder of a box")
    new.add_argument("--json", action="store_true", help="one JSON document")
    new.set_defaults(run=_new_key)


def _register_recording(subparsers: argparse._SubParsersAction[Any]) -> argparse._SubParsersAction[Any]:
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
    text = "a recording as a WAV or FLAC file"
    exports = commands.add_parser("export", help=text, description=text)
    exports.add_argument("recording", metavar="RECORDING", help="its id, or the path of one of its files")
    exports.add_argument("--out", type=Path, required=True, metavar="FILE", help="ends in .wav or .flac")
    exports.set_defaults(run=_export)
    for parser in (opens, verify, exports):
        parser.add_argument(
            "--key", type=Path, required=parser is not verify, metavar="FILE", help="the owner's private key"
        )
        parser.add_argument("--id", default="", metavar="HEX", help="the id it must have (default: the file's name)")
    for parser in (lists, opens, verify, exports):
        parser.add_argument("--data", type=Path, metavar="FOLDER", help=f"the box's data folder ({DEFAULT_DATA})")
        parser.add_argument("--config", type=Path, metavar="FILE", help="the settings' file that names it")
        parser.add_argument("--json", action="store_true", help="one JSON document a line")
    return commands


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
    started = int.from_bytes(bytes.fromhex(base.name)[:6], "big")  # a UUIDv7's first 48 bits (RFC 9562, 5.7)
    return {
        "recording": base.name,
        "folder": folder,
        "state": state,
        "started_utc": datetime.datetime.fromtimestamp(started / 1000, datetime.UTC).isoformat(timespec="milliseconds"),
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
    opened = reading.open_recording(base, reading.load_identity(chosen.key), chosen.id)
    size = export.write(opened, chosen.out)
    if chosen.json:
        print(json.dumps({"recording": opened.recording, "is_closed": opened.is_closed, "bytes": size}))
        return 0
    key = "recorder.exported" if opened.is_closed else "recorder.exported_open"
    print(_say(key, file=str(chosen.out), seconds=_seconds(opened.milliseconds)))
    return 0


# Keys -----------------------------------------------------------------------------------------------------------------


def _new_key(chosen: argparse.Namespace) -> int:
    """The private key is on the disk before the box learns of the public one: never a box that seals to nobody."""
    out: Path = chosen.out
    _refuse_inside_data(out, chosen.install)
    identity = keys.new_identity("classic" if chosen.classic else "hybrid")
    recipient = identity.recipient()
    if chosen.install is not None:
        if not chosen.install.is_dir():
            raise Problem("recorder.no_data_folder", folder=str(chosen.install))
        keys.refuse_mixed(keys.recipients_file(chosen.install), recipient)
    text = f"# Pasokh, {recipient.kind}, fingerprint {recipient.fingerprint}\n"
    text += f"# public key: {recipient.text}\n{identity.encode()}\n"
    export.write_new(out, text.encode())
    if chosen.install is not None:
        keys.install(keys.recipients_file(chosen.install), recipient)
    if chosen.json:
        print(json.dumps({"kind": recipient.kind, "fingerprint": recipient.fingerprint, "recipient": recipient.text}))
        return 0
    print(recipient.text)
    print(_say("recorder.key_written", file=str(out), fingerprint=recipient.fingerprint))
    if chosen.install is not None:
        print(_say("recorder.key_installed", file=str(keys.recipients_file(chosen.install))))
    return 0


def _refuse_inside_data(out: Path, install: Path | None) -> None:
    """The box must never hold the private key: not in the folder named, the default one, or anything that looks so."""
    data_folders = [folder.resolve() for folder in (install, DEFAULT_DATA) if folder is not None]
    for parent in out.resolve().parents:
        looks_so = (parent / "calls.db").exists() or all((parent / name).is_dir() for name in ("live", "kept"))
        if parent in data_folders or looks_so or keys.recipients_file(parent).exists():
            raise Problem("recorder.inside_data", file=str(out), folder=str(parent))


# Names and places -----------------------------------------------------------------------------------------------------


def _base(chosen: argparse.Namespace, given: str) -> Path:
    if _ID.fullmatch(given) and not Path(given + ".seal").exists():
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
    names = {path.stem for path in folder.iterdir() if path.suffix in SUFFIXES and _ID.fullmatch(path.stem)}
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
