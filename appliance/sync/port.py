"""The port to a target: the same few questions for a USB disk, an S3 bucket, an SFTP server, a share and a webhook.

All methods block and run in the target's own thread; they raise ``Fault`` for everything that network, server or disk
do, and never say that something is there which was not read back. Contract (tests/sync/test_contract.py runs it over
every implementation): ``place`` is idempotent and never overwrites; ``verify`` returns only if the whole content under
the key has the digest; after any fault, calling again is right.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from appliance.sync.faults import Fault, Why
from appliance.sync.units import Unit

CHUNK_BYTES = 64 << 10


class Paid(Protocol):
    """The right to send so many bytes: waits until there is room on the line (``pace.Bucket``)."""

    def take(self, wanted: int) -> int:
        """Waits; how many bytes may leave now (at least 1, at most ``wanted``)."""
        ...

    @property
    def holds_back(self) -> bool:
        """Whether it is we who are slow."""
        ...


class Unlimited:
    """Nobody is disturbed."""

    def take(self, wanted: int) -> int:
        return wanted

    @property
    def holds_back(self) -> bool:
        return False


@dataclass(slots=True)
class Parcel:
    """A unit with its content, for one target. ``key`` has the target's prefix.

    ``note`` is what the target remembers of a half-sent parcel (an upload's id): it outlives the process once
    ``remember`` has returned. ``sent_bytes`` counts what left the box in this try, ``read_bytes`` what was read back;
    with ``is_retry`` it may lie there already, with ``was_placed`` an earlier try has put it there; the adapter sets
    ``is_stored`` when this try did.
    """

    unit: Unit
    key: str
    source: Path | bytes
    note: str = ""
    remember: Callable[[str], None] = lambda _note: None
    paid: Paid = field(default_factory=Unlimited)
    sent_bytes: int = 0
    read_bytes: int = 0
    is_retry: bool = False
    was_placed: bool = False
    is_stored: bool = False
    is_broken_off: bool = False  # by the worker, while the adapter is at it

    @property
    def size(self) -> int:
        return self.unit.size

    @property
    def sha256(self) -> str:
        return self.unit.sha256

    @property
    def is_ours(self) -> bool:
        """Whether what lies there was put there by us."""
        return self.is_stored or self.was_placed

    def reading(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Counts what is read back."""
        for chunk in chunks:
            self._go_on()
            self.read_bytes += len(chunk)
            yield chunk

    def open(self) -> BinaryIO:
        return io.BytesIO(self.source) if isinstance(self.source, bytes) else self.source.open("rb")

    def chunks(self, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The content from ``start`` on as it may leave: waits for the line, and counts."""
        with self.open() as file:
            file.seek(start)
            left = self.size - start if length is None else length
            while left > 0:
                self._go_on()
                chunk = file.read(self.paid.take(min(CHUNK_BYTES, left)))
                if not chunk:
                    return
                left -= len(chunk)
                self.sent_bytes += len(chunk)
                yield chunk

    def _go_on(self) -> None:
        if self.is_broken_off:
            raise Fault(Why.BROKEN_OFF)


@dataclass(frozen=True, slots=True)
class Marker:
    """Who sends to a place: ``box`` is a random id, ``machine`` says on which hardware it was made."""

    box: str
    name: str
    machine: str

    def packed(self) -> bytes:
        """The content of the object ``box.json``."""
        return json.dumps({"box": self.box, "name": self.name, "machine": self.machine}).encode() + b"\n"


MARKER = "box.json"


def marker_from(content: bytes) -> Marker:
    """What stands in a marker; what cannot be read is nobody's, and so another's."""
    try:
        found = json.loads(content)
        return Marker(str(found["box"]), str(found["name"]), str(found["machine"]))
    except (ValueError, KeyError, TypeError):
        return Marker("?", "?", "?")


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about a target that works, which its owner should know: a key of messages and its fields."""

    key: str
    fields: dict[str, str | int | float] = field(default_factory=dict)


class Place(Protocol):
    """A target that works; made by ``targets.make``."""

    def greet(self, marker: Marker, *, was_here: bool = False, takes_over: bool = False) -> Marker:
        """Reaches the target, checks what must be so before anything is sent, and leaves the marker if none is there.

        Returns the marker that stands there; with ``takes_over`` it is replaced by ours. ``was_here``: we had left one,
        so that a folder without it is an empty mount point and not the disk.
        """
        ...

    def probe(self, *, writes: bool) -> None:
        """Returns if the target can be reached with our rights and, if ``writes``, takes one byte."""
        ...

    def place(self, parcel: Parcel) -> None:
        """Afterwards something lies under the key: what was sent, or what lay there before."""
        ...

    def verify(self, parcel: Parcel) -> str:
        """Reads everything back; where it lies. Fault ``mangled`` if digest or length differ."""
        ...

    def sweep(self, keep: frozenset[str]) -> None:
        """Takes away what half-sent parcels have left behind, but for those whose notes are to be kept."""
        ...

    def erase(self, keys: list[str]) -> list[str]:
        """Takes these away, in order; those that are still there because a lock holds them."""
        ...

    def remarks(self) -> list[Remark]:
        """What is to be said of the target, as far as it is known by now."""
        ...

    def close(self) -> None: ...
