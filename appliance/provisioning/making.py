"""The secrets of phones, made once; and their files written into a folder, for a USB stick or the router's own TFTP."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from appliance.durable import write_whole
from appliance.errors import Problem
from appliance.provisioning import files
from appliance.provisioning.files import DeskFiles
from appliance.service import made_once
from appliance.signalling.settings import Phone


def ensure(folder: Path, phones: Iterable[Phone]) -> bytes:
    """The key of the tokens; makes it, and the passwords of phones that have a file, where they are missing.

    Nothing, and an empty key, where no phone has a file. Problem where the folder may not be written.
    """
    named = [phone.name for phone in phones if phone.mac]
    if not named:
        return b""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        before = set(folder.iterdir())
        key = made_once(folder / files.KEY)
        for path in (folder / each(name) for name in named for each in (files.password_of, files.admin_of)):
            if path not in before:
                write_whole(path, files.new_password().encode() + b"\n")
        _give_to_owner(folder, set(folder.iterdir()) - before)
    except OSError as error:
        raise Problem("provisioning.unwritable", folder=str(folder), reason=error.strerror or str(error)) from error
    return key


def _give_to_owner(folder: Path, made: Iterable[Path]) -> None:
    """What root makes belongs to whoever owns the folder of secrets: calls must read it."""
    if os.geteuid() == 0:
        owner = folder.stat()
        for path in made:
            os.chown(path, owner.st_uid, owner.st_gid)


def write(desks: DeskFiles, folder: Path, page: str, address: str) -> Iterator[Path]:
    """Writes the files of every phone, readable by their owner alone; each as it is written."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for phone in desks.phones:
            for name, content in desks.files(phone, page, address).items():
                write_whole(folder / name, content.encode())
                yield folder / name
    except OSError as error:
        raise Problem("provisioning.unwritable", folder=str(folder), reason=error.strerror or str(error)) from error
