"""``pasokh backup`` and ``pasokh restore``: the box in one file, and back. With a progress bar where somebody looks."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from appliance import messages
from appliance.backup import drill, making, reading, restoring
from appliance.backup.making import Made
from appliance.backup.reading import Checked
from appliance.backup.restoring import REPLACES
from appliance.clock import SystemClock
from appliance.errors import Problem
from appliance.messages import calendar
from appliance.places import Places
from appliance.progress import Bar
from appliance.recorder.reading import load_identity
from appliance.records.commands import anchor_from

Load = Callable[[Path], tuple[str, Places]]
"""Reads a settings' file whole: the box's name and its places."""


def register(subparsers: argparse._SubParsersAction[Any], load: Load, default: Path) -> None:
    """Adds ``backup`` and ``restore`` to the command line."""
    about = "the whole box in one file that only the owner's key opens; works while the services run"
    backup = subparsers.add_parser("backup", help=about, description=about)
    backup.add_argument("--out", type=Path, metavar="FILE", help="where it is written; never over a file")
    backup.add_argument("--config", type=Path, default=default, metavar="FILE", help="the settings' file")
    backup.add_argument("--json", action="store_true", help="one JSON document")
    backup.set_defaults(run=lambda chosen: _make(chosen, load))
    commands = backup.add_subparsers(metavar="COMMAND")
    about = "whether a backup is whole and the owner's: every digest, the records and their chain; nothing is kept"
    verify = commands.add_parser("verify", help=about, description=about)
    verify.add_argument("file", type=Path, metavar="FILE", help="the backup")
    verify.add_argument("--key", type=Path, required=True, metavar="FILE", help="the owner's private key")
    verify.add_argument("--anchor", type=anchor_from, metavar="N:HEX", help="a head of the chain noted elsewhere")
    verify.add_argument("--json", action="store_true", help="one JSON document")
    verify.set_defaults(run=_verify)
    about = "make a backup, and restore its twin into a scratch folder to see that it can be; the twin is thrown away"
    drills = commands.add_parser("drill", help=about, description=about)
    drills.add_argument("--out", type=Path, required=True, metavar="FILE", help="where the backup is written")
    drills.add_argument("--config", type=Path, default=default, metavar="FILE", help="the settings' file")
    drills.add_argument("--json", action="store_true", help="one JSON document")
    drills.set_defaults(run=lambda chosen: _drill(chosen, load))
    about = "make a box out of a backup, in a blank folder"
    restore = subparsers.add_parser("restore", help=about, description=about)
    restore.add_argument("file", type=Path, metavar="FILE", help="the backup")
    restore.add_argument("--key", type=Path, required=True, metavar="FILE", help="the owner's private key; not kept")
    restore.add_argument("--into", type=Path, required=True, metavar="FOLDER", help="becomes the box")
    restore.add_argument("--anchor", type=anchor_from, metavar="N:HEX", help="a head of the chain noted elsewhere")
    restore.add_argument(
        "--replace", default="", metavar="WORDS", help=f"where FOLDER is not blank: {REPLACES}; it is kept beside"
    )
    restore.add_argument("--json", action="store_true", help="one JSON document")
    restore.set_defaults(run=lambda chosen: _restore(chosen, load))


def _make(chosen: argparse.Namespace, load: Load) -> int:
    if chosen.out is None:
        raise Problem("cli.missing_argument", command="pasokh backup", argument="--out")
    box, places = load(chosen.config)
    with Bar("backup.bar_making") as bar:
        made = making.make(chosen.config, places, box, chosen.out, SystemClock().utc_ms(), progress=bar.show)
    _say_made(chosen, made)
    return 0


def _drill(chosen: argparse.Namespace, load: Load) -> int:
    box, places = load(chosen.config)
    with Bar("backup.bar_making") as bar:
        made, report = drill.make_and_drill(
            chosen.config, places, box, chosen.out, SystemClock().utc_ms(), check=load, progress=bar.show
        )
    if report.problem is not None:
        raise report.problem
    if chosen.json:
        about = {"files": report.files, "requests_open": report.requests_open, "milliseconds": report.milliseconds}
        print(json.dumps(_about(made) | about))
        return 0
    _say_made(chosen, made)
    _say("backup.drilled", files=report.files, seconds=f"{report.milliseconds / 1000:.1f}")
    return 0


def _say_made(chosen: argparse.Namespace, made: Made) -> None:
    if chosen.json:
        print(json.dumps(_about(made)))
        return
    _say(
        "backup.made",
        file=str(made.file),
        megabytes=f"{made.bytes / 1e6:.1f}",
        files=made.files,
        recipients=made.recipients,
        head=f"{made.head.n}:{made.head.link.hex()}",
    )


def _about(made: Made) -> dict[str, str | int]:
    return {
        "file": str(made.file),
        "bytes": made.bytes,
        "sha256": made.sha256,
        "files": made.files,
        "recipients": made.recipients,
        "head": f"{made.head.n}:{made.head.link.hex()}",
        "requests_open": made.requests_open,
    }


def _verify(chosen: argparse.Namespace) -> int:
    identity = load_identity(chosen.key)
    with Bar("backup.bar_reading") as bar:
        checked = reading.verify(chosen.file, identity, anchor=chosen.anchor, progress=bar.show)
    if chosen.json:
        print(json.dumps(_found(checked)))
    else:
        _say_found(checked)
    return 0


def _restore(chosen: argparse.Namespace, load: Load) -> int:
    identity = load_identity(chosen.key)
    into: Path = chosen.into
    if into.resolve() in chosen.key.resolve().parents:
        raise Problem("backup.key_inside", file=str(chosen.key), folder=str(into))
    with Bar("backup.bar_reading") as bar:
        restored = restoring.restore(
            chosen.file,
            identity,
            into,
            replaces=chosen.replace,
            anchor=chosen.anchor,
            check=load,
            progress=bar.show,
        )
    if chosen.json:
        before = str(restored.before or "")
        print(json.dumps({"folder": str(restored.folder), "before": before} | _found(restored.checked)))
        return 0
    _say_found(restored.checked)
    _say("backup.restored", folder=str(restored.folder), settings=str(restored.folder / "pasokh.toml"))
    if restored.before is not None:
        _say("backup.kept_beside", folder=str(restored.before))
    return 0


def _found(checked: Checked) -> dict[str, str | int]:
    about = checked.manifest
    return {
        "box": about.box,
        "version": about.version,
        "made_utc_ms": about.made_utc_ms,
        "files": len(about.files),
        "head": f"{about.head_n}:{about.head}",
        "ledger": about.ledger,
        "requests_open": checked.records.requests_open,
        "left_out": ", ".join(about.left_out),
    }


def _say_found(checked: Checked) -> None:
    language = messages.chosen_language()
    about = checked.manifest
    print(
        messages.text(
            "backup.verified",
            language,
            box=about.box,
            when=calendar.moment(about.made_utc_ms, language),
            version=about.version,
            files=len(about.files),
            events=about.head_n,
            requests=checked.records.requests_open,
        )
    )
    if about.left_out:
        print(messages.text("backup.left_out", language, names=", ".join(about.left_out)[:200]))


def _say(key: str, **fields: str | int) -> None:
    print(messages.text(key, messages.chosen_language(), **fields))
