"""What ``pasokh number`` tells: what a number is, what a trunk would dial and show, and whether the policy lets it out.

It looks at the settings and the calendars alone: what today has cost and which lines are taken only the running box
knows, and its switches (night, closed until) too.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from appliance import messages
from appliance.calls import money, outbound
from appliance.calls.inside import Inside, known
from appliance.calls.outside import dialled_on, shown_on
from appliance.calls.peers import extension_at
from appliance.calls.settings import Calls
from appliance.errors import Problem
from appliance.hours.answer import answer
from appliance.hours.load import load_folder
from appliance.hours.model import Hours, Switches
from appliance.messages import Language, text
from appliance.places import Places
from appliance.signalling.settings import Signalling, Trunk

MINUTE_MS = 60_000


class Settings(Protocol):
    """What the command needs of the settings' file; whoever registers it knows how to read one."""

    @property
    def file(self) -> Path: ...

    @property
    def calls(self) -> Calls: ...

    @property
    def signalling(self) -> Signalling: ...

    @property
    def places(self) -> Places: ...


def tell(chosen: argparse.Namespace, settings: Settings) -> int:
    """Prints it, for one trunk or for all."""
    trunks = [trunk for trunk in settings.signalling.trunks if chosen.trunk in ("", trunk.name)]
    known = ", ".join(trunk.name for trunk in settings.signalling.trunks)
    if not known:
        raise Problem("number.no_trunks", file=settings.file.name)
    if not trunks:
        raise Problem("number.no_such_trunk", file=settings.file.name, trunk=chosen.trunk, known=known)
    extension = extension_at(settings.signalling.trunks, chosen.number)
    if extension is not None:
        return _tell_extension(chosen, extension)
    calendars = load_folder(settings.places.flows / "hours") if settings.calls.dial_hours else {}
    moment = outbound.Moment(lambda name: _is_open(calendars, name, time.time_ns() // 1_000_000))
    found = [_looked_at(chosen.number, trunk, settings, moment) for trunk in trunks]
    if chosen.json:
        print(json.dumps({"number": chosen.number, "trunks": found}, ensure_ascii=False))
        return 0
    for line in (line for each in found for line in _lines(chosen.number, each, messages.chosen_language())):
        print(line)
    return 0


def _tell_extension(chosen: argparse.Namespace, extension: Inside) -> int:
    """Of an extension of a peer no trunk knows anything: it is dialled as it is, and costs nothing."""
    if chosen.json:
        print(json.dumps({"number": extension.name, "peer": extension.trunk, "trunks": []}, ensure_ascii=False))
    else:
        language = messages.chosen_language()
        print(text("number.of_peer", language, written=extension.name, peer=extension.trunk))
    return 0


def _looked_at(written: str, trunk: Trunk, settings: Settings, moment: outbound.Moment) -> dict[str, Any]:
    calls = settings.calls
    number = outbound.read(calls, written, trunk.area_code)
    inside = known(calls, {phone.name for phone in settings.signalling.phones})
    is_one = number.kind not in ("unknown", "withheld")
    tariff = money.price_of(calls.tariffs, number)
    return {
        "trunk": trunk.name,
        "e164": number.e164,
        "national": number.national if is_one else "",
        "kind": number.kind,
        "dialled": dialled_on(trunk, number) if is_one else "",
        "shown": shown_on(trunk, None).number or trunk.user,
        "first_minute_rial": None if tariff is None else money.cost(tariff, MINUTE_MS),
        "refusal": outbound.why_not(calls, number, moment),
        "callback_refusal": outbound.callback_number(calls, written, trunk.area_code, inside)[1],
    }


def _lines(written: str, found: Mapping[str, Any], language: Language) -> list[str]:
    trunk, kind = found["trunk"], text(f"number.kind_{found['kind']}", language)
    lines = [text("number.as_read", language, written=found["e164"] or found["national"] or written, kind=kind)]
    if found["dialled"]:
        shown = found["shown"] or text("number.own_account", language)
        lines.append(text("number.dialled", language, trunk=trunk, dialled=found["dialled"], shown=shown))
    if found["first_minute_rial"] is not None:
        lines.append(text("number.price", language, trunk=trunk, rial=f"{found['first_minute_rial']:,}"))
    for refusal, does, does_not in (
        (found["refusal"], "number.goes_out", "number.stays"),
        (found["callback_refusal"], "number.callback", "number.no_callback"),
    ):
        if refusal:
            lines.append(text(does_not, language, trunk=trunk, why=text(f"number.why_{refusal}", language)))
        else:
            lines.append(text(does, language, trunk=trunk))
    return lines


def _is_open(calendars: Mapping[str, Hours], name: str, at_ms: int) -> bool:
    hours = calendars.get(name)
    return hours is not None and answer(hours, at_ms, Switches()).is_open
