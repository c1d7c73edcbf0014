"""The words of each message, in the recipient's language, with its digits. Templates stand with all other texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from appliance import messages
from appliance.errors import Problem
from appliance.messages import Language, calendar
from appliance.messages.numbers import digits
from appliance.notify.outbox import Kind

MOST_FIRM = 40  # letters of a firm's name that are sent

_KEYS: Mapping[Kind, str] = {
    "missed": "notify.sms_missed",
    "callback": "notify.sms_callback",
    "promise": "notify.sms_promise",
    "promise_moved": "notify.sms_promise_moved",
    "promise_kept": "notify.sms_promise_kept",
    "request": "notify.sms_request",
    "survey": "notify.sms_survey",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a message to a caller may say; empty where there is nothing to say."""

    firm: str
    code: str = ""
    due: int = 0
    link: str = ""


def values(facts: Facts, language: Language) -> dict[str, str]:
    """What templates may name."""
    return {
        "firm": facts.firm[:MOST_FIRM],
        "code": facts.code,
        "when": calendar.moment(facts.due, language)[:16] if facts.due else "",
        "link": facts.link,
        "language": language,
    }


def sms(kind: Kind, facts: Facts, language: Language, survey_reply: str = "") -> str:
    """The free text of a message to a caller; what a value says can never be read as a template.

    ``survey_reply`` is the question (csat, nps) that a survey asks to be answered by SMS; empty: by the link.
    """
    known = values(facts, language)
    key = f"notify.sms_survey_{survey_reply}" if kind == "survey" and survey_reply else _KEYS[kind]
    return messages.text(
        key,
        language,
        firm=known["firm"],
        code=digits(known["code"], language),
        when=known["when"],
        link=known["link"],
    )


def alarm(box: str, problem: Problem | None, is_over: bool, language: Language) -> tuple[str, str]:
    """Subject and text of what the owner is told; the subject alone is the SMS."""
    what, do = messages.problem_lines(problem, language) if problem is not None else ("", "")
    if is_over:
        return messages.text("notify.over", language, box=box, what=what), messages.text("notify.over_more", language)
    return messages.text("notify.alarm", language, box=box, what=what), f"{what}\n{do}\n"
