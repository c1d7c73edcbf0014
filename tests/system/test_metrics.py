"""A monitor asks a real box: figures that are true while a call lasts, and while calls is dead."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import urllib.error
import urllib.request

from tests.support.box import Box, free_ports, running
from tests.support.softphone import Softphone
from tests.support.waiting import until
from tests.system.test_crashes import VOICE
from tests.web.test_metrics import samples

CALLER = "09121234567"


def get(box: Box, path: str, token: str = "") -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{box.page}{path}")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_monitor_sees_a_call_and_a_dead_process() -> None:
    (trunk,) = free_ports(1, "127.0.0.2")
    with running(Box(f"127.0.0.2:{trunk}", services=("media", "calls", "web"))) as box:
        file = box.data / "web" / "metrics-token"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        token = file.read_text().strip()

        def figure(name: str, **labels: str) -> float:
            status, text = get(box, "/metrics", token)
            assert status == 200 and CALLER not in text and "desk1" not in text
            return samples(text).get((name, tuple(sorted(labels.items()))), -1.0)

        async def so(name: str, value: float, **labels: str) -> None:
            for _ in range(200):
                if await asyncio.to_thread(figure, name, **labels) == value:
                    return
                await asyncio.sleep(0.1)
            raise AssertionError(f"{name} {labels} never was {value}")

        async def scene() -> None:
            caller = Softphone(("127.0.0.1", box.sip), ("127.0.0.2", trunk), voice=VOICE)
            await caller.start()
            try:
                await so("pasokh_up", 1.0)
                assert await asyncio.to_thread(get, box, "/health") == (200, '{"status":"ok"}')
                assert (await asyncio.to_thread(get, box, "/metrics"))[0] == 401
                assert (await asyncio.to_thread(get, box, "/metrics", "guessed"))[0] == 401
                talk = caller.call("02188123456", CALLER)
                await until(lambda: talk.is_up, 10)
                await so("pasokh_calls_in_progress", 1.0, state="menu")
                await so("pasokh_trunk_up", 1.0, trunk="provider")
                await so("pasokh_phones", 1.0)
                caller.hang_up(talk)
                await so("pasokh_conversations_ended_total", 1.0, outcome="abandoned")
                await so("pasokh_calls_total", 1.0)
                os.kill(box.process("calls"), signal.SIGSTOP)  # there, and dead to everybody
                await so("pasokh_up", 0.0)
                assert (await asyncio.to_thread(get, box, "/health"))[0] == 503
                os.kill(box.process("calls"), signal.SIGCONT)
                await so("pasokh_up", 1.0)
            finally:
                await caller.stop()

        asyncio.run(scene())
        assert "Traceback" not in box.log
