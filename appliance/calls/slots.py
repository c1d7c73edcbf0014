"""The nine slots in which customers are parked: who is where, and who has a caller when several ask. Pure.

A slot is free again in the moment in which somebody takes the customer out of it: of two telephones that dial the same
slot at once, one is given the customer and the other finds nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

SLOTS = range(1, 10)  # one digit behind the code


@dataclass(frozen=True, slots=True)
class Parked:
    """``leg`` is the customer's; whoever takes them speaks to the inbox of that leg."""

    leg: str
    slot: int


class Slots:
    """Whoever is parked longest stands first."""

    def __init__(self) -> None:
        self._parked: dict[int, Parked] = {}

    def park(self, leg: str) -> int:
        """The lowest free slot, which is taken now; 0: there is none."""
        slot = next((each for each in SLOTS if each not in self._parked), 0)
        if slot:
            self._parked[slot] = Parked(leg, slot)
        return slot

    def take(self, slot: int) -> Parked | None:
        """Who is parked there (0: who has been parked longest), for the one who asks alone; None: nobody."""
        return self._parked.pop(slot or next(iter(self._parked), 0), None)

    def leave(self, leg: str) -> bool:
        """The customer is parked no longer; False where somebody has taken them already."""
        slot = next((each.slot for each in self._parked.values() if each.leg == leg), 0)
        return self._parked.pop(slot, None) is not None

    def names(self) -> Iterator[tuple[str, bool]]:
        """What is dialled for each slot, and whether somebody is in it."""
        return ((name_of(slot), slot in self._parked) for slot in SLOTS)


def name_of(slot: int) -> str:
    """What any telephone of the office dials to have who is parked there, and what its lamp watches."""
    return f"*9{slot}"
