"""Where a trunk's proxy is."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import dns.asyncresolver
import dns.name
import dns.resolver
import pytest
from dns.rdata import from_text

from appliance.signalling.resolver import Resolver


def resolve(proxy: str, transport: str = "udp") -> list[tuple[str, int]]:
    return asyncio.run(Resolver().resolve(proxy, transport))


def asks(monkeypatch: pytest.MonkeyPatch, *records: str) -> list[str]:
    """SRV answers without a network; the names that were asked for."""
    asked: list[str] = []

    async def answer(_self: object, name: str, *_: object, **__: object) -> list[object]:
        asked.append(name)
        if not records:
            raise dns.resolver.NXDOMAIN
        return [from_text("IN", "SRV", record) for record in records]

    monkeypatch.setattr(dns.asyncresolver, "Resolver", lambda: SimpleNamespace(resolve=answer.__get__(object())))
    return asked


def test_a_number_stands_for_itself_and_is_asked_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asks(monkeypatch)
    assert resolve("192.0.2.7") == [("192.0.2.7", 5060)]
    assert resolve("192.0.2.7:5080") == [("192.0.2.7", 5080)]
    assert asked == []


def test_a_name_of_this_machine_with_a_port_is_looked_up_without_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asks(monkeypatch)
    assert resolve("localhost:5099") == [("127.0.0.1", 5099)]
    assert asked == []


def test_a_name_without_a_port_is_asked_for_its_services_best_first(monkeypatch: pytest.MonkeyPatch) -> None:
    records = ("20 1 5070 192.0.2.3.", "10 1 5071 192.0.2.2.", "10 9 5072 192.0.2.1.")
    asked = asks(monkeypatch, *records)
    assert resolve("provider.example", "tcp") == [("192.0.2.1", 5072), ("192.0.2.2", 5071), ("192.0.2.3", 5070)]
    assert asked == ["_sip._tcp.provider.example"]


def test_a_name_without_services_stands_for_its_own_address(monkeypatch: pytest.MonkeyPatch) -> None:
    asks(monkeypatch)
    assert resolve("localhost") == [("127.0.0.1", 5060)]


@pytest.mark.parametrize("proxy", ["192.0.2.7:0", "192.0.2.7:x", "no-such-host.invalid:5060"])
def test_what_has_no_address_is_an_error_of_the_network(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    asks(monkeypatch)
    with pytest.raises(OSError, match=r".+"):
        resolve(proxy)
