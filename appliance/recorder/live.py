"""Recordings while their calls last: what the media process's loop hands over, sealed half second by half second.

All methods are called from the RTP thread and must be cheap and flat: sound is placed as it comes (timeline.py), a
twentieth of the recordings is looked at for speech every 5 ms, and each half second all are sealed within 80 ms, just
before the journal commits them. Only the journal's writes run in threads.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from dataclasses import replace
from pathlib import Path

from appliance.clock import Clock
from appliance.errors import Problem
from appliance.recorder import custody, events, reading, recovery, seal
from appliance.recorder.custody import Custody
from appliance.recorder.disk import Disk
from appliance.recorder.events import RecorderEvent
from appliance.recorder.journal import Committed, Finished, Journal, WriteFailed
from appliance.recorder.keys import Recipient
from appliance.recorder.recording import LiveRecording
from appliance.recorder.settings import Recorder as Settings
from appliance.recorder.speech import Talk

__all__ = ["LiveRecording", "Recorder"]

SHARES_PER_SECOND = 200  # a share of the work for each 5 ms: a loop of 5 ms has it flatter than one of 20
SHARES_PER_LOOK = 20  # each recording is looked at for speech every 100 ms
SEAL_SHARES = 16  # all recordings are sealed within 80 ms before a commit
ENDS_PER_TICK = 4  # closing one costs up to 0.5 ms: its last 64 KiB are encrypted anew
SPACE_EVERY_SECONDS = 1.0
COMMITS_REMEMBERED = 400
CLOSE_PATIENCE_SECONDS = 10.0  # of an orderly end, for a disk that refuses
CLOSE_STEP_SECONDS = 0.005

_log = logging.getLogger(__name__)


class Recorder:
    """One per media process. ``folder`` is the box's data folder: live/, kept/, journal/, keys/recipients.txt."""

    def __init__(self, settings: Settings, folder: Path, clock: Clock, disk: Disk | None = None) -> None:
        self.settings = settings
        self.clock = clock
        self.live = folder / "live"
        self.kept = folder / "kept"
        for each in (self.live, self.kept, folder / "journal"):
            each.mkdir(parents=True, exist_ok=True)
        self.refusal = ""
        self._folder = folder
        self.custody = Custody()
        self._load_recipients()
        self._events: deque[RecorderEvent] = deque()
        self._recordings: dict[str, LiveRecording] = {}
        self._stopped: deque[LiveRecording] = deque()  # with sound that is not flushed
        self._ending: deque[tuple[int, LiveRecording]] = deque()  # flushed in this batch, not closed
        self._closing: dict[bytes, LiveRecording] = {}
        self._unstarted: list[tuple[int, LiveRecording]] = []
        self._commits: deque[float] = deque(maxlen=COMMITS_REMEMBERED)
        self._zero = clock.monotonic()
        self._shares = 0
        self._shares_per_commit = max(SEAL_SHARES + 1, round(settings.commit_seconds * SHARES_PER_SECOND))
        self._due: list[LiveRecording] = []
        self._look: list[LiveRecording] = []
        self._space_at = 0.0
        self._failure = ""
        self._is_recovery_needed = False
        self._must_retire = False
        dead = recovery.dirty_folders(folder / "journal")
        left = recovery.live_recordings(self.live)
        self.journal = Journal(
            recovery.fresh_folder(folder / "journal"),
            self.live,
            self.kept,
            settings.segment_bytes,
            clock.monotonic,
            disk,
        )
        self._recovery = threading.Thread(target=self._recover, args=(dead, left), name="recovery", daemon=True)
        self._recovery.start()
        self._watch_space(clock.monotonic())

    def start(
        self,
        recording: str,
        stream: str,
        law: str,
        conversation: str,
        part: int,
        consent: str,
        manifest: str,
        now: float,
        role: str = "customer",
    ) -> LiveRecording | str:
        """A new recording of the leg of a party of this ``role``, or the key of messages that says why not."""
        if not consent:
            return "recorder.no_consent"
        if self.refusal:
            return self.refusal
        about = {
            "version": 1,
            "recording": recording,
            "conversation": conversation,
            "part": part,
            "consent": consent,
            "law": law,
            "left": role,
            "right": f"sent to the {role}",
            "recipients": [recipient.fingerprint for recipient in self.recipients],
            "utc_ms": self.clock.utc_ms(),
            "monotonic_ms": int(now * 1000),
            "manifest": manifest,
        }
        live = LiveRecording(self, recording, stream, law, seal.canonical(about), now)
        self._recordings[recording] = live
        self._unstarted.append((self.journal.batch, live))
        return live

    def tick(self, now: float) -> None:
        """Every 20 ms at least, flatter every 5 ms: the shares of the work that are due by now."""
        due = round((now - self._zero) * SHARES_PER_SECOND)
        self._shares = max(self._shares, due - self._shares_per_commit)
        while self._shares < due:
            self._shares += 1
            self._share(now)
        if self._stopped or self._ending:
            self._end_some()
        if self._must_retire:
            self._must_retire = not self.journal.retire()
        if self.journal.notices:
            self._read_notices()
        if now >= self._space_at:
            self._watch_space(now)

    def take_events(self) -> list[RecorderEvent]:
        taken: list[RecorderEvent] = []
        while self._events:
            taken.append(self._events.popleft())
        return taken

    def forget(self, recordings: tuple[str, ...]) -> None:
        """These are erased: what is left of them in live/ and of any head in the journal goes."""
        self.journal.destroy(recordings)
        self._must_retire = True

    @property
    def recipients(self) -> tuple[Recipient, ...]:
        """Whom new recordings are sealed to, since the start of this process."""
        return self.custody.recipients

    @property
    def open_recordings(self) -> int:
        return len(self._recordings)

    @property
    def commit_p99_ms(self) -> float:
        """Of the last commits; above 150 the promise of one second is in danger."""
        ordered = sorted(self._commits)
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1000, 1) if ordered else 0.0

    def close(self, now: float) -> None:
        """The orderly end of the process: everything is sealed, durable and kept."""
        for live in list(self._recordings.values()):
            live.stop(now)
        waited = 0.0
        while (self._stopped or self._ending) and waited < CLOSE_PATIENCE_SECONDS:
            before = len(self._stopped), len(self._ending)
            self._end_some()
            self.journal.hand_over()
            self._read_notices()
            if before == (len(self._stopped), len(self._ending)):
                threading.Event().wait(CLOSE_STEP_SECONDS)
                waited += CLOSE_STEP_SECONDS
        self.journal.close(CLOSE_PATIENCE_SECONDS)
        self._read_notices()
        self._recovery.join()

    # What a LiveRecording tells -------------------------------------------------------------------------------------

    def tell(self, event: RecorderEvent) -> None:
        self._events.append(event)

    def stopped(self, live: LiveRecording) -> None:
        """It takes no more sound; its end is written when it is its turn and there is room."""
        if self._recordings.pop(live.recording, None) is not None:
            self._stopped.append(live)

    def why_congested(self) -> str:
        return self._failure or "overflow"

    # Inside ---------------------------------------------------------------------------------------------------------

    def _share(self, now: float) -> None:
        phase = self._shares % self._shares_per_commit
        if self._shares % SHARES_PER_LOOK == 0:
            self._look = list(self._recordings.values())
        self._look_at(self._shares % SHARES_PER_LOOK, now)
        sealing = phase - (self._shares_per_commit - SEAL_SHARES)
        if sealing == 0:
            self._due = list(self._recordings.values())
        if sealing >= 0:
            self._seal(sealing, now)
        if phase == self._shares_per_commit - 1:
            self.journal.hand_over()

    def _look_at(self, share: int, now: float) -> None:
        until = now - self.settings.hold_seconds
        for live in self._look[share::SHARES_PER_LOOK]:
            if not live.is_stopped:
                live.settle(until)

    def _seal(self, share: int, now: float) -> None:
        until = now - self.settings.hold_seconds
        for live in self._due[share::SEAL_SHARES]:
            if live.is_stopped:
                continue
            live.settle(until)
            if self.journal.is_congested:
                live.drop_excess()
            else:
                live.flush()

    def _end_some(self) -> None:
        """First the last sound is flushed; when the files hold it, the last chunk is written anew, with the end."""
        for _ in range(min(ENDS_PER_TICK, len(self._stopped))):
            if self.journal.is_congested:
                return
            live = self._stopped.popleft()
            live.flush()
            self._ending.append((self.journal.fill_files(), live))
        for _ in range(min(ENDS_PER_TICK, len(self._ending))):
            if self._ending[0][0] > self.journal.files_hold or self.journal.is_congested:
                return
            self._end(self._ending.popleft()[1])

    def _end(self, live: LiveRecording) -> None:
        self._closing[live.id] = live
        try:
            is_closed = live.end()
        except OSError as error:
            _log.error("recording %s is closed at the next start: %s", live.recording, error)
            live.forget()
            is_closed = False
        if not is_closed:
            self._is_recovery_needed = True
            del self._closing[live.id]

    def _read_notices(self) -> None:
        while self.journal.notices:
            match self.journal.notices.popleft():
                case Committed(number, seconds):
                    self.journal.settled()
                    self._commits.append(seconds)
                    if not self.journal.is_refused:
                        self._failure = ""
                    self._tell_started(number)
                case Finished(recording):
                    live = self._closing.pop(recording, None)
                    if live is not None:
                        self._events.append(live.sealed(str(self.kept)))
                case WriteFailed(reason):
                    self._failure = "no_space" if reason in ("ENOSPC", "EDQUOT") else "write_failed"

    def _tell_started(self, number: int) -> None:
        durable = [live for batch, live in self._unstarted if batch <= number]
        if durable:
            self._unstarted = [(batch, live) for batch, live in self._unstarted if batch > number]
            for live in durable:
                self._events.append(events.Started(live.recording, live.stream, live.began_ms))

    def _load_recipients(self) -> None:
        try:
            self.custody = custody.load(self._folder)
        except Problem as problem:
            _log.error("recipients not usable: %s", problem)
            is_strange = problem.key == "recorder.not_the_owners"
            self._no_key = problem.key if is_strange else "recorder.bad_owner_key"
        else:
            self._no_key = self._why_not_yet()
        self.refusal = self._no_key

    def _look_for_drill(self) -> None:
        """The first drill counts at once; everything else of custody from the next start on (parsing takes long)."""
        assert self.custody.signed is not None
        drill = custody.drill_for(self._folder, self.custody.signed)
        if drill is not None:
            self.custody = replace(self.custody, drill=drill)
            self._no_key = ""

    def _why_not_yet(self) -> str:
        if not self.recipients:
            return "recorder.no_owner_key"
        if self.settings.drill != "required" or self.custody.drill is not None:
            return ""
        return "recorder.no_drill" if self.custody.signed else "recorder.not_signed"

    def _watch_space(self, now: float) -> None:
        """New recordings are refused below the floor; those under way go on as long as they can."""
        self._space_at = now + SPACE_EVERY_SECONDS
        if self._no_key == "recorder.no_drill":
            self._look_for_drill()
        space = os.statvfs(self.live)
        is_low = space.f_bavail * space.f_frsize < self.settings.floor_bytes
        if is_low or self._failure == "no_space":
            self.refusal = self._no_key or "recorder.no_space"
        else:
            is_failing = self._failure or self._is_recovery_needed
            self.refusal = self._no_key or ("recorder.write_failed" if is_failing else "")

    def _recover(self, folders: list[Path], recordings: list[bytes]) -> None:
        """In a thread of its own: calls go on meanwhile."""
        try:
            for found in recovery.run(folders, self.live, self.kept, recordings):
                self._events.append(self._recovered(found))
        except OSError as error:
            _log.error("recordings of the last run wait for the next start: %s", error)
            self._is_recovery_needed = True

    def _recovered(self, found: recovery.Recovered) -> events.Sealed:
        """Talk times are in the owner's hands: the box cannot read them any more."""
        return events.Sealed(
            recording=found.recording.hex(),
            state=found.state,
            folder=str(self.kept),
            body_bytes=found.body_bytes,
            body_sha256=found.body_sha256,
            seal_sha256=found.seal_sha256,
            milliseconds=reading.milliseconds_of(found.body_bytes, found.state == "sealed"),
            filled_milliseconds=0,
            missing_milliseconds=0,
            talk=Talk(),
        )
