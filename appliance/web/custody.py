"""Whom recordings are sealed to, and whether the paper that opens them was tried lately, as the events say."""

from __future__ import annotations

from dataclasses import dataclass

from appliance import messages
from appliance.errors import Problem
from appliance.messages import Language, calendar
from appliance.messages.calendar import DAY_MS
from appliance.messages.numbers import digits
from appliance.records.custody import DRILL_DAYS, LastCustody
from appliance.web.views import BAD, BUSY, GOOD, State, word

SOON_DAYS = 14  # before the next drill is due it is said


@dataclass(frozen=True, slots=True)
class Member:
    role: str
    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Keys:
    """``todo`` is empty where nothing is to be done."""

    members: tuple[Member, ...]
    drill: State
    todo: str


def keys(last: LastCustody, now_ms: int, language: Language) -> Keys:
    members = tuple(_member(line, language) for line in (last.last.members.splitlines() if last.last else []))
    if last.last is None or not last.last.version:
        state, key = State(messages.text("web.drill_unsigned", language), BAD), "ceremony.unsigned"
    elif not last.drilled:
        state, key = State(messages.text("web.drill_never", language), BAD), "ceremony.never_drilled"
    else:
        days, due = (now_ms - last.drilled) // DAY_MS, last.drilled + DRILL_DAYS * DAY_MS
        said = messages.text(
            "web.drill_done", language, day=calendar.day(last.drilled, language), next=calendar.day(due, language)
        )
        tone = BAD if days > DRILL_DAYS else BUSY if days > DRILL_DAYS - SOON_DAYS else GOOD
        state, key = State(said, tone), "" if tone == GOOD else "ceremony.drill_old"
    fields = (
        {"days": digits(max(0, (now_ms - last.drilled) // DAY_MS), language)} if key == "ceremony.drill_old" else {}
    )
    return Keys(members, state, messages.problem_lines(Problem(key, **fields), language)[1] if key else "")


def _member(line: str, language: Language) -> Member:
    """``role name fingerprint``, whose name may hold blanks; of a plain list the fingerprint alone."""
    about, _, fingerprint = line.rpartition(" ")
    role, _, name = about.partition(" ")
    return Member(word(f"web.key_{role}", language) if role else "", name, fingerprint)
