"""Where a trunk's proxy is: SRV and addresses (RFC 3263), asked without blocking the loop.

A number stands for itself. A name with a port is an address only; a name without one is asked for SRV first. Names in
``/etc/hosts`` work, because many providers' networks have no DNS. Answers are kept for their time to live.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket

import dns.asyncresolver
import dns.exception
import dns.rdatatype
import dns.resolver
from dns.rdtypes.IN.SRV import SRV

from appliance.signalling.headers import DEFAULT_PORT, port_number

LIFETIME_SECONDS = 4.0

Address = tuple[str, int]


class Resolver:
    """Remembers SRV answers for their time to live."""

    def __init__(self) -> None:
        self._cache = dns.resolver.LRUCache(256)

    async def resolve(self, proxy: str, transport: str) -> list[Address]:
        """Addresses of ``proxy`` (``host`` or ``host:port``), best first. OSError where there is none."""
        host, _, port_text = proxy.partition(":")
        try:
            port = port_number(port_text) if port_text else 0
        except ValueError:
            raise OSError(f"bad port {port_text!r}") from None
        if _is_numeric(host):
            return [(host, port or DEFAULT_PORT)]
        targets = [(host, port or DEFAULT_PORT)] if port else await self._services(host, transport)
        found: list[Address] = []
        failure: OSError | None = None
        for name, number in targets:
            try:
                found += [(address, number) for address in await self._addresses(name)]
            except OSError as error:
                failure = error
        if not found:
            raise failure or OSError(f"no address for {host}")
        return list(dict.fromkeys(found))

    async def _services(self, host: str, transport: str) -> list[Address]:
        """The SRV targets by priority, then weight; the name itself where there are none."""
        try:
            asking = dns.asyncresolver.Resolver()
            asking.cache = self._cache
            answer = await asking.resolve(
                f"_sip._{transport}.{host}", dns.rdatatype.SRV, lifetime=LIFETIME_SECONDS, search=False
            )
        except (dns.exception.DNSException, OSError):
            return [(host, DEFAULT_PORT)]
        records = sorted(
            (each for each in answer if isinstance(each, SRV)), key=lambda each: (each.priority, -each.weight)
        )
        return [(str(each.target).rstrip("."), each.port) for each in records] or [(host, DEFAULT_PORT)]

    @staticmethod
    async def _addresses(host: str) -> list[str]:
        """By the system's own rules, so that /etc/hosts counts; in a thread of the loop's, because it blocks."""
        if _is_numeric(host):
            return [host]
        loop = asyncio.get_running_loop()
        rows = await asyncio.wait_for(
            loop.getaddrinfo(host, None, family=socket.AF_INET, type=socket.SOCK_DGRAM), LIFETIME_SECONDS
        )
        return [str(row[4][0]) for row in rows]


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True
