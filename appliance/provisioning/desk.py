"""What one phone must know, whatever its maker, and the names of its files. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from appliance.contacts.names import on_phone
from appliance.provisioning.models import Model
from appliance.signalling.settings import Names


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the office at their phone, as others dial them."""

    phone: str
    display: str
    latin: str
    dialled: str


@dataclass(frozen=True, slots=True)
class Key:
    """A lamp and key for a colleague: the lamp tells whether they speak, the key rings them or takes their call."""

    label: str
    dialled: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """``repr`` shows no secret."""

    phone: str
    mac: str
    model: Model
    label: str
    password: str
    admin_password: str
    address: str  # of the box
    port: int
    ntp: str
    language: str
    keys: tuple[Key, ...]
    pick_up: str  # the code, before whoever it rings at
    url: str = ""  # where the phone asks again for its file; empty: it keeps what it has

    def __repr__(self) -> str:
        return f"Desk({self.phone!r}, {self.mac!r}, ***)"


def label_of(phone: str, people: Iterable[Person], names: Names) -> str:
    """What a phone calls itself: its person, as it can show people; the number by which others reach it else."""
    person = next((each for each in people if each.phone == phone), None)
    return phone if person is None else _label(person, names)


def keys_of(phone: str, people: Iterable[Person], names: Names, model: Model) -> tuple[Key, ...]:
    """A key for each colleague, as many as the phone has beside its own line and the key that passes calls on."""
    colleagues = [each for each in people if each.phone != phone]
    return tuple(Key(_label(each, names), each.dialled) for each in colleagues[: max(0, model.keys - 2)])


def plain(value: str) -> str:
    """One line: a value never begins another setting."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in value).split())


def _label(person: Person, names: Names) -> str:
    return on_phone(person.display, person.latin, names) or person.dialled
