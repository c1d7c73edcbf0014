"""What the calls process says to a media process and hears from it: one msgpack datagram each.

A *stream* is the voice of one leg and bears the leg's id. Commands are idempotent: a command that is already true does
nothing, one for a stream that is not there is dropped. Times on this socket are monotonic milliseconds of the machine
(``CLOCK_MONOTONIC`` is one clock for all its processes).

The state of every stream is known to calls (client.py keeps it), so a media process that dies gets its streams back on
the same ports: ``Hello`` names a process that was just born, and everything is sent again.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

Stream = str
Mode = Literal["listen", "whisper", "join"]
VERSION = 1
MAX_MESSAGE_BYTES = 65_536


class _Message(msgspec.Struct, frozen=True, tag=True, array_like=True, forbid_unknown_fields=True):
    """One datagram; the tag is the class's name."""


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """A stretch of a prompt file: headerless G.711 mu-law or A-law at 8 kHz; ``length`` 0 is up to the end.

    ``path`` is without its ending: the engine takes ``path.ulaw`` or ``path.alaw`` as the stream needs.
    """

    path: str
    start: int = 0
    length: int = 0


# Commands -------------------------------------------------------------------------------------------------------------


class Open(_Message, frozen=True):
    """Binds a port (``port`` 0: any even one of the range) on ``address``; answered by Opened or OpenFailed."""

    stream: Stream
    address: str
    port: int = 0


class SetRemote(_Message, frozen=True):
    """Where to send and what; opens the learning window of the source rule unless ``learned`` gives the source.

    ``sources`` are networks (CIDR) from which audio may come beside ``address``; empty means ``address`` only, or with
    ``is_behind_nat`` the first that sends three valid packets within 2 s.
    """

    stream: Stream
    address: str
    port: int
    law: str  # PCMU or PCMA
    send_payload_type: int
    receive_payload_type: int
    send_event_payload_type: int | None
    receive_event_payload_type: int | None
    sends: bool
    receives: bool
    is_behind_nat: bool = True
    sources: tuple[str, ...] = ()
    learned: tuple[str, int] | None = None


class Play(_Message, frozen=True):
    """Replaces whatever the stream plays; ``play`` numbers it and comes back in PlayEnded.

    ``is_speech`` False (music, ring-back) is recorded as silence with a mark; prompts are recorded as they are. Neither
    is ever marked as speech of our side. ``skip`` bytes of the whole are passed over: they were played before a crash.
    """

    stream: Stream
    play: int
    pieces: tuple[Piece, ...]
    loops: bool = False
    is_speech: bool = True
    skip: int = 0


class Stop(_Message, frozen=True):
    """Ends play ``play`` (any for 0); answered by PlayEnded with ``is_whole`` False if it was playing."""

    stream: Stream
    play: int = 0


class SendDigits(_Message, frozen=True):
    """RFC 4733 events outward, ``milliseconds`` each, 100 ms between."""

    stream: Stream
    digits: str
    milliseconds: int = 100


class Bridge(_Message, frozen=True):
    """Each of the two hears the other from now on; ends what they play; digits pass.

    Those of the stream ``holds`` do not: its keys are told, and whoever owns it decides what they are for.
    """

    left: Stream
    right: Stream
    holds: Stream = ""


class Unbridge(_Message, frozen=True):
    """Ends the stream's bridge, or its Supervise."""

    stream: Stream


class Supervise(_Message, frozen=True):
    """``stream`` hears both of a bridge and is heard by nobody (listen), by ``agent`` (whisper), or by both (join).

    It is so whenever ``customer`` and ``agent`` are joined with each other; while they are not, ``stream`` hears
    silence and is heard by nobody. A beep goes to each of ``told`` (of the three) when it first is so. Replaces an
    earlier Supervise of the stream; ended by Unbridge, Play or Close of it. A customer has one supervisor: the last.
    """

    stream: Stream
    customer: Stream
    agent: Stream
    mode: Mode
    told: tuple[Stream, ...] = ()


class StartRecording(_Message, frozen=True):
    """Records ``stream``: left what comes from it, right what is sent to it; ``role`` says whose it is.

    ``manifest`` is canonical JSON for the seal's START record; ``part`` counts from 1. Answered by RecordingStarted or
    RecordingRefused. Needs a ``consent`` id: without one media refuses.
    """

    stream: Stream
    recording: str
    conversation: str
    part: int
    consent: str
    manifest: str
    role: str = "customer"


class StopRecording(_Message, frozen=True):
    recording: str


class MarkRecording(_Message, frozen=True):
    """A mark in the timeline: hold, resume, transfer, gap, ...; ``detail`` holds no digits and no numbers."""

    recording: str
    kind: str
    detail: str = ""


class Mask(_Message, frozen=True):
    """What comes from this stream is a secret: recorded as silence until it is no more, and a second longer."""

    stream: Stream
    is_on: bool


class Pause(_Message, frozen=True):
    """Nothing of this stream is recorded: silence stands both ways, from the next packet on until it is no more.

    What is heard, relayed and told is the same as without it; a Mask holds beside it.
    """

    stream: Stream
    is_on: bool


class Listen(_Message, frozen=True):
    """What comes from this stream is handed to calls as ``Heard``, about a second at a time: a prompt is spoken.

    It ends by itself after ``most_seconds``.
    """

    stream: Stream
    is_on: bool
    most_seconds: int = 120


class Attend(_Message, frozen=True):
    """What comes from this stream is searched for these tones (``cadence.tone_of``); none ends it.

    Each command begins anew. Found are told as ToneHeard, the first other sound as SoundHeard.
    """

    stream: Stream
    tones: tuple[str, ...]


class Forget(_Message, frozen=True):
    """These recordings are erased: nothing of them stays in ``live/`` or in the journal."""

    recordings: tuple[str, ...]


class Close(_Message, frozen=True):
    """Ends a stream, its recordings and its bridge; the last Statistics and Closed follow."""

    stream: Stream


class Keep(_Message, frozen=True):
    """The streams that calls knows; all others are closed with cause ``orphan``. Sent after a reconnect."""

    streams: tuple[Stream, ...]


Command = (
    Open
    | SetRemote
    | Play
    | Stop
    | SendDigits
    | Bridge
    | Unbridge
    | Supervise
    | StartRecording
    | StopRecording
    | MarkRecording
    | Mask
    | Pause
    | Listen
    | Attend
    | Forget
    | Close
    | Keep
)


# Events ---------------------------------------------------------------------------------------------------------------


class Sealing(msgspec.Struct, frozen=True, array_like=True):
    """Whom recordings are sealed to: fingerprints, or ``role name fingerprint`` where the owner signed them.

    ``version`` is 0 for a plain list; ``signed_by`` and ``signers`` are public signing keys in hex.
    """

    members: tuple[str, ...] = ()
    version: int = 0
    signed_by: str = ""
    signers: tuple[str, ...] = ()


class Hello(_Message, frozen=True):
    """The first message on every connection. ``birth`` is new with each process."""

    version: int
    birth: str
    can_record: bool
    refusal: str  # key of messages when it cannot
    streams: tuple[Stream, ...]
    max_streams: int
    sealing: Sealing = Sealing()


class Opened(_Message, frozen=True):
    stream: Stream
    port: int


class OpenFailed(_Message, frozen=True):
    stream: Stream
    reason: str


class Closed(_Message, frozen=True):
    stream: Stream
    cause: str  # asked, orphan


class PlayEnded(_Message, frozen=True):
    stream: Stream
    play: int
    is_whole: bool


class DigitHeard(_Message, frozen=True):
    stream: Stream
    digit: str
    milliseconds: int
    at_ms: int


class Heard(_Message, frozen=True):
    """Sound of a stream that is listened to, as it came (G.711); ``is_last`` after the end of listening."""

    stream: Stream
    law: str
    sound: bytes
    is_last: bool


class ToneHeard(_Message, frozen=True):
    """The exchange plays a tone on a stream that is attended: ``busy`` or ``congestion``, which ends the Attend.

    ``ringing`` (ring-back behind an answer) is told once and ends nothing.
    """

    stream: Stream
    tone: str
    at_ms: int


class SoundHeard(_Message, frozen=True):
    """A sound that is none of the tones came on a stream that is attended; the first one only."""

    stream: Stream
    at_ms: int


class MediaStarted(_Message, frozen=True):
    """The source is locked: this is where audio comes from and goes to."""

    stream: Stream
    address: str
    port: int
    at_ms: int


class MediaSilent(_Message, frozen=True):
    """No packet for ``seconds`` on a stream that had sent; once at 5 s and once at 20 s."""

    stream: Stream
    seconds: int


class SpeechStarted(_Message, frozen=True):
    stream: Stream
    at_ms: int


class SpeechEnded(_Message, frozen=True):
    stream: Stream
    at_ms: int


class RecordingStarted(_Message, frozen=True):
    recording: str
    stream: Stream
    at_ms: int


class RecordingRefused(_Message, frozen=True):
    """``reason`` is a key of messages: no owner's key, no consent, no space, too slow a card."""

    recording: str
    stream: Stream
    reason: str


class RecordingGap(_Message, frozen=True):
    """Seconds that are missing, and why (``no_space``, ``overflow``, ``write_failed``)."""

    recording: str
    reason: str
    milliseconds: int


class RecordingSealed(_Message, frozen=True):
    """Closed for good and durable (or, ``state`` ``recovered``, cut to its last sealed half second after a crash).

    Digests are hex SHA-256; ``folder`` is where the three files lie. What follows ``missing_milliseconds`` are the
    figures of recorder.speech.Talk; of a recovered recording nobody knows them.
    """

    recording: str
    state: str  # sealed, recovered, empty
    folder: str
    body_bytes: int
    body_sha256: str
    seal_sha256: str
    milliseconds: int
    filled_milliseconds: int
    missing_milliseconds: int
    left_talk_ms: int
    right_talk_ms: int
    overtalk_ms: int
    dead_air_ms: int
    longest_silence_ms: int = 0
    left_interruptions: int = 0
    right_interruptions: int = 0
    replies: int = 0
    reply_ms: int = 0


class Statistics(_Message, frozen=True):
    """Per stream every 5 s and (``is_final``) once at the end. Loss and late in packets, MOS of what we receive."""

    stream: Stream
    is_final: bool
    received: int
    sent: int
    lost: int
    late: int
    duplicated: int
    refused: int  # from a source that was not the negotiated one, or not RTP
    jitter_ms: float
    round_trip_ms: float
    mos: float
    r_factor: float
    remote_lost_share: float
    remote_mos: float


class Load(_Message, frozen=True):
    """Once a second. ``share`` of the tick used (1.0 = full); ``accepts`` False asks calls to refuse new calls."""

    share: float
    late_ticks: int
    skipped_frames: int
    streams: int
    recordings: int
    accepts: bool
    commit_p99_ms: float
    bad_packets: int


Event = (
    Hello
    | Opened
    | OpenFailed
    | Closed
    | PlayEnded
    | DigitHeard
    | Heard
    | ToneHeard
    | SoundHeard
    | MediaStarted
    | MediaSilent
    | SpeechStarted
    | SpeechEnded
    | RecordingStarted
    | RecordingRefused
    | RecordingGap
    | RecordingSealed
    | Statistics
    | Load
)


# What calls sees beside the events above: told by client.py, which keeps the state of every stream.


class MediaLost(_Message, frozen=True):
    """The media process is gone; its streams will come back by themselves."""

    streams: tuple[Stream, ...]


class MediaBack(_Message, frozen=True):
    """The streams run again on their old ports; ``gap_ms`` of audio are missing."""

    streams: tuple[Stream, ...]
    gap_ms: int


class RecordingContinued(_Message, frozen=True):
    """A recording that a crash cut goes on as the next part under a new id."""

    recording: str
    follows: str
    part: int
    gap_ms: int


ClientEvent = Event | MediaLost | MediaBack | RecordingContinued


class Mouth(Protocol):
    """One implementation of the port as calls sees it: client.MediaClient, or loopback.LoopbackMedia without sound.

    Commands are taken at once and never answered by return; events are appended to the owner's inbox by the ``deliver``
    function that the implementation was made with.
    """

    def submit(self, command: Command) -> None: ...

    def accepts(self) -> bool:
        """Whether a new call may be taken: connected, below its limit, and not overloaded."""
        ...
