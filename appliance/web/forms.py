"""What people type into the page's forms, as orders for calls. Pure; nothing is decided here.

Digits may be Persian, Arabic or Latin. What a form showed and nobody changed is not ordered anew: somebody who corrects
a number leaves its moment alone, also where that has passed meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from appliance.contacts.draft import numbers_in
from appliance.control import wire
from appliance.control.wire import Switches
from appliance.errors import Problem
from appliance.messages import calendar
from appliance.messages.numbers import latin
from appliance.records.drafts import FIELDS, LONGEST_BRIEF, LONGEST_NOTE

YEAR_MS = 365 * 86_400_000  # a switch names a day by month and day: which year is meant must be clear
LONGEST_FIELD = 10_000
LONGEST_NUMBER, LONGEST_MOMENT, LONGEST_ABOUT, LONGEST_NAME = 60, 40, 200, 64
ZWNJ = "\u200c"  # Persian words need it, and Unicode calls it a format character

Form = Mapping[str, str]
_DAY = re.compile(r"(?:(\d{4})[/-])?(\d{1,2})[/-](\d{1,2})")
_TIME = re.compile(r"(\d{1,2}):?(\d{2})")


def promise(form: Form, token: str) -> wire.MakePromise:
    language = form.get("language", "fa")
    return wire.MakePromise(
        token,
        number=_typed(form, "number", LONGEST_NUMBER),
        due=_typed(form, "due", LONGEST_MOMENT),
        about=_typed(form, "about", LONGEST_ABOUT),
        queue=_typed(form, "queue", LONGEST_NAME),
        agent=_typed(form, "agent", LONGEST_NAME),
        language=language if language in ("fa", "en") else "fa",
    )


def change(form: Form, token: str) -> wire.ChangeRequest:
    """Only what is different from what was shown (``was_number``, ``was_due``)."""

    def changed(name: str, most: int) -> str:
        typed = _typed(form, name, most)
        return "" if latin(typed) == latin(_typed(form, f"was_{name}", most)) else typed

    return wire.ChangeRequest(
        token,
        _typed(form, "request", LONGEST_NAME),
        number=changed("number", LONGEST_NUMBER),
        due=changed("due", LONGEST_MOMENT),
    )


def pin(form: Form, token: str) -> wire.ChoosePin:
    """The secrets as they were typed: a password may hold anything."""
    password = form.get("password", "")[:LONGEST_FIELD]
    return wire.ChoosePin(token, _typed(form, "agent", LONGEST_NAME), password, latin(_typed(form, "pin", 20)))


def away(form: Form, token: str) -> wire.GoAway:
    return wire.GoAway(token, _typed(form, "agent", LONGEST_NAME), _typed(form, "reason", LONGEST_NAME))


def wrap_up(form: Form) -> tuple[wire.FormField, ...]:
    """The fields that were sent, each with the version that the browser had seen of it."""
    return tuple(wire.FormField(name, _text(form[name]), _version(form, name)) for name in FIELDS if name in form)


def _version(form: Form, name: str) -> int:
    seen = form.get(f"seen_{name}", "")[:9]
    return int(seen) if seen.isascii() and seen.isdigit() else 0


def write(form: Form, token: str) -> wire.WriteForm:
    return wire.WriteForm(token, *_of_call(form), wrap_up(form))


def give(form: Form, token: str) -> wire.GiveForm:
    return wire.GiveForm(token, *_of_call(form), wrap_up(form))


def extend(form: Form, token: str) -> wire.ExtendForm:
    return wire.ExtendForm(token, *_of_call(form))


def brief(form: Form, token: str) -> wire.WriteBrief:
    return wire.WriteBrief(token, *_of_call(form), _text(form.get("text", ""))[:LONGEST_BRIEF])


def pause(form: Form, token: str) -> wire.PauseRecording:
    return wire.PauseRecording(token, *_of_call(form), is_on=form.get("is_on") == "1")


def next_customer(form: Form, token: str) -> wire.NextCustomer:
    return wire.NextCustomer(token, _typed(form, "agent", LONGEST_NAME), _typed(form, "list", LONGEST_NAME))


def outcome(form: Form, token: str) -> wire.SayOutcome:
    said = _typed(form, "outcome", LONGEST_NAME), _typed(form, "result", LONGEST_NAME)
    return wire.SayOutcome(token, *_of_call(form), *said, _typed(form, "due", LONGEST_MOMENT))


def _of_call(form: Form) -> tuple[str, str]:
    return _typed(form, "agent", LONGEST_NAME), _typed(form, "conversation", LONGEST_NAME)


def _text(written: str) -> str:
    """What was typed into a field of several lines, as every browser means it."""
    lines = written.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(letter for letter in lines if letter == "\n" or letter.isprintable() or letter == ZWNJ)[
        :LONGEST_NOTE
    ]


def contact(form: Form, token: str) -> wire.SaveContacts:
    """What is too long is said by calls, not cut off here."""
    typed = wire.Contact(
        _typed(form, "name", LONGEST_FIELD),
        numbers_in(_typed(form, "numbers", LONGEST_FIELD)),
        _typed(form, "latin", LONGEST_FIELD),
        _typed(form, "language", LONGEST_NAME),
        bool(form.get("vip")),
        bool(form.get("blocked")),
        bool(form.get("unrecorded")),
        _typed(form, "note", LONGEST_FIELD),
        _typed(form, "contact", LONGEST_NAME),
    )
    return wire.SaveContacts(token, (typed,))


def close(form: Form, token: str) -> wire.CloseRequest:
    return wire.CloseRequest(token, _typed(form, "request", LONGEST_NAME), form.get("state", ""))


def call_now(form: Form, token: str) -> wire.CallNow:
    return wire.CallNow(token, _typed(form, "request", LONGEST_NAME))


def move(form: Form, token: str) -> wire.MoveCaller:
    call, line, seen = (_typed(form, name, LONGEST_NAME) for name in ("call", "line", "seen"))
    return wire.MoveCaller(token, call, line, seen)


def hang_up(form: Form, token: str) -> wire.HangUpCall:
    return wire.HangUpCall(token, _typed(form, "call", LONGEST_NAME))


def turns(form: Form, token: str, switches: Switches, now_ms: int) -> list[wire.Turn]:
    """The switches to turn, in order. Problem where a day or a time cannot be meant."""
    match form.get("turn", ""):
        case "night_on" | "night_off" | "divert_off" | "outage_off" as action:
            return [wire.Turn(token, action)]
        case "closed_until":
            return [wire.Turn(token, "closed_until", day_keys(_typed(form, "day", LONGEST_MOMENT), now_ms))]
        case "open_until":
            return [wire.Turn(token, "open_until", time_keys(_typed(form, "time", LONGEST_MOMENT)))]
        case "closed_off":
            return [wire.Turn(token, "closed_until", "0")]
        case "open_off":
            return [wire.Turn(token, "open_until", "0")]
        case "normal":
            return back_to_normal(token, switches, now_ms)
        case other:
            raise Problem("desk.no_sense", value=other[:LONGEST_MOMENT])


def back_to_normal(token: str, switches: Switches, now_ms: int) -> list[wire.Turn]:
    """Everything off that is on."""
    wanted = (
        (switches.night, "night_off", ""),
        (switches.closed_until > now_ms, "closed_until", "0"),
        (switches.open_until > now_ms, "open_until", "0"),
        (bool(switches.divert), "divert_off", ""),
        (switches.outage_until > now_ms, "outage_off", ""),
    )
    return [wire.Turn(token, action, value) for is_on, action, value in wanted if is_on]


def day_keys(written: str, now_ms: int) -> str:
    """Month and day of the Jalali year (``0915``) of a day that is to come within a year.

    ``1405/09/15``, ``09/15`` and ``0915`` are Jalali, ``2026-12-06`` is not.
    """
    text = latin(written).strip()
    if len(text) == 4 and text.isascii() and text.isdigit():
        text = f"{text[:2]}/{text[2:]}"
    found = _DAY.fullmatch(text)
    if found is None:
        raise Problem("web.no_such_day", value=written)
    year, month, day = found.groups()
    this_year = calendar.jalali(now_ms)[0]
    for each in (int(year),) if year else (this_year, this_year + 1):
        begins = calendar.moment_of(f"{each:04}/{month}/{day} 00:00")
        if begins is not None and now_ms < begins <= now_ms + YEAR_MS:
            _, jalali_month, jalali_day = calendar.jalali(begins)
            return f"{jalali_month:02}{jalali_day:02}"
    raise Problem("web.no_such_day", value=written)


def time_keys(written: str) -> str:
    """``2030`` of ``20:30``, ``8:05`` or ``2030``."""
    found = _TIME.fullmatch(latin(written).strip())
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        raise Problem("web.no_such_time", value=written)
    return f"{int(found[1]):02}{found[2]}"


def _typed(form: Form, name: str, most: int) -> str:
    return form.get(name, "").strip()[:most]
