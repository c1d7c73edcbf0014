"""What a flow may look at without asking: the hours, the moment, the figures of the box. Read only."""

from __future__ import annotations

import math
from collections.abc import Mapping

from appliance.calls.office import Office
from appliance.flow.steps import Value
from appliance.hours.answer import Answer as Opening


class BoxWorld:
    """steps.World of one conversation; ``facts`` are what is known of its caller."""

    def __init__(self, office: Office, facts: Mapping[str, Value], conversation: str = "") -> None:
        self._office = office
        self._conversation = conversation
        self._facts = facts

    def opening(self, calendar: str) -> Opening:
        return self._office.opening(calendar, self._office.clock.utc_ms())

    def utc_ms(self) -> int:
        return self._office.clock.utc_ms()

    def outage(self) -> str:
        return self._office.desk.switches.outage(self._office.clock.utc_ms())

    def _wait(self, is_most: bool) -> Value:
        """One end of the range of minutes; empty where it is not known, or is over already."""
        rest = self._office.floor.rest(self._conversation)
        if rest is None or rest.most <= 0:
            return ""
        most = max(1, math.ceil(rest.most / 60))
        return most if is_most else min(int(rest.least / 60), most - 1)

    def fact(self, name: str) -> Value:
        office = self._office
        match name:
            case "now":
                return office.clock.utc_ms()
            case "calls_now":
                return len(set(map(id, office.legs.values())))
            case "calls_waiting":
                return office.floor.waiting()
            case "place":
                return office.floor.place(self._conversation)
            case "wait_least" | "wait_most":
                return self._wait(name == "wait_most")
            case "calls_missed" | "requests_open":
                return office.figures.get(name, 0)
            case "holidays_to_confirm":
                return len(office.holidays_to_confirm())
            case "is_night":
                return office.desk.switches.hours.night
            case "is_outage":
                return bool(self.outage())
            case _:
                return self._facts.get(name, "")
