"""From 20 ms speech bits to talk times: a machine that is fed frame by frame.

Raw bits of webrtcvad's mode 3 are right for shares of time (RECORDING.md, "VAD in numbers"): talk time is their sum.
Stretches ("is speaking now", replies) need smoothing: a pause below ``join_ms`` is part of the speech, a stretch below
``least_ms`` is none. The figures (FIGURES.md, "talk behaviour"), all of the call as it was heard:

- overtalk: both at once, for ``OVERTALK_MS`` or longer. An interruption is the beginning of one; it is counted to the
  side that began to speak later, once for each time that side speaks.
- silence: neither speaks, and none of our prompts or music is sent. Dead air is silence of ``DEAD_AIR_MS`` or longer.
- reply: we begin to speak after the customer has ended, with nothing of ours in between. Its delay is the time from
  the last frame of the one to the first of the other.

What a newcomer gets wrong: these figures cannot be taken later. The box cannot open what it has recorded.
"""

from __future__ import annotations

from dataclasses import dataclass

FRAME_MS = 20
OVERTALK_MS = 200  # both at once for so long is overtalk
DEAD_AIR_MS = 3_000  # neither for so long is dead air


class Speaker:
    """One direction: raw talk time, and whether it is speaking by the smoothed rule. Places count in frames."""

    __slots__ = (
        "_interrupted_in", "_join_frames", "_least_frames", "_silent", "_voiced", "began", "ended", "frames",
        "interruptions", "is_speaking", "talk_ms",
    )  # fmt: skip

    def __init__(self, join_ms: int, least_ms: int) -> None:
        self._join_frames = join_ms // FRAME_MS
        self._least_frames = least_ms // FRAME_MS
        self._voiced = 0
        self._silent = 0
        self._interrupted_in = -1  # the stretch (by its beginning) that was an interruption already
        self.is_speaking = False
        self.talk_ms = 0
        self.frames = 0  # taken so far
        self.began = 0  # the first frame of the stretch that is going on, or of the last one
        self.ended = 0  # the frame after the last stretch that is over
        self.interruptions = 0

    def frame(self, is_speech: bool) -> bool:
        """Takes one frame; True where ``is_speaking`` changed."""
        self.frames += 1
        if is_speech:
            self.talk_ms += FRAME_MS
            self._silent = 0
            self._voiced += 1
            if self._voiced == 1:
                self.began = self.frames - 1
            if not self.is_speaking and self._voiced >= self._least_frames:
                self.is_speaking = True
                return True
            return False
        self._silent += 1
        if self._silent >= self._join_frames:
            self._voiced = 0
            if self.is_speaking:
                self.is_speaking = False
                self.ended = self.frames - self._silent
                return True
        return False

    def quiet(self, frames: int) -> None:
        """Takes so many frames without speech, of a side that is not speaking."""
        self.frames += frames
        self._silent += frames
        if self._silent >= self._join_frames:
            self._voiced = 0

    @property
    def last_word(self) -> int:
        """The frame after the last one that was speech by the smoothed rule; 0 where there was none."""
        return self.frames - self._silent if self.is_speaking else self.ended

    def interrupted(self) -> None:
        """This side has spoken into the other's words; once for each of its stretches."""
        if self._interrupted_in != self.began:
            self._interrupted_in = self.began
            self.interruptions += 1


@dataclass(frozen=True, slots=True)
class Talk:
    """Who spoke how, in one recording. Left is the customer, right what was sent to the customer, without prompts.

    ``replies`` are ours to the customer, ``reply_ms`` the sum of their delays.
    """

    left_talk_ms: int = 0
    right_talk_ms: int = 0
    overtalk_ms: int = 0
    dead_air_ms: int = 0
    longest_silence_ms: int = 0
    left_interruptions: int = 0
    right_interruptions: int = 0
    replies: int = 0
    reply_ms: int = 0

    @property
    def right_share(self) -> float:
        """Our share of all talk, 0 to 1; 0 where nobody spoke."""
        talk = self.left_talk_ms + self.right_talk_ms
        return self.right_talk_ms / talk if talk else 0.0


class Conversation:
    """Both directions together."""

    __slots__ = (
        "_both", "_early", "_neither", "_own_at", "dead_air_ms", "left", "longest_silence_ms", "overtalk_ms", "replies",
        "reply_ms", "right",
    )  # fmt: skip

    def __init__(self, join_ms: int = 300, least_ms: int = 100) -> None:
        self.left = Speaker(join_ms, least_ms)
        self.right = Speaker(join_ms, least_ms)
        self.overtalk_ms = 0
        self.dead_air_ms = 0
        self.longest_silence_ms = 0
        self.replies = 0
        self.reply_ms = 0
        self._both = 0
        self._neither = 0
        self._early: tuple[int, int] | None = None  # what may be a reply: their last word, our first
        self._own_at = 0  # the frame after the last one in which a prompt of ours was sent

    def frame(self, left: bool, right: bool, right_is_own: bool) -> bool:
        """One frame of both; our own prompts are no silence. True where the left speaker began or ended."""
        changed = self.left.frame(left)
        if changed and not self.left.is_speaking:
            self._asked()
        if self.right.frame(right) and self.right.is_speaking:
            self._answered()
        if right_is_own:
            self._own_at = self.left.frames
        if left and right:
            self._both += FRAME_MS
            if self._both == OVERTALK_MS:
                self.overtalk_ms += OVERTALK_MS
                self._interrupted()
            elif self._both > OVERTALK_MS:
                self.overtalk_ms += FRAME_MS
        else:
            self._both = 0
        if left or right or right_is_own:
            self._neither = 0
        else:
            self._silent(FRAME_MS)
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
        if right_is_own:
            self._own_at = self.left.frames
            self._neither = 0
        else:
            self._silent(frames * FRAME_MS)

    @property
    def talk(self) -> Talk:
        """The figures up to now."""
        return Talk(
            left_talk_ms=self.left.talk_ms,
            right_talk_ms=self.right.talk_ms,
            overtalk_ms=self.overtalk_ms,
            dead_air_ms=self.dead_air_ms,
            longest_silence_ms=self.longest_silence_ms,
            left_interruptions=self.left.interruptions,
            right_interruptions=self.right.interruptions,
            replies=self.replies,
            reply_ms=self.reply_ms,
        )

    def _silent(self, milliseconds: int) -> None:
        before, self._neither = self._neither, self._neither + milliseconds
        if self._neither > self.longest_silence_ms:
            self.longest_silence_ms = self._neither
        if self._neither >= DEAD_AIR_MS:
            self.dead_air_ms += self._neither - (before if before >= DEAD_AIR_MS else 0)

    def _interrupted(self) -> None:
        """Both have spoken at once for long enough: whoever began later interrupts; of two at once nobody does."""
        if self.left.began > self.right.began:
            self.left.interrupted()
        elif self.right.began > self.left.began:
            self.right.interrupted()

    def _answered(self) -> None:
        """We have begun to speak: a reply, where the customer's words were the last that were heard."""
        asked, began = self.left.last_word, self.right.began
        if not 0 < asked <= began or max(self.right.ended, self._own_at) > asked:
            return
        if self.left.is_speaking:
            self._early = asked, began
        else:
            self._replied(asked, began)

    def _asked(self) -> None:
        """The customer has ended for good: what we began to say meanwhile was a reply, unless they had gone on."""
        if self._early is not None and self._early[0] == self.left.ended:
            self._replied(*self._early)
        self._early = None

    def _replied(self, asked: int, began: int) -> None:
        self.replies += 1
        self.reply_ms += (began - asked) * FRAME_MS
