"""What people type to search, as a Query: the same fields for the page and for ``pasokh search``. Pure.

Digits may be Persian, Arabic or Latin; letters of either keyboard; days Jalali or Gregorian. What cannot be meant is a
Problem with what was typed, never an empty answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from appliance.errors import Problem
from appliance.messages import calendar
from appliance.messages.folding import fold
from appliance.messages.numbers import latin
from appliance.records.events import Outcome
from appliance.records.search import Choices, Query, Sort

FIELDS = (
    "number", "name", "agent", "line", "queue", "since", "until", "direction", "outcome", "at_least", "at_most",
    "overtalk", "dead_air", "score", "recorded", "sort",
)  # fmt: skip
OUTCOMES = ("open", *(outcome.value for outcome in Outcome))
DIRECTIONS = ("in", "out")
YES_OR_NO = ("yes", "no")
LONGEST = 64
LEAST_DIGITS = 3  # fewer are in every number
_LENGTH = re.compile(r"(?:(?:(\d{1,2}):)?(\d{1,4}):)?(\d{1,5})")  # h:mm:ss, mm:ss or seconds

E164 = Callable[[str], str]


def only_digits(_: str) -> str:
    """Where nobody reads numbers: each is looked for by its digits."""
    return ""


def query_from(fields: Mapping[str, str], e164: E164, choices: Choices, now_ms: int) -> Query:
    """``e164`` gives a whole number as E.164, or nothing; ``choices`` the names as they are kept.

    Problem ``records.search_*`` for what cannot be meant.
    """
    typed = {name: fields.get(name, "").strip()[:LONGEST] for name in FIELDS}
    number, digits = _number(typed["number"], e164)
    outcome, recorded = _of("outcome", typed["outcome"], OUTCOMES), _of("recorded", typed["recorded"], YES_OR_NO)
    return Query(
        number=number,
        digits=digits,
        name=fold(typed["name"]),
        agent=_known(typed["agent"], choices.agents),
        line=_known(typed["line"], choices.lines),
        queue=_known(typed["queue"], choices.queues),
        since=_edge("since", typed["since"], now_ms, 0),
        until=_edge("until", typed["until"], now_ms, 1),
        direction=_of("direction", typed["direction"], DIRECTIONS),
        outcome=None if not outcome else "" if outcome == "open" else outcome,
        at_least_ms=_length("at_least", typed["at_least"]),
        at_most_ms=_length("at_most", typed["at_most"]),
        overtalk_ms=_length("overtalk", typed["overtalk"]),
        dead_air_ms=_length("dead_air", typed["dead_air"]),
        score=_score(typed["score"]),
        is_recorded=None if not recorded else recorded == "yes",
        sort=Sort(_of("sort", typed["sort"], tuple(Sort)) or Sort.NEWEST),
    )


def _number(typed: str, e164: E164) -> tuple[str, str]:
    """A whole number, or the digits of a part of one as they stand in the records."""
    if not typed:
        return "", ""
    whole = e164(typed)
    if whole:
        return whole, ""
    written = latin(typed)
    digits = re.sub(r"\D", "", written)
    if re.search(r"[^\W\d]", written) or len(digits) < LEAST_DIGITS:
        raise Problem("records.search_number", value=typed, least=LEAST_DIGITS)
    bare = digits.removeprefix("00") if digits.startswith("00") else digits.removeprefix("0")
    return "", bare or digits  # kept numbers begin with the country's code


def _known(typed: str, names: tuple[str, ...]) -> str:
    """The name as it is kept where only the letters or the case differ; else as it was typed, and nothing is found."""
    return next((name for name in names if fold(name) == fold(typed)), typed)


def _edge(name: str, typed: str, now_ms: int, side: int) -> int | None:
    """A day counts whole: ``until`` a day is until its end."""
    if not typed:
        return None
    span = calendar.span_of(typed, now_ms)
    if span is None:
        raise Problem("records.search_day", field=name, value=typed)
    return span[side]


def _length(name: str, typed: str) -> int | None:
    if not typed:
        return None
    found = _LENGTH.fullmatch(latin(typed))
    if found is None:
        raise Problem("records.search_length", field=name, value=typed)
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000


def _score(typed: str) -> int | None:
    if not typed:
        return None
    value = latin(typed)
    if value not in ("1", "2", "3", "4", "5"):
        raise Problem("records.search_choice", field="score", value=typed, known="1, 2, 3, 4, 5")
    return int(value)


def _of(name: str, typed: str, known: tuple[str, ...]) -> str:
    if typed and typed not in known:
        raise Problem("records.search_choice", field=name, value=typed, known=", ".join(known))
    return typed
