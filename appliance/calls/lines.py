"""The flows that the box's lines lead to, checked against everything they refer to."""

from __future__ import annotations

from appliance.calls import outbound
from appliance.calls.inside import known
from appliance.calls.peers import extension_at
from appliance.calls.settings import Calls
from appliance.errors import Problem
from appliance.flow import catalogue
from appliance.lookup.settings import Elsewhere
from appliance.places import Places
from appliance.signalling.settings import Signalling


def checked_flows(
    places: Places, signalling: Signalling, calls: Calls, elsewhere: Elsewhere, file: str = "pasokh.toml"
) -> tuple[catalogue.Flows, catalogue.House]:
    """Every flow compiled, and every line's flow there; the first Problem otherwise. ``file`` holds the settings."""
    house = house_of(places, signalling, calls, elsewhere)
    flows = catalogue.load_folder(places.flows, house, {line.flow for line in calls.lines})
    for line in calls.lines:
        if line.flow not in flows:
            known = ", ".join(sorted(flows)) or "-"
            where = f"line {line.name}"
            raise Problem("config.no_such", file=file, where=where, setting="flow", value=line.flow, known=known)
    for queue in calls.queues:
        if queue.callback_calendar and queue.callback_calendar not in house.calendars:
            known = ", ".join(sorted(house.calendars)) or "-"
            raise Problem(
                "config.no_such",
                file=file,
                where=f"queue {queue.name}",
                setting="callback_calendar",
                value=queue.callback_calendar,
                known=known,
            )
    for where, calendar in (
        *((f"agent {agent.name}", agent.shift_calendar) for agent in calls.agents),
        *((f"queue {queue.name}", queue.shift_calendar) for queue in calls.queues),
    ):
        if calendar and calendar not in house.calendars:
            known = ", ".join(sorted(house.calendars)) or "-"
            raise Problem(
                "config.no_such", file=file, where=where, setting="shift_calendar", value=calendar, known=known
            )
    for hours in calls.dial_hours:
        if hours.calendar not in house.calendars:
            known = ", ".join(sorted(house.calendars)) or "-"
            where = f"dial_hours {hours.name}"
            raise Problem(
                "config.no_such", file=file, where=where, setting="calendar", value=hours.calendar, known=known
            )
    for each in calls.outbound_lists:
        if each.calendar not in house.calendars:
            known = ", ".join(sorted(house.calendars)) or "-"
            where = f"outbound_list {each.name}"
            raise Problem(
                "config.no_such", file=file, where=where, setting="calendar", value=each.calendar, known=known
            )
    return flows, house


def house_of(places: Places, signalling: Signalling, calls: Calls, elsewhere: Elsewhere) -> catalogue.House:
    """What flows may refer to on this box."""
    area_code = signalling.area_code
    inside = known(calls, {phone.name for phone in signalling.phones})

    def may_dial(number: str) -> bool:
        is_ours = number in inside or extension_at(signalling.trunks, number) is not None
        return is_ours or outbound.may_dial(calls, number, area_code)

    return catalogue.house(
        places.flows,
        places.prompts,
        agents=[agent.name for agent in calls.agents],
        queues=[queue.name for queue in calls.queues],
        lookups=[lookup.name for lookup in elsewhere.lookups],
        may_dial=may_dial,
    )
