"""Takes up flows that were published or rolled back while calls go on.

A session keeps the flow with which it began; new calls get the new one. Looked for once a second: a look costs a few
microseconds, and reading and checking is done beside the loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from appliance.calls.office import Office
from appliance.errors import Problem
from appliance.flow.catalogue import Flows, House
from appliance.flow.shelf import Shelf
from appliance.records import events

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0


class Publisher:
    """``found`` is told the first thing that hinders a published flow, or None."""

    def __init__(self, office: Office, shelf: Shelf, house: House, found: Callable[[Problem | None], None]) -> None:
        self._office = office
        self._shelf = shelf
        self._house = house
        self._found = found
        self._shipped = office.flows
        self._stamp: object = ()

    async def run(self) -> None:
        """Looks until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            stamp = self._shelf.stamp()
            if stamp != self._stamp:
                flows, problems = await asyncio.to_thread(self._shelf.flows, self._shipped, self._house)
                self._stamp = stamp
                self._walk(flows, problems)

    def take(self) -> None:
        """What is published now, at once."""
        self._stamp = self._shelf.stamp()
        self._walk(*self._shelf.flows(self._shipped, self._house))

    def _walk(self, flows: Flows, problems: list[Problem]) -> None:
        before, self._office.flows = self._office.flows, flows
        current = self._shelf.current()
        for name, flow in flows.items():
            if name not in before or before[name].sha256 != flow.sha256:
                entry = current.get(name)
                what, by = (entry.what, entry.by) if entry else ("started", "")
                self._office.records.put(events.FlowPublished(name, flow.sha256, what, by))
                log.info("new calls walk flow %s in version %s", name, flow.sha256[:12])
        for problem in problems:
            log.error("a published flow cannot be walked: %s %s", problem.key, problem.fields)
        self._found(problems[0] if problems else None)
