"""E-mail against a mail server of the tests: TLS or nothing, handed over once, and every refusal is understood."""

from __future__ import annotations

import asyncio
import email
import email.policy
import logging
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from appliance.clock import SystemClock
from appliance.errors import Problem
from appliance.lookup.gateway import Outcome
from appliance.notify.mail import Post, composed
from appliance.notify.settings import Mail
from appliance.web import certificate

PASSWORD = "s3cret-of-mail"
TO = "owner@firm.example"


@dataclass
class Server:
    """What the server answers, and what it got."""

    at_rcpt: str = "250 OK"
    at_data: str = "250 OK"
    got: list[EmailMessage] = field(default_factory=list)
    was_tls: list[bool] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.at_rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.at_rcpt

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - the same
        if self.at_data == "cut":
            assert _server.transport is not None
            _server.transport.abort()  # type: ignore[attr-defined] # a transport of a socket has it
            return "250 gone"
        assert isinstance(envelope.content, bytes)
        if self.at_data.startswith("250"):
            self.got.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
            self.was_tls.append(session.ssl is not None)
        return self.at_data


def _signs_in(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
    assert isinstance(data, LoginPassword)
    is_right = data.login == b"box@firm.example" and data.password == PASSWORD.encode()
    return AuthResult(success=is_right, handled=is_right)


async def _stop(listener: asyncio.Server, protocols: list[SMTP]) -> None:
    """Everything closed, and every task of the server at its end."""
    listener.close()
    for protocol in protocols:
        if protocol.transport is not None:
            protocol.transport.abort()  # type: ignore[attr-defined] # a transport of a socket has it
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for _ in range(3):  # transports say that they are closed in a turn of the loop of their own
        await asyncio.sleep(0)


@contextmanager
def listening(folder: Path, server: Server, tls: str) -> Iterator[tuple[int, str]]:
    """The port, and the file of the authority that has signed the server's certificate."""
    chain, key = certificate.ensure(folder / "tls", ["localhost"], SystemClock().utc_ms())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, key)
    loop = asyncio.new_event_loop()

    protocols: list[SMTP] = []

    def made() -> SMTP:
        starttls = context if tls == "starttls" else None
        protocols.append(
            SMTP(
            server, hostname="localhost", tls_context=starttls, require_starttls=tls == "starttls",
            authenticator=_signs_in, auth_require_tls=tls != "none" and tls == "starttls", loop=loop,
            )
        )  # fmt: skip
        return protocols[-1]

    async def start() -> asyncio.Server:
        return await loop.create_server(made, "127.0.0.1", 0, ssl=context if tls == "tls" else None)

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    listener = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield listener.sockets[0].getsockname()[1], str(folder / "tls" / "authority.pem")
    finally:
        asyncio.run_coroutine_threadsafe(_stop(listener, protocols), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def sent(folder: Path, server: Server, tls: str = "starttls", **settings: object) -> Outcome:
    with listening(folder, server, tls) as (port, authority):
        about: dict[str, object] = {
            "server": "localhost", "port": port, "tls": tls, "ca_file": authority, "user": "box@firm.example",
            "wait_seconds": 3.0,
        }  # fmt: skip
        mail = Mail(**{**about, **settings})  # type: ignore[arg-type] # a test's settings
        return Post(mail, lambda _name: PASSWORD).send(TO, "موضوع: ترانک main قطع است", "متن\nخط دوم\n", "alarm:x:1")


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_message_goes_over_tls_signed_in_and_whole(tmp_path: Path, tls: str) -> None:
    server = Server()
    outcome = sent(tmp_path, server, tls, **({"user": "", "sender": "box@firm.example"} if tls == "tls" else {}))
    assert outcome.state == "sent" and outcome.reference.endswith("@firm.example>")
    [message], [was_tls] = server.got, server.was_tls
    assert was_tls or tls == "tls"
    assert message["Subject"] == "موضوع: ترانک main قطع است" and message.get_content() == "متن\nخط دوم\n"
    assert (message["To"], message["Auto-Submitted"]) == (TO, "auto-generated")


def test_on_loopback_it_may_go_in_clear(tmp_path: Path) -> None:
    server = Server()
    assert sent(tmp_path, server, "none", user="", sender="box@firm.example").state == "sent"
    assert server.was_tls == [False]


def test_a_server_that_offers_no_tls_gets_nothing(tmp_path: Path) -> None:
    server = Server()
    with listening(tmp_path, server, "none") as (port, authority):
        mail = Mail(server="localhost", port=port, ca_file=authority, sender="box@firm.example", wait_seconds=3)
        assert Post(mail, lambda _name: PASSWORD).send(TO, "a", "b", "n").state == "later"
    assert server.got == []


def test_a_server_whose_certificate_nobody_vouches_for_gets_nothing(tmp_path: Path) -> None:
    server = Server()
    outcome = sent(tmp_path, server, "starttls", ca_file="")
    assert outcome.state == "later" and outcome.detail.startswith("tls") and server.got == []


def test_a_wrong_password_is_told_and_shown_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server = Server()
    assert sent(tmp_path, server, user="somebody@firm.example") == Outcome("later", "auth 535")
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize(
    ("server", "outcome"),
    [
        (Server(at_rcpt="550 nobody here"), Outcome("refused", "550")),
        (Server(at_rcpt="451 greylisted"), Outcome("later", "451")),
        (Server(at_data="554 spam"), Outcome("refused", "554")),
        (Server(at_data="452 full"), Outcome("later", "452")),
    ],
    ids=["no such person", "greylisted", "spam", "full"],
)
def test_what_the_server_says_decides_whether_it_is_tried_again(
    tmp_path: Path, server: Server, outcome: Outcome
) -> None:
    assert sent(tmp_path, server) == outcome


def test_a_connection_that_breaks_after_the_text_was_sent_may_have_been_taken(tmp_path: Path) -> None:
    assert sent(tmp_path, Server(at_data="cut")).state == "unknown"


def test_a_server_that_is_not_there_has_taken_nothing(tmp_path: Path) -> None:
    with listening(tmp_path, Server(), "none") as (port, _):
        pass
    mail = Mail(server="127.0.0.1", port=port, tls="none", sender="box@firm.example", wait_seconds=1)
    assert Post(mail, lambda _name: None).send(TO, "a", "b", "n").state == "later"


def test_a_server_over_a_network_without_tls_is_refused() -> None:
    with pytest.raises(Problem, match=r"notify\.mail_needs_tls"):
        Post(Mail(server="mail.firm.example", tls="none", sender="a@b"), lambda _name: None)
    with pytest.raises(Problem, match=r"notify\.no_sender"):
        Post(Mail(server="mail.firm.example"), lambda _name: None)
    with pytest.raises(Problem, match=r"notify\.no_ca_file"):
        Post(Mail(server="mail.firm.example", user="a@b", ca_file="/nowhere.pem"), lambda _name: None)


def test_no_text_can_add_a_header() -> None:
    message = composed("box@firm.example", TO, "a\r\nBcc: all@firm.example", "x\n.\nQUIT\n", "n")
    assert message["Bcc"] is None and message["Subject"] == "a Bcc: all@firm.example"
