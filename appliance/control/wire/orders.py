"""What a person asks for or orders."""

from __future__ import annotations

from appliance.control.wire.shown import Contact, FormField, ListRow
from appliance.control.wire.struct import Message, Role

MOST_EXPORTED = 500  # recordings in one order: their ids are 17 KB
EXPORTED = ("wav", "flac", "opus", "ogg", "evidence")


class FromPerson(Message, frozen=True):
    """``token`` says who asks: opaque, and calls alone knows which person and role that is.

    A log shows the message's name alone, for neither tokens nor numbers and names of customers belong there.
    """

    token: str

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"


class SignIn(Message, frozen=True):
    """``address`` is the browser's: failures slow down the account and the address. Answered by SignedIn."""

    name: str
    secret: str
    address: str = ""

    def __repr__(self) -> str:
        return f"SignIn({self.name!r}, ***)"


class SignOut(FromPerson, frozen=True):
    """The session ends."""


class WhoAmI(FromPerson, frozen=True):
    """Answered by Who."""


class SetPassword(FromPerson, frozen=True):
    """Answered by SignedIn with a new token; every older session of the person ends."""

    new: str


class Watch(FromPerson, frozen=True):
    """Answered by Done, then by Shown until Unwatch, or until the token ends (``Told`` with Refused)."""


class Unwatch(Message, frozen=True):
    """``number`` is that of the Ask that held the Watch."""

    number: int


class HangUpCall(FromPerson, frozen=True):
    """Ends a call in the ordinary way; owner and supervisor only."""

    conversation: str


class Turn(FromPerson, frozen=True):
    """Turns a switch (calls/switches.py: ``night_on``, ``closed_until``, ...); owner and supervisor, and the panel's
    button for the night alone, without a token.
    """

    action: str
    value: str = ""


class MakePromise(FromPerson, frozen=True):
    """Promises a call at ``due``, as a person writes it: ``1405/09/15 16:30``, ``2026-12-06 16:30``, ``16:30``.

    ``queue`` and ``agent`` may be empty. Answered by Promised.
    """

    number: str
    due: str
    about: str = ""
    queue: str = ""
    agent: str = ""
    language: str = "fa"


class ChangeRequest(FromPerson, frozen=True):
    """Another number or moment for a call that is owed; empty: as it is."""

    request: str
    number: str = ""
    due: str = ""


class CallNow(FromPerson, frozen=True):
    """The next attempt of a call that is owed begins as soon as an agent is free."""

    request: str


class CloseRequest(FromPerson, frozen=True):
    """``state`` is done or cancelled. Any open row of the ledger."""

    request: str
    state: str


class MoveCaller(FromPerson, frozen=True):
    """Moves who waits into another line, at the place of their arrival; ``seen`` is the line in which they were seen.

    Of two who move the same caller the second is refused (``desk.moved_already``) and told where the caller is.
    """

    conversation: str
    line: str
    seen: str


class TakeRecording(FromPerson, frozen=True):
    """A recording is to be given out, sealed as it lies; ``use`` is play. Owner and supervisor only.

    Answered by Done once who, which and ``why`` are in the records, on the disk.
    """

    recording: str
    use: str
    why: str


class ExportRecordings(FromPerson, frozen=True):
    """Recordings are to be opened with the owner's key and written as ``form`` (``EXPORTED``). The owner, and commands.

    ``user`` is who gave the command, as it says. At most ``MOST_EXPORTED`` of them; evidence of a conversation without
    any names the conversation. Answered by Done once who, which and ``why`` are in the records, on the disk.
    """

    recordings: tuple[str, ...]
    form: str
    why: str
    user: str = ""


class AskDesk(FromPerson, frozen=True):
    """What an agent's own page shows. ``agent`` empty: who asks. Answered by DeskNow."""

    agent: str = ""


class GoAway(FromPerson, frozen=True):
    """The agent is away, and why (a word of calls/switches.py); empty: they are there again."""

    agent: str
    reason: str = ""


class WriteForm(FromPerson, frozen=True):
    """What was typed into the form of a call so far. Answered by Written once it is on the disk."""

    agent: str
    conversation: str
    fields: tuple[FormField, ...] = ()


class GiveForm(FromPerson, frozen=True):
    """The agent is done with it, unless others had changed something that was not seen. Answered by Written."""

    agent: str
    conversation: str
    fields: tuple[FormField, ...] = ()


class ExtendForm(FromPerson, frozen=True):
    """As much time for it again, once."""

    agent: str
    conversation: str


class WriteBrief(FromPerson, frozen=True):
    """A word for whoever gets the customer next; in place of the agent's word before."""

    agent: str
    conversation: str
    text: str


class PauseRecording(FromPerson, frozen=True):
    """The recording of the agent's call pauses, or goes on (``is_on`` False)."""

    agent: str
    conversation: str
    is_on: bool


class AskPeople(FromPerson, frozen=True):
    """Who may sign in; the owner alone. Answered by People."""


class InvitePerson(FromPerson, frozen=True):
    """A new person, or a new code for one who is known: what they had before ends. Answered by Invited."""

    name: str
    role: Role


class RemovePerson(FromPerson, frozen=True):
    """They cannot sign in any more, and are signed out."""

    name: str


class AskSeats(FromPerson, frozen=True):
    """Which agent sits where; of those who lead. Answered by Seated."""


class MakePin(FromPerson, frozen=True):
    """A PIN for an agent, good for choosing one; what they had before ends. Answered by PinMade."""

    agent: str


class UnlockPin(FromPerson, frozen=True):
    """This agent, or this telephone, may try again; the other of the two is empty."""

    agent: str
    phone: str


class ChoosePin(FromPerson, frozen=True):
    """An agent's own PIN, by the password of who is signed in."""

    agent: str
    password: str
    pin: str


class SaveContacts(FromPerson, frozen=True):
    """Contacts as they shall be from now on, whole; all of them or, where one cannot be, none. Answered by Saved."""

    contacts: tuple[Contact, ...]


class RemoveContacts(FromPerson, frozen=True):
    """By their ids; what was known of them is erased."""

    contacts: tuple[str, ...]


class AskLists(FromPerson, frozen=True):
    """Answered by ListsNow."""


class CheckNumbers(FromPerson, frozen=True):
    """Whether these numbers may stand in an outbound list. Answered by Checked; nothing changes."""

    list_name: str
    numbers: tuple[str, ...]


class AddToList(FromPerson, frozen=True):
    """These shall be called by a list; who may not stand in it is left out. Answered by Counted."""

    list_name: str
    rows: tuple[ListRow, ...]


class TurnList(FromPerson, frozen=True):
    """Nobody of the list is dialled while it is paused."""

    list_name: str
    is_paused: bool


class ForbidNumbers(FromPerson, frozen=True):
    """No list dials these any more; ``why`` is page or import. Answered by Counted."""

    numbers: tuple[str, ...]
    why: str


class AllowNumber(FromPerson, frozen=True):
    """Lists may dial this number again."""

    number: str


class NextCustomer(FromPerson, frozen=True):
    """The agent wants the next one of a list: their telephone rings, then the customer is dialled."""

    agent: str
    list_name: str


class SayOutcome(FromPerson, frozen=True):
    """What came of a call by a list (empty: the agent's last one); ``due`` is when to call again, as it was typed."""

    agent: str
    conversation: str
    outcome: str
    result: str = ""
    due: str = ""


class HoldRecordings(FromPerson, frozen=True):
    """Nothing of ``about`` is deleted or erased from now on: a conversation, or all with a number. Owner only.

    ``why`` stays in the records. Answered by Affected, as the two below.
    """

    about: str
    why: str


class ReleaseRecordings(FromPerson, frozen=True):
    """The holds on ``about`` are over."""

    about: str
    why: str


class EraseRecordings(FromPerson, frozen=True):
    """The records and recordings of ``about`` are destroyed, here and at every target. It cannot be taken back."""

    about: str
    why: str


SessionOrder = SignIn | SignOut | WhoAmI | SetPassword | Watch | Unwatch
"""Who it is, and what they watch."""

ListOrder = AskLists | CheckNumbers | AddToList | TurnList | ForbidNumbers | AllowNumber
"""Outbound lists, by those who lead."""

OfficeOrder = (
    HangUpCall
    | Turn
    | MakePromise
    | ChangeRequest
    | CallNow
    | CloseRequest
    | MoveCaller
    | TakeRecording
    | ExportRecordings
    | SaveContacts
    | RemoveContacts
    | ListOrder
)
ArchiveOrder = HoldRecordings | ReleaseRecordings | EraseRecordings
Order = OfficeOrder | ArchiveOrder
"""What a person of the office orders; all else only asks."""

DeskOrder = (
    AskDesk | GoAway | WriteForm | GiveForm | ExtendForm | WriteBrief | PauseRecording | NextCustomer | SayOutcome
)
"""What an agent's own page asks and orders: of oneself, or by those who lead of anybody."""

PeopleOrder = AskPeople | InvitePerson | RemovePerson
"""Who may sign in: the owner's."""

SeatOrder = AskSeats | MakePin | UnlockPin | ChoosePin
"""Where agents sit, and the PINs by which they sit down."""

FromPeople = SessionOrder | Order | DeskOrder | PeopleOrder | SeatOrder
"""All that a person can say."""
