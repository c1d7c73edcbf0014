"""What lamps show, as telephones read it: dialog-info (RFC 4235) for busy lamps, a message summary (RFC 3842). Pure.

A document is always the whole state. A dark lamp is written as a dialog that has ended, not as an empty list, because
there are telephones that leave the lamp as it was when they find nothing in the list. Call-ID and tags are not said, so
nobody takes a call by Replaces: calls are picked up by the code that the office dials.
"""

from __future__ import annotations

import re
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from appliance.signalling.port import Identity, LampState, ShowLamp, ShowMessages

Shown = ShowLamp | ShowMessages

DIALOG, MESSAGES = "dialog", "message-summary"
TYPES = {DIALOG: "application/dialog-info+xml", MESSAGES: "application/simple-message-summary"}
NOBODY = "sip:anonymous@anonymous.invalid"  # RFC 3323, 4.1.1.3
MOST_NAME = 64
_UNRESERVED = "+*!~'()$&=-_."  # in the user part of a URI (RFC 3261, 25.1)
_NOT_XML = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def event_of(shown: Shown) -> str:
    """The event package by which telephones subscribe to it."""
    return DIALOG if isinstance(shown, ShowLamp) else MESSAGES


def body(shown: Shown, domain: str, version: int) -> bytes:
    """The document that a NOTIFY bears; ``version`` counts those of one subscription (RFC 4235, 4.1)."""
    if isinstance(shown, ShowMessages):
        return _summary(shown, domain)
    return _dialog_info(shown, domain, version)


def _summary(shown: ShowMessages, domain: str) -> bytes:
    """New messages, and no old ones: a message that was heard and called back is no more (RFC 3842, 5.2)."""
    waiting = "yes" if shown.waiting else "no"
    account = _uri(shown.extension, domain)
    return (
        f"Messages-Waiting: {waiting}\r\nMessage-Account: {account}\r\nVoice-Message: {shown.waiting}/0 (0/0)\r\n"
    ).encode()


def _dialog_info(shown: ShowLamp, domain: str, version: int) -> bytes:
    own = _uri(shown.extension, domain)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="{version}" state="full"'
        f" entity={quoteattr(own)}>",
        f"<dialog id={quoteattr(_cleaned(shown.call or shown.extension))}{_direction(shown)}>",
        f"<state>{shown.state.value}</state>",
    ]
    if shown.state is not LampState.DARK:
        lines.append(_party("local", own, ""))
        lines.append(_other(shown.other, domain))
    return "\n".join((*lines, "</dialog>", "</dialog-info>", "")).encode()


def _direction(shown: ShowLamp) -> str:
    if shown.state is LampState.DARK:
        return ""
    return f' direction="{"initiator" if shown.is_caller else "recipient"}"'


def _other(identity: Identity | None, domain: str) -> str:
    if identity is None or identity.is_withheld or not identity.number:
        return _party("remote", NOBODY, "")
    return _party("remote", _uri(identity.number, domain), identity.name)


def _party(side: str, uri: str, name: str) -> str:
    cleaned = _cleaned(name)
    display = f" display={quoteattr(cleaned)}" if cleaned else ""
    identity = f"<identity{display}>{escape(uri)}</identity>"
    return f"<{side}>{identity}<target uri={quoteattr(uri)}/></{side}>"


def _uri(user: str, domain: str) -> str:
    return f"sip:{quote(_cleaned(user), safe=_UNRESERVED)}@{domain}"


def _cleaned(text: str) -> str:
    """Without what XML cannot hold: control characters, and bytes of names that were no UTF-8."""
    return _NOT_XML.sub("", text[:MOST_NAME])
