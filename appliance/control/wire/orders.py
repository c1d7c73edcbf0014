"""What a person asks for or orders; each carries the opaque token of who does."""

from __future__ import annotations

from appliance.control.wire.shown import Contact, FormField
from appliance.control.wire.struct import Message, Role


class SignIn(Message, frozen=True):
    """``address`` is the browser's: failures slow down the account and the address. Answered by SignedIn."""

    name: str
    secret: str
    address: str = ""

    def __repr__(self) -> str:
        return f"SignIn({self.name!r}, ***)"


class SignOut(Message, frozen=True):
    token: str

    def __repr__(self) -> str:
        return "SignOut(***)"


class WhoAmI(Message, frozen=True):
    """Answered by Who."""

    token: str

    def __repr__(self) -> str:
        return "WhoAmI(***)"


class SetPassword(Message, frozen=True):
    """Answered by SignedIn with a new token; every older session of the person ends."""

    token: str
    new: str

    def __repr__(self) -> str:
        return "SetPassword(***)"


class Watch(Message, frozen=True):
    """Answered by Done, then by Shown until Unwatch, or until the token ends (``Told`` with Refused)."""

    token: str

    def __repr__(self) -> str:
        return "Watch(***)"


class Unwatch(Message, frozen=True):
    """``number`` is that of the Ask that held the Watch."""

    number: int


class HangUpCall(Message, frozen=True):
    """Ends a call in the ordinary way; owner and supervisor only."""

    token: str
    conversation: str

    def __repr__(self) -> str:
        return f"HangUpCall(***, {self.conversation!r})"


class Turn(Message, frozen=True):
    """Turns a switch (calls/switches.py: ``night_on``, ``closed_until``, ...); owner and supervisor, and the panel's
    button for the night alone, without a token.
    """

    token: str
    action: str
    value: str = ""

    def __repr__(self) -> str:
        return f"Turn(***, {self.action!r}, {self.value!r})"


class MakePromise(Message, frozen=True):
    """Promises a call at ``due``, as a person writes it: ``1405/09/15 16:30``, ``2026-12-06 16:30``, ``16:30``.

    ``queue`` and ``agent`` may be empty. Answered by Promised.
    """

    token: str
    number: str
    due: str
    about: str = ""
    queue: str = ""
    agent: str = ""
    language: str = "fa"

    def __repr__(self) -> str:
        return f"MakePromise(***, due={self.due!r})"


class ChangeRequest(Message, frozen=True):
    """Another number or moment for a call that is owed; empty: as it is."""

    token: str
    request: str
    number: str = ""
    due: str = ""

    def __repr__(self) -> str:
        return f"ChangeRequest(***, {self.request!r})"


class CallNow(Message, frozen=True):
    """The next attempt of a call that is owed begins as soon as an agent is free."""

    token: str
    request: str

    def __repr__(self) -> str:
        return f"CallNow(***, {self.request!r})"


class CloseRequest(Message, frozen=True):
    """``state`` is done or cancelled. Any open row of the ledger."""

    token: str
    request: str
    state: str

    def __repr__(self) -> str:
        return f"CloseRequest(***, {self.request!r}, {self.state!r})"


class MoveCaller(Message, frozen=True):
    """Moves who waits into another line, at the place of their arrival; ``seen`` is the line in which they were seen.

    Of two who move the same caller the second is refused (``desk.moved_already``) and told where the caller is.
    """

    token: str
    conversation: str
    line: str
    seen: str

    def __repr__(self) -> str:
        return f"MoveCaller(***, {self.conversation!r}, {self.line!r})"


class TakeRecording(Message, frozen=True):
    """A recording is to be given out, sealed as it lies; ``use`` is play. Owner and supervisor only.

    Answered by Done once who, which and ``why`` are in the records, on the disk.
    """

    token: str
    recording: str
    use: str
    why: str

    def __repr__(self) -> str:
        return f"TakeRecording(***, {self.recording!r}, {self.use!r})"


class AskDesk(Message, frozen=True):
    """What an agent's own page shows. ``agent`` empty: who asks. Answered by DeskNow."""

    token: str
    agent: str = ""

    def __repr__(self) -> str:
        return f"AskDesk(***, {self.agent!r})"


class GoAway(Message, frozen=True):
    """The agent is away, and why (a word of calls/switches.py); empty: they are there again."""

    token: str
    agent: str
    reason: str = ""

    def __repr__(self) -> str:
        return f"GoAway(***, {self.agent!r}, {self.reason!r})"


class WriteForm(Message, frozen=True):
    """What was typed into the form of a call so far. Answered by Written once it is on the disk."""

    token: str
    agent: str
    conversation: str
    fields: tuple[FormField, ...] = ()

    def __repr__(self) -> str:
        return f"WriteForm(***, {self.agent!r}, {self.conversation!r})"


class GiveForm(Message, frozen=True):
    """The agent is done with it, unless others had changed something that was not seen. Answered by Written."""

    token: str
    agent: str
    conversation: str
    fields: tuple[FormField, ...] = ()

    def __repr__(self) -> str:
        return f"GiveForm(***, {self.agent!r}, {self.conversation!r})"


class ExtendForm(Message, frozen=True):
    """As much time for it again, once."""

    token: str
    agent: str
    conversation: str

    def __repr__(self) -> str:
        return f"ExtendForm(***, {self.agent!r}, {self.conversation!r})"


class WriteBrief(Message, frozen=True):
    """A word for whoever gets the customer next; in place of the agent's word before."""

    token: str
    agent: str
    conversation: str
    text: str

    def __repr__(self) -> str:
        return f"WriteBrief(***, {self.agent!r}, {self.conversation!r})"


class AskPeople(Message, frozen=True):
    """Who may sign in; the owner alone. Answered by People."""

    token: str

    def __repr__(self) -> str:
        return "AskPeople(***)"


class InvitePerson(Message, frozen=True):
    """A new person, or a new code for one who is known: what they had before ends. Answered by Invited."""

    token: str
    name: str
    role: Role

    def __repr__(self) -> str:
        return f"InvitePerson(***, {self.name!r}, {self.role!r})"


class RemovePerson(Message, frozen=True):
    """They cannot sign in any more, and are signed out."""

    token: str
    name: str

    def __repr__(self) -> str:
        return f"RemovePerson(***, {self.name!r})"


class SaveContacts(Message, frozen=True):
    """Contacts as they shall be from now on, whole; all of them or, where one cannot be, none. Answered by Saved."""

    token: str
    contacts: tuple[Contact, ...]

    def __repr__(self) -> str:
        return f"SaveContacts(***, {len(self.contacts)} contacts)"


class RemoveContacts(Message, frozen=True):
    """By their ids; what was known of them is erased."""

    token: str
    contacts: tuple[str, ...]

    def __repr__(self) -> str:
        return f"RemoveContacts(***, {len(self.contacts)} contacts)"


class HoldRecordings(Message, frozen=True):
    """Nothing of ``about`` is deleted or erased from now on: a conversation, or all with a number. Owner only.

    ``why`` stays in the records. Answered by Affected, as the two below.
    """

    token: str
    about: str
    why: str

    def __repr__(self) -> str:
        return "HoldRecordings(***)"


class ReleaseRecordings(Message, frozen=True):
    """The holds on ``about`` are over."""

    token: str
    about: str
    why: str

    def __repr__(self) -> str:
        return "ReleaseRecordings(***)"


class EraseRecordings(Message, frozen=True):
    """The records and recordings of ``about`` are destroyed, here and at every target. It cannot be taken back."""

    token: str
    about: str
    why: str

    def __repr__(self) -> str:
        return "EraseRecordings(***)"


OfficeOrder = (
    HangUpCall
    | Turn
    | MakePromise
    | ChangeRequest
    | CallNow
    | CloseRequest
    | MoveCaller
    | TakeRecording
    | SaveContacts
    | RemoveContacts
)
ArchiveOrder = HoldRecordings | ReleaseRecordings | EraseRecordings
Order = OfficeOrder | ArchiveOrder
"""What a person of the office orders; all else only asks."""

DeskOrder = AskDesk | GoAway | WriteForm | GiveForm | ExtendForm | WriteBrief
"""What an agent's own page asks and orders: of oneself, or by those who lead of anybody."""

PeopleOrder = AskPeople | InvitePerson | RemovePerson
"""Who may sign in: the owner's."""
