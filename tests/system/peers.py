"""Others' programs that stand on trunks of their own and answer what the box dials: SIPp and pyVoIP."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.box import rtp_range
from tests.system.answering import PYVOIP_SCRIPTS, sipp_scenarios, sound

PLAYER = Path(__file__).parents[1] / "support" / "players" / "customer.py"


class Peers:
    """``ports`` are those of the trunks; who has none is not started. ``folder`` takes what they write."""

    def __init__(self, folder: Path, box: int, ports: Mapping[str, int]) -> None:
        self._folder = folder
        self._box = box
        self._ports = ports
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, calls: Mapping[str, int]) -> None:
        """``calls`` is how many SIPp takes on each trunk."""
        for name, (xml, plays) in sipp_scenarios().items():
            if name not in self._ports:
                continue
            folder = self._folder / name
            folder.mkdir()
            (folder / "scenario.xml").write_text(xml)
            (folder / "sound.alaw").write_bytes(sound(plays))
            self._run(
                name,
                ["sipp", f"127.0.0.1:{self._box}", "-sf", "scenario.xml", "-i", "127.0.0.2", "-p",
                 str(self._ports[name]), "-mi", "127.0.0.2", "-mp", str(rtp_range(200)), "-m", str(calls[name]),
                 "-nostdin", "-trace_err", "-error_file", "errors.log"],
            )  # fmt: skip
        voice = self._folder / "voice.ulaw"
        voice.write_bytes(sound("hello"))
        for name, script in PYVOIP_SCRIPTS.items():
            if name in self._ports:
                (self._folder / name).mkdir()
                self._run(
                    name,
                    [sys.executable, "-W", "ignore", str(PLAYER), "--mine", f"127.0.0.2:{self._ports[name]}", "--box",
                     f"127.0.0.1:{self._box}", "--voice", str(voice), "--script", script, "--rtp", str(rtp_range(60))],
                )  # fmt: skip

    def _run(self, name: str, command: list[str]) -> None:
        folder = self._folder / name
        with (folder / "said").open("wb") as said:
            self._running[name] = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=said, stderr=said)

    def end(self) -> dict[str, int]:
        """Ends those that have not ended by themselves; the codes of SIPp's, by trunk."""
        codes: dict[str, int] = {}
        for name, peer in self._running.items():
            assert peer.stdin is not None
            try:
                peer.stdin.close()
                codes[name] = peer.wait(10)
            except subprocess.TimeoutExpired:
                peer.kill()
                codes[name] = peer.wait(10)
        return {name: code for name, code in codes.items() if name in sipp_scenarios()}
