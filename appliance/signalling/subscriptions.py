"""Who watches which lamp, and what they were told: the notifier of RFC 6665, for telephones of the office.

A telephone that is registered here, and shows its password each time, may watch every extension that calls has named by
``ShowLamp`` (event ``dialog``) or ``ShowMessages`` (``message-summary``). It is told the state at once, and then each
change: one NOTIFY after the other, at most one in ``GAP_SECONDS``, the newest state only. What a newcomer gets wrong: a
telephone that does not answer a NOTIFY, or refuses it, has lost its subscription and is told nothing any more (RFC
6665, 4.2.2), or each of its old lives would be told for ever.

A subscription is tied to the place where its telephone is registered. When that goes or moves, it ends as
``deactivated``, which asks the telephone to subscribe anew; when the box stops, as ``probation``. Ten thousand
SUBSCRIBEs make no more than ``MOST_OF_PHONE`` subscriptions: at the limit the telephone's own that are ending, or are
for the same lamp, make room, and then it is refused with Retry-After. All together send at most ``AT_ONCE`` NOTIFYs in
``TURN_SECONDS``, so that a busy minute of the lamps holds up no call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import unquote

from appliance.clock import Timer
from appliance.signalling import dialogs, lamps
from appliance.signalling import headers as h
from appliance.signalling.dialogs import Dialog
from appliance.signalling.ground import Ground, Side, answer_to, branch, stamped
from appliance.signalling.lamps import Shown
from appliance.signalling.registrar import Binding, Registrar
from appliance.signalling.transactions import Client, Peer, Server
from appliance.signalling.wire import Request, Response

SHORTEST_SECONDS = 60
LONGEST_SECONDS = 600  # how long a lamp may be wrong at most, should the box die without a word
MOST_OF_PHONE = 128  # two devices with 64 keys each
MOST = 2_048
RETRY_SECONDS = 60
STOPPED_SECONDS = 10  # when telephones may ask again of a box that stops: it has started anew by then
GAP_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 60  # that a telephone may ask for by Retry-After
AT_ONCE, TURN_SECONDS = 40, 0.02
MOST_ID = 64

ALLOW_EVENTS = ", ".join(lamps.TYPES)
Key = tuple[str, str]
"""Event package and extension."""
K = TypeVar("K")


class _Refused(Exception):  # noqa: N818 - an answer to the telephone, not an error of ours
    def __init__(self, code: int, *headers: tuple[str, str], reason: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.headers = headers
        self.reason = reason


@dataclass(slots=True, eq=False)
class _Subscription:
    """One dialog in which a telephone is told of one extension. ``ending`` is why it ends, in RFC 6665's words."""

    phone: str
    key: Key
    event: str  # as the telephone wrote it, with its id
    contact: str  # the binding that it is tied to
    side: Side
    dialog: Dialog
    ends_at: float = 0.0
    expiry: Timer | None = None
    version: int = 0
    not_before: float = 0.0  # the next NOTIFY
    pause: Timer | None = None  # until then
    is_due: bool = False
    asking: Client | None = None
    ending: str = ""
    retry_after: int = 0
    is_told: bool = False  # that it has ended


class Subscriptions:
    """All of them. ``side_of`` says who we are towards a telephone at a place."""

    def __init__(self, ground: Ground, registrar: Registrar, side_of: Callable[[str, Peer], Side]) -> None:
        self._ground = ground
        self._registrar = registrar
        self._side_of = side_of
        self._shown: dict[Key, Shown] = {}
        self._all: dict[tuple[str, str], _Subscription] = {}  # by Call-ID and our tag
        self._watching: dict[Key, dict[_Subscription, None]] = {}
        self._of_phone: dict[str, dict[_Subscription, None]] = {}
        self._ready: dict[_Subscription, None] = {}  # in the order in which they will be told
        self._left = AT_ONCE  # of this turn
        self._turn: Timer | None = None
        self._is_stopping = False

    def __len__(self) -> int:
        return len(self._all)

    @property
    def is_telling(self) -> bool:
        """Whether somebody waits for their turn to be told."""
        return bool(self._ready)

    # What is so -------------------------------------------------------------------------------------------------------

    def show(self, shown: Shown, now: float) -> None:
        """What an extension's lamps show from now on."""
        key = lamps.event_of(shown), shown.extension
        if self._shown.get(key) == shown:
            return
        self._shown[key] = shown
        for each in self._watching.get(key, ()):
            if not each.ending:
                self._tell(each, now)

    def look(self, now: float) -> None:
        """Registrations have changed: whose place has gone or moved is told so, where the telephone is now."""
        for each in tuple(self._all.values()):
            place = self._registrar.place(each.phone, each.contact)
            if place != each.side.peer:
                if place is not None:
                    each.side = replace(each.side, peer=place)
                self._end(each, "deactivated", now)

    def stop(self, now: float) -> None:
        """The box stops: every telephone is told, and may ask again in a while."""
        self._is_stopping = True
        for each in tuple(self._all.values()):
            self._end(each, "probation", now, STOPPED_SECONDS)

    # What telephones ask ----------------------------------------------------------------------------------------------

    def receive(self, server: Server, request: Request, phone: str, peer: Peer, now: float) -> None:
        """A SUBSCRIBE of a telephone that has shown its password."""
        try:
            seconds = _seconds(request)
            is_new = not h.tag_of(request.headers.get("to") or "")
            found = self._begun(request, phone, peer) if is_new else self._renewed(request, phone, peer)
        except _Refused as refused:
            server.respond(self._refusal(request, refused), now)
            return
        if is_new:
            self._keep(found)
        response = answer_to(request, 200, found.dialog.local_tag)
        response.headers.add("expires", str(seconds))
        response.headers.add("contact", f"<{found.side.contact}>")
        response.headers.add("allow-events", ALLOW_EVENTS)
        server.respond(response, now)
        if seconds:
            self._expire_in(found, seconds, now)
            self._tell(found, now)  # whether or not anything has changed (RFC 6665, 4.2.1.2)
        else:
            self._end(found, "timeout", now)

    def _refusal(self, request: Request, refused: _Refused) -> Response:
        response = answer_to(request, refused.code, self._ground.token(), refused.reason)
        for name, value in refused.headers:
            response.headers.add(name, value)
        return response

    def _begun(self, request: Request, phone: str, peer: Peer) -> _Subscription:
        package, event = _event(request)
        if package not in lamps.TYPES:
            raise _Refused(489, ("allow-events", ALLOW_EVENTS))
        key = package, unquote(h.parse_uri(request.uri).user.partition(";")[0])
        if key not in self._shown:
            raise _Refused(404)
        if not _accepts(request, lamps.TYPES[package]):
            raise _Refused(406, ("accept", lamps.TYPES[package]))
        if self._is_stopping:
            raise _Refused(503, ("retry-after", str(STOPPED_SECONDS)))
        place = self._place(phone, peer)
        self._make_room(phone, place.contact, key)
        try:
            dialog = dialogs.as_server(request, self._ground.token())
        except ValueError:
            raise _Refused(400, reason="Bad Contact") from None
        return _Subscription(phone, key, event, place.contact, self._side_of(phone, place.peer), dialog)

    def _renewed(self, request: Request, phone: str, peer: Peer) -> _Subscription:
        headers = request.headers
        found = self._all.get((headers.get("call-id") or "", h.tag_of(headers.get("to") or "")))
        if (
            found is None
            or found.ending
            or found.phone != phone
            or found.dialog.remote_tag != h.tag_of(headers.get("from") or "")
            or _event(request)[1] != found.event
        ):
            raise _Refused(481)
        if not found.dialog.takes(request):
            raise _Refused(500, reason="Out of Order")
        place = self._place(phone, peer)
        found.contact, found.side = place.contact, self._side_of(phone, place.peer)
        found.dialog.retarget(request)
        return found

    def _place(self, phone: str, peer: Peer) -> Binding:
        place = self._registrar.at(phone, peer)
        if place is None:
            raise _Refused(480, ("retry-after", str(RETRY_SECONDS)), reason="Not Registered")
        return place

    def _make_room(self, phone: str, contact: str, key: Key) -> None:
        """At a limit what is ending, or was for the same lamp at the same place, is let go of without a word."""
        mine = self._of_phone.get(phone, {})
        is_mine_full = len(mine) >= MOST_OF_PHONE
        if not is_mine_full and len(self._all) < MOST:
            return
        spare = next((each for each in mine if each.ending or (each.key, each.contact) == (key, contact)), None)
        if spare is None:
            code, reason = (480, "Too Many Subscriptions") if is_mine_full else (503, "")
            raise _Refused(code, ("retry-after", str(RETRY_SECONDS)), reason=reason)
        self._forget(spare)

    # What telephones are told -----------------------------------------------------------------------------------------

    def _tell(self, each: _Subscription, now: float) -> None:
        """The state as it is when its turn comes."""
        each.is_due = True
        self._go_on(each, now)

    def _go_on(self, each: _Subscription, now: float) -> None:
        """One after the other, and not too fast; the end waits for no pause."""
        if not each.is_due or each.asking is not None or each.is_told:
            return
        if each.not_before > now and not each.ending:
            if each.pause is None:
                each.pause = self._ground.transactions.timers.at(each.not_before, lambda then: self._paused(each, then))
            return
        self._ready[each] = None
        self._send_some(now)

    def _paused(self, each: _Subscription, now: float) -> None:
        each.pause = None
        self._go_on(each, now)

    def _send_some(self, now: float) -> None:
        while self._ready and self._left:
            each = next(iter(self._ready))
            del self._ready[each]
            self._left -= 1
            self._notify(each, now)
        if self._left < AT_ONCE and self._turn is None:
            self._turn = self._ground.transactions.timers.at(now + TURN_SECONDS, self._next_turn)

    def _next_turn(self, now: float) -> None:
        self._turn, self._left = None, AT_ONCE
        self._send_some(now)

    def _notify(self, each: _Subscription, now: float) -> None:
        ground = self._ground
        request = each.dialog.request("NOTIFY")
        request.headers.add("event", each.event)
        request.headers.add("subscription-state", _state(each, now))
        request.headers.add("content-type", lamps.TYPES[each.key[0]])
        request.body = lamps.body(self._shown[each.key], ground.settings.domain, each.version)
        each.version += 1
        each.is_due, each.is_told = False, bool(each.ending)
        each.not_before = now + GAP_SECONDS
        peer = ground.hop(each.dialog, each.side.peer, is_phone=True)
        mark = branch(ground)
        sent = stamped(request, each.side, mark, peer.transport)
        each.asking = ground.transactions.ask(
            sent,
            peer,
            mark,
            lambda client, response, then: self._answered(each, client, response, then),
            lambda client, _then: self._failed(each, client),
            now,
        )

    def _answered(self, each: _Subscription, client: Client, response: Response, now: float) -> None:
        if response.code < 200 or client is not each.asking:
            return
        pause = _retry_after(response)
        if each.is_told or (response.code >= 300 and pause is None):
            self._forget(each)
            return
        each.asking = None
        if response.code >= 300 and pause is not None:
            each.is_due, each.not_before = True, now + pause
        self._go_on(each, now)

    def _failed(self, each: _Subscription, client: Client) -> None:
        """No answer at all."""
        if client is each.asking:
            self._forget(each)

    # The end ----------------------------------------------------------------------------------------------------------

    def _expire_in(self, each: _Subscription, seconds: int, now: float) -> None:
        if each.expiry is not None:
            each.expiry.cancel()
        each.ends_at = now + seconds
        each.expiry = self._ground.transactions.timers.at(each.ends_at, lambda then: self._end(each, "timeout", then))

    def _end(self, each: _Subscription, reason: str, now: float, retry_after: int = 0) -> None:
        """Its last NOTIFY says why; until that is answered it is kept."""
        if each.ending:
            return
        each.ending, each.retry_after = reason, retry_after
        self._quiet(each)
        self._tell(each, now)

    @staticmethod
    def _quiet(each: _Subscription) -> None:
        for timer in (each.expiry, each.pause):
            if timer is not None:
                timer.cancel()
        each.expiry = each.pause = None

    def _keep(self, each: _Subscription) -> None:
        self._all[each.dialog.key] = each
        self._watching.setdefault(each.key, {})[each] = None
        self._of_phone.setdefault(each.phone, {})[each] = None

    def _forget(self, each: _Subscription) -> None:
        """Nothing is sent for it any more."""
        self._quiet(each)
        each.asking = None
        self._ready.pop(each, None)
        del self._all[each.dialog.key]
        _drop(self._watching, each.key, each)
        _drop(self._of_phone, each.phone, each)


def _drop(index: dict[K, dict[_Subscription, None]], name: K, each: _Subscription) -> None:
    del index[name][each]
    if not index[name]:
        del index[name]


def _seconds(request: Request) -> int:
    """How long the subscription shall last; 0 ends it. Raises _Refused."""
    given = request.headers.get("expires")
    if given is None:
        return LONGEST_SECONDS
    try:
        seconds = h.number_and_parameters(given)[0]
    except ValueError:
        raise _Refused(400, reason="Bad Expires") from None
    if 0 < seconds < SHORTEST_SECONDS:
        raise _Refused(423, ("min-expires", str(SHORTEST_SECONDS)))
    return min(seconds, LONGEST_SECONDS)


def _event(request: Request) -> tuple[str, str]:
    """The package, and what its NOTIFYs say in Event: with the telephone's id, where it has one (RFC 6665, 8.2.1)."""
    package, *parameters = (request.headers.get("event") or "").split(";")
    name = package.strip().lower()
    for each in parameters:
        key, _, value = each.partition("=")
        if key.strip().lower() == "id":
            return name, f"{name};id={value.strip()[:MOST_ID]}"
    return name, name


def _accepts(request: Request, wanted: str) -> bool:
    """Whether the telephone reads this kind of document; without Accept it reads what the package has."""
    kinds = {each.partition(";")[0].strip().lower() for each in request.headers.all("accept")} - {""}
    return not kinds or bool(kinds & {wanted, "application/*", "*/*"})


def _state(each: _Subscription, now: float) -> str:
    if not each.ending:
        return f"active;expires={max(0, round(each.ends_at - now))}"
    later = f";retry-after={each.retry_after}" if each.retry_after else ""
    return f"terminated;reason={each.ending}{later}"


def _retry_after(response: Response) -> int | None:
    """Seconds after which a refused NOTIFY may be tried again; None: never (RFC 6665, 4.2.2)."""
    try:
        return min(h.number_and_parameters(response.headers.get("retry-after") or "")[0], LONGEST_PAUSE_SECONDS)
    except ValueError:
        return None
