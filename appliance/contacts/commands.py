"""``pasokh contacts``: the list of whom the office knows, from a terminal of the box itself (root, or calls' own user).

``import`` shows what a file would do and does it only with ``--go``; what cannot be taken is named by line, and holds
up nothing else. Reading needs the records' key, changing needs the service calls to run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from appliance import messages
from appliance.contacts import draft, plan, reading, to_csv
from appliance.contacts.draft import LARGEST_BYTES
from appliance.contacts.plan import Plan, Source
from appliance.control import client, wire
from appliance.control.client import ControlClient
from appliance.control.wire import Contact
from appliance.errors import Problem
from appliance.messages import Language
from appliance.messages.numbers import digits
from appliance.places import DATABASE_KEY, Places
from appliance.records.commands import aligned, count
from appliance.records.database import key_from
from appliance.records.reader import Reader
from appliance.signalling.settings import Signalling

EXIT_SOME_WRONG = 1
FOUND = 200

_MARKS = {"vip": "is_vip", "blocked": "is_blocked", "unrecorded": "is_unrecorded"}


class Settings(Protocol):
    """What the commands need of the settings' file; whoever registers them knows how to read one."""

    @property
    def places(self) -> Places: ...

    @property
    def signalling(self) -> Signalling: ...


Work = Callable[[argparse.Namespace, Settings], int]
Add = Callable[[str, str, Work], argparse.ArgumentParser]


def group(
    subparsers: argparse._SubParsersAction[Any],
    name: str,
    about: str,
    load: Callable[[Path], Settings],
    default_config: Path,
) -> Add:
    """A word of the command line, and how a command is added to it that needs the settings: name, about, work."""
    commands = subparsers.add_parser(name, help=about, description=about).add_subparsers(
        metavar="COMMAND", required=True
    )

    def add(name: str, about: str, work: Work) -> argparse.ArgumentParser:
        command: argparse.ArgumentParser = commands.add_parser(name, help=about, description=about)
        command.add_argument("--config", type=Path, default=default_config, help="the settings' file")
        command.set_defaults(run=lambda chosen: work(chosen, load(chosen.config)))
        return command

    return add


def register(
    subparsers: argparse._SubParsersAction[Any], load: Callable[[Path], Settings], default_config: Path
) -> None:
    """Adds ``contacts`` to the command line."""
    add = group(subparsers, "contacts", "the contact list: whom the office knows", load, default_config)
    imported = add("import", "show what a CSV or vCard file would change, and do it with --go", _import)
    imported.add_argument("file", type=Path, metavar="FILE", help="CSV (UTF-8, UTF-16, Windows-1256) or vCard")
    imported.add_argument("--go", action="store_true", help="do it; rows that cannot be taken are left out")
    exported = add("export", "the whole list as CSV", _export)
    exported.add_argument("file", type=Path, nargs="?", metavar="FILE", help="where to (standard output)")
    listed = add("list", "contacts in whose name, numbers or note all words stand", _list)
    listed.add_argument("words", nargs="*", metavar="WORD", help="in Persian or Latin letters and digits")
    listed.add_argument("--json", action="store_true", help="one JSON object a line")
    listed.add_argument("--last", type=count, default=FOUND, metavar="N", help=f"at most so many ({FOUND})")
    saved = add("set", "a new contact, or changes to the one that has the first of these numbers", _set)
    saved.add_argument("numbers", nargs="+", metavar="NUMBER", help="in any written form; all numbers of the contact")
    for name, about in (("name", "the name"), ("latin", "the name for telephones that show no Persian")):
        saved.add_argument(f"--{name}", metavar="NAME", help=about)
    saved.add_argument("--language", choices=("fa", "en", ""), help="in which the menu speaks; empty: the line's")
    saved.add_argument("--note", metavar="TEXT", help="a note for the office")
    for name, about in (
        ("vip", "served first in the lines"),
        ("blocked", "their calls are not taken"),
        ("unrecorded", "never to be recorded"),
    ):
        saved.add_argument(f"--{name}", choices=("yes", "no"), help=about)
    removed = add("remove", "erase the contact that has this number", _remove)
    removed.add_argument("number", metavar="NUMBER", help="in any written form")


def _import(chosen: argparse.Namespace, settings: Settings) -> int:
    language = messages.chosen_language()
    source = plan.source(read_file(chosen.file))
    with reader_of(settings) as reader:

        def steps() -> Iterator[plan.Step]:
            return plan.steps(source.rows(), lambda numbers: _of(reader, numbers), settings.signalling.area_code)

        found = plan.planned(steps())
        for line in _told(chosen.file.name, source, found, language):
            print(line)
        if chosen.go:
            saved = asyncio.run(_with_calls(settings, lambda calls: _save_all(calls, plan.batches(steps()))))
            print(messages.text("contacts.imported", language, count=digits(saved, language)))
        elif found.new or found.changed:
            print(messages.text("contacts.say_go", language))
    return EXIT_SOME_WRONG if found.wrong_count else 0


def _told(file: str, source: Source, found: Plan, language: Language) -> Iterator[str]:
    """What the plan says, a line each."""

    def say(key: str, **fields: str | int) -> str:
        return messages.text(key, language, **{name: digits(value, language) for name, value in fields.items()})

    separator = {"": "vCard", "\t": "Tab"}.get(source.separator, source.separator)
    yield messages.text("contacts.read_as", language, file=file, encoding=source.encoding, separator=separator)
    if source.unknown:
        yield messages.text("contacts.passed_over", language, headings=", ".join(source.unknown))
    yield say(
        "contacts.planned", new=found.new, changed=found.changed, same=found.same, wrong=found.wrong_count
    )  # fmt: skip
    for wrong in found.wrong:
        what, _ = messages.problem_lines(wrong.problem, language)
        yield messages.text("contacts.wrong_line", language, line=digits(wrong.line, language), what=what)


def _export(chosen: argparse.Namespace, settings: Settings) -> int:
    with reader_of(settings) as reader:
        content = "".join(to_csv.lines(reading.everybody(reader.within), messages.chosen_language())).encode()
    if chosen.file is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        try:
            chosen.file.write_bytes(content)
        except OSError as error:
            reason = error.strerror or str(error)
            raise Problem("contacts.unwritable", file=str(chosen.file), reason=reason) from error
    return 0


def _list(chosen: argparse.Namespace, settings: Settings) -> int:
    with reader_of(settings) as reader:
        found = reader.within(lambda db: reading.search(db, " ".join(chosen.words), chosen.last))
    language = messages.chosen_language()
    if chosen.json:
        for each in found:
            print(json.dumps({name: getattr(each, name) for name in each.__struct_fields__}, ensure_ascii=False))
    elif found:
        for line in aligned([_cells(each, language) for each in found]):
            print(line.rstrip())
    else:
        print(messages.text("contacts.nobody", language))
    return 0


def _cells(contact: Contact, language: Language) -> tuple[str, ...]:
    marks = (
        messages.text(f"contacts.mark_{word}", language) for word, name in _MARKS.items() if getattr(contact, name)
    )
    numbers = digits(" ".join(contact.numbers), language)
    return contact.name or "-", contact.latin, numbers, " ".join(marks), contact.note


def _set(chosen: argparse.Namespace, settings: Settings) -> int:
    row = draft.Draft(
        line=0,
        name=chosen.name or "",
        numbers=tuple(chosen.numbers),
        latin=chosen.latin,
        language=chosen.language,
        note=chosen.note,
        **{name: draft.mark(given) for word, name in _MARKS.items() if (given := getattr(chosen, word)) is not None},
    )
    with reader_of(settings) as reader:
        contact = plan.merged(row, lambda numbers: _of(reader, numbers), settings.signalling.area_code)
    asyncio.run(_with_calls(settings, lambda calls: calls.order(wire.SaveContacts("", (contact,)))))
    print(messages.text("contacts.saved", messages.chosen_language(), name=contact.name or contact.numbers[0]))
    return 0


def _remove(chosen: argparse.Namespace, settings: Settings) -> int:
    with reader_of(settings) as reader:
        known = plan.known(chosen.number, lambda numbers: _of(reader, numbers), settings.signalling.area_code)
    asyncio.run(_with_calls(settings, lambda calls: calls.order(wire.RemoveContacts("", (known.contact,)))))
    print(messages.text("contacts.removed", messages.chosen_language(), name=known.name or known.numbers[0]))
    return 0


def read_file(file: Path) -> bytes:
    """The file, or as much of it as shows that it is too large."""
    try:
        with file.open("rb") as opened:
            return opened.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise Problem("contacts.unreadable", file=str(file), reason=error.strerror or str(error)) from error


def reader_of(settings: Settings) -> Reader:
    places = settings.places
    secret = places.secret(DATABASE_KEY)
    if not places.database.is_file():
        raise Problem("records.no_database", file=str(places.database))
    if secret is None:
        raise Problem("records.no_key", file=str(places.secrets / DATABASE_KEY))
    return Reader(places.database, key_from(secret))


def _of(reader: Reader, numbers: Sequence[str]) -> Mapping[str, Contact]:
    return reader.within(lambda db: reading.of_numbers(db, numbers))


async def _save_all(calls: ControlClient, batches: Iterable[tuple[Contact, ...]]) -> int:
    saved = 0
    for batch in batches:
        await calls.order(wire.SaveContacts("", batch))
        saved += len(batch)
    return saved


async def _with_calls(settings: Settings, work: Callable[[ControlClient], Awaitable[Any]]) -> Any:
    async with client.reached(settings.places.control_socket) as calls:
        return await work(calls)
