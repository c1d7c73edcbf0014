"""The figures of surveys by FIGURES: shares with the interval in which the true one lies. Pure.

CSAT is the share of 4 and 5 among 1 to 5; NPS the share of 9 and 10 less that of 0 to 6; resolved the share of yes.
Intervals are Wilson's at 95 % (Wilson, 1927); that of NPS is by its variance (normal approximation).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

Z = 1.959964  # 95 %, two-sided


@dataclass(frozen=True, slots=True)
class Figure:
    """``value`` in percent (NPS: points from -100 to 100); all None where nobody answered."""

    answers: int
    value: float | None
    least: float | None
    most: float | None


def figures(answers: Mapping[str, Mapping[int, int]]) -> dict[str, Figure]:
    """Figures by question, from how often each value was given."""
    csat, nps, resolved = (answers.get(question, {}) for question in ("csat", "nps", "resolved"))
    return {
        "csat": _share(sum(count for value, count in csat.items() if value >= 4), sum(csat.values())),
        "nps": _nps(nps),
        "resolved": _share(resolved.get(1, 0), sum(resolved.values())),
    }


def wilson(yes: int, all_: int) -> tuple[float, float]:
    """Wilson's interval of a share, from 0 to 1; ``all_`` above 0."""
    share = yes / all_
    middle = share + Z * Z / (2 * all_)
    half = Z * math.sqrt(share * (1 - share) / all_ + Z * Z / (4 * all_ * all_))
    whole = 1 + Z * Z / all_
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)


def _share(yes: int, all_: int) -> Figure:
    if not all_:
        return Figure(0, None, None, None)
    least, most = wilson(yes, all_)
    return Figure(all_, round(100 * yes / all_, 1), round(100 * least, 1), round(100 * most, 1))


def _nps(given: Mapping[int, int]) -> Figure:
    all_ = sum(given.values())
    if not all_:
        return Figure(0, None, None, None)
    promoters = sum(count for value, count in given.items() if value >= 9) / all_
    detractors = sum(count for value, count in given.items() if value <= 6) / all_
    score = promoters - detractors
    half = Z * math.sqrt(max(0.0, promoters + detractors - score * score) / all_)
    return Figure(
        all_, round(100 * score, 1), round(100 * max(-1.0, score - half), 1), round(100 * min(1.0, score + half), 1)
    )
