"""The process ``pasokh media``: a parent that waits, and a child that carries the voices.

The parent has imported everything and holds the listening socket; when the child dies, however, it forks the next one
at once, which binds the same ports again as soon as calls says which. What the child does stands in loop.py.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import os
import signal
import socket
import time
from pathlib import Path

from appliance import service
from appliance.clock import SystemClock
from appliance.media.loop import Loop
from appliance.media.settings import Media
from appliance.places import Places
from appliance.recorder.live import Recorder
from appliance.recorder.settings import Recorder as RecorderSettings

ENDING = (signal.SIGTERM, signal.SIGINT)
PRIORITY = 10
SHORT_LIFE_SECONDS = 2.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
_PR_SET_PDEATHSIG = 1
_MCL_CURRENT_AND_FUTURE = 3

_log = logging.getLogger(__name__)


def run(media: Media, recorder: RecorderSettings, places: Places) -> int:
    """The parent: keeps one child alive until SIGTERM or SIGINT."""
    for folder in (places.data, places.run):
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    listener = _listener(places.media_socket)
    stopping: list[int] = []
    child = 0

    def stop(number: int, _frame: object) -> None:
        stopping.append(number)
        if child:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)

    for number in ENDING:
        signal.signal(number, stop)
    parent, short_lives, is_first = os.getpid(), 0, True
    while True:
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # a signal between look and fork would be lost
        if stopping:
            break
        born = time.monotonic()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = _child(parent, listener, media, recorder, places)
            except Exception:  # noqa: BLE001 - logged whole; the parent forks the next one
                _log.exception("the media process ends by a fault")
            finally:
                os._exit(status)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        if is_first:
            service.notify("READY=1")
            is_first = False
        status = _wait(child)
        child = 0
        if not stopping:
            _log.error("the media process ended (%s); the next one starts", status)
            short_lives = short_lives + 1 if time.monotonic() - born < SHORT_LIFE_SECONDS else 0
            if short_lives > 1:  # the first one may be an accident; callers wait
                time.sleep(min(FIRST_PAUSE_SECONDS * 2.0 ** min(short_lives - 2, 9), LONGEST_PAUSE_SECONDS))
    listener.close()
    places.media_socket.unlink(missing_ok=True)
    return 0


def _wait(child: int) -> int:
    while True:
        try:
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        except InterruptedError:
            continue


def _listener(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    listener.bind(str(path))
    path.chmod(0o660)
    listener.listen(4)
    return listener


def _child(
    parent: int,
    listener: socket.socket,
    media: Media,
    recorder: RecorderSettings,
    places: Places,
) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        return 1
    service.harden()
    library.mlockall(_MCL_CURRENT_AND_FUTURE)
    clock = SystemClock()
    loop = Loop(listener, media, Recorder(recorder, places.data, clock), (places.prompts, places.spoken), clock)
    for number in ENDING:
        signal.signal(number, loop.stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    if media.real_time:
        _hurry()
    gc.collect()
    gc.freeze()
    gc.disable()
    loop.run()
    return 0


def _hurry() -> None:
    """Real-time priority for this thread where it is allowed (LimitRTPRIO), else a little more than the others."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except PermissionError:
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, -10)
