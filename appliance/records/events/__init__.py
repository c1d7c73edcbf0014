"""The things that happen, as they are kept: one frozen dataclass per kind, numbered and chained by store.py.

An event names its ``subject`` (a conversation, a recording, a trunk) and is never changed. Every row of every other
table is written in the same transaction as the event it follows from, and can be rebuilt from the events alone.
``offset_ms`` is monotonic milliseconds since the conversation opened: durations come from it, never from wall times.
"""

from __future__ import annotations

from appliance.records.events.agents import (
    AgentEntered,
    AgentLeft,
    AgentSeated,
    AttendanceGap,
    PinLocked,
    PinRefused,
    PinSet,
    PinUnlocked,
)
from appliance.records.events.box import (
    BackupDrilled,
    BackupFailed,
    BackupMade,
    BoxRestored,
    CredentialSet,
    FlowPublished,
    HeadSigned,
    KeysDrilled,
    PhoneTurned,
    RecipientsChanged,
    ServiceLost,
    ServiceStarted,
    SettingsTaken,
    SignedIn,
    SignedOut,
    SignInRefused,
    SwitchTurned,
    TrunkTurned,
)
from appliance.records.events.contacts import (
    CallerBlocked,
    ContactRemoved,
    ContactSaved,
)
from appliance.records.events.conversations import (
    CallCameBack,
    CallForwarded,
    ConversationClosed,
    ConversationErased,
    ConversationOpened,
    CustomerPassedOn,
    DialRefused,
    DigitTaken,
    Identified,
    LanguageChosen,
    LegAnswered,
    LegEnded,
    LegMoved,
    LegOpened,
    LookedUp,
    MediaInterrupted,
    MessageTaken,
    NodeEntered,
    QueueJoined,
    RecordClosed,
    StateEntered,
    Supervised,
    SurveyAnswered,
)
from appliance.records.events.conversations import (
    Outcome as Outcome,
)
from appliance.records.events.conversations import (
    State as State,
)
from appliance.records.events.lists import (
    DoNotCallLifted,
    DoNotCallSet,
    ListAttemptSettled,
    ListEntryAdded,
    ListEntryDialled,
    ListTurned,
)
from appliance.records.events.notices import (
    NoticeDelivered,
    NoticeEnded,
    NoticePlanned,
    NoticeTried,
    ReplyReceived,
)
from appliance.records.events.recordings import (
    KEPT_STATES as KEPT_STATES,
)
from appliance.records.events.recordings import (
    ConsentGiven,
    ConsentKept,
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
)
from appliance.records.events.requests import (
    ON_TIME_MS as ON_TIME_MS,
)
from appliance.records.events.requests import (
    CallbackDialled,
    CallbackEnded,
    RequestChanged,
    RequestMoved,
    RequestOpened,
    RequestReminded,
    RequestRenewed,
)
from appliance.records.events.upstream import (
    UpstreamErased,
    UpstreamReceipt,
)
from appliance.records.events.work import (
    TransferBriefed,
    WrapUpGiven,
    WrapUpMissed,
)

Happened = (
    ConversationOpened
    | StateEntered
    | QueueJoined
    | NodeEntered
    | DigitTaken
    | LanguageChosen
    | LegOpened
    | LegAnswered
    | LegEnded
    | LegMoved
    | CustomerPassedOn
    | CallCameBack
    | CallForwarded
    | Supervised
    | MediaInterrupted
    | ConsentGiven
    | ConsentKept
    | RecordingPaused
    | RecordingOpened
    | RecordingRefused
    | RecordingGap
    | RecordingSealed
    | RecordingVerified
    | RecordingTaken
    | RecordingExported
    | RecordingHeld
    | RecordingReleased
    | RecordingExpired
    | RecordingDeleted
    | ConversationClosed
    | RecordClosed
    | TrunkTurned
    | PhoneTurned
    | ServiceStarted
    | ServiceLost
    | SettingsTaken
    | CredentialSet
    | SignedIn
    | SignInRefused
    | SignedOut
    | ConversationErased
    | RequestOpened
    | RequestMoved
    | RequestChanged
    | RequestReminded
    | RequestRenewed
    | CallbackDialled
    | CallbackEnded
    | DialRefused
    | SurveyAnswered
    | Identified
    | MessageTaken
    | LookedUp
    | WrapUpGiven
    | WrapUpMissed
    | AgentEntered
    | AgentLeft
    | AgentSeated
    | AttendanceGap
    | PinLocked
    | PinRefused
    | PinSet
    | PinUnlocked
    | TransferBriefed
    | FlowPublished
    | SwitchTurned
    | ReplyReceived
    | NoticePlanned
    | NoticeTried
    | NoticeEnded
    | NoticeDelivered
    | ContactSaved
    | ContactRemoved
    | CallerBlocked
    | ListEntryAdded
    | ListTurned
    | ListEntryDialled
    | ListAttemptSettled
    | DoNotCallSet
    | DoNotCallLifted
    | HeadSigned
    | RecipientsChanged
    | KeysDrilled
    | BackupMade
    | BackupFailed
    | BackupDrilled
    | BoxRestored
    | UpstreamReceipt
    | UpstreamErased
)
