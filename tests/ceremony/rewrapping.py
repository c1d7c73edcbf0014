"""A process that gives new heads until it is done or killed: folder, file of the signed set, file of the key."""

from __future__ import annotations

import sys
from pathlib import Path

from appliance.ceremony import rewrap
from appliance.recorder import signed
from appliance.recorder.reading import load_identity

folder, known, key = (Path(argument) for argument in sys.argv[1:])


def told(done: int, _total: int) -> None:
    print(done, flush=True)


rewrap.run(folder, signed.read_set(known.read_text()), load_identity(key), told)
