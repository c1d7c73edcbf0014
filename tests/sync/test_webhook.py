"""The webhook against a receiver of our own that misbehaves, its signatures checked by the standard's own package."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from pathlib import Path

import pytest
import standardwebhooks

from appliance.errors import Problem
from appliance.sync.faults import Fault, Why
from appliance.sync.port import Parcel
from appliance.sync.settings import Target
from appliance.sync.units import Kind, Unit, call_key
from appliance.sync.webhook import Webhook
from tests.support.authority import Authority
from tests.support.bad_http import BadHttp, Instead
from tests.sync.office import Office, office

KEY = b"k" * 32
SECRET = "whsec_" + base64.b64encode(KEY).decode()


def target(url: str, name: str = "crm", extra: str = "") -> str:
    return f'[[target]]\nname = "{name}"\nkind = "webhook"\nurl = "{url}/hook?token=a-secret-of-theirs"\n{extra}'


async def until_posts(it: Office, receiver: BadHttp, count: int) -> list[dict[str, object]]:
    """The events that were taken, once there are so many."""

    def taken() -> list[dict[str, object]]:
        return [json.loads(one.body) for one in receiver.seen if one.method == "POST" and one.status == 204]

    await it.until(lambda: len(taken()) >= count, 60)
    return taken()


def test_each_record_arrives_signed_as_the_standard_says_and_as_a_cloud_event(tmp_path: Path) -> None:
    async def scenario(receiver: BadHttp) -> None:
        async with office(target(receiver.url)) as it:
            it.secret("crm", SECRET)
            for number in range(1, 4):
                it.call(number)
            await it.start()
            events = await until_posts(it, receiver, 3)
            assert [event["subject"] for event in events] == ["c1", "c2", "c3"]
            assert {event["specversion"] for event in events} == {"1.0"}
            assert {event["type"] for event in events} == {"ir.pasokh.call.ended.v1"}
            sequences = [str(event["sequence"]) for event in events]
            assert sequences == sorted(sequences)
            for one in receiver.seen:
                if one.method == "POST":
                    headers = {name.lower(): value for name, value in one.headers.items()}
                    checked = standardwebhooks.Webhook(SECRET).verify(one.body, headers)
                    assert checked["id"] == headers["webhook-id"]
            log = (it.folder / "log").read_text()
            assert "a-secret-of-theirs" not in log
            await it.until(lambda: len([r for r in it.receipts() if r.unit == "call"]) == 3)
            assert "a-secret-of-theirs" not in str(it.receipts())

    with BadHttp() as receiver:
        asyncio.run(scenario(receiver))


def test_a_retry_has_the_same_id_and_the_time_of_now() -> None:
    answers = iter([500, 429, 204])
    with BadHttp() as receiver:
        receiver.rule = lambda seen: Instead(next(answers), headers={"Retry-After": "7"})
        hook = Webhook(Target(name="crm", kind="webhook", url=f"{receiver.url}/hook"), SECRET, 5)
        faults = []
        for _ in range(2):
            with pytest.raises(Fault) as caught:
                hook.place(_parcel())
            faults.append(caught.value)
            time.sleep(1.05)
        hook.place(_parcel())
        hook.close()
        assert [fault.why for fault in faults] == [Why.FAILING, Why.BUSY] and faults[1].retry_after_seconds == 7
        assert len({one.headers["webhook-id"] for one in receiver.seen}) == 1
        stamps = [int(one.headers["webhook-timestamp"]) for one in receiver.seen]
        assert stamps == sorted(set(stamps)) and len(stamps) == 3


def _parcel() -> Parcel:
    source = b'{"id": "box-7"}'
    unit = Unit(7, Kind.CALL, call_key(7), 7, 7, "", 0, len(source), hashlib.sha256(source).hexdigest())
    return Parcel(unit, unit.key, source)


def test_410_switches_it_off_and_a_person_switches_it_on_again() -> None:
    async def scenario(receiver: BadHttp) -> None:
        receiver.rule = lambda seen: Instead(410) if seen.method == "POST" else None
        async with office(target(receiver.url)) as it:
            it.secret("crm", SECRET)
            it.call(1)
            await it.start()
            await it.until(lambda: any(one.state == "disabled" for one in it.shown.upstream))
            assert it.shown.upstream[0].fault is not None
            assert it.shown.upstream[0].fault.key == "sync.fault_disabled"
            asked = len(receiver.seen)
            it.call(2)
            await asyncio.sleep(3)
            assert len(receiver.seen) == asked
            receiver.rule = lambda seen: None
            it._upstream._try_now.add("crm")
            assert len(await until_posts(it, receiver, 2)) == 2

    with BadHttp() as receiver:
        asyncio.run(scenario(receiver))


def test_what_a_receiver_will_not_have_holds_up_nothing_else() -> None:
    async def scenario(receiver: BadHttp) -> None:
        receiver.rule = lambda seen: Instead(422) if b'"subject":"c2"' in seen.body else None
        async with office(target(receiver.url)) as it:
            it.secret("crm", SECRET)
            for number in range(1, 4):
                it.call(number)
            await it.start()
            events = await until_posts(it, receiver, 2)
            assert [event["subject"] for event in events] == ["c1", "c3"]
            await it.until(lambda: it.shown.upstream[0].refused == 1)

    with BadHttp() as receiver:
        asyncio.run(scenario(receiver))


def test_over_tls_only_the_pinned_authority_is_believed(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    with BadHttp(certificate=authority.issue("receiver")) as receiver:
        good = Webhook(Target(name="crm", kind="webhook", url=receiver.url, ca=str(authority.file)), SECRET, 5)
        good.place(_parcel())
        good.close()
        bad = Webhook(Target(name="crm", kind="webhook", url=receiver.url, ca=str(other.file)), SECRET, 5)
        with pytest.raises(Fault) as caught:
            bad.place(_parcel())
        bad.close()
        assert caught.value.why is Why.CERTIFICATE and len(receiver.seen) == 1


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "plain", "whsec_***"])
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    with pytest.raises(Problem, match=r"sync\.secret_form"):
        Webhook(Target(name="crm", kind="webhook", url="http://127.0.0.1:1"), secret, 5)
