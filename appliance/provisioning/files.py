"""The files of all phones of the box: whose they are, with which secrets, and at which address each is fetched.

What a newcomer would get wrong: the address is a secret. It ends in a token of 128 bits for each phone, made of the
box's own key and the phone's MAC; whoever knows one can fetch the file of that phone and of no other. A MAC alone,
which everybody on the network sees, opens nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from appliance.errors import Problem
from appliance.provisioning import grandstream, yealink
from appliance.provisioning.desk import Desk, Person, keys_of, label_of
from appliance.provisioning.models import mac_of, model_of
from appliance.provisioning.settings import Provisioning
from appliance.signalling.settings import Phone, Signalling

KEY = "provisioning-key"  # the secret from which the tokens are made
PASSWORD_LETTERS = 20  # of 62 each: 119 bits
ANY = "0.0.0.0"  # noqa: S104 - compared, not bound
PATH = "/provision"
_LETTERS = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskSettings:
    """What the files are made of. ``people`` in the order in which their keys stand."""

    settings: Provisioning
    signalling: Signalling
    people: Sequence[Person]
    pick_up: str


class DeskFiles:
    """``secret`` reads a secret of the box, or None; ``key`` is that of the tokens."""

    def __init__(self, office: DeskSettings, secret: Callable[[str], str | None], key: bytes) -> None:
        self._office = office
        self._secret = secret
        self._key = key
        self._phones = [phone for phone in office.signalling.phones if phone.mac]

    @property
    def phones(self) -> Sequence[Phone]:
        """Those with a file."""
        return self._phones

    def token(self, phone: Phone) -> str:
        """By which this phone fetches its files."""
        return hmac.digest(self._key, mac_of(phone.mac).encode(), hashlib.sha256)[:16].hex()

    def url(self, phone: Phone, page: str) -> str:
        """What is typed into the phone, or is option 66 of its lease; ``page`` is the page's address (``https://…``)."""
        return f"{page}{PATH}/{self.token(phone)}/"

    def fetched(self, token: str, name: str, page: str) -> tuple[str, str] | None:
        """The phone and its file of this name; None where token and name do not belong together."""
        given = token.encode("utf-8", "replace")
        phone = next((each for each in self._phones if hmac.compare_digest(self.token(each).encode(), given)), None)
        if phone is None:
            return None
        found = {each.lower(): content for each, content in self.files(phone, page).items()}.get(name.lower())
        return None if found is None else (phone.name, found)

    def files(self, phone: Phone, page: str = "", address: str = "") -> Mapping[str, str]:
        """The files of one phone by name; Problem where a secret or the box's address is not known."""
        desk = self._desk(phone, page, address)
        return yealink.files(desk) if desk.model.maker == "yealink" else grandstream.files(desk)

    def _desk(self, phone: Phone, page: str, address: str) -> Desk:
        office, model = self._office, model_of(phone.model)
        assert model is not None  # config.py has checked it
        box = address or self.address(page)
        return Desk(
            phone=phone.name,
            mac=mac_of(phone.mac),
            model=model,
            label=label_of(phone.name, office.people, phone.names),
            password=self._needed(password_of(phone.name)),
            admin_password=self._needed(admin_of(phone.name)),
            address=box,
            port=office.signalling.port,
            ntp=office.settings.ntp or box,
            language=office.settings.language,
            keys=keys_of(phone.name, office.people, phone.names, model),
            pick_up=office.pick_up,
            url=self.url(phone, page) if page else "",
        )

    def address(self, page: str = "") -> str:
        """Of the box as phones reach it: the setting, where signalling listens, or where ``page`` was asked."""
        signalling = self._office.signalling.address
        found = self._office.settings.address or ("" if signalling == ANY else signalling)
        found = found or urlsplit(page).hostname or ""
        if not found or ":" in found:  # SIP is spoken over IPv4
            raise Problem("provisioning.no_address")
        return found

    def _needed(self, name: str) -> str:
        found = self._secret(name)
        if not found:
            raise Problem("provisioning.no_secret", secret=name)
        return found


def password_of(phone: str) -> str:
    """The name of the secret by which the phone registers."""
    return f"phone-{phone}"


def admin_of(phone: str) -> str:
    """The name of the secret that opens the phone's own menus and page."""
    return f"admin-{phone}"


def new_password() -> str:
    """Letters and digits only: nothing that a file of some maker would have to escape."""
    return "".join(secrets.choice(_LETTERS) for _ in range(PASSWORD_LETTERS))
