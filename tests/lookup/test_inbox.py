"""What people have answered, as gateways of several shapes list it; what is no list is a reason, never a crash."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from appliance.errors import Problem
from appliance.lookup.http import MOST_BODY, Refusal
from appliance.lookup.inbox import Arrived, Inbox
from appliance.lookup.settings import Sms
from tests.lookup.test_gateway import KEY, Heard, answers
from tests.lookup.test_http import Serve, hangs, server

ONE = {"messageid": 85463238, "message": "۵", "sender": "989121234567", "receptor": "30002626", "date": 1357206241}


def in_the_path(base: str) -> Sms:
    """The key in the path, as with gateways that list the unread."""
    return Sms(
        inbox_url=f"{base}/v1/{{key}}/sms/receive.json?linenumber={{sender}}&isread=0", sender="30002626",
        allows_private=True, wait_seconds=1,
    )  # fmt: skip


def in_a_header(base: str) -> Sms:
    """The key in a header, and the list is the whole answer."""
    return Sms(
        inbox_url=f"{base}/inbox", inbox="", inbox_takes=("id = id", "number = from.phone", "text = body"),
        header="X-API-KEY: {key}", allows_private=True, wait_seconds=1,
    )  # fmt: skip


def listed(serve: Serve, shape: Callable[[str], Sms] = in_the_path) -> list[Arrived]:
    async def scene() -> list[Arrived]:
        async with server(serve) as port:
            return await Inbox(shape(f"http://127.0.0.1:{port}"), lambda _name: KEY).fetch()

    return asyncio.run(scene())


def test_messages_of_a_gateway_with_the_key_in_the_path() -> None:
    heard: list[Heard] = []
    body = json.dumps({"return": {"status": 200}, "entries": [ONE, {**ONE, "messageid": 2, "message": "بد بود"}]})
    first, second = listed(answers("200 OK", body.encode(), heard))
    assert (first.number, first.text, second.text) == ("989121234567", "۵", "بد بود")
    assert heard[0].method == "GET" and heard[0].target == (
        "/v1/k3y%2Fwith%2Bsigns%3D/sms/receive.json?linenumber=30002626&isread=0"
    )
    assert "authorization" not in heard[0].headers
    assert "9121234567" not in repr(first) and "۵" not in repr(first)


def test_messages_of_a_gateway_with_the_key_in_a_header() -> None:
    heard: list[Heard] = []
    body = json.dumps([{"id": "a1", "from": {"phone": "+989121234567"}, "body": "5"}]).encode()
    [only] = listed(answers("200 OK", body, heard), in_a_header)
    assert (only.number, only.text) == ("+989121234567", "5") and heard[0].headers["x-api-key"] == KEY


def test_a_message_has_one_name_however_often_it_is_listed() -> None:
    body = json.dumps({"entries": [ONE, ONE]}).encode()
    [first] = listed(answers("200 OK", body, []))
    assert listed(answers("200 OK", body, [])) == [first]


def test_entries_without_id_number_or_text_are_no_messages() -> None:
    broken = [{}, 7, None, [ONE], {"messageid": 1}, {**ONE, "message": None}, {**ONE, "sender": {"a": 1}}]
    body = json.dumps({"entries": [*broken, ONE]}).encode()
    assert [each.text for each in listed(answers("200 OK", body, []))] == ["۵"]


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        ("401 No", b"", "status"), ("500 No", b"", "status"), ("200 OK", b"<html>", "garbage"),
        ("200 OK", b'{"entries": null}', "garbage"), ("200 OK", b"[" * 50_000, "garbage"),
        ("200 OK", b"[" + b" " * MOST_BODY + b"]", "too_long"),
    ],
    ids=["no key", "broken", "no JSON", "no list", "deep", "long"],
)  # fmt: skip
def test_what_is_no_list_has_a_reason(status: str, body: bytes, reason: str) -> None:
    with pytest.raises(Refusal) as refused:
        listed(answers(status, body, []))
    assert refused.value.reason == reason


def test_a_gateway_that_hangs_is_left_within_its_time() -> None:
    with pytest.raises(Refusal, match="timeout"):
        listed(hangs)


def test_settings_that_cannot_be_meant_are_refused() -> None:
    with pytest.raises(Problem, match=r"lookup\.inbox_takes"):
        Inbox(Sms(inbox_url="https://sms.example/", inbox_takes=("id = a", "text = b")), lambda _name: None)
    with pytest.raises(Problem, match=r"lookup\.needs_tls"):
        Inbox(Sms(inbox_url="http://sms.example/"), lambda _name: None)
    assert not Inbox(Sms(), lambda _name: None).is_there
