"""The command ``pasokh``: services, checks, and the tools of owner and technician.

Each room adds its own subcommands (``register`` in its ``commands.py``); here stand only those that need the whole
settings' file. Whatever a person got wrong ends in two lines (what and where; what to do) and exit status 2.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from appliance import __version__, messages
from appliance.errors import Problem

if TYPE_CHECKING:  # rooms are imported by the command that needs them: `pasokh web` loads no SIP
    from appliance.config import Config
    from appliance.flow.catalogue import House
    from appliance.flow.model import Flow
    from appliance.flow.replay import Walked
    from appliance.flow.script import Case
    from appliance.flow.trial import Trail
    from appliance.notify.ready import Writing
    from appliance.places import Places
    from appliance.provisioning.files import DeskFiles

EXIT_PROBLEM = 2
DEFAULT_CONFIG = Path("/etc/pasokh/pasokh.toml")

Run = Callable[[argparse.Namespace], int]

# What argparse says, and the key under which we say it (its own texts exist in English only).
_SAYINGS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"unrecognized arguments: (?P<argument>.+)"), "cli.unknown_argument"),
    (re.compile(r"the following arguments are required: (?P<argument>.+)"), "cli.missing_argument"),
    (
        re.compile(r"argument (?P<argument>.+?): invalid choice: (?P<value>.+?) \(choose from (?P<known>.+)\)"),
        "cli.choice",
    ),
    (re.compile(r"argument (?P<argument>.+?): invalid \S+ value: (?P<value>.+)"), "cli.bad_value"),
    (re.compile(r"argument (?P<argument>.+?): expected .*argument.*"), "cli.no_value"),
    (re.compile(r"argument (?P<argument>.+?): not allowed with argument (?P<value>.+)"), "cli.not_together"),
)


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser whose complaints are Problems."""

    def error(self, message: str) -> NoReturn:
        for pattern, key in _SAYINGS:
            found = pattern.fullmatch(message.strip())
            if found:
                raise Problem(key, command=self.prog, **found.groupdict())
        raise Problem("cli.not_understood", command=self.prog, argument=message)


def run(arguments: Sequence[str]) -> int:
    """Runs one command; prints a Problem as two lines and returns 2."""
    try:
        chosen = _parser().parse_args(arguments)
        command: Run = chosen.run
        return command(chosen)
    except Problem as problem:
        for line in messages.problem_lines(problem, messages.chosen_language()):
            print(line, file=sys.stderr)
        return EXIT_PROBLEM
    except BrokenPipeError:
        # Whoever read our output has left (`pasokh cdr | head`): nothing more to say, and no traceback.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    """The whole command line, for the generated list of commands."""
    return _parser()


def _parser() -> _Parser:
    from appliance.backup import commands as backup
    from appliance.calls import commands as calls
    from appliance.ceremony import commands as ceremony
    from appliance.contacts import commands as contacts
    from appliance.evidence import commands as evidence
    from appliance.flow import commands as flow
    from appliance.hours import commands as hours
    from appliance.lookup import commands as lookup
    from appliance.notify import commands as notify
    from appliance.outbound_lists import commands as lists
    from appliance.prompts import commands as prompts
    from appliance.provisioning import commands as provisioning
    from appliance.recorder import commands as recorder
    from appliance.records import attendance_commands as attendance
    from appliance.records import commands as records
    from appliance.records import owed_commands as owed
    from appliance.records import search_commands as search
    from appliance.retention import commands as retention
    from appliance.saying import commands as saying
    from appliance.sync import commands as sync

    top = _Parser(prog="pasokh", description="A small box that answers a business's telephone.")
    top.add_argument("--version", action="version", version=f"pasokh {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    for name, work, text in (
        ("media", _media, "the service that carries the voices (started by systemd or `pasokh run`)"),
        ("calls", _calls, "the service that speaks SIP, walks flows and writes records"),
        ("sync", _sync, "the service that sends records and recordings upstream"),
        ("web", _web, "the service that shows the page"),
        ("run", _run, "all services on a machine without systemd, until Ctrl-C"),
        ("check", _check, "read the settings and the flows, say what is wrong, start nothing"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="the settings' file")
        command.set_defaults(run=work)
    flow.register(commands, _rehearse, _walkers)
    recorder.register(commands, _e164, lambda steps: retention.register(steps, _places_of, DEFAULT_CONFIG))
    ceremony.register(commands)
    records.register(commands)
    search.register(commands, _e164)
    attendance.register(commands)
    owed.register(commands)
    saying.register(commands)
    hours.register(commands)
    lookup.register(commands)
    prompts.register(commands)
    calls.register(commands, _load, DEFAULT_CONFIG)
    contacts.register(commands, _load, DEFAULT_CONFIG)
    lists.register(commands, _load, DEFAULT_CONFIG)
    provisioning.register(commands, _phone_files, DEFAULT_CONFIG)
    evidence.register(commands)
    backup.register(commands, _box_of, DEFAULT_CONFIG)
    notify.register(commands, _writing_of, DEFAULT_CONFIG)
    sync.register(commands, _upstream, _adopt)
    _add_demo(commands)
    return top


def _e164(written: str) -> str:
    from appliance.signalling import numbers

    return numbers.e164(written)


def _load(file: Path) -> Config:
    from appliance import config

    return config.load(file)


def _phone_files(file: Path) -> DeskFiles:
    from appliance.calls.phone_files import desk_files
    from appliance.provisioning import making

    settings = _load(file)
    places = settings.places
    key = making.ensure(places.secrets, settings.signalling.phones)
    return desk_files(settings.provisioning, settings.signalling, settings.calls, places.secret, key)


def _box_of(file: Path) -> tuple[str, Places]:
    from appliance import config

    settings = config.load(file)
    return settings.box.name, settings.places


def _places_of(file: Path) -> Places:
    from appliance import config

    return config.load(file).places


def _writing_of(file: Path) -> tuple[str, Writing, Places]:
    from appliance import config

    settings = config.load(file)
    return settings.box.name, settings.writing, settings.places


def _rehearse(flow: Flow, house: House, cases: Sequence[Case]) -> list[Trail]:
    from appliance.calls import rehearsal

    return rehearsal.play(flow, house, cases)


def _walkers(chosen: argparse.Namespace, flow: str, since_utc_ms: int) -> list[Walked]:
    from appliance.flow.replay import Walked
    from appliance.records.commands import reader_of

    found = []
    with reader_of(chosen) as reader:
        for one in reader.since(since_utc_ms, flow):
            presses = reader.presses(one.conversation)
            found.append(Walked(one.conversation, one.opened, one.customer, one.outcome, presses))
    return found


def _add_demo(commands: argparse._SubParsersAction[_Parser]) -> None:
    text = "a whole box on this machine, three scripted calls, and the page"
    demo = commands.add_parser("demo", help=text, description=text)
    demo.add_argument("--once", action="store_true", help="end after the calls and print one JSON object as last line")
    demo.add_argument("--upstream", choices=("folder", "s3"), default="folder", help="where the recordings are sent")
    demo.add_argument("--players", type=Path, required=True, help="folder with the programs that play caller and phone")
    demo.set_defaults(run=_demo)


def _demo(chosen: argparse.Namespace) -> int:
    from appliance import demo

    return demo.run(players=chosen.players, once=chosen.once, upstream=chosen.upstream)


def _media(chosen: argparse.Namespace) -> int:
    from appliance import config, service
    from appliance.media import worker

    settings = config.load(chosen.config)
    service.set_up_logging()
    return worker.run(settings.media, settings.recorder, settings.places)


def _calls(chosen: argparse.Namespace) -> int:
    from appliance import config, service
    from appliance.calls import main
    from appliance.retention.plan import Rules
    from appliance.sync import targets

    settings = config.load(chosen.config)
    service.set_up_logging()
    service.harden()
    box = settings.box
    upkeep = main.Keeping(
        settings.file,
        settings.backup,
        settings.writing,
        settings.provisioning,
        Rules(settings.retention, targets.of_recordings(settings.sync)),
        settings.recorder.floor_bytes,
    )
    return main.run(
        box.name, box.language, settings.places, settings.signalling, settings.calls, settings.elsewhere, upkeep
    )


def _sync(chosen: argparse.Namespace) -> int:
    from appliance import config, service
    from appliance.sync import main

    settings = config.load(chosen.config)
    service.set_up_logging()
    service.harden()
    return main.run(settings.box.name, settings.places, settings.sync)


def _upstream(chosen: argparse.Namespace) -> int:
    from appliance import config
    from appliance.sync import commands

    return commands.show(config.load(chosen.config).places, chosen.target, chosen.json)


def _adopt(chosen: argparse.Namespace) -> int:
    from appliance import config
    from appliance.sync import adopt

    settings = config.load(chosen.config)
    adopt.take_over(settings.box.name, settings.places, settings.sync, chosen.target)
    print(messages.text("sync.adopted", messages.chosen_language(), target=chosen.target))
    return 0


def _web(chosen: argparse.Namespace) -> int:
    from appliance import config, service
    from appliance.web import main
    from appliance.web.app import Shown

    settings = config.load(chosen.config)
    service.set_up_logging()
    service.harden()
    office = Shown(settings.signalling.area_code, settings.provisioning)
    return main.run(settings.box.name, settings.box.language, settings.places, settings.web, office)


def _run(chosen: argparse.Namespace) -> int:
    import asyncio
    import signal

    from appliance import config, keeper

    settings = config.load(chosen.config)

    async def until_stopped() -> int:
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        kept = keeper.Keeper(settings.file, settings.places.run, _say_kept)
        try:
            await kept.start()
            await stopped.wait()
        finally:
            await kept.stop()
        return 0

    return asyncio.run(until_stopped())


def _say_kept(event: object) -> None:
    print(event, file=sys.stderr, flush=True)


def _check(chosen: argparse.Namespace) -> int:
    from appliance import config
    from appliance.calls import lines
    from appliance.notify import ready
    from appliance.sync import targets

    settings = config.load(chosen.config)
    ready.check(settings.writing, settings.places)
    flows, _ = lines.checked_flows(
        settings.places, settings.signalling, settings.calls, settings.elsewhere, settings.file.name
    )
    for target in settings.sync.targets:
        targets.check_secret(target, settings.places)
    language = messages.chosen_language()
    warnings = config.warnings(settings)
    for warning in warnings:
        for line in messages.problem_lines(warning, language):
            print(line, file=sys.stderr)
    told = {"settings": settings.file.name, "flows": sorted(flows), "lines": len(settings.calls.lines)}
    print(json.dumps({**told, "warnings": [warning.key for warning in warnings]}))
    return 0
