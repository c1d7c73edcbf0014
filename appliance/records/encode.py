"""Events to canonical JSON and back: the bytes that the chain is made over.

Canonical here: UTF-8, keys sorted, no white space, whole numbers only. What is hashed once must be found again for
ever, so a change of these bytes is a change of every commitment; the vectors in tests/records keep them. The kind and
the subject stand beside the body (they stay when the body is erased), never inside.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, cast, get_args

import msgspec

from appliance.records import backups, custody, events
from appliance.records.events import Happened

KINDS: dict[str, type[Happened]] = {kind.kind: kind for kind in get_args(Happened)}

_encoder = msgspec.json.Encoder(order="sorted")


def canonical(happened: Happened) -> tuple[Happened, bytes]:
    """The event as it can be kept, and its bytes; characters that UTF-8 cannot carry have become U+FFFD."""
    try:
        return happened, _encoder.encode(happened)
    except UnicodeEncodeError:  # half a surrogate pair out of a display name
        readable = _readable(happened)
        return readable, _encoder.encode(readable)


def happened_from(kind: str, content: bytes) -> Happened | None:
    """The event again; None for a kind that this version does not know (written by a newer one)."""
    decoder = _decoder(kind)
    return None if decoder is None else decoder.decode(content)


def subject(happened: Happened) -> str:
    """What the event is about: the conversation wherever there is one (its bodies are erased by it)."""
    match happened:
        case events.RecordingVerified():
            return happened.recording
        case events.TrunkTurned():
            return happened.trunk
        case events.PhoneTurned():
            return happened.phone
        case events.ServiceStarted() | events.ServiceLost():
            return happened.service
        case events.SettingsTaken():
            return "settings"
        case events.CredentialSet() | events.SignedIn() | events.SignInRefused() | events.SignedOut():
            return happened.actor
        case events.RequestMoved() | events.RequestChanged() | events.RequestReminded() | events.RequestRenewed():
            return happened.request
        case events.RequestOpened():
            return happened.conversation or happened.request  # a person of the office opened it without a call
        case events.RecordingHeld() | events.RecordingReleased():
            return happened.conversation or happened.hold  # a hold on a number is about no conversation of its own
        case events.RecordingExported():
            return happened.conversation or happened.recording
        case events.FlowPublished():
            return happened.flow
        case events.SwitchTurned():
            return happened.switch
        case events.NoticePlanned() | events.NoticeTried() | events.NoticeEnded() | events.NoticeDelivered():
            return happened.conversation or happened.notice
        case events.ContactSaved() | events.ContactRemoved():
            return happened.contact
        case events.ListEntryAdded() | events.ListAttemptSettled():
            return happened.entry  # an entry that is done stays so when the conversation is erased
        case events.ListTurned():
            return happened.list_name
        case events.DoNotCallSet() | events.DoNotCallLifted():
            return happened.mark
        case events.HeadSigned():
            return "chain"
        case events.RecipientsChanged() | events.KeysDrilled():
            return custody.SUBJECT
        case events.ReplyReceived():
            return happened.conversation or happened.reply
        case events.BackupMade() | events.BackupFailed() | events.BackupDrilled() | events.BoxRestored():
            return backups.SUBJECT
        case events.UpstreamReceipt() | events.UpstreamErased():
            return happened.target
        case (
            events.AgentSeated()
            | events.AgentLeft()
            | events.AgentEntered()
            | events.PinSet()
            | events.PinRefused()
            | events.PinLocked()
            | events.PinUnlocked()
        ):
            return happened.agent
        case events.AttendanceGap():
            return "attendance"
        case (
            events.ConversationOpened()
            | events.StateEntered()
            | events.QueueJoined()
            | events.NodeEntered()
            | events.DigitTaken()
            | events.LanguageChosen()
            | events.LegOpened()
            | events.LegAnswered()
            | events.LegEnded()
            | events.LegMoved()
            | events.CustomerPassedOn()
            | events.CallCameBack()
            | events.CallForwarded()
            | events.Supervised()
            | events.MediaInterrupted()
            | events.ConsentGiven()
            | events.ConsentKept()
            | events.RecordingPaused()
            | events.RecordingOpened()
            | events.RecordingRefused()
            | events.RecordingGap()
            | events.RecordingSealed()
            | events.RecordingTaken()
            | events.RecordingExpired()
            | events.RecordingDeleted()
            | events.ConversationClosed()
            | events.RecordClosed()
            | events.ConversationErased()
            | events.CallbackDialled()
            | events.CallbackEnded()
            | events.DialRefused()
            | events.SurveyAnswered()
            | events.Identified()
            | events.MessageTaken()
            | events.LookedUp()
            | events.WrapUpGiven()
            | events.WrapUpMissed()
            | events.TransferBriefed()
            | events.CallerBlocked()
            | events.ListEntryDialled()
        ):
            return happened.conversation


@functools.cache
def _decoder(kind: str) -> msgspec.json.Decoder[Happened] | None:
    cls = KINDS.get(kind)
    return None if cls is None else cast("msgspec.json.Decoder[Happened]", msgspec.json.Decoder(cls))


def _readable(happened: Happened) -> Happened:
    changed: dict[str, Any] = {}
    for field in dataclasses.fields(happened):
        value = getattr(happened, field.name)
        if isinstance(value, str):
            changed[field.name] = type(value)(value.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))
    return dataclasses.replace(happened, **changed)
