"""The process ``pasokh web``: the page over TLS (or in clear on loopback only), beside the other services.

It reads calls.db and asks calls through the control socket; it writes nothing but its own certificates.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import resource
import socket
import time

import uvicorn

from appliance import service
from appliance.clock import SystemClock
from appliance.control.client import ControlClient
from appliance.control.wire import Vitals
from appliance.errors import Problem
from appliance.messages import Language
from appliance.places import DATABASE_KEY, Places
from appliance.records import database
from appliance.records.reader import Reader
from appliance.web import certificate
from appliance.web.app import Page, Shown
from appliance.web.monitor import Monitor
from appliance.web.security import LOOPBACK_NAMES
from appliance.web.settings import Web

VITALS_SECONDS = 1.0
METRICS_TOKEN = "metrics-token"  # noqa: S105 - the name of its file

log = logging.getLogger(__name__)


def run(name: str, language: Language, places: Places, web: Web, office: Shown) -> int:
    """Runs until SIGTERM. Problem where the page cannot be shown with these settings."""
    is_loopback = ipaddress.ip_address(web.address).is_loopback
    if not web.tls and not is_loopback:
        raise Problem("web.needs_tls", address=web.address)
    hosts = tuple(dict.fromkeys((*web.hosts, web.address, f"{name}.local", *LOOPBACK_NAMES)))
    config = uvicorn.Config(
        lambda: None, host=web.address, port=web.port, log_config=None, access_log=False, server_header=False,
        proxy_headers=False, ws="none", lifespan="off", timeout_graceful_shutdown=2,
    )  # fmt: skip
    if web.tls:
        names = [each for each in hosts if each not in ("0.0.0.0", "[::1]")]  # noqa: S104 - compared, not bound
        chain, key = certificate.ensure(places.data / "web", names, SystemClock().utc_ms())
        config.ssl_certfile, config.ssl_keyfile = chain, str(key)
    return asyncio.run(_serve(name, language, places, web, office, config, hosts))


async def _serve(
    name: str,
    language: Language,
    places: Places,
    web: Web,
    office: Shown,
    config: uvicorn.Config,
    hosts: tuple[str, ...],
) -> int:
    kept: list[Reader] = []

    def reader() -> Reader:
        if not kept:
            secret = places.secret(DATABASE_KEY)
            if secret is None:
                raise Problem("records.no_key", file=str(places.secrets / DATABASE_KEY))
            kept.append(Reader(places.database, database.key_from(secret)))
        return kept[0]

    async with ControlClient(places.control_socket) as control:
        token = service.made_once(places.data / "web" / METRICS_TOKEN).hex()
        monitor = Monitor(control, token, places.data)
        page = Page(control, reader, name, language, web.tls, monitor=monitor, kept=places.data / "kept", office=office)
        config.app = page.app(hosts)
        server = _Server(config)
        telling = asyncio.create_task(_tell_vitals(control), name="vitals")
        watched = asyncio.create_task(service.tell_watchdog(), name="watchdog")
        try:
            await server.serve()
        except SystemExit as error:  # uvicorn's word for a port that cannot be bound
            raise Problem("web.port_taken", port=web.port) from error
        finally:
            telling.cancel()
            watched.cancel()
    return 0


class _Server(uvicorn.Server):
    """Says that it is ready once it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            service.notify("READY=1")
            log.info("the page is at %s:%d", self.config.host, self.config.port)


async def _tell_vitals(control: ControlClient) -> None:
    born = time.monotonic()
    while True:
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        await control.tell_vitals(Vitals("web", round((time.monotonic() - born) * 1000), {"rss_kb": rss}))
        await asyncio.sleep(VITALS_SECONDS)
