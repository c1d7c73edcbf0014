"""What calls outside cost, and what was spent today: a machine in whole rials, without a clock.

A call costs from its answer on: ``rial_per_call``, and every increment that was begun, rounded up to a rial at the end.
It belongs whole to the day in Tehran on which it was answered, as it does on the provider's bill; so what was spent
never becomes less within a day, and a call over midnight weighs on the evening before. While a call runs it costs what
it would cost if it ended now. The longest prefix that fits gives the tariff, else the kind of the number; a number
without either has no price (``price_of`` is None): it costs nothing, and the policy keeps it in where there is a cap.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from appliance.calls.settings import Tariff
from appliance.messages.calendar import day_number
from appliance.signalling import numbers
from appliance.signalling.numbers import Number


@dataclass(frozen=True, slots=True)
class Answered:
    """A call outside that was answered at ``at_ms`` (UTC) and lasted ``milliseconds`` from then on."""

    number: Number
    at_ms: int
    milliseconds: int


@dataclass(frozen=True, slots=True)
class _Running:
    number: Number
    day: int
    since: float  # monotonic seconds


def price_of(tariffs: Sequence[Tariff], number: Number) -> Tariff | None:
    """The tariff of a number: by the longest prefix, then by kind."""
    best: tuple[int, Tariff] | None = None
    for tariff in tariffs:
        prefix = numbers.prefix_of(tariff.prefix) if tariff.prefix else None
        length = numbers.has_prefix(number, [prefix]) if prefix else 0
        if length and (best is None or length > best[0]):
            best = length, tariff
    if best is not None:
        return best[1]
    return next((tariff for tariff in tariffs if not tariff.prefix and tariff.kind == number.kind), None)


def cost(tariff: Tariff | None, milliseconds: int) -> int:
    """Rials of an answered call of this length; its first increment begins with the answer."""
    if tariff is None:
        return 0
    increment_ms = 1000 * max(1, tariff.increment_seconds)
    seconds = max(1, _up(milliseconds, increment_ms)) * increment_ms // 1000
    return tariff.rial_per_call + _up(seconds * tariff.rial_per_minute, 60)


def spent_by_day(tariffs: Sequence[Tariff], calls: Iterable[Answered]) -> dict[int, int]:
    """Rials of these calls, by the day on which they were answered."""
    spent: dict[int, int] = {}
    for call in calls:
        day = day_number(call.at_ms)
        spent[day] = spent.get(day, 0) + cost(price_of(tariffs, call.number), call.milliseconds)
    return spent


class Till:
    """The money of the day: told of each call that is answered and ended, it knows what was spent at any moment."""

    def __init__(self, tariffs: Sequence[Tariff]) -> None:
        self.tariffs = tariffs
        self._paid: dict[int, int] = {}  # by day
        self._running: dict[str, _Running] = {}

    def restore(self, calls: Iterable[Answered]) -> None:
        """What the records know: of today, and of days that are still to come for a box whose clock is not set yet."""
        self._paid = spent_by_day(self.tariffs, calls)

    def answered(self, leg: str, number: Number, utc_ms: int, now: float) -> None:
        self._running.setdefault(leg, _Running(number, day_number(utc_ms), now))

    def ended(self, leg: str, now: float) -> None:
        running = self._running.pop(leg, None)
        if running is not None:
            self._paid[running.day] = self._paid.get(running.day, 0) + self._cost(running, now)

    def spent(self, utc_ms: int, now: float) -> int:
        """Rials of today, calls that run included."""
        day = day_number(utc_ms)
        running = sum(self._cost(each, now) for each in self._running.values() if each.day == day)
        return self._paid.get(day, 0) + running

    def _cost(self, running: _Running, now: float) -> int:
        return cost(price_of(self.tariffs, running.number), round(1000 * (now - running.since)))


def _up(value: int, by: int) -> int:
    return -(-value // by)
