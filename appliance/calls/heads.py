"""Signs how far the chain of events reaches: once a minute while anything happens, and when the box stops."""

from __future__ import annotations

import asyncio

from appliance.clock import Clock
from appliance.records import chain, signing
from appliance.records.database import Connection
from appliance.records.outgoing import OWN_KINDS
from appliance.records.signing import Signer
from appliance.records.store import Store
from appliance.records.writer import Records

EVERY_SECONDS = 60.0
_SILENT = ", ".join(f"'{kind}'" for kind in (signing.KIND, *OWN_KINDS))
_NEWS = f"""SELECT EXISTS (SELECT 1 FROM event WHERE kind NOT IN ({_SILENT})
AND n > (SELECT coalesce(max(n), 0) FROM event WHERE kind = '{signing.KIND}'))"""  # noqa: S608 - constants only


class Heads:
    """Receipts alone are not signed: each would be sent, and get a receipt again."""

    def __init__(self, signer: Signer, records: Records, clock: Clock) -> None:
        self._signer = signer
        self._records = records
        self._clock = clock

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            await self.sign()

    async def sign(self) -> None:
        """Signs the head, where there is news since the last one."""
        head = await self._records.call(_unsigned)
        if head is not None:
            self._records.put(self._signer.sign(head, self._clock.utc_ms()))


def _unsigned(store: Store) -> chain.Head | None:
    def has_news(db: Connection) -> bool:
        row = db.execute(_NEWS).fetchone()
        return bool(row and row[0])

    return store.head() if store.within(has_news) else None
