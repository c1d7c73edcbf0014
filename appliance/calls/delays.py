"""How long somebody who guesses has to wait: a machine over names and addresses.

Policy: an address that failed ``FREE_TRIES`` times is closed for a second, then two, four, up to five minutes; tries
while it is closed are not looked at. A name that was guessed at answers more slowly, up to four seconds, to
everybody, but it is never closed: an outsider must not be able to lock its owner out. A success forgets both. Unknown
names are treated like known ones. What has been quiet for an hour is forgotten, and never more than
``MOST_KEPT`` of each kind is kept.
"""

from __future__ import annotations

from collections import OrderedDict

FREE_TRIES = 3
LONGEST_CLOSED_SECONDS = 300.0
LONGEST_SLOWED_SECONDS = 4.0
QUIET_SECONDS = 3600.0
MOST_KEPT = 4096


class Delays:
    """Failures so far, by name and by address. ``now`` is monotonic seconds."""

    def __init__(self) -> None:
        self._names: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._addresses: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def closed_seconds(self, address: str, now: float) -> float:
        """How long tries from ``address`` are still not looked at; 0 if they are."""
        failures, at = _recent(self._addresses, address, now)
        return max(at + _doubling(failures, LONGEST_CLOSED_SECONDS) - now, 0.0)

    def slowed_seconds(self, name: str, now: float) -> float:
        """How long the answer to a try for ``name`` is held back."""
        failures, _ = _recent(self._names, name, now)
        return _doubling(failures, LONGEST_SLOWED_SECONDS)

    def failed(self, name: str, address: str, now: float) -> None:
        _count(self._names, name, now)
        _count(self._addresses, address, now)

    def succeeded(self, name: str, address: str) -> None:
        self._names.pop(name, None)
        self._addresses.pop(address, None)


def _doubling(failures: int, most: float) -> float:
    """0 up to FREE_TRIES failures less one, then 1, 2, 4, ... seconds."""
    return min(2.0 ** min(failures - FREE_TRIES, 30), most) if failures >= FREE_TRIES else 0.0


def _recent(kept: OrderedDict[str, tuple[int, float]], key: str, now: float) -> tuple[int, float]:
    failures, at = kept.get(key, (0, now))
    return (0, now) if now - at > QUIET_SECONDS else (failures, at)


def _count(kept: OrderedDict[str, tuple[int, float]], key: str, now: float) -> None:
    failures, _ = _recent(kept, key, now)
    kept[key] = failures + 1, now
    kept.move_to_end(key)
    while len(kept) > MOST_KEPT:
        kept.popitem(last=False)
