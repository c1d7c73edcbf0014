"""``pasokh prompts``: sounds made from texts, recordings taken in, and what is wrong with either."""

from __future__ import annotations

import argparse
import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from appliance import messages
from appliance.durable import write_whole
from appliance.errors import Problem
from appliance.messages import text
from appliance.messages.numbers import digits
from appliance.places import shipped_flows
from appliance.prompts import recordings, voices
from appliance.prompts.level import RATE, measured

EXIT_FOUND = 2

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds ``prompts`` to the command line."""
    about = "prompts: what callers hear"
    commands = subparsers.add_parser("prompts", help=about, description=about).add_subparsers(
        metavar="COMMAND", required=True
    )
    for name, about, work in (
        ("build", "make the sounds of all texts and recordings that have changed", _build),
        ("list", "every sound, its words, and whether a person spoke it", _list),
        ("check", "measure every sound: missing, synthetic, level, clipping", _check),
        ("add", "take in a recording (WAV, FLAC, OGG, MP3): measured, mended, or refused with the reason", _add),
        (
            "music",
            "what who waits hears: the owner's own files, one after the other, instead of the shipped tune",
            _tune,
        ),
        ("script", "print the reading list of what no person has recorded yet", _script),
        ("cut", "cut one long recording of the reading list into its sounds, counted and levelled", _cut),
    ):
        command = commands.add_parser(name, help=about, description=about)
        command.add_argument("--folder", type=Path, metavar="FOLDER", help="the folder of prompts (the one of the box)")
        command.set_defaults(run=work)
        if name == "build":
            command.add_argument("--only", default="", metavar="NAME", help="this prompt only")
        if name in ("list", "check"):
            command.add_argument("--json", action="store_true", help="one JSON document a sound")
        if name == "add":
            command.add_argument("name", metavar="NAME", help="the sound's name")
            command.add_argument("file", type=Path, metavar="FILE", help="the recording")
        if name == "cut":
            command.add_argument("file", type=Path, metavar="FILE", help="the long recording")
            command.add_argument("--from", dest="first", type=int, default=1, metavar="N", help="first number read (1)")
        if name == "music":
            command.add_argument("files", type=Path, nargs="+", metavar="FILE", help="WAV, FLAC, OGG or MP3")
            command.add_argument("--name", default="music", metavar="NAME", help="as calendars call it (music)")
        if name == "script":
            command.add_argument("--html", action="store_true", help="a page to print, right to left in Persian")
        if name in ("add", "script", "cut"):
            command.add_argument("--language", choices=messages.LANGUAGES, default="fa", help="of the words (fa)")


def _folder(chosen: argparse.Namespace) -> Path:
    return chosen.folder or shipped_flows() / "prompts"


def _build(chosen: argparse.Namespace) -> int:
    built = voices.build(_folder(chosen), chosen.only)
    print(text("prompts.built", messages.chosen_language(), sounds=built.sounds, made=built.made))
    return 0


def _sounds(chosen: argparse.Namespace) -> Iterator[tuple[str, str, str, Path]]:
    """Language, name, words, and the file without ending, of every sound."""
    folder = _folder(chosen)
    for language, sounds in voices.sounds_of(folder).items():
        for name, words in sounds.items():
            yield language, name, words, folder / language / name


def _list(chosen: argparse.Namespace) -> int:
    language = messages.chosen_language()
    for spoken, name, words, base in _sounds(chosen):
        is_recorded = base.with_name(f"{name}.wav").is_file()
        if chosen.json:
            about = {"language": spoken, "name": name, "words": words, "recorded": is_recorded}
            print(json.dumps(about, ensure_ascii=False))
        else:
            kind = text("prompts.recorded" if is_recorded else "prompts.synthetic", language)
            print(f"{spoken}  {name}  [{kind}]  {words}")
    return 0


def _check(chosen: argparse.Namespace) -> int:
    """A missing sound is an error; a synthetic voice is said, for it is there only until a person has spoken."""
    language = messages.chosen_language()
    counts = {"sounds": 0, "recorded": 0, "missing": 0}
    for spoken, name, _, base in _sounds(chosen):
        counts["sounds"] += 1
        sound = base.with_name(f"{name}.ulaw")
        is_recorded = base.with_name(f"{name}.wav").is_file()
        counts["recorded"] += is_recorded
        if not sound.is_file():
            counts["missing"] += 1
            problem = Problem("prompts.missing", prompt=name, language=spoken)
            print(json.dumps({"key": problem.key, **problem.fields}) if chosen.json else _lines(problem))
        elif chosen.json:
            found = measured(voices.linear_of(sound.read_bytes()))
            about = {"language": spoken, "name": name, "recorded": is_recorded, **asdict(found)}
            print(json.dumps(about))
    if not chosen.json:
        print(text("prompts.checked", language, **counts))
    return EXIT_FOUND if counts["missing"] else 0


def _lines(problem: Problem) -> str:
    return "\n".join(messages.problem_lines(problem, messages.chosen_language()))


def _add(chosen: argparse.Namespace) -> int:
    folder = _folder(chosen)
    known = voices.sounds_of(folder).get(chosen.language, {})
    if chosen.name not in known:
        raise Problem("prompts.no_such", prompt=chosen.name, language=chosen.language)
    _keep(folder, chosen.language, chosen.name, recordings.read(chosen.file))
    voices.build(folder, chosen.name)
    return 0


def _tune(chosen: argparse.Namespace) -> int:
    """Joins the files, each at the level of the prompts; what cannot be played changes nothing."""
    if not NAME.fullmatch(chosen.name):
        raise Problem("prompts.bad_name", prompt=chosen.name[:40])
    sounds = [recordings.mended(recordings.read(file), file.name).linear for file in chosen.files]
    voices.write(_folder(chosen) / chosen.name, b"".join(sounds))
    seconds = round(sum(map(len, sounds)) / 2 / RATE)
    print(text("prompts.music_is", messages.chosen_language(), name=chosen.name, files=len(sounds), seconds=seconds))
    return 0


def _keep(folder: Path, language: str, name: str, linear: bytes) -> None:
    """Mends a recording and puts it beside the sounds, where it wins over the synthetic voice."""
    found = recordings.mended(linear, name)
    (folder / language).mkdir(exist_ok=True)
    write_whole(folder / language / f"{name}.wav", recordings.as_wav(found.linear), 0o644)
    print(
        text(
            "prompts.mended",
            messages.chosen_language(),
            name=name,
            before=found.before.level_dbm0 or 0.0,
            after=found.after.level_dbm0 or 0.0,
            long=found.before.seconds,
            kept=found.after.seconds,
        )
    )


def _reading_list(folder: Path, language: str) -> Mapping[int, tuple[str, str]]:
    """Name and words of each sound by its number; the numbers stay the same however much was recorded."""
    return dict(enumerate(voices.sounds_of(folder).get(language, {}).items(), 1))


def _script(chosen: argparse.Namespace) -> int:
    folder = _folder(chosen)
    rows = [
        (digits(str(number), chosen.language), words)
        for number, (name, words) in _reading_list(folder, chosen.language).items()
        if not (folder / chosen.language / f"{name}.wav").is_file()
    ]
    if not chosen.html:
        for number, words in rows:
            print(f"{number}. {words}")
        return 0
    direction = "rtl" if chosen.language == "fa" else "ltr"
    items = "".join(f"<tr><td>{number}</td><td>{html.escape(words)}</td></tr>\n" for number, words in rows)
    print(
        f'<!doctype html><html lang="{chosen.language}" dir="{direction}"><meta charset="utf-8">'
        f"<title>{html.escape(text('prompts.script', chosen.language))}</title>"
        "<style>body{font:18px sans-serif}td{padding:6px;vertical-align:top}</style>\n"
        f"<table>\n{items}</table></html>"
    )
    return 0


def _cut(chosen: argparse.Namespace) -> int:
    folder = _folder(chosen)
    wanted = [
        (number, name)
        for number, (name, _) in _reading_list(folder, chosen.language).items()
        if number >= chosen.first and not (folder / chosen.language / f"{name}.wav").is_file()
    ]
    found = recordings.entries(recordings.read(chosen.file))
    if len(found) > len(wanted) or not found:
        at = f"{found[len(wanted)][0]:.1f}" if len(found) > len(wanted) else "0"
        raise Problem("prompts.miscounted", file=chosen.file.name, found=len(found), expected=len(wanted), at=at)
    ready = [(name, recordings.mended(sound, name)) for (_, name), (_, sound) in zip(wanted, found, strict=False)]
    for (name, _), (_, sound) in zip(ready, found, strict=True):
        _keep(folder, chosen.language, name, sound)
    voices.build(folder)
    last = wanted[len(found) - 1][0]
    print(text("prompts.cut", messages.chosen_language(), count=len(found), first=wanted[0][0], last=last))
    return 0
