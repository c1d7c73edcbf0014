"""Parking over real SIP: a customer is put into a slot by one telephone and taken by another, in one recording."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.box import Box, free_ports, running
from tests.support.softphone import Softphone
from tests.support.waiting import until
from tests.system.test_transfers import CUSTOMER, FLOW, A, B, Case, judge


@pytest.mark.timeout(120)
def test_who_is_parked_is_taken_by_another_telephone_and_every_talked_second_is_in_the_one_recording() -> None:
    (trunk,) = free_ports(1, "127.0.0.2")
    queue = '[[queue]]\nname = "q0"\nagents = ["first"]\n'
    flow = FLOW.format(n=0).replace('"f0"', '"welcome"')
    box = Box(f"127.0.0.2:{trunk}", phones=("desk1", "desk2"), flow=flow, extra=queue)
    with running(box):
        case = asyncio.run(_park_and_take(box, trunk))
        records = box.conversations(2, 30)
        [record] = [each for each in records if each.direction == "in"]
        assert [(each.how, each.target, each.state) for each in record.transfers] == [
            ("park", "*91", "parked"),
            ("park", "*91", "done"),
        ]
        assert record.outcome == "served" and record.agent == "agent2"
        assert all(leg.ended_ms is not None for leg in record.legs)
        print(judge(box, case, record, ["a", "b"]))
        assert "Traceback" not in box.log


async def _park_and_take(box: Box, trunk: int) -> Case:
    provider = Softphone(("127.0.0.1", box.sip), ("127.0.0.2", trunk), voice=CUSTOMER, keeps_frames=True)
    phones = tuple(
        Softphone(
            ("127.0.0.1", box.sip), ("127.0.0.3", 0), user=user, password=box.password, voice=voice, keeps_frames=True
        )
        for user, voice in (("desk1", A), ("desk2", B))
    )
    case = Case(0, provider, phones, [], [])
    for each in (provider, *phones):
        await each.start()
    try:
        async with asyncio.timeout(20):
            await asyncio.gather(*(phone.is_registered.wait() for phone in phones))
        case.talk = provider.call("02188123456", "09121234567")
        await case.hears("a", seconds=25)
        await asyncio.sleep(1.0)
        await case.keys("a", "*9")
        await case.hears("")
        await until(lambda: case.of("a").ended is not None, 15)
        assert case.talk.ended is None
        taken = phones[1].call("*91", "desk")
        await case.hears("b")
        await case.hears("customer", talk=taken)
        await asyncio.sleep(1.0)
        provider.hang_up(case.talk)
        await until(lambda: taken.ended is not None, 5)
    finally:
        for each in (provider, *phones):
            await each.stop()
    return case
