"""Where calls for a telephone, or for the agent who sits at it, go instead, by the telephone's own keys. Pure.

It counts for whoever is dialled by name or extension: by colleagues and when a customer is passed on. Calls of lines
and menus are not forwarded, because a queue must know whom it rings; who will not be rung by those signs off. A chain
is followed from name to name, at most ``MOST_HOPS`` times; one that comes back to somebody rings there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from appliance.calls.inside import Inside

MOST_HOPS = 5
NAMES_FROM, ENTRIES_FROM = ">", ","  # as a switch is written


@dataclass(frozen=True, slots=True)
class Followed:
    """``number`` is what to ring; ``hops`` who has sent on to whom."""

    number: str
    hops: tuple[tuple[str, str], ...] = ()


def follow(number: str, forwards: Mapping[str, str], whom: Callable[[str], Inside | None]) -> Followed:
    """What to ring for ``number``; ``whom`` tells who of the office has a number."""
    hops: list[tuple[str, str]] = []
    seen: set[str] = set()
    while len(hops) < MOST_HOPS:
        inside = whom(number)
        if inside is None or inside.name in seen or inside.name not in forwards:
            break
        seen.add(inside.name)
        number = forwards[inside.name]
        hops.append((inside.name, number))
    return Followed(number, tuple(hops))


def written(forwards: Mapping[str, str]) -> str:
    """As it stands in the record of a switch."""
    return ENTRIES_FROM.join(f"{name}{NAMES_FROM}{number}" for name, number in sorted(forwards.items()))


def read(text: str) -> dict[str, str]:
    """What ``written`` wrote; what is no entry is passed over."""
    entries = (entry.partition(NAMES_FROM) for entry in text.split(ENTRIES_FROM))
    return {name: number for name, mark, number in entries if mark and name and number}
