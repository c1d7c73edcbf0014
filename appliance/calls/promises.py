"""Promises that agents make by the keys of their telephone, and how they are read back."""

from __future__ import annotations

import datetime

from appliance import saying
from appliance.calls.conversation import Conversation
from appliance.calls.desk import asked_by, due_of
from appliance.messages.calendar import TEHRAN
from appliance.signalling import numbers
from appliance.signalling.settings import Trunk


def by_keys(conversation: Conversation, digits: str, customer: str, trunk: Trunk) -> tuple[str, ...]:
    """The agent of this conversation has keyed in a time; the prompts that tell what came of it."""
    office, number = conversation.office, numbers.normalise(customer, trunk.area_code)
    due = due_of(digits, office.clock.utc_ms())
    if due is None:
        return ("feature_no_sense",)
    asked = asked_by(
        conversation.id, number.e164 or "", conversation.language, trunk.name, offset_ms=conversation.offset_ms()
    )
    reply = office.desk.promise(asked, customer, conversation.line_name, due, "", conversation.agent)
    if not reply.is_ok:
        return ("feature_refused",)
    said = saying.say(conversation.language, "phone", number.national).pieces
    return ("promise_made", *said, *moment(conversation.language, due))


def moment(language: str, utc_ms: int) -> tuple[str, ...]:
    """Day and time in Tehran, as they are spoken."""
    local = datetime.datetime.fromtimestamp(utc_ms / 1000, TEHRAN)
    day = saying.say(language, "jalali" if language == "fa" else "date", f"{local:%Y-%m-%d}").pieces
    return (*day, "at_time", *saying.say(language, "time", f"{local:%H:%M}").pieces)
