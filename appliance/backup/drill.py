"""The unattended drill: is what the box seals to its owner a box that stands up again?

The box has no key that opens its backups, and the drill must not give it one: a throw-away recipient in the owner's
file would be a key that opens everything the owner keeps. So the drill seals the very same stream of bytes twice in
one go: to the owner, into the file that is kept, and to a key that exists in memory for this minute, into a scratch
file. The scratch file goes the whole way back by the same code as `pasokh restore`: opened, every digest, calls.db and
its chain, settings, folders. The owner's file is read back from the disk byte by byte.

What it cannot show: that the owner still has the private key. Only `pasokh backup verify --key` on the owner's machine
shows that.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from appliance.backup import making, restoring
from appliance.backup.making import Drilled, Made, Progress
from appliance.backup.restoring import Check
from appliance.errors import Problem
from appliance.places import Places
from appliance.recorder import keys


@dataclass(frozen=True, slots=True)
class Report:
    """What the drill found: ``problem`` is None where all is well."""

    problem: Problem | None
    files: int
    bytes: int
    head_n: int
    requests_open: int
    milliseconds: int


def make_and_drill(
    settings: Path,
    places: Places,
    box: str,
    out: Path,
    now_utc_ms: int,
    *,
    check: Check = lambda _settings: None,
    progress: Progress = lambda _done, _all: None,
) -> tuple[Made, Report]:
    """A backup at ``out`` as ``making.make`` makes it, and whether its twin stands up; nothing else is left."""
    began = time.monotonic()
    try:
        scratch = Path(tempfile.mkdtemp(prefix=".pasokh-drill-", dir=out.parent))
    except OSError as error:
        raise Problem("backup.unwritable", file=str(out), reason=error.strerror or str(error)) from error
    try:
        identity = keys.new_identity("classic")
        twin = scratch / "twin.age"
        with twin.open("w+b") as file:
            drilled = Drilled(file, identity.recipient())
            made = making.make(settings, places, box, out, now_utc_ms, progress=progress, drilled=drilled)
        problem, requests = None, 0
        (scratch / "box").mkdir(mode=0o700)
        try:
            found = restoring.lay_out(twin, identity, scratch / "box", check=check)
            requests = found.records.requests_open
            if (found.records.head, requests) != (made.head, made.requests_open):
                problem = Problem("backup.bad_inside", file=out.name, reason="head")
        except Problem as wrong:
            problem = wrong
        except OSError as error:
            problem = Problem("backup.unwritable", file=str(scratch), reason=error.strerror or str(error))
        milliseconds = round(1000 * (time.monotonic() - began))
        return made, Report(problem, made.files, made.bytes, made.head.n, requests, milliseconds)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
