"""``pasokh provision``: the phones that have a file, where they fetch it, and the files themselves in a folder."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from appliance import messages
from appliance.errors import Problem

if TYPE_CHECKING:
    from appliance.provisioning.files import DeskFiles


def register(
    subparsers: argparse._SubParsersAction[Any], load: Callable[[Path], DeskFiles], default_config: Path
) -> None:
    """Adds ``provision``. ``load`` reads a settings' file and makes the secrets that are missing."""
    about = "the files by which desk phones set themselves up"
    commands = subparsers.add_parser("provision", help=about, description=about).add_subparsers(
        metavar="COMMAND", required=True
    )
    about = "each phone, and the address that is typed into it (option 66)"
    listed = commands.add_parser("list", help=about, description=about)
    listed.add_argument("page", metavar="PAGE", help="the page as phones reach it, such as https://192.168.1.5:8080")
    listed.set_defaults(work=_list)
    about = "write all files into a folder, for USB or the router's TFTP"
    written = commands.add_parser("write", help=about, description=about)
    written.add_argument("folder", type=Path, metavar="FOLDER", help="made where it is missing")
    written.add_argument("--address", default="", help="of the box, as phones reach it (that of the settings)")
    written.set_defaults(work=_write)
    for command in (listed, written):
        command.add_argument("--config", type=Path, default=default_config, help="the settings' file")
        command.set_defaults(run=lambda chosen: _run(chosen, load))


def _run(chosen: argparse.Namespace, load: Callable[[Path], DeskFiles]) -> int:
    files = load(chosen.config)
    if not files.phones:
        raise Problem("provisioning.no_phones", file=chosen.config.name)
    work: Callable[[argparse.Namespace, DeskFiles], int] = chosen.work
    return work(chosen, files)


def _list(chosen: argparse.Namespace, files: DeskFiles) -> int:
    page = chosen.page.rstrip("/")
    if not page.startswith(("https://", "http://")):
        raise Problem("provisioning.no_page", page=page[:60])
    for phone in files.phones:
        print(f"{phone.name}\t{phone.mac}\t{phone.model}\t{files.url(phone, page)}")
    return 0


def _write(chosen: argparse.Namespace, files: DeskFiles) -> int:
    from appliance.provisioning import making

    for path in making.write(files, chosen.folder, "", chosen.address):
        print(path)
    print(messages.text("provisioning.written", messages.chosen_language(), folder=str(chosen.folder)))
    return 0
