"""How long a change of listeners takes for 10,000 recordings: new heads for all of them, as ``pasokh keys rewrap``."""

from __future__ import annotations

import secrets
import tempfile
import time
from pathlib import Path
from typing import Any

from appliance.ceremony import making, rewrap
from appliance.ceremony.making import Wish
from appliance.recorder import container
from appliance.recorder.keys import Identity

HEADS = 10_000
MADE = 1_795_000_000_000


def measure() -> dict[str, Any]:
    """Seconds of wall and CPU for owner, recovery and two listeners with hybrid keys, on the disk of this machine."""
    made = making.first(Wish(("Sara", "Reza")), "hybrid", MADE)
    owner = made.identities[making.OWNER]
    after = making.following(made.known, Wish(("Ali",), leave=("Sara",)), owner, MADE)
    with tempfile.TemporaryDirectory(prefix="pasokh-rewrap-", dir="/var/tmp") as scratch:  # /tmp may be memory
        folder = Path(scratch)
        for number in range(HEADS):
            head = container.head(made.known.recipients, secrets.token_bytes(container.FILE_KEY_BYTES))
            (folder / f"{number:032x}.head").write_bytes(head)
        began, cpu_began = time.monotonic(), time.process_time()
        found = rewrap.run(folder, after.known, owner)
        seconds, cpu_seconds = time.monotonic() - began, time.process_time() - cpu_began
        opened = sum(_opens(path.read_bytes(), after.identities["Ali"]) for path in folder.glob("*.head"))
        left = sum(_opens(path.read_bytes(), made.identities["Sara"]) for path in folder.glob("*.head"))
    return {
        "heads": HEADS,
        "recipients": len(after.known.members),
        "done": found.done,
        "opened_by_who_came": opened,
        "opened_by_who_left": left,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_seconds, 1),
        "milliseconds_each": round(seconds / HEADS * 1000, 2),
    }


def _opens(head: bytes, identity: Identity) -> bool:
    try:
        return bool(container.open_head(head, identity))
    except PermissionError:
        return False
