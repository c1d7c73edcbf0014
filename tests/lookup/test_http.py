"""Look-ups against servers that hang, lie, send too much, or send elsewhere: over in time, and never further."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from appliance.errors import Problem
from appliance.lookup.http import FAILURES_TO_REST, Failed, Found, Lookups, is_public
from appliance.lookup.settings import Lookup
from appliance.web import certificate

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
BUDGET = 0.3


@asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[int]:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    listening = await asyncio.start_server(one, "127.0.0.1", 0)
    try:
        yield int(listening.sockets[0].getsockname()[1])
    finally:
        listening.close()


def says(status: str, body: bytes, *headers: str) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, ""))
        writer.write(head.encode() + body)
        await writer.drain()

    return serve


def lookup(port: int, **settings: object) -> Lookup:
    about = {"url": f"http://127.0.0.1:{port}/orders/{{order}}", "takes": ("state = state",), "allows_private": True}
    return Lookup(name="orders", **{**about, "budget_seconds": BUDGET, **settings})  # type: ignore[arg-type] # a test's settings


async def asked(serve: Serve, **settings: object) -> Found | Failed:
    async with server(serve) as port:
        began = asyncio.get_running_loop().time()
        found = await Lookups([lookup(port, **settings)], lambda _name: "t0ken").ask("orders", {"order": "4711"})
        assert asyncio.get_running_loop().time() - began < 5 * BUDGET, "callers hear the fallback in time"
        return found


def test_an_answer_is_found_with_path_and_token_as_they_were_set() -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11\r\n{"state": "sent"}\r\n0\r\n\r\n')

    assert asyncio.run(asked(serve)) == Found({"state": "sent"})
    assert seen[0].startswith(b"GET /orders/4711 HTTP/1.1\r\n") and b"Authorization: Bearer t0ken\r\n" in seen[0]


def test_a_post_sends_the_variables_it_names_as_json() -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        seen.append(await reader.readuntil(b"}"))
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{"state": "sent"}')

    assert asyncio.run(asked(serve, method="POST", sends=("order",))) == Found({"state": "sent"})
    assert seen == [b'{"order": "4711"}']


async def hangs(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
    for _ in range(200):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def ten_megabytes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n")
    for _ in range(100):
        writer.write(b"x" * 100_000)
        await writer.drain()


async def babbles(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"\x00\x01garbage\r\n\r\n" * 10)


async def slams(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


@pytest.mark.parametrize(
    ("serve", "reasons"),
    [
        (hangs, {"timeout"}),
        (drips, {"timeout"}),
        (ten_megabytes, {"too_long"}),
        (babbles, {"garbage"}),
        (slams, {"garbage", "refused"}),
        (says("500 Oops", b"{}"), {"status"}),
        (says("404 Gone", b"{}"), {"status"}),
        (says("200 OK", b"<html>"), {"garbage"}),
        (says("200 OK", b'{"other": 1}'), {"missing"}),
        (says("200 OK", b"{}", "Content-Encoding: gzip"), {"missing"}),
    ],
    ids=["hangs", "drips", "10 MB", "babbles", "slams", "500", "404", "html", "other", "gzip"],
)
def test_a_server_that_does_not_answer_as_it_should_is_a_failure_in_time(serve: Serve, reasons: set[str]) -> None:
    found = asyncio.run(asked(serve))
    assert isinstance(found, Failed) and found.reason in reasons


def test_a_redirect_to_a_private_address_is_not_followed() -> None:
    async def scene() -> None:
        reached: list[bytes] = []

        async def inner(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            reached.append(await reader.readline())

        async with server(inner) as secret_port:
            found = await asked(says("302 Found", b"", f"Location: http://127.0.0.1:{secret_port}/admin"))
        assert found == Failed("redirect") and reached == []

    asyncio.run(scene())


def test_private_addresses_are_asked_only_where_the_settings_say_so() -> None:
    reached: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        reached.append(await reader.readline())

    async def scene() -> None:
        async with server(serve) as port:
            for host in ("127.0.0.1", "localhost"):
                url = f"http://{host}:{port}/"
                found = await Lookups([lookup(port, url=url, allows_private=False)], lambda _name: None).ask(
                    "orders", {}
                )
                assert found == Failed("forbidden")

    asyncio.run(scene())
    assert reached == []


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("8.8.8.8", True), ("127.0.0.1", False), ("10.0.0.1", False), ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("0.0.0.0", False), ("100.64.0.1", False), ("224.0.0.1", False), ("::1", False), ("fe80::1", False),
        ("fd00::1", False), ("::ffff:10.0.0.1", False), ("2001:4860:4860::8888", True), ("::", False),
    ],
)  # fmt: skip
def test_which_addresses_are_somewhere_in_the_world(address: str, expected: bool) -> None:
    assert is_public(address) is expected


def test_a_host_that_is_not_among_those_named_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(Problem, match="host_not_named"):
        Lookups([lookup(1, url="https://shop.example/x", hosts=("other.example",))], lambda _name: None)
    assert Lookups([lookup(1, url="https://shop.example/x", hosts=("shop.example",))], lambda _name: None).names


def test_a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    chain, key = certificate.ensure(tmp_path, ["localhost"], 1_790_000_000_000)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(chain, key)
    reached: list[bytes] = []

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append(await reader.read(100))
        writer.close()

    async def scene() -> Found | Failed:
        listening = await asyncio.start_server(one, "127.0.0.1", 0, ssl=tls)
        port = int(listening.sockets[0].getsockname()[1])
        settings = lookup(port, url=f"https://localhost:{port}/x", budget_seconds=2.0)
        found = await Lookups([settings], lambda _name: "t0ken").ask("orders", {})
        listening.close()
        return found

    assert asyncio.run(scene()) == Failed("refused") and b"".join(reached) == b""


def test_after_three_failures_a_server_rests_and_callers_do_not_wait() -> None:
    async def scene() -> None:
        async with server(hangs) as port:
            lookups = Lookups([lookup(port, budget_seconds=0.05)], lambda _name: None)
            for _ in range(FAILURES_TO_REST):
                assert await lookups.ask("orders", {}) == Failed("timeout")
            assert await lookups.ask("orders", {}) == Failed("resting")
            assert await lookups.ask("unknown", {}) == Failed("forbidden")

    asyncio.run(scene())


def test_neither_values_nor_token_are_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    asyncio.run(asked(hangs))
    assert "look-up orders failed: timeout" in caplog.text
    assert "4711" not in caplog.text and "t0ken" not in caplog.text
