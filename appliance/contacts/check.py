"""What a contact may be: its texts cleaned, its numbers in one form each, or the Problem that says what is wrong.

A name is shown on telephones, in terminals and on the page, so nothing that is not seen gets in: marks of direction,
which telephones copy with a number, are taken off; anything else that is no letter is refused.
"""

from __future__ import annotations

import re

import msgspec

from appliance.control.wire import Contact
from appliance.errors import Problem
from appliance.signalling import numbers
from appliance.signalling.numbers import Number

LONGEST_NAME = 100  # characters; some 200 bytes in the From of an INVITE
LONGEST_NOTE = 500
MOST_NUMBERS = 10
MOST_CONTACTS = 150_000  # in the list; each costs calls some 600 bytes of memory
LANGUAGES = ("", "fa", "en")

_PERSIAN = str.maketrans("يىك", "ییک")  # what keyboards and programs of other countries write
_UNSEEN = dict.fromkeys(
    map(ord, "\u00ad\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff")
)
_JOINERS = dict.fromkeys(map(ord, "\u200c\u200d"))
_DAMAGE = "\ufffd"  # what a decoder puts where bytes were no letter


def checked(contact: Contact, area_code: str) -> Contact:
    """The contact as it is kept; Problem where it cannot be. ``area_code`` is what a bare local number belongs to."""
    name, latin = text(contact.name, LONGEST_NAME), text(contact.latin, LONGEST_NAME)
    if not name and not (contact.is_blocked or contact.is_unrecorded):
        raise Problem("contacts.no_name")
    if not contact.numbers:
        raise Problem("contacts.no_number", name=name)
    if len(contact.numbers) > MOST_NUMBERS:
        raise Problem("contacts.many_numbers", count=len(contact.numbers), most=MOST_NUMBERS)
    if contact.language not in LANGUAGES:
        raise Problem("contacts.no_language", value=shown(contact.language))
    return msgspec.structs.replace(
        contact,
        name=name,
        latin=latin,
        numbers=tuple(dict.fromkeys(number_of(each, area_code) for each in contact.numbers)),
        note=text(contact.note, LONGEST_NOTE),
    )


def text(written: str, most: int) -> str:
    """One line without anything unseen in it; Problem where it is too long or is no text."""
    line = " ".join(written.translate(_PERSIAN).translate(_UNSEEN).split())
    if len(line) > most:
        raise Problem("contacts.too_long", count=len(line), most=most, text=shown(line))
    if _DAMAGE in line:
        raise Problem("contacts.damaged", text=shown(line))
    if not line.translate(_JOINERS).isprintable():
        raise Problem("contacts.not_printable", text=shown(line))
    return line


def number_of(written: str, area_code: str) -> str:
    """The one form of a number; Problem where it is none."""
    found = numbers.normalise(written, area_code)
    if found.kind in ("unknown", "withheld"):
        raise Problem("contacts.not_a_number", number=shown(written))
    return key_of(found)


def key_of(number: Number) -> str:
    """By what a contact is found whose number this is."""
    return number.e164 or number.national


def shown(written: str) -> str:
    """As much of a wrong text as fits into a message; what is not seen is a question mark."""
    return re.sub(r"[^\w\s+().,;:/-]", "?", written[:40]).replace("\n", " ").strip()
