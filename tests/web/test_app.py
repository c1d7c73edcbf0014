"""The page's routes with a made-up calls behind them: who sees what, and what a browser is given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from starlette.types import Message

from appliance.control.client import ControlClient
from appliance.control.picture import for_role
from appliance.control.wire import LiveCall, Role, SignedIn, Snapshot, Who
from appliance.errors import Problem
from appliance.records.reader import Reader
from appliance.web.app import Page

NUMBER = "09121234567"
SNAPSHOT = Snapshot(
    box="test",
    version="1",
    language="en",
    now_utc_ms=1_795_446_977_557,
    trunks=(),
    phones=(),
    calls=(LiveCall("c1", "office", NUMBER, "talking", "sara", 1_795_446_970_000, "live"),),
    counters={"sip.strangers": 3},
    findings=(),
    last_event=1,
    media="up",
)


class MadeUpCalls(ControlClient):
    """Knows the token ``good`` only, whose role it is told."""

    def __init__(self, role: Role = "owner", must_set_password: bool = False) -> None:
        super().__init__(Path("nowhere"))
        self.role: Role = role
        self.must_set_password = must_set_password
        self.has_picture = True
        self.signed_out: list[str] = []

    async def who_am_i(self, token: str) -> Who:
        if token != "good":
            raise Problem("access.signed_out")
        return Who("somebody", self.role, self.must_set_password)

    async def sign_in(self, name: str, secret: str, address: str = "") -> SignedIn:
        if secret != "right":
            raise Problem("access.wrong")
        return SignedIn(token="good", actor=name, role=self.role, must_set_password=self.must_set_password)

    async def sign_out(self, token: str) -> None:
        self.signed_out.append(token)

    async def watch(self, token: str) -> AsyncGenerator[Snapshot | None, None]:
        yield for_role(SNAPSHOT, self.role) if self.has_picture else None


def no_reader() -> Reader:
    raise Problem("records.no_key", file="database-key")


def ask(
    calls: MadeUpCalls,
    method: str,
    path: str,
    *,
    token: str = "",
    body: bytes = b"",
    is_tls: bool = True,
    chunks: int = 1,
) -> tuple[int, dict[str, str], str]:
    """Status, headers and text of one request."""
    app = Page(calls, no_reader, "test", "en", is_tls).app(("box.local",))
    return asyncio.run(_asked(app, method, path, token, [body] * chunks, is_tls))


async def _asked(
    app: object, method: str, path: str, token: str, bodies: list[bytes], is_tls: bool
) -> tuple[int, dict[str, str], str]:
    assert callable(app)
    sent: list[Message] = []
    waiting = list(bodies)

    async def receive() -> Message:
        if not waiting:
            await asyncio.Event().wait()  # the browser stays
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    async def send(message: Message) -> None:
        sent.append(message)

    cookie = f"{'__Host-pasokh' if is_tls else 'pasokh'}={token}".encode()
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": [(b"host", b"box.local"), (b"cookie", cookie)], "scheme": "https", "http_version": "1.1",
        "server": ("box.local", 443), "client": ("127.0.0.1", 5), "root_path": "",
    }  # fmt: skip
    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(each.get("body", b"") for each in sent[1:]).decode()


@pytest.mark.parametrize("path", ["/", "/password"])
def test_who_is_not_signed_in_is_sent_to_the_door(path: str) -> None:
    status, headers, _ = ask(MadeUpCalls(), "GET", path, token="stolen")
    assert (status, headers["location"]) == (303, "/sign-in")


def test_a_stream_without_a_session_is_told_so_and_not_led_to_a_page() -> None:
    status, headers, text = ask(MadeUpCalls(), "GET", "/live")
    assert status == 200 and headers["content-type"].startswith("text/event-stream")
    assert text == "event: gone\ndata: {}\n\n"


@pytest.mark.parametrize("path", ["/", "/live"])
def test_nothing_is_shown_before_the_first_boot_code_became_a_password(path: str) -> None:
    status, headers, text = ask(MadeUpCalls(must_set_password=True), "GET", path, token="good")
    assert (status, headers["location"]) == (303, "/password") and NUMBER not in text


@pytest.mark.parametrize(
    ("role", "sees"), [("owner", True), ("supervisor", True), ("agent", True), ("technician", False)]
)
def test_a_technician_never_sees_a_number(role: Role, sees: bool) -> None:
    for path in ("/", "/live"):
        status, _, text = ask(MadeUpCalls(role), "GET", path, token="good")
        assert status == 200 and (NUMBER in text) is sees


@pytest.mark.parametrize(
    ("role", "sees"), [("owner", True), ("technician", True), ("supervisor", False), ("agent", False)]
)
def test_counters_are_for_the_owner_and_the_technician(role: Role, sees: bool) -> None:
    assert ("sip.strangers" in ask(MadeUpCalls(role), "GET", "/", token="good")[2]) is sees


def test_the_page_opens_also_while_calls_has_just_stopped() -> None:
    calls = MadeUpCalls()
    calls.has_picture = False
    status, _, text = ask(calls, "GET", "/", token="good")
    assert status == 200 and "finding stopped" in text


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/password", "/language"])
@pytest.mark.parametrize("body", [b"", b"form=wrong", b"&".join(b"a=1" for _ in range(50)), b"\xff=%ff&form=\xff"])
def test_a_form_that_is_not_ours_does_nothing(path: str, body: bytes) -> None:
    calls = MadeUpCalls()
    status, headers, _ = ask(calls, "POST", path, token="good", body=body)
    assert status in (400, 403) and "set-cookie" not in headers and calls.signed_out == []


def test_a_body_in_pieces_that_is_too_long_is_cut_off_in_order() -> None:
    assert ask(MadeUpCalls(), "POST", "/sign-in", body=b"x" * 4096, chunks=8)[0] == 413


@pytest.mark.parametrize("is_tls", [True, False])
def test_the_sessions_cookie_is_for_this_host_and_no_script(is_tls: bool) -> None:
    calls = MadeUpCalls()
    app = Page(calls, no_reader, "test", "en", is_tls).app(("box.local",))

    async def scene() -> dict[str, str]:
        form = (await _asked(app, "GET", "/sign-in", "", [b""], is_tls))[2]
        token = form.partition('name="form" value="')[2].partition('"')[0]
        body = f"form={token}&name=owner&secret=right".encode()
        return (await _asked(app, "POST", "/sign-in", "", [body], is_tls))[1]

    parts = {part.strip().lower() for part in asyncio.run(scene())["set-cookie"].split(";")}
    assert {"httponly", "samesite=strict", "path=/"} <= parts and ("secure" in parts) is is_tls
    assert ("__host-pasokh=good" in parts) is is_tls
