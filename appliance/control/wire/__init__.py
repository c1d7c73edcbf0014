"""What the processes of the box say to calls, and hear: one datagram each on a SOCK_SEQPACKET socket.

A datagram is the version byte and one msgpack array, at most 64 KiB. The page asks (``Ask``) with a number of its own
choice and gets ``Told`` with the same number; a ``Watch`` is answered by ``Shown`` pictures under that number until
``Unwatch``. Every command carries the opaque token of who asks; calls alone knows which person and role that is.
``Alive`` comes twice a second: after two seconds without any datagram calls counts as dead.
"""

from __future__ import annotations

from appliance.control.wire.answers import (
    Affected,
    DeskNow,
    Done,
    Invited,
    Measured,
    People,
    PhoneFile,
    Promised,
    Pulse,
    Refused,
    Reply,
    Saved,
    SignedIn,
    UpstreamNow,
    Who,
    Written,
)
from appliance.control.wire.envelope import (
    ALIVE_SECONDS,
    MAX_MESSAGE_BYTES,
    SILENCE_SECONDS,
    VERSION,
    Alive,
    Ask,
    Push,
    Request,
    Shown,
    Told,
    ask_from,
    packed,
    push_from,
)
from appliance.control.wire.orders import (
    ArchiveOrder,
    AskDesk,
    AskPeople,
    CallNow,
    ChangeRequest,
    CloseRequest,
    DeskOrder,
    EraseRecordings,
    ExtendForm,
    GiveForm,
    GoAway,
    HangUpCall,
    HoldRecordings,
    InvitePerson,
    MakePromise,
    MoveCaller,
    OfficeOrder,
    Order,
    PeopleOrder,
    ReleaseRecordings,
    RemoveContacts,
    RemovePerson,
    SaveContacts,
    SetPassword,
    SignIn,
    SignOut,
    TakeRecording,
    Turn,
    Unwatch,
    Watch,
    WhoAmI,
    WriteBrief,
    WriteForm,
)
from appliance.control.wire.services import (
    AskPhoneFile,
    AskPulse,
    AskUpstream,
    Erased,
    Measure,
    Receipt,
    TellDestroyed,
    TellReceipts,
    TellUpstream,
    TryUpstream,
    Vitals,
)
from appliance.control.wire.shown import (
    AgentNow,
    Brief,
    Changes,
    Choice,
    Contact,
    DeskCall,
    DeskForm,
    Finding,
    FormField,
    Line,
    LiveCall,
    Person,
    Phone,
    Snapshot,
    Switches,
    Trunk,
    Upstream,
)
from appliance.control.wire.struct import (
    Field,
    Role,
)
