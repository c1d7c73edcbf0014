"""When the disk is full: what recordings will be written, by the last four weeks, against what will be deleted. Pure.

Days are counted from now, in stretches of 24 hours: the first of a history are the bytes of the last one. A day to come
is written like the same days of the weeks before it, in the mean; with less than a week of history, like the mean of
all. Recordings that have a date go on it, also those that are still to be written. What has no date stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

WEEK = 7
HISTORY_DAYS = 28
HORIZON_DAYS = 400  # nobody plans further ahead
FULL_SHARE = 0.8
SOON_DAYS = 14


def full_in_days(written: Mapping[int, Sequence[int]], leaving: Mapping[int, int], free_bytes: int) -> float | None:
    """In how many days ``free_bytes`` are used up; None: not within ``HORIZON_DAYS``, or nothing is known yet.

    ``written`` are histories by how many days such recordings stay (0: for ever), ``leaving`` the bytes on the disk
    that go in so many days.
    """
    free = float(free_bytes)
    for day in range(HORIZON_DAYS):
        used = sum(
            _expected(history, day) - (_expected(history, day - stays) if 0 < stays <= day else 0.0)
            for stays, history in written.items()
        ) - leaving.get(day, 0)
        if used > 0 and free <= used:
            return day + max(0.0, free) / used
        free -= used
    return None


def _expected(history: Sequence[int], day: int) -> float:
    """Bytes of the day that begins in ``day`` days."""
    recent = history[:HISTORY_DAYS]
    alike = recent[WEEK - 1 - day % WEEK :: WEEK] if len(recent) >= WEEK else recent
    return sum(alike) / len(alike) if alike else 0.0
