"""The chain is signed while anything happens, and not for its own receipts."""

from __future__ import annotations

import asyncio
from pathlib import Path

from appliance.calls.heads import EVERY_SECONDS, Heads
from appliance.clock import VirtualClock
from appliance.records import chain, signing
from appliance.records.events import UpstreamReceipt
from appliance.records.signing import Signer
from appliance.records.store import Store, links
from appliance.records.writer import DirectWriter
from tests.records.given import KEY, a_call
from tests.support.virtual_time import VirtualLoop, run


def test_it_is_signed_each_minute_with_news_and_never_for_receipts_alone(tmp_path: Path) -> None:
    clock = VirtualClock(1_790_000_000_000)
    store = Store(tmp_path / "calls.db", KEY, clock)
    records = DirectWriter(store)
    heads = Heads(Signer(bytes(32)), records, clock)
    signed: list[int] = []

    async def scene() -> None:
        working = asyncio.create_task(heads.run())
        for moment in range(8):
            if moment == 2:
                for one in a_call("c1")[0]:
                    records.put(one)
            if moment in (4, 5):
                records.put(UpstreamReceipt("usb", "events", f"k{moment}", "", 1, 2, "ab" * 32, 3, "/media/usb"))
            records.flush_now()
            await asyncio.sleep(EVERY_SECONDS)
            records.flush_now()
            signed.append(store.within(lambda db: sum(each.kind == signing.KIND for each in links(db))))
        working.cancel()

    run(VirtualLoop(clock), scene())
    assert signed[0] == 0 and signed[-1] == 1 and signed[3] == 1
    found, said = store.within(lambda db: signing.verify(links(db)))
    assert isinstance(found, chain.Head) and said is not None and said.n == len(a_call("c1")[0])
    store.close()
