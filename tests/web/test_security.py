"""What stands before the page: hosts, origins, lengths, headers; and the box's own certificates."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from appliance.web import certificate
from appliance.web.app import ROLES
from appliance.web.security import MAX_BODY_BYTES, POLICY, Door, form_token, is_form_token

KEY = b"k" * 32


async def inner(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"in"})


OURS = ("box.local", "127.0.0.1", "[::1]")


def ask(
    method: str = "GET", is_tls: bool = True, names: tuple[str, ...] = OURS, **headers: str
) -> tuple[int, dict[str, str]]:
    """Status and headers of one request through the door."""
    given = {"host": "box.local", **{name.replace("_", "-"): value for name, value in headers.items()}}
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": "/",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    asyncio.run(Door(inner, names, is_tls)(scope, receive, send))
    return sent[0]["status"], {name.decode(): value.decode() for name, value in sent[0]["headers"]}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("box.local", 200),
        ("BOX.local:8080", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8080", 200),
        ("evil.example", 421),
        ("", 421),
    ],
)
def test_only_our_own_names_are_answered(host: str, status: int) -> None:
    assert ask(host=host)[0] == status


@pytest.mark.parametrize(
    ("host", "status"),
    [("192.168.1.20", 200), ("192.168.1.20:8443", 200), ("[fd00::5]:8443", 200), ("evil.example", 421), ("", 421)],
)
def test_a_page_on_all_addresses_is_asked_by_any_of_them_but_by_no_foreign_name(host: str, status: int) -> None:
    assert ask(names=("0.0.0.0",), host=host)[0] == status
    assert ask(host=host)[0] == 421


def test_every_answer_carries_the_policy_also_the_refused() -> None:
    for code, headers in (ask(), ask(host="evil.example")):
        assert headers["content-security-policy"] == POLICY, code
        assert headers["x-content-type-options"] == "nosniff"
        assert "max-age" in headers["strict-transport-security"]
    assert "strict-transport-security" not in ask(is_tls=False)[1]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "https://box.local"}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"sec_fetch_site": "same-origin"}, 200),
        ({"content_length": str(MAX_BODY_BYTES + 1)}, 413),
        ({"content_length": "x"}, 413),
    ],
)
def test_a_post_from_elsewhere_or_too_long_goes_no_further(headers: dict[str, str], status: int) -> None:
    assert ask("POST", True, OURS, **headers)[0] == status


@pytest.mark.parametrize("method", ["PUT", "DELETE", "TRACE", "CONNECT"])
def test_other_methods_are_not_known(method: str) -> None:
    assert ask(method)[0] == 405


def test_a_form_belongs_to_its_session() -> None:
    token = form_token(KEY, "session")
    assert is_form_token(KEY, "session", token)
    assert not is_form_token(KEY, "other", token) and not is_form_token(b"x" * 32, "session", token)
    assert not is_form_token(KEY, "session", "")


def test_every_route_names_who_may_and_few_are_open_to_anybody() -> None:
    open_to_all = {path for (_, path), roles in ROLES.items() if not roles}
    of_machines = {"/health", "/metrics", "/provision/{token}/{name}"}  # one word; and with tokens of their own
    assert open_to_all == {"/sign-in", "/language", "/static/{name}", *of_machines}


def test_openssl_verifies_the_pages_certificate_for_the_boxs_names_only(tmp_path: Path) -> None:
    names = ["pasokh.local", "127.0.0.1", "localhost"]
    chain, key = certificate.ensure(tmp_path, names, 1_795_446_977_557)
    assert key.stat().st_mode & 0o777 == 0o600

    def verified(option: str, name: str) -> bool:
        done = subprocess.run(
            ["openssl", "verify", "-attime", "1795450000", "-CAfile", tmp_path / "authority.pem", option, name, chain],
            capture_output=True,
        )
        return done.returncode == 0

    assert verified("-verify_hostname", "pasokh.local") and verified("-verify_ip", "127.0.0.1")
    assert not verified("-verify_hostname", "bank.example") and not verified("-verify_ip", "192.0.2.1")


def test_certificates_are_kept_until_they_end_or_a_name_is_new(tmp_path: Path) -> None:
    now, day = 1_795_446_977_557, 86_400_000
    first = certificate.ensure(tmp_path, ["box.local"], now)[0].read_bytes()
    authority = (tmp_path / "authority.pem").read_bytes()
    assert certificate.ensure(tmp_path, ["box.local"], now + 300 * day)[0].read_bytes() == first
    assert certificate.ensure(tmp_path, ["box.local"], now + 380 * day)[0].read_bytes() != first
    assert (tmp_path / "authority.pem").read_bytes() == authority
    certificate.ensure(tmp_path, ["box.local", "other.local", "192.0.2.7"], now)
    assert (tmp_path / "authority.pem").read_bytes() != authority, "it did not cover the address"
