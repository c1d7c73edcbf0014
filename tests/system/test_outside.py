"""The way out with real calls: the money of a day outlives kill -9, and an emergency call leaves a full trunk."""

from __future__ import annotations

import asyncio
import os
import signal

from appliance.records.database import Connection
from appliance.signalling import port
from tests.simulation.test_outside import TRANSFER, WAIT
from tests.support.box import Box, free_ports, running
from tests.support.softphone import Softphone, Talk
from tests.support.waiting import until
from tests.system.test_crashes import VOICE

CAP_RIAL = 1000
EXTRA = """
[[line]]
name = "out"
trunk = "provider"
flow = "out"
number = "02188000001"
[[line]]
name = "need"
trunk = "provider"
flow = "need"
number = "02188000110"
[[queue]]
name = "reception"
agents = ["first"]
[[tariff]]
name = "mobile"
kind = "mobile"
rial_per_call = 1000
[[tariff]]
name = "landline"
kind = "landline"
[[tariff]]
name = "short"
kind = "short"
"""


def the_box(trunk: int) -> Box:
    box = Box(
        f"127.0.0.2:{trunk}",
        flow=WAIT.replace('name = "wait"', 'name = "welcome"'),
        extra=EXTRA,
        extra_trunk='max_calls = 2\nkept_for_callers = 0\ndial_as = "plus"',
    )
    for name, to in (("out", "0935 111 2233"), ("need", "110")):
        (box.folder / "flows" / f"{name}.toml").write_text(TRANSFER.format(name=name, to=to), encoding="utf-8")
    settings = box.file.read_text(encoding="utf-8")
    box.file.write_text(settings.replace("[calls]\n", f"[calls]\ndaily_cap_rial = {CAP_RIAL}\n"), encoding="utf-8")
    return box


def refusals(box: Box) -> list[str]:
    def query(db: Connection) -> list[str]:
        rows = db.execute("SELECT b.body FROM event AS e JOIN event_body AS b USING (n) WHERE e.kind = 'dial.refused'")
        return [bytes(row[0]).decode() for row in rows.fetchall()]

    with box.reader() as reader:
        return reader.within(query)


def test_the_day_s_money_outlives_a_kill_and_an_emergency_call_leaves_a_full_trunk() -> None:
    (trunk,) = free_ports(1, "127.0.0.2")
    with running(the_box(trunk)) as box:

        async def scene() -> None:
            called: list[str] = []

            def rung(offered: port.Offered) -> str:
                called.append(offered.called)
                return "answer"

            provider = Softphone(("127.0.0.1", box.sip), ("127.0.0.2", trunk), voice=VOICE, answer=rung)
            await provider.start()

            async def rings(number: str) -> Talk:
                talk = provider.call(number, "09121234567")
                await until(lambda: talk.is_up or talk.ended is not None, 30)
                return talk

            try:
                first = await rings("02188000001")  # costs the cap at its answer
                await until(lambda: called == ["+989351112233"], 10)
                provider.hang_up(first)
                await until(lambda: not any(talk.is_up for talk in provider.talks.values()), 20)
                second = await rings("02188000001")
                await until(lambda: second.ended is not None, 20)
                await until(lambda: len(refusals(box)) == 1, 10)  # it is on the disk
                os.kill(box.process("calls"), signal.SIGKILL)
                await asyncio.sleep(0.3)
                await asyncio.to_thread(box.until_ready, "calls")
                third = await rings("02188000001")
                await until(lambda: third.ended is not None, 20)
                assert called == ["+989351112233"]
                waits = await rings("02188123456")
                in_need = await rings("02188000110")
                await until(lambda: called == ["+989351112233", "110"], 10)
                await asyncio.sleep(1.0)
                assert waits.is_up and in_need.is_up
                for talk in (waits, in_need):
                    provider.hang_up(talk)
                await until(lambda: not any(talk.is_up for talk in provider.talks.values()), 20)
            finally:
                await provider.stop()

        asyncio.run(scene())
        told = refusals(box)
        assert len(told) == 2 and all('"reason":"money_cap"' in each for each in told)
        assert "Traceback" not in box.log
