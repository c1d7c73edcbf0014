"""Looks for what must not be there: a sound, in every form in which it may have been written, and keys in memory."""

from __future__ import annotations

import audioop
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

PIECE_BYTES = 16 << 20
MARK_BYTES = 48  # of a sound that is looked for: as random bytes nothing else is like it


def forms(mark: bytes) -> dict[str, tuple[int, bytes]]:
    """A-law ``mark`` as somebody may have written it: how many bytes lie from one of these to the next, and they.

    Of linear samples the lower byte is looked for; interleaved with another channel they lie twice as far apart.
    """
    linear = audioop.alaw2lin(mark, 2)
    mu_law, low = audioop.lin2ulaw(linear, 2), linear[::2]
    return {
        "A-law": (1, mark), "A-law, one of two channels": (2, mark), "mu-law": (1, mu_law),
        "mu-law, one of two channels": (2, mu_law), "linear": (2, low), "linear, one of two channels": (4, low),
    }  # fmt: skip


def found_in(data: bytes, mark: bytes) -> list[str]:
    """In which forms a sound lies in ``data``."""
    return [
        name
        for name, (step, wanted) in forms(mark[:MARK_BYTES]).items()
        if any(wanted in data[start::step] for start in range(step))
    ]


def found_in_files(files: Iterable[Path], mark: bytes) -> list[str]:
    """Every file (or raw disk) in which a sound lies, and in which form."""
    return [f"{file}: {form}" for file in files for piece in _pieces(file) for form in found_in(piece, mark)]


def _pieces(file: Path) -> Iterator[bytes]:
    """A file in pieces that overlap, so that nothing lies between two of them."""
    before = b""
    with file.open("rb") as opened:
        while piece := opened.read(PIECE_BYTES):
            yield before + piece
            before = piece[-4 * MARK_BYTES :]


def in_memory(process: int, wanted: Iterable[bytes]) -> list[bool]:
    """Whether each of these lies in the writable memory of a process."""
    keys = list(wanted)
    found = [False] * len(keys)
    with Path(f"/proc/{process}/mem").open("rb") as memory:
        for line in Path(f"/proc/{process}/maps").read_text().splitlines():
            area = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if area is None or "[v" in line:
                continue
            start, end = (int(border, 16) for border in area.groups())
            memory.seek(start)
            try:
                data = memory.read(end - start)
            except OSError:  # given back meanwhile
                continue
            found = [was or key in data for was, key in zip(found, keys, strict=True)]
    return found
