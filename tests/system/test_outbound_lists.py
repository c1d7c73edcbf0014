"""An outbound list over real SIP: imported by command line, worked by a desk phone by ``*45``, kept in the records."""

from __future__ import annotations

import asyncio

from appliance.records import lists
from appliance.records.lists import Entry
from appliance.signalling import port
from tests.support.box import Box, free_ports, running
from tests.support.softphone import Softphone
from tests.support.waiting import until
from tests.system.test_contacts import pasokh
from tests.system.test_crashes import VOICE

EXTRA = """
[[outbound_list]]
name = "spring"
calendar = "always"
agents = ["first", "agent2"]
results = ["sold"]
"""
CUSTOMERS = "شماره;نام\n۰۹۱۲۱۱۱۰۰۰۱;علی\n09121110002;مینا\n110;پلیس\n09121110001;again\n"


def entries(box: Box) -> list[Entry]:
    with box.reader() as reader:
        return reader.within(lambda db: lists.after(db, "spring", 0))


def test_a_desk_phone_calls_the_next_customer_of_a_list_and_the_word_of_its_agent_is_kept() -> None:
    (trunk,) = free_ports(1, "127.0.0.2")
    box = Box(f"127.0.0.2:{trunk}", phones=("desk1", "desk2"), extra=EXTRA)
    (box.folder / "flows" / "hours").mkdir()
    (box.folder / "flows" / "hours" / "always.toml").write_text('[week]\nevery_day = "0-24"\n', encoding="utf-8")
    with running(box):
        file = box.folder / "list.csv"
        file.write_bytes(CUSTOMERS.encode("utf-16"))
        shown = pasokh(box, "lists", "import", "spring", str(file), expect=1)
        assert "To be added: 2; left out: 2" in shown and entries(box) == []
        assert "2 added" in pasokh(box, "lists", "import", "spring", str(file), "--go", expect=1)

        async def scene() -> None:
            called: list[str] = []

            def rung(offered: port.Offered) -> str:
                called.append(offered.called)
                return "answer"

            provider = Softphone(("127.0.0.1", box.sip), ("127.0.0.2", trunk), voice=VOICE, answer=rung)
            desk = Softphone(("127.0.0.1", box.sip), ("127.0.0.3", 0), user="desk1", password=box.password, voice=VOICE)
            await provider.start()
            await desk.start()
            try:
                async with asyncio.timeout(10):
                    await desk.is_registered.wait()
                own = desk.call("*45", "desk1")
                await until(lambda: len(called) == 1 and any(talk.is_up for talk in provider.talks.values()), 60)
                await asyncio.sleep(1.0)  # the talk is joined
                for key in "*1":
                    desk.press(own, key)
                    await asyncio.sleep(0.3)
                await until(lambda: entries(box)[0].outcome == "reached", 20)
                desk.hang_up(own)
                await until(lambda: not any(talk.is_up for talk in provider.talks.values()), 20)
            finally:
                await desk.stop()
                await provider.stop()
            assert called == ["09121110001"]

        asyncio.run(scene())
        first, second = entries(box)
        assert (first.state, first.agent, second.state, second.attempts) == ("done", "first", "open", 0)
        assert "reached" in pasokh(box, "lists", "status")
        assert "09121110001,علی" in pasokh(box, "lists", "export", "spring")
        record = next(each for each in box.conversations(2) if each.direction == "out")
        assert record.customer == "+989121110001" and record.agent == "first" and not record.recordings
        assert "Traceback" not in box.log
