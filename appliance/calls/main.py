"""The process ``pasokh calls``: SIP, conversations, records and the control socket in one asyncio loop.

It starts in this order: flows and settings are checked before anything is touched; the records open; the control socket
answers; signalling binds; what a crash left behind is ended. It stops the other way round, and ends by ``os._exit`` so
that readers of other users can still open calls.db (DECISIONS 5).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import signal
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path

from appliance import service
from appliance.backup.settings import Backup
from appliance.calls import lines, restart
from appliance.calls.access import Access
from appliance.calls.archive import Archive, space_of
from appliance.calls.control import ControlServer
from appliance.calls.custody import Watch
from appliance.calls.desks import Desks
from appliance.calls.faults import faults
from appliance.calls.heads import Heads
from appliance.calls.notices import Notices
from appliance.calls.office import Office
from appliance.calls.orders import Orders
from appliance.calls.phone_files import PhoneFiles, desk_files
from appliance.calls.publisher import Publisher
from appliance.calls.replies import Replies
from appliance.calls.runtime import KeptLegs
from appliance.calls.seat_orders import SeatOrders
from appliance.calls.servers import BoxServers
from appliance.calls.settings import Calls
from appliance.calls.spoken import Spoken
from appliance.calls.switchboard import Switchboard
from appliance.calls.upkeep import Upkeep
from appliance.calls.upstream import Upstream
from appliance.calls.verification import Verifier
from appliance.clock import SystemClock
from appliance.control import wire
from appliance.errors import Problem
from appliance.flow import catalogue
from appliance.flow.shelf import Shelf
from appliance.lookup.gateway import Gateway
from appliance.lookup.inbox import Inbox
from appliance.lookup.settings import Elsewhere, Sms
from appliance.media import port as media
from appliance.media.client import MediaClient
from appliance.messages import Language
from appliance.notify import ready
from appliance.notify.mail import Post
from appliance.notify.ready import Writing
from appliance.places import DATABASE_KEY, SIGNING_KEY, Places
from appliance.provisioning import making
from appliance.provisioning.settings import Provisioning
from appliance.records import events, ledger, writer
from appliance.records.signing import Signer
from appliance.records.store import Store
from appliance.retention.plan import Rules
from appliance.signalling import port as signalling
from appliance.signalling.agent import Agent
from appliance.signalling.settings import Signalling

log = logging.getLogger(__name__)

DRAIN_SECONDS = 4.0
SIGN_SECONDS = 1.0
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Keeping:
    """What goes on beside the calls: backups (the settings' ``file`` goes into them), messages to people, files for
    phones, and how long recordings stay (``floor_bytes`` is the free space below which media begins none).
    """

    file: Path
    backup: Backup
    writing: Writing
    provisioning: Provisioning
    rules: Rules
    floor_bytes: int


def run(
    name: str,
    language: Language,
    places: Places,
    settings: Signalling,
    calls: Calls,
    elsewhere: Elsewhere,
    keeping: Keeping,
) -> int:
    """Runs until SIGTERM or SIGINT. Problem where the box cannot start with these settings."""
    flows, house = lines.checked_flows(places, settings, calls, elsewhere)
    ways, inbox = ready.ways(keeping.writing, places), ready.inbox_of(keeping.writing, places)
    asyncio.run(_Process(name, language, places, settings, calls, elsewhere, keeping, flows, house, ways, inbox).run())
    return 0


class _Process:
    """All that lives as long as the process, and the order in which it comes and goes."""

    def __init__(
        self,
        name: str,
        language: Language,
        places: Places,
        settings: Signalling,
        calls: Calls,
        elsewhere: Elsewhere,
        keeping: Keeping,
        flows: catalogue.Flows,
        house: catalogue.House,
        ways: tuple[Gateway, Post],
        inbox: Inbox,
    ) -> None:
        hindered = ready.hindrance(keeping.writing, places)
        self._places = places
        self._settings_sha256 = hashlib.sha256(keeping.file.read_bytes()).hexdigest()
        self._clock = restart.BoxClock(SystemClock())
        for folder in (places.data, places.run):
            folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        key = service.made_once(places.secrets / DATABASE_KEY)
        self._store = Store(places.database, key, self._clock)
        self._lived_until = self._store.within(ledger.last_moment)
        self._clock.not_before(self._lived_until)
        self._writer = writer.Writer(self._store, self._reported)
        self._verifier = Verifier(self._writer)
        self._heads = Heads(Signer(service.made_once(places.secrets / SIGNING_KEY)), self._writer, self._clock)
        self._boot = BOOT_ID.read_text().strip().replace("-", "") if BOOT_ID.exists() else ""
        phone_key = making.ensure(places.secrets, settings.phones)
        phones = desk_files(keeping.provisioning, settings, calls, places.secret, phone_key)
        self._kept = KeptLegs(places.data / "runtime" / "legs.jsonl")
        self._mouth = MediaClient(places.media_socket, self._clock, self._mediated)
        self._agent = Agent(settings, places.secret, self._clock, self._signalled, places.data / "runtime" / "sip.json")
        servers = BoxServers(
            elsewhere.lookups,
            elsewhere.sms if hindered is None else Sms(),  # no key goes out that others could have read
            elsewhere.identity,
            places.secret,
            places.secrets / "pins",
            self._clock,
            elsewhere.sms_templates,
        )
        self._office = Office(
            box=name,
            boot=self._boot,
            settings=calls,
            sip=settings,
            line=self._agent,
            mouth=self._mouth,
            records=self._writer,
            clock=self._clock,
            flows=flows,
            prompts=places.prompts,
            changed=self._changed,
            verify=self._verifier.put,
            kept=places.data / "kept",
            spoken=Spoken(places.spoken, places.prompts),
            calendars=house.calendars,
            is_clock_sure=self._clock.is_sure,
            servers=servers,
        )
        restart.recall(self._office, self._store)
        self._switchboard = Switchboard(self._office, self._kept, language)
        self._switchboard.shut()
        self._orders = Orders(self._office, self._switchboard.sessions, self._changed)
        self._publisher = Publisher(self._office, Shelf(places.data / "flows"), house, self._found)
        self._access = Access(self._writer, self._clock, places.first_boot_code)
        self._upstream = Upstream(self._writer, self._clock, self._switchboard, self._changed)
        self._archive = Archive(
            keeping.rules,
            self._writer,
            self._clock,
            self._clock.is_sure,
            lambda: space_of(places.data, keeping.floor_bytes),
            lambda recordings: self._mouth.submit(media.Forget(recordings)),
            self._found_at,
            area_code=settings.area_code,
        )
        desks = Desks(self._office, self._switchboard.sessions, self._access)
        self._control = ControlServer(
            places.control_socket,
            self._access,
            self._snapshot,
            self._carry_out,
            self._clock,
            upstream=self._upstream,
            desks=desks.answer,
            seats=SeatOrders(self._office, desks, self._access).answer,
            phone_file=PhoneFiles(phones, self._office.count).answer if keeping.provisioning.serves else None,
        )
        self._upkeep = Upkeep(
            keeping.backup, keeping.file, places, name, self._writer, self._clock, self._found_of_backups
        )
        self._custody = Watch(places.data, self._switchboard, self._writer, self._clock, self._found_at)
        self._notices = Notices(
            keeping.writing, self._office, ways, places.data, language, self._faults, self._found_at, hindered
        )
        self._replies = Replies(
            keeping.writing,
            self._office,
            inbox if hindered is None else Inbox(Sms(), places.secret),
            servers.check_pin,
            language,
            self._notices.answer,
            self._found_at,
        )
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopped.set)
        self._writer.start()
        await self._access.start()
        self._control.start()
        self._publisher.take()
        self._mouth.start()
        self._office.lamps.look()  # before any telephone can ask
        try:
            await self._agent.start()
        except OSError as error:
            raise Problem(
                "calls.port_taken", port=self._office.sip.port, reason=error.strerror or str(error)
            ) from error
        await self._upkeep.start()
        await self._custody.start()
        await self._notices.start()
        await restart.note_settings(self._writer, self._settings_sha256)
        orphans = await restart.resume(self._switchboard, self._kept.left_over, self._lived_until)
        tasks = [asyncio.create_task(work, name=name) for name, work in self._beside().items()]
        service.notify("READY=1")
        log.info("calls is ready on port %d; %d legs were left over", self._agent.port, orphans)
        await self._stopped.wait()
        for task in tasks:
            task.cancel()
        await self._stop()

    def _beside(self) -> dict[str, Coroutine[None, None, None]]:
        """What runs beside the calls until the box stops, by name."""
        return {
            "verifier": self._verifier.run(),
            "watchdog": service.tell_watchdog(),
            "publisher": self._publisher.run(),
            "upkeep": self._upkeep.run(),
            "custody": self._custody.run(),
            "notices": self._notices.run(),
            "archive": self._archive.run(),
            "replies": self._replies.run(),
            "heads": self._heads.run(),
            "lamps": self._office.lamps.run(),
            "timekeeper": self._office.timekeeper.run(),
        }

    async def _stop(self) -> None:
        service.notify("STOPPING=1")
        await self._switchboard.drain(DRAIN_SECONDS + self._office.settings.seal_wait_seconds)
        await self._office.timekeeper.stop()
        await self._agent.stop()
        await self._control.close()
        self._mouth.stop()
        self._access.close()
        self._kept.close()
        await self._sign_last()
        await self._writer.close(give_up=True)
        logging.shutdown()
        os._exit(0)

    async def _sign_last(self) -> None:
        try:
            async with asyncio.timeout(SIGN_SECONDS):
                await self._heads.sign()
        except TimeoutError:
            log.warning("the last events are not signed: the records do not answer")

    async def _carry_out(self, order: wire.Order, by: str) -> wire.Reply:
        if isinstance(order, wire.ArchiveOrder):
            return await self._archive.carry_out(order, by)
        return await self._orders.carry_out(order, by)

    # What the ports deliver: appended to inboxes, nothing waits here --------------------------------------------------

    def _signalled(self, event: signalling.Event) -> None:
        asyncio.get_running_loop().call_soon(self._switchboard.signalled, event)

    def _mediated(self, event: media.ClientEvent) -> None:
        asyncio.get_running_loop().call_soon(self._switchboard.mediated, event)

    def _reported(self, report: writer.Report) -> None:
        match report:
            case writer.Written(numbers, happened):
                self._switchboard.last_event = numbers[-1] if numbers else self._switchboard.last_event
                self._notices.written(happened)
                for one in happened:
                    if isinstance(one, events.ConversationClosed):
                        self._office.count(f"ended_{one.outcome}")
            case writer.WritesDelayed(reason):
                self._switchboard.findings["records"] = wire.Finding("calls.records_delayed", {"reason": reason})
            case writer.WritesResumed():
                self._switchboard.findings.pop("records", None)
            case writer.EventRefused(kind, reason):
                self._switchboard.findings["refused"] = wire.Finding(
                    "calls.event_refused", {"kind": kind, "reason": reason}
                )
        self._changed()

    def _found(self, problem: Problem | None) -> None:
        """A published flow that cannot be walked is a finding, until another is published."""
        self._found_at("flows", problem)

    def _found_of_backups(self, found: Mapping[str, Problem]) -> None:
        for place in ("backup", "backup_drill"):
            self._found_at(place, found.get(place))

    def _found_at(self, place: str, problem: Problem | None) -> None:
        self._switchboard.findings.pop(place, None)
        if problem is not None:
            self._switchboard.findings[place] = wire.Finding(problem.key, dict(problem.fields))
        self._changed()

    def _faults(self) -> Mapping[str, Problem]:
        return faults(self._switchboard.snapshot(), self._switchboard.findings)

    def _changed(self) -> None:
        self._control.changed()

    def _snapshot(self) -> wire.Snapshot:
        self._upstream.look()
        self._office.counters.update({f"sip_{name}": count for name, count in self._agent.counters.items()})
        self._office.counters.update(self._upkeep.figures, calls_owed=len(self._office.book))
        return self._switchboard.snapshot()
