"""``make demo ONCE=1`` as a newcomer runs it: three calls with an independent SIP stack, recordings verified."""

from __future__ import annotations

import json
import os
import subprocess
import sys


def test_the_demo_places_three_calls_and_verifies_their_recordings() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "appliance", "demo", "--players", "tests/support/players", "--once"],
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "PASOKH_LANG": "en"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    found = json.loads(lines[-1])
    assert found["calls"] == found["answered"] == found["recordings"] == found["verified"] == found["receipts"] == 3
    assert found["mos"] >= 4.0
    assert any(line.startswith("Opened with the owner's key") for line in lines)
    assert "Traceback" not in done.stderr
