"""The far end of a narrow line: an S3 server and a listener to voices, in a network namespace of their own.

``python -m tests.sync.far_end ADDRESS`` prints the url and the port of the voices as one JSON line; for each line on
standard input it prints what was heard since the last one: packets, lost, and the 95th percentile of their delay. The
delay is exact: one kernel, one monotonic clock.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import time

from tests.support.memory_s3 import MemoryS3

VOICE = struct.Struct("!IId")  # stream, number, when it left


class Listener:
    """Takes voices; ``heard`` is what came since it was last asked."""

    def __init__(self, address: str) -> None:
        self._line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._line.bind((address, 0))
        self.port = int(self._line.getsockname()[1])
        self._lock = threading.Lock()
        self._seen: dict[int, list[int]] = {}
        self._delays: list[float] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def heard(self) -> dict[str, float]:
        with self._lock:
            seen, delays = self._seen, sorted(self._delays)
            self._seen, self._delays = {}, []
        expected = sum(max(numbers) - min(numbers) + 1 for numbers in seen.values())
        packets = sum(len(set(numbers)) for numbers in seen.values())
        delay = delays[int(len(delays) * 0.95)] if delays else 0.0
        return {"packets": packets, "lost": expected - packets, "delay_ms": round(1000 * delay, 2)}

    def _listen(self) -> None:
        while True:
            datagram = self._line.recv(2048)
            stream, number, left = VOICE.unpack_from(datagram)
            with self._lock:
                self._seen.setdefault(stream, []).append(number)
                self._delays.append(time.monotonic() - left)


def main() -> None:
    address = sys.argv[1]
    listener = Listener(address)
    with MemoryS3(conditions=True, checksums=True, address=address) as server:
        print(json.dumps({"url": f"http://{address}:{server.port}", "voices": listener.port}), flush=True)
        for _ in sys.stdin:
            print(json.dumps(listener.heard()), flush=True)


if __name__ == "__main__":
    main()
