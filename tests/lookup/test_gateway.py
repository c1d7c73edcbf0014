"""Three shapes of gateways on loopback: they get what they want, their answers are understood, keys stay hidden."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from appliance.errors import Problem
from appliance.lookup.gateway import Gateway, Outcome, is_loopback
from appliance.lookup.settings import Sms, SmsTemplate
from tests.lookup.test_http import Serve, hangs, server

KEY = "k3y/with+signs="
TEXT = "پاسخ: کد شما ۱۲۳ & تمام"
VALUES = {"number": "09121234567", "text": TEXT, "language": "fa", "code": "271825"}


class Heard:
    """One HTTP request as the gateway got it."""

    def __init__(self, head: bytes, body: bytes) -> None:
        first, *lines = head.decode().split("\r\n")
        self.method, self.target, _ = first.split(" ")
        parts = (line.partition(":") for line in lines if line)
        self.headers = {name.lower(): value.strip() for name, _, value in parts}
        self.body = body
        self.query = parse_qs(urlsplit(self.target).query)


def answers(status: str, body: bytes, heard: list[Heard]) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        request = Heard(head, b"")
        request.body = await reader.readexactly(int(request.headers.get("content-length", "0")))
        heard.append(request)
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()

    return serve


def asked(
    serve: Serve, sms: Callable[[str], Sms], work: Callable[[Gateway], Awaitable[object]], *templates: SmsTemplate
) -> object:
    async def scene() -> object:
        async with server(serve) as port:
            return await work(Gateway(sms(f"http://127.0.0.1:{port}"), templates, lambda _name: KEY))

    return asyncio.run(scene())


def sent(serve: Serve, sms: Callable[[str], Sms], kind: str = "missed", *templates: SmsTemplate) -> Outcome:
    found = asked(serve, sms, lambda gateway: gateway.send(kind, VALUES), *templates)
    assert isinstance(found, Outcome)
    return found


def in_the_path(base: str) -> Sms:
    """The key in the path, a form, free text, and the delivery polled."""
    return Sms(
        url=f"{base}/v1/{{key}}/sms/send.json", form="form", sender="10008663", allows_private=True, wait_seconds=1,
        sends=("receptor = {number}", "message = {text}", "sender = {sender}"),
        accepted="return.status = 200", reference="entries[0].messageid",
        status_url=f"{base}/v1/{{key}}/sms/status.json?messageid={{reference}}", status="entries[0].status",
        delivered=("10",), undelivered=("11", "13"),
    )  # fmt: skip


def in_a_header(base: str) -> Sms:
    """The key in a header, JSON, approved templates with tokens."""
    return Sms(
        url=f"{base}/send", header="X-API-KEY: {key}", sends=("mobile = {number}", "text = {text}"),
        number_form="e164", allows_private=True, wait_seconds=1,
    )  # fmt: skip


def in_the_query(base: str) -> Sms:
    """A GET with everything behind the URL."""
    return Sms(
        url=f"{base}/send.php?v=2", method="GET", allows_private=True, wait_seconds=1, accepted="code = 0",
        sends=("username = firm", "password = {key}", "to = {number}", "text = {text}"),
    )  # fmt: skip


def test_a_key_in_the_path_and_a_form_of_free_text() -> None:
    heard: list[Heard] = []
    body = b'{"return": {"status": 200}, "entries": [{"messageid": 85463238, "status": 1}]}'
    assert sent(answers("200 OK", body, heard), in_the_path) == Outcome("sent", "", "85463238")
    [request] = heard
    assert request.method == "POST" and request.target == "/v1/k3y%2Fwith%2Bsigns%3D/sms/send.json"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(request.body.decode()) == {"receptor": ["09121234567"], "message": [TEXT], "sender": ["10008663"]}
    assert "authorization" not in request.headers


def test_a_key_in_a_header_and_an_approved_template_of_json() -> None:
    heard: list[Heard] = []
    template = SmsTemplate(name="callback", sends=("mobile={number}", "template_id = 7731", "token = {code}"))
    serve = answers("200 OK", b"{}", heard)
    assert sent(serve, in_a_header, "callback", template).state == "sent"
    assert sent(serve, in_a_header, "missed", template).state == "sent"
    assert [json.loads(each.body) for each in heard] == [
        {"mobile": "09121234567", "template_id": "7731", "token": "271825"},
        {"mobile": "09121234567", "text": TEXT},
    ]
    assert heard[0].headers["x-api-key"] == KEY and heard[0].target == "/send"


def test_everything_behind_the_url_of_a_get() -> None:
    heard: list[Heard] = []
    assert sent(answers("200 OK", b'{"code": 0}', heard), in_the_query).state == "sent"
    [request] = heard
    assert request.method == "GET" and request.body == b"" and urlsplit(request.target).path == "/send.php"
    assert request.query == {
        "v": ["2"], "username": ["firm"], "password": [KEY], "to": ["09121234567"], "text": [TEXT]
    }  # fmt: skip


def test_a_gateway_that_says_200_and_means_no_has_refused() -> None:
    body = b'{"return": {"status": 418, "message": "credit of k3y/with+signs= is used up"}}'
    assert sent(answers("200 OK", body, []), in_the_path) == Outcome("refused", "418")
    assert sent(answers("200 OK", b'{"code": 17}', []), in_the_query) == Outcome("refused", "17")


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("401 No", "refused"), ("404 No", "refused"), ("302 There", "refused"), ("429 Slow", "later"),
        ("502 Bad", "later"), ("503 Busy", "later"), ("500 Oops", "unknown"), ("504 Late", "unknown"),
    ],
)  # fmt: skip
def test_only_what_was_surely_not_taken_may_be_tried_again(status: str, state: str) -> None:
    assert sent(answers(status, b"", []), in_a_header) == Outcome(state, status[:3])  # type: ignore[arg-type]


def test_an_answer_that_never_comes_may_have_been_taken() -> None:
    assert sent(hangs, in_a_header) == Outcome("unknown", "timeout")


def test_an_answer_that_is_cut_off_may_have_been_taken() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{")

    assert sent(cut, in_a_header).state == "unknown"
    assert sent(answers("200 OK", b"<html>", []), in_the_path) == Outcome("unknown", "garbage")


def test_a_gateway_that_is_not_there_has_not_taken_it() -> None:
    async def scene() -> Outcome:
        async with server(hangs) as port:
            pass
        return await Gateway(in_a_header(f"http://127.0.0.1:{port}"), (), lambda _name: KEY).send("missed", VALUES)

    assert asyncio.run(scene()) == Outcome("later", "refused")


@pytest.mark.parametrize(
    ("status", "known"), [("10", "delivered"), ("11", "undelivered"), ("13", "undelivered"), ("1", "")]
)
def test_the_delivery_is_asked_for_by_the_reference(status: str, known: str) -> None:
    heard: list[Heard] = []
    body = f'{{"entries": [{{"status": {status}}}]}}'.encode()
    assert asked(answers("200 OK", body, heard), in_the_path, lambda gateway: gateway.delivery("85463238")) == known
    assert heard[0].query == {"messageid": ["85463238"]} and "k3y" in heard[0].target


def test_a_code_goes_within_the_time_of_a_caller_and_as_before_where_no_shape_is_set() -> None:
    heard: list[Heard] = []
    plain = lambda base: Sms(url=f"{base}/send", allows_private=True)  # noqa: E731 - a shape like the others
    assert sent(answers("202 Accepted", b"", heard), plain, "code").state == "sent"
    assert json.loads(heard[0].body) == {"number": "09121234567", "code": "271825", "language": "fa"}
    assert heard[0].headers["authorization"] == f"Bearer {KEY}"


def test_the_key_is_in_no_log_no_outcome_and_no_representation(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shapes = (in_the_path, in_a_header, in_the_query)
    echo = json.dumps({"return": {"status": KEY}, "code": KEY, "entries": [{"messageid": 1}]}).encode()
    outcomes = [
        sent(serve, shape)
        for shape in shapes
        for serve in (answers("500 " + "x", KEY.encode(), []), hangs, answers("200 OK", b"{}", []))
    ]
    assert KEY not in caplog.text and "k3y" not in caplog.text and KEY not in repr(outcomes)
    assert sent(answers("200 OK", echo, []), in_the_path).detail != KEY


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"url": "http://sms.example/send"}, "lookup.needs_tls"),
        ({"url": "http://192.0.2.7/send"}, "lookup.needs_tls"),
        ({"url": "https://sms.example/x", "status_url": "http://sms.example/{reference}"}, "lookup.needs_tls"),
        ({"url": "ftp://sms.example/k3y"}, "lookup.bad_gateway"),
        ({"url": "https://u:k3y@sms.example/"}, "lookup.bad_gateway"),
        ({"url": "https://{key}.example/"}, "lookup.bad_gateway"),
        ({"url": "https://sms.example/", "sends": ("number",)}, "lookup.bad_field"),
        ({"url": "https://sms.example/", "header": "no colon"}, "lookup.bad_field"),
        ({"url": "https://sms.example/", "header": "A: b\r\nC: d"}, "lookup.bad_field"),
        ({"url": "https://sms.example/", "accepted": "fine"}, "lookup.bad_field"),
        ({"url": "https://sms.example/", "reference": "a b"}, "lookup.bad_takes"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_without_showing_a_key(settings: dict[str, object], key: str) -> None:
    with pytest.raises(Problem) as raised:
        Gateway(Sms(**settings), (), lambda _name: KEY)  # type: ignore[arg-type] # a test's settings
    assert raised.value.key == key and "k3y" not in str(raised.value)


def test_no_value_can_add_a_header_or_change_the_path() -> None:
    heard: list[Heard] = []
    values = {**VALUES, "number": "1\r\nX: y", "text": "a\r\n\r\nGET /"}

    async def work(gateway: Gateway) -> Outcome:
        return await gateway.send("missed", values)

    asked(answers("200 OK", b'{"code": 0}', heard), in_the_query, work)
    assert len(heard) == 1 and "x" not in heard[0].headers and heard[0].query["to"] == ["1\r\nX: y"]


@pytest.mark.parametrize(
    ("host", "is_so"), [("127.0.0.1", True), ("localhost", True), ("::1", True), ("10.0.0.1", False), ("a.b", False)]
)
def test_only_this_machine_is_loopback(host: str, is_so: bool) -> None:
    assert is_loopback(host) is is_so
