"""The versions of flows that were published, by the hash of their content; the box walks the newest of each.

``FOLDER/NAME/HASH.toml`` are the texts, ``FOLDER/NAME/history`` has one line for each time that another became the one
to walk: UTC ms, hash (``-``: the one of the flows folder), what, who. The last line counts. Files are written beside
and renamed, so that a plug that is pulled leaves the old or the new one, never half of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from appliance.durable import write_whole
from appliance.errors import Problem
from appliance.flow import catalogue
from appliance.flow.catalogue import Flows, House
from appliance.flow.check import errors
from appliance.flow.model import Flow

FROM_FOLDER = "-"
_LINE = re.compile(r"(\d+) (-|[0-9a-f]{64}) (published|rolled_back) (\S+)")


@dataclass(frozen=True, slots=True)
class Entry:
    """``sha256`` became the version to walk at UTC ms ``at``; ``what`` is published or rolled_back."""

    at: int
    sha256: str
    what: str
    by: str


class Shelf:
    """``folder`` is the box's own (data/flows); it need not be there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def publish(self, file: Path, house: House, now_ms: int, by: str) -> Flow:
        """Checks the flow and makes it the one to walk; raises the first Problem with which it must not be."""
        flow = catalogue.load_file(file)
        for problem in errors(catalogue.findings(flow, house)):
            raise problem
        self._write(self._version(flow.name, flow.sha256), file.read_bytes())
        self._append(flow.name, Entry(now_ms, flow.sha256, "published", by))
        return flow

    def roll_back(self, name: str, now_ms: int, by: str) -> str:
        """The version that was walked before the one of now becomes the one to walk again; its hash."""
        history = self.history(name)
        if not history or history[-1].sha256 == FROM_FOLDER:
            raise Problem("flow.nothing_before", name=name)
        now = history[-1].sha256
        walked = [FROM_FOLDER, *(entry.sha256 for entry in history if entry.what == "published")]
        before = walked[len(walked) - 1 - walked[::-1].index(now) - 1]
        self._append(name, Entry(now_ms, before, "rolled_back", by))
        return before

    def history(self, name: str) -> list[Entry]:
        """What became the version to walk, oldest first."""
        try:
            text = (self._folder / name / "history").read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        found = (_LINE.fullmatch(line) for line in text.splitlines())
        return [Entry(int(each[1]), each[2], each[3], each[4]) for each in found if each is not None]

    def stamp(self) -> tuple[tuple[str, int, int], ...]:
        """Another value whenever something was published or rolled back; costs a look at each flow's history."""
        try:
            files = sorted(self._folder.glob("*/history"))
            return tuple((str(file), file.stat().st_mtime_ns, file.stat().st_ino) for file in files)
        except OSError:
            return ()

    def flows(self, shipped: Flows, house: House) -> tuple[Flows, list[Problem]]:
        """The flows to walk: those of the folder, or what was published of them; with what could not be taken.

        A version that this box's settings no longer fit is left where it is, and the one of the folder walked.
        """
        flows: dict[str, Flow] = dict(shipped)
        found: list[Problem] = []
        for name, entry in self.current().items():
            if entry.sha256 == FROM_FOLDER:
                continue
            try:
                flow = catalogue.load_file(self._version(name, entry.sha256))
                for problem in errors(catalogue.findings(flow, house)):
                    raise problem
            except Problem as problem:
                found.append(problem)
            else:
                flows[flow.name] = catalogue.furnished(flow, house)
        return flows, found

    def current(self) -> Mapping[str, Entry]:
        """The last entry of each flow."""
        names = sorted(file.parent.name for file in self._folder.glob("*/history"))
        return {name: history[-1] for name in names if (history := self.history(name))}

    def _version(self, name: str, sha256: str) -> Path:
        return self._folder / name / f"{sha256}.toml"

    def _append(self, name: str, entry: Entry) -> None:
        lines = [f"{each.at} {each.sha256} {each.what} {each.by}" for each in [*self.history(name), entry]]
        self._write(self._folder / name / "history", "".join(f"{line}\n" for line in lines).encode())

    @staticmethod
    def _write(file: Path, content: bytes) -> None:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        write_whole(file, content, 0o644)
