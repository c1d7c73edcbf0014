"""The drill: a recording of three seconds is sealed as the box seals, and opened with the paper and the owner's key.

What it shows is that the words on the paper are the key that the box seals to, and that the owner's key and its
passphrase are at hand. The recording is made by the recorder itself out of the signed set, in a folder that is thrown
away; its sound is random, so nothing but a true opening gives it again.
"""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path

from appliance.clock import VirtualClock
from appliance.errors import Problem
from appliance.ids import uuid7
from appliance.recorder import custody, reading, signed
from appliance.recorder.keys import Identity
from appliance.recorder.live import LiveRecording, Recorder
from appliance.recorder.settings import Recorder as Settings
from appliance.recorder.signed import SignedDrill, SignedSet

SECONDS = 3
FRAMES_PER_SECOND = 50
FRAME_BYTES = 160  # 20 ms of G.711 at 8 kHz
CONSENT = "drill"


def run(known: SignedSet, owner: Identity, paper: Identity, now_utc_ms: int) -> SignedDrill:
    """The owner's word that both keys open. Problem where one of them is another one, or does not open."""
    for role, identity in (("owner", owner), ("recovery", paper)):
        fingerprint = identity.recipient().fingerprint
        wanted = [each.recipient.fingerprint for each in known.members if each.role == role]
        if fingerprint not in wanted:
            key = "ceremony.other_owner" if role == "owner" else "ceremony.other_paper"
            raise Problem(key, fingerprint=fingerprint, wanted=", ".join(wanted), version=known.version)
    with tempfile.TemporaryDirectory(prefix="pasokh-drill-") as scratch:
        base, said = record(Path(scratch), known, now_utc_ms)
        for identity in (paper, owner):
            if reading.open_recording(base, identity).stereo != said:
                raise Problem("recorder.damaged", recording=base.name, place="stereo")
    return signed.sign_drill(now_utc_ms, owner, paper)


def record(folder: Path, known: SignedSet, now_utc_ms: int) -> tuple[Path, bytes]:
    """A closed recording in ``folder``, sealed to ``known``; and its sound, both sides interleaved."""
    custody.install(folder, known.text)
    clock = VirtualClock(now_utc_ms)
    recorder = Recorder(Settings(segment_bytes=1 << 20, floor_bytes=0), folder, clock)
    name = uuid7(clock.utc_ms())
    live = recorder.start(name, CONSENT, "PCMU", CONSENT, 1, CONSENT, "{}", clock.monotonic())
    if not isinstance(live, LiveRecording):
        recorder.close(clock.monotonic())
        raise Problem(live)
    sides = bytearray(), bytearray()
    for frame in range(SECONDS * FRAMES_PER_SECOND):
        left, right = secrets.token_bytes(FRAME_BYTES), secrets.token_bytes(FRAME_BYTES)
        sides[0].extend(left)
        sides[1].extend(right)
        live.heard(frame * FRAME_BYTES, left, clock.monotonic())
        live.sent(frame * FRAME_BYTES, right, True, clock.monotonic())
        recorder.tick(clock.monotonic())
        clock.advance_to((frame + 1) / FRAMES_PER_SECOND)
    recorder.close(clock.monotonic())
    stereo = bytearray(2 * len(sides[0]))
    stereo[0::2], stereo[1::2] = sides
    return recorder.kept / name, bytes(stereo)
