"""Values in a flow: what a template becomes, which case fits, what is spoken of a prompt. Pure."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping

from appliance import saying
from appliance.errors import Problem
from appliance.flow.model import Flow, Slot, Type, part
from appliance.flow.steps import Value
from appliance.messages.calendar import TEHRAN
from appliance.messages.numbers import latin

NAMES = re.compile(r"\{([a-z][a-z0-9_]{0,39})\}")
CASE = re.compile(r"(<=|>=|<|>)\s*(-?\d{1,15})")
MOST_TEXT = 500
TRUE, FALSE = "true", "false"

# Which kinds of appliance.saying can speak a variable of a type.
SPEAKS: Mapping[Type, tuple[str, ...]] = {
    "number": ("number", "ordinal", "toman", "rial", "duration"),
    "digits": ("digits", "phone", "code"),
    "moment": ("time", "date", "jalali"),
    "text": (),
    "secret": (),
    "yes_no": (),
}


def names_in(template: str) -> tuple[str, ...]:
    """The variables that a template uses."""
    return tuple(NAMES.findall(template))


def filled(template: str, variables: Mapping[str, Value]) -> str:
    """The template with its variables; one that is not set leaves nothing."""
    if "{" not in template:
        return template
    return NAMES.sub(lambda found: shown(variables.get(found[1], "")), template)[:MOST_TEXT]


def shown(value: Value) -> str:
    """A value as text, in the form that cases and look-ups use."""
    if isinstance(value, bool):
        return TRUE if value else FALSE
    return str(value)


def taken(kind: Type, value: Value) -> Value | None:
    """``value`` as a variable of this type keeps it, or None where it cannot be one."""
    text = latin(shown(value)).strip()
    match kind:
        case "text" | "secret":
            return shown(value)[:MOST_TEXT]
        case "digits":
            return text if text.isascii() and text.removeprefix("+").isdigit() and len(text) <= 40 else None
        case "number" | "moment":
            text = text.replace(",", "").replace("٬", "")
            return int(text) if re.fullmatch(r"-?\d{1,15}", text) else None
        case "yes_no":
            return text.lower() in (TRUE, "1", "yes") if text.lower() in (TRUE, FALSE, "0", "1", "yes", "no") else None


def fits(case: str, value: Value) -> bool:
    """Whether a value is the one that the case names, or within what it compares."""
    compared = CASE.fullmatch(case)
    if compared is None or not isinstance(value, int):
        return shown(value) == latin(case)
    sign, bound = compared[1], int(compared[2])
    if sign == "<":
        return value < bound
    if sign == "<=":
        return value <= bound
    return value > bound if sign == ">" else value >= bound


def spoken(flow: Flow, prompts: tuple[str, ...], language: str, value_of: Callable[[str], Value]) -> tuple[str, ...]:
    """The sounds of these prompts, with their values, in order."""
    if not flow.scripts and not any("{" in prompt for prompt in prompts):
        return prompts
    sounds: list[str] = []
    for prompt in prompts:
        own: list[str] = []
        for each in flow.scripts.get((language, prompt)) or (part(prompt),):
            said = (each,) if isinstance(each, str) else value_spoken(language, each, value_of(each.variable))
            if not said:
                break  # a sentence with a hole in it is worse than none
            own += said
        else:
            sounds += own
    return tuple(sounds)


def value_spoken(language: str, slot: Slot, value: Value) -> tuple[str, ...]:
    """One value; nothing where it cannot be said in this kind (not known, or a foreign server's answer)."""
    try:
        return saying.say(language, slot.kind, _sayable(slot.kind, value)).pieces
    except Problem:
        return ()


def _sayable(kind: str, value: Value) -> str | int:
    if kind not in SPEAKS["moment"] or not isinstance(value, int):
        return value
    local = datetime.datetime.fromtimestamp(value / 1000, TEHRAN)
    return f"{local:%H:%M}" if kind == "time" else f"{local:%Y-%m-%d}"
