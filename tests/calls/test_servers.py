"""What flows ask elsewhere, from the settings to a server that answers: look-ups, PINs, and codes by an SMS gateway."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from appliance.calls.desk import Reply
from appliance.calls.servers import BoxServers
from appliance.clock import SystemClock
from appliance.lookup import pins
from appliance.lookup.settings import Identity, Lookup, Sms
from tests.lookup.test_http import Serve, hangs, says, server


def asked(tmp_path: Path, serve: Serve, work: Callable[[BoxServers], Awaitable[Reply]], budget: float = 60.0) -> Reply:
    """``budget`` is what a server has; one that answers has as much as a busy machine may need."""

    async def scene() -> Reply:
        async with server(serve) as port:
            orders = Lookup(
                name="orders", url=f"http://127.0.0.1:{port}/o/{{order}}", takes=("state = s",), allows_private=True,
                budget_seconds=budget,
            )  # fmt: skip
            sms = Sms(url=f"http://127.0.0.1:{port}/send", allows_private=True, budget_seconds=budget)
            box = BoxServers((orders,), sms, Identity(), lambda _name: "t0ken", tmp_path / "pins", SystemClock())
            return await work(box)

    return asyncio.run(scene())


def test_a_look_up_answers_with_values_or_with_why_not(tmp_path: Path) -> None:
    found = asked(tmp_path, says("200 OK", b'{"s": "sent"}'), lambda box: box.look_up("orders", {"order": "7"}))
    assert found == Reply(True, {"state": "sent"})
    assert asked(tmp_path, hangs, lambda box: box.look_up("orders", {}), 0.3) == Reply(False, reason="timeout")
    assert asked(tmp_path, hangs, lambda box: box.look_up("others", {})) == Reply(False, reason="forbidden")


def test_a_code_that_the_gateway_took_is_right_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[bytes] = []

    async def gateway(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        seen.append(await reader.readuntil(b"}"))
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")

    async def scene(box: BoxServers) -> Reply:
        assert (await box.send_code("c1", "09121234567", "fa")).is_ok
        code = json.loads(seen[1])["code"]
        assert box.check_code("c2", code) == Reply(False, reason="locked")
        assert box.check_code("c1", "000" if code == "111111" else "111111") == Reply(False, reason="wrong")
        assert code not in caplog.text
        return box.check_code("c1", code)

    assert asked(tmp_path, gateway, scene) == Reply(True)
    assert b"Authorization: Bearer t0ken" in seen[0]
    assert json.loads(seen[1])["number"] == "09121234567" and json.loads(seen[1])["language"] == "fa"


@pytest.mark.parametrize(
    ("serve", "reason"), [(hangs, "timeout"), (says("500 Oops", b""), "500")], ids=["hangs", "500"]
)
def test_a_gateway_that_fails_sends_no_code(tmp_path: Path, serve: Serve, reason: str) -> None:
    budget = 0.3 if serve is hangs else 60.0
    assert asked(tmp_path, serve, lambda box: box.send_code("c1", "0912", "fa"), budget) == Reply(False, reason=reason)


def test_a_box_without_a_gateway_says_so(tmp_path: Path) -> None:
    async def scene() -> Reply:
        box = BoxServers((), Sms(), Identity(), lambda _name: None, tmp_path / "pins", SystemClock())
        return await box.send_code("c1", "0912", "fa")

    assert asyncio.run(scene()) == Reply(False, reason="no_gateway")


def test_a_pin_of_the_list_proves_who_calls(tmp_path: Path) -> None:
    pins.put(tmp_path / "pins", "4711", "2468")

    async def scene(box: BoxServers) -> Reply:
        assert await box.check_pin("4711", "1357") == Reply(False, reason="wrong")
        return await box.check_pin("4711", "2468")

    assert asked(tmp_path, hangs, scene) == Reply(True)
