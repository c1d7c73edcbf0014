"""A signed set with the keys behind it, and ``pasokh keys`` as the owner types it."""

from __future__ import annotations

import argparse
import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.ceremony import commands, making
from appliance.ceremony.making import Made, Wish
from appliance.recorder import commands as recording
from appliance.recorder.keys import Identity, Kind

MADE = 1_795_000_000_000  # 2026-11-18, UTC ms
PASSPHRASE = "four words nobody guesses"
Run = Callable[..., int]


def a_set(kind: Kind = "classic", *listeners: str, escrow: str = "") -> Made:
    """Version 1, with the keys of all its members."""
    return making.first(Wish(listeners, escrow), kind, MADE)


def owner_of(made: Made) -> Identity:
    return made.identities[making.OWNER]


def recovery_of(made: Made) -> Identity:
    return made.identities[making.RECOVERY]


def typist(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs one command with these words on standard input, and the passphrase as often as it is asked for."""

    def run(*arguments: str | Path, typed: str = "") -> int:
        reading, writing = os.pipe()
        os.write(writing, f"{PASSPHRASE}\n".encode() * 2)
        os.close(writing)
        monkeypatch.setenv("PASOKH_PASSPHRASE_FD", str(reading))
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        parser = argparse.ArgumentParser(prog="pasokh")
        subparsers = parser.add_subparsers(required=True)
        for room in (commands, recording):
            room.register(subparsers)
        chosen = parser.parse_args([str(argument) for argument in arguments])
        try:
            code: int = chosen.run(chosen)
        finally:
            os.close(reading)
        return code

    return run
