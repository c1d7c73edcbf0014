"""From 20 ms speech bits to talk times: a machine that is fed frame by frame.

Raw bits of webrtcvad's mode 3 are right for shares of time (RECORDING.md, "VAD in numbers"): talk time is their sum.
Stretches (overtalk, dead air, "is speaking now") need smoothing: a pause below ``join_ms`` is part of the speech, a
stretch below ``least_ms`` is none.
"""

from __future__ import annotations

FRAME_MS = 20
OVERTALK_MS = 200  # both at once for so long is overtalk
DEAD_AIR_MS = 3_000  # neither for so long is dead air


class Speaker:
    """One direction: raw talk time, and whether it is speaking by the smoothed rule."""

    __slots__ = ("_join_frames", "_least_frames", "_silent", "_voiced", "is_speaking", "talk_ms")

    def __init__(self, join_ms: int, least_ms: int) -> None:
        self._join_frames = join_ms // FRAME_MS
        self._least_frames = least_ms // FRAME_MS
        self._voiced = 0
        self._silent = 0
        self.is_speaking = False
        self.talk_ms = 0

    def frame(self, is_speech: bool) -> bool:
        """Takes one frame; True where ``is_speaking`` changed."""
        if is_speech:
            self.talk_ms += FRAME_MS
            self._silent = 0
            self._voiced += 1
            if not self.is_speaking and self._voiced >= self._least_frames:
                self.is_speaking = True
                return True
            return False
        self._silent += 1
        if self._silent >= self._join_frames:
            self._voiced = 0
            if self.is_speaking:
                self.is_speaking = False
                return True
        return False

    def quiet(self, frames: int) -> None:
        """Takes so many frames without speech, of a side that is not speaking."""
        self._silent += frames
        if self._silent >= self._join_frames:
            self._voiced = 0


class Conversation:
    """Both directions together."""

    __slots__ = ("_both", "_neither", "dead_air_ms", "left", "overtalk_ms", "right")

    def __init__(self, join_ms: int = 300, least_ms: int = 100) -> None:
        self.left = Speaker(join_ms, least_ms)
        self.right = Speaker(join_ms, least_ms)
        self.overtalk_ms = 0
        self.dead_air_ms = 0
        self._both = 0
        self._neither = 0

    def frame(self, left: bool, right: bool, right_is_own: bool) -> bool:
        """One frame of both; our own prompts are no silence. True where the left speaker began or ended."""
        changed = self.left.frame(left)
        self.right.frame(right)
        if left and right:
            self._both += FRAME_MS
            if self._both == OVERTALK_MS:
                self.overtalk_ms += OVERTALK_MS
            elif self._both > OVERTALK_MS:
                self.overtalk_ms += FRAME_MS
        else:
            self._both = 0
        if left or right or right_is_own:
            self._neither = 0
        else:
            self._neither += FRAME_MS
            if self._neither == DEAD_AIR_MS:
                self.dead_air_ms += DEAD_AIR_MS
            elif self._neither > DEAD_AIR_MS:
                self.dead_air_ms += FRAME_MS
        return changed

    @property
    def is_quiet(self) -> bool:
        """Whether nobody is speaking by the smoothed rule."""
        return not (self.left.is_speaking or self.right.is_speaking)

    def quiet(self, frames: int, right_is_own: bool) -> None:
        """The same as ``frames`` frames without speech on either side, where nobody is speaking."""
        self.left.quiet(frames)
        self.right.quiet(frames)
        self._both = 0
        before, self._neither = self._neither, 0 if right_is_own else self._neither + frames * FRAME_MS
        if self._neither >= DEAD_AIR_MS:
            self.dead_air_ms += self._neither - (before if before >= DEAD_AIR_MS else 0)
