"""Events as a real call makes them, for the tests of this room."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from appliance.records import ledger
from appliance.records.events import (
    AgentEntered,
    AgentLeft,
    AgentSeated,
    AttendanceGap,
    BackupDrilled,
    BackupFailed,
    BackupMade,
    BoxRestored,
    CallCameBack,
    CallForwarded,
    ConsentGiven,
    ConsentKept,
    ConversationClosed,
    ConversationErased,
    ConversationOpened,
    DialRefused,
    DigitTaken,
    FlowPublished,
    Happened,
    Identified,
    LanguageChosen,
    LegAnswered,
    LegEnded,
    LegOpened,
    LookedUp,
    MediaInterrupted,
    MessageTaken,
    NodeEntered,
    NoticeDelivered,
    NoticeEnded,
    NoticePlanned,
    NoticeTried,
    Outcome,
    PhoneTurned,
    PinLocked,
    PinRefused,
    PinSet,
    PinUnlocked,
    QueueJoined,
    RecordClosed,
    RecordingDeleted,
    RecordingExpired,
    RecordingExported,
    RecordingGap,
    RecordingHeld,
    RecordingOpened,
    RecordingPaused,
    RecordingRefused,
    RecordingReleased,
    RecordingSealed,
    RecordingTaken,
    RecordingVerified,
    RequestMoved,
    RequestOpened,
    ServiceLost,
    ServiceStarted,
    SettingsTaken,
    SignedIn,
    State,
    StateEntered,
    Supervised,
    SurveyAnswered,
    SwitchTurned,
    TransferBriefed,
    TrunkTurned,
    WrapUpGiven,
    WrapUpMissed,
)

KEY = bytes(range(32))


def opened(c: str, customer: str = "+989121234567") -> ConversationOpened:
    return ConversationOpened(
        c, "in", "office", "main", "02188123456", customer, "09121234567", "علی", False, "welcome", "ab" * 32, "fa"
    )


def sealed(c: str, r: str, state: str = "sealed") -> RecordingSealed:
    return RecordingSealed(c, r, state, 880_000, "ab" * 32, "cd" * 32, 55_010, 0, 20_000, 22_000, 300, 1_500)


def asked(c: str, request: str, number: int, what: str = "callback", due: int = 0) -> RequestOpened:
    code = ledger.code_of(number)
    return RequestOpened(
        c, f"{c}-{request}", number, code, what, "+989121234567", "fa", "sales", due, "about a price", 9_000
    )


def noticed(c: str, notice: str, about: str, not_before: int) -> NoticePlanned:
    return NoticePlanned(c, f"{c}-{notice}", "callback", "sms", about, "4567", "fa", not_before)


def ended(c: str, notice: str, outcome: str, reference: str) -> NoticeEnded:
    return NoticeEnded(c, f"{c}-{notice}", "callback", "sms", "4567", outcome, "", 1, reference)


def a_call(c: str = "c1") -> list[list[Happened]]:
    """A customer who presses 1, is connected to an agent and recorded; each list is one moment."""
    a, b, r = f"{c}-customer", f"{c}-agent", f"{c}-recording"
    return [
        [
            opened(c),
            LegOpened(c, a, "customer", "+989121234567", "main", 0),
            LegAnswered(c, a, "PCMA", 20),
            StateEntered(c, State.MENU, 20),
            NodeEntered(c, "notice", "notice", 20),
        ],
        [ConsentGiven(c, f"{c}-consent", "notice", "notice", 5_000), RecordingOpened(c, r, 1, f"{c}-consent", 5_000)],
        [
            NodeEntered(c, "menu", "menu", 5_000),
            DigitTaken(c, "menu", "1", 7_000),
            NodeEntered(c, "ring", "call", 7_000),
            StateEntered(c, State.WAITING, 7_000),
            LegOpened(c, b, "agent", "first", "desk1", 7_010),
        ],
        [LegAnswered(c, b, "PCMA", 9_000), StateEntered(c, State.TALKING, 9_000)],
        [
            LegEnded(c, b, "hung_up", 200, 60_000, 43, 1),
            LegEnded(c, a, "ended_here", 200, 60_010, 41, 0),
            ConversationClosed(c, Outcome.SERVED, "", "first", 60_010),
        ],
        [sealed(c, r), RecordClosed(c), RecordingVerified(r, "verified", "")],
    ]


def whole_call(c: str = "c1") -> list[Happened]:
    return [happened for moment in a_call(c) for happened in moment]


_ids = st.sampled_from(["c1", "c2", "c3"])
_recordings = st.sampled_from(["r1", "r2", "r3"])
_legs = st.sampled_from(["l1", "l2", "l3", "l4"])
_agents = st.sampled_from(["first", "second"])
_offsets = st.integers(0, 100_000)
_words = st.text(max_size=6)
_small = st.integers(0, 1_000)


def owned(happened: Happened) -> Happened:
    """With ids of legs and recordings that belong to one conversation only, as theirs do who are made by UUIDv7."""
    if isinstance(happened, LegOpened | LegAnswered | LegEnded):
        return replace(happened, leg=f"{happened.conversation}-{happened.leg}")
    if isinstance(happened, RecordingHeld | RecordingReleased):
        return replace(happened, hold=f"{happened.conversation}-{happened.hold}")
    if isinstance(
        happened,
        RecordingOpened | RecordingRefused | RecordingGap | RecordingSealed | RecordingExpired | RecordingDeleted,
    ):
        return replace(
            happened, recording=f"{happened.conversation}-{happened.recording}" if happened.recording else ""
        )
    return happened


any_event: st.SearchStrategy[Happened] = st.one_of(
    st.builds(opened, _ids, _words),
    st.builds(StateEntered, _ids, st.sampled_from(State), _offsets),
    st.builds(QueueJoined, _ids, _words, _offsets),
    st.builds(NodeEntered, _ids, _words, _words, _offsets),
    st.builds(RecordingHeld, _legs, _ids | st.just(""), _words, _words, _words),
    st.builds(RecordingReleased, _legs, _ids | st.just(""), _words, _words),
    st.builds(RecordingExpired, _ids, _recordings, _small),
    st.builds(RecordingDeleted, _ids, _recordings, st.sampled_from(["expired", "erased"])),
    st.builds(DigitTaken, _ids, _words, st.sampled_from("0123456789*#"), _offsets),
    st.builds(LanguageChosen, _ids, st.sampled_from(["fa", "en"]), _offsets),
    st.builds(LegOpened, _ids, _legs, st.sampled_from(["customer", "agent"]), _words, _words, _offsets),
    st.builds(LegAnswered, _ids, _legs, _words, _offsets),
    st.builds(LegEnded, _ids, _legs, _words, _small, _offsets, st.none() | _small, st.none() | _small),
    st.builds(MediaInterrupted, _ids, _small, _offsets),
    st.builds(Supervised, _ids, _words, _words, _legs, _words, _words, _words, _recordings, _offsets),
    st.builds(ConsentKept, _ids, _words, st.sampled_from(["notice", "asked"]), _ids, _offsets),
    st.builds(RecordingPaused, _ids, _words, st.sampled_from(["paused", "resumed"]), _words, _offsets),
    st.builds(ConsentGiven, _ids, _words, st.sampled_from(["notice", "none_needed"]), _words, _offsets),
    st.builds(RecordingOpened, _ids, _recordings, _small, _words, _offsets),
    st.builds(RecordingRefused, _ids, _recordings | st.just(""), _words, _offsets),
    st.builds(RecordingGap, _ids, _recordings, _words, _small),
    st.builds(sealed, _ids, _recordings, st.sampled_from(["sealed", "recovered", "empty", "lost"])),
    st.builds(
        lambda conversation, recording, *rest: RecordingVerified(f"{conversation}-{recording}", *rest),
        _ids,
        _recordings,
        st.sampled_from(["verified", "damaged"]),
        _words,
    ),
    st.builds(RecordingExported, _ids, _recordings, _words, st.just("wav"), _words),
    st.builds(RecordingTaken, _ids, _recordings, _words, st.just("play"), _words),
    st.builds(ConversationClosed, _ids, st.sampled_from(Outcome), _words, _words, _offsets),
    st.builds(RecordClosed, _ids),
    st.builds(TrunkTurned, _words, _words, _small),
    st.builds(PhoneTurned, _words, st.booleans()),
    st.builds(SettingsTaken, _words),
    st.builds(CallCameBack, _ids, _words, _words, _words, _words, _offsets),
    st.builds(CallForwarded, _ids, _words, _words, _offsets),
    st.builds(ServiceStarted, _words, _words, _words, _small),
    st.builds(ServiceLost, _words, _words),
    st.builds(SignedIn, _words, _words, _words),
    st.builds(asked, _ids, _recordings, _small),
    st.builds(
        lambda c, request, *rest: RequestMoved(f"{c}-{request}", *rest), _ids, _recordings, _words, _words, _words
    ),
    st.builds(SurveyAnswered, _ids, st.sampled_from(["csat", "nps"]), st.integers(0, 10), _words, _offsets),
    st.builds(Identified, _ids, st.just("pin"), st.booleans(), _words, _offsets),
    st.builds(MessageTaken, _ids, st.just("message"), _words, _offsets, _offsets),
    st.builds(DialRefused, _ids, _words, _words, _words, _words, _words, _offsets),
    st.builds(LookedUp, _ids, _words, _words, st.booleans(), _words, _small, _offsets),
    st.builds(FlowPublished, _words, _words, _words, _words),
    st.builds(SwitchTurned, _words, _words, _words),
    st.builds(noticed, _ids, _recordings, _words, _small),
    st.builds(lambda c, notice: NoticeTried(c, f"{c}-{notice}"), _ids, _recordings),
    st.builds(ended, _ids, _recordings, st.sampled_from(["sent", "later", "unknown"]), _words),
    st.builds(lambda c, notice, *rest: NoticeDelivered(c, f"{c}-{notice}", *rest), _ids, _recordings, _words),
    st.builds(WrapUpGiven, _ids, _agents, _words, _words, st.sampled_from(["", "yes", "no"]), _words, _offsets),
    st.builds(WrapUpMissed, _ids, _agents, _words, _words, st.sampled_from(["", "yes", "no"]), _words, _offsets),
    st.builds(AgentSeated, _agents, _words),
    st.builds(AgentLeft, _agents, _words, _words),
    st.builds(AgentEntered, _agents, _words, _words),
    st.builds(AttendanceGap, _words, _small, _small),
    st.builds(PinSet, _agents, _words, _words),
    st.builds(PinRefused, _agents, _words),
    st.builds(PinLocked, _agents, _words),
    st.builds(PinUnlocked, _agents, _words, _words),
    st.builds(TransferBriefed, _ids, _agents, _words, _offsets),
    st.builds(BackupMade, _words, _small, _words, _small, _small),
    st.builds(BackupFailed, _words),
    st.builds(BackupDrilled, _words, _small, _small, _small, _small),
    st.builds(BoxRestored, _small, _words, _small),
).map(owned)
with_erasures: st.SearchStrategy[Happened] = any_event | st.builds(
    lambda c, reason, actor, recordings: ConversationErased(c, reason, actor, tuple(f"{c}-{r}" for r in recordings)),
    _ids,
    _words,
    _words,
    st.sets(_recordings),
)
