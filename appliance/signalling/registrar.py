"""Where desk phones are: the registrar of the office (RFC 3261, 10.3), each phone known by its password.

A phone is called where it was seen, not where its Contact says: behind a router the two differ. The answer to a wrong
password is the same for a name that exists and one that does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from appliance.signalling import headers as h
from appliance.signalling.digest import Guard
from appliance.signalling.ground import answer_to
from appliance.signalling.port import PhoneGone, PhoneRegistered
from appliance.signalling.settings import Signalling
from appliance.signalling.transactions import Peer
from appliance.signalling.wire import Request, Response

DEFAULT_SECONDS = 3600
SHORTEST_SECONDS = 60
LONGEST_SECONDS = 3600

Event = PhoneRegistered | PhoneGone


@dataclass(slots=True)
class Binding:
    """One place where a phone may be reached until ``ends_at`` (monotonic seconds)."""

    contact: str
    transport: str
    address: tuple[str, int]
    connection: int
    ends_at: float
    call_id: str
    cseq: int

    @property
    def peer(self) -> Peer:
        return Peer(self.transport, self.address, self.connection)


class _Refused(Exception):  # noqa: N818 - an answer to the phone, not an error of ours
    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Registrar:
    """The bindings of all phones. ``guard`` knows their passwords."""

    def __init__(self, settings: Signalling, guard: Guard) -> None:
        self._guard = guard
        self._max_contacts = {phone.name: max(1, phone.max_contacts) for phone in settings.phones}
        self._bindings: dict[str, list[Binding]] = {}
        self.is_changed = False  # since the owner last kept it

    @property
    def deadline(self) -> float | None:
        return min((each.ends_at for bindings in self._bindings.values() for each in bindings), default=None)

    def due(self, now: float) -> list[Event]:
        """Drops what has expired."""
        return self._drop(lambda binding: binding.ends_at <= now)

    def connection_lost(self, connection: int) -> list[Event]:
        """A TCP connection is gone: the phone behind it cannot be called until it registers again."""
        return self._drop(lambda binding: connection != 0 and binding.connection == connection)

    def targets(self, phone: str) -> Sequence[tuple[str, Peer]]:
        """Contact URI and place of every binding, the newest first."""
        return [(binding.contact, binding.peer) for binding in reversed(self._bindings.get(phone, []))]

    def at(self, phone: str, peer: Peer) -> Binding | None:
        """The place of this phone from which ``peer`` speaks: exactly there, else at the same address."""
        known = self._bindings.get(phone, [])
        exact = next((each for each in known if each.peer == peer), None)
        return exact or next((each for each in reversed(known) if each.address[0] == peer.address[0]), None)

    def place(self, phone: str, contact: str) -> Peer | None:
        """Where this contact of the phone is reached now; None where it is not registered any more."""
        known = self._bindings.get(phone, [])
        return next((each.peer for each in known if _same(each.contact, contact)), None)

    def is_at(self, host: str) -> bool:
        """Whether a phone that proved itself is registered from this address."""
        return any(each.address[0] == host for known in self._bindings.values() for each in known)

    def receive(self, request: Request, peer: Peer, now: float) -> tuple[Response, list[Event]]:
        """Answers one REGISTER."""
        given = request.headers.get("authorization") or ""
        user, verdict = self._guard.check(given, "REGISTER", now, request.uri) if given else ("", "none")
        if verdict == "no":
            return answer_to(request, 403, self._tag(request)), []
        if verdict != "ok":
            response = answer_to(request, 401, self._tag(request))
            for challenge in self._guard.challenges(now, stale=verdict == "stale"):
                response.headers.add("www-authenticate", challenge)
            return response, []
        try:
            events = self._update(user, request, peer, now)
        except _Refused as refused:
            response = answer_to(request, refused.code, self._tag(request), refused.reason)
            if refused.code == 423:
                response.headers.add("min-expires", str(SHORTEST_SECONDS))
            return response, []
        response = answer_to(request, 200, self._tag(request))
        for binding in self._bindings.get(user, []):
            response.headers.add("contact", f"<{binding.contact}>;expires={max(0, round(binding.ends_at - now))}")
        return response, events

    # Kept over a restart ----------------------------------------------------------------------------------------------

    def kept(self) -> dict[str, list[Binding]]:
        """What another process of the same boot needs to ring these phones; times are of the machine's own clock."""
        self.is_changed = False
        return self._bindings

    def recall(self, bindings: dict[str, list[Binding]], now: float) -> list[Event]:
        """Takes up what an earlier process kept; TCP connections ended with it."""
        events: list[Event] = []
        for phone, known in bindings.items():
            alive = [each for each in known if now < each.ends_at <= now + LONGEST_SECONDS and each.transport == "udp"]
            if phone in self._max_contacts and alive:
                self._bindings[phone] = alive
                events += [PhoneRegistered(phone, each.contact, round(each.ends_at - now), "") for each in alive]
        return events

    # One phone --------------------------------------------------------------------------------------------------------

    def _update(self, user: str, request: Request, peer: Peer, now: float) -> list[Event]:
        headers = request.headers
        if user not in self._max_contacts:
            raise _Refused(403)
        try:
            if h.parse_name_address(headers.get("to") or "").uri.user != user:
                raise _Refused(403)
            cseq = h.parse_cseq(headers.get("cseq") or "")[0]
        except ValueError:
            raise _Refused(400) from None
        call_id = headers.get("call-id") or ""
        wanted = self._wanted(request)
        bindings = self._bindings.setdefault(user, [])
        if any(each.call_id == call_id and each.cseq >= cseq for each in bindings):
            raise _Refused(500, "Out of Order")
        events: list[Event] = []
        for contact, seconds in wanted:
            old = [each for each in bindings if contact == "*" or _same(each.contact, contact)]
            for each in old:
                bindings.remove(each)
            if seconds > 0:
                binding = Binding(contact, peer.transport, peer.address, peer.connection, now + seconds, call_id, cseq)
                bindings.append(binding)
                if not old or old[0].peer != binding.peer:
                    events.append(PhoneRegistered(user, contact, seconds, (headers.get("user-agent") or "")[:80]))
            else:
                events += [PhoneGone(user, each.contact) for each in old]
        while len(bindings) > self._max_contacts[user]:  # a phone that restarts leaves its old place behind
            events.append(PhoneGone(user, bindings.pop(0).contact))
        if not bindings:
            del self._bindings[user]
        self.is_changed = self.is_changed or bool(wanted)
        return events

    @staticmethod
    def _wanted(request: Request) -> list[tuple[str, int]]:
        """Contacts and their seconds; none for a query. Raises _Refused."""
        headers = request.headers
        try:
            overall = h.number_and_parameters(headers.get("expires") or str(DEFAULT_SECONDS))[0]
        except ValueError:
            overall = DEFAULT_SECONDS
        contacts = headers.all("contact")
        if contacts == ["*"]:
            if overall != 0:
                raise _Refused(400, "Bad Contact")
            return [("*", 0)]
        wanted = []
        for text in contacts:
            try:
                name = h.parse_name_address(text)
            except ValueError:
                raise _Refused(400, "Bad Contact") from None
            own = name.parameter("expires")
            seconds = int(own) if own and own.isascii() and own.isdigit() and len(own) < 10 else overall
            if 0 < seconds < SHORTEST_SECONDS:
                raise _Refused(423, "Interval Too Brief")
            wanted.append((str(name.uri), min(seconds, LONGEST_SECONDS)))
        return wanted

    def _drop(self, is_gone: Callable[[Binding], bool]) -> list[Event]:
        events: list[Event] = []
        for phone in list(self._bindings):
            gone = [each for each in self._bindings[phone] if is_gone(each)]
            if not gone:
                continue
            self.is_changed = True
            events += [PhoneGone(phone, each.contact) for each in gone]
            left = [each for each in self._bindings[phone] if not is_gone(each)]
            if left:
                self._bindings[phone] = left
            else:
                del self._bindings[phone]
        return events

    @staticmethod
    def _tag(request: Request) -> str:
        return h.tag_of(request.headers.get("from") or "")[:16] + "r"


def _same(one: str, other: str) -> bool:
    """Whether two Contact URIs name the same place (RFC 3261, 19.1.4, as far as phones differ)."""
    if one == other:
        return True
    try:
        first, second = h.parse_uri(one), h.parse_uri(other)
    except ValueError:
        return False
    return (first.user, first.host.lower(), first.port or h.DEFAULT_PORT) == (
        second.user,
        second.host.lower(),
        second.port or h.DEFAULT_PORT,
    )
