"""A made-up calls and made-up records for the page, and how a test asks it."""

from __future__ import annotations

import asyncio
import urllib.parse
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path

import msgspec
from starlette.types import ASGIApp, Message

from appliance.calls.settings import AWAY_REASONS
from appliance.clock import VirtualClock
from appliance.control import wire
from appliance.control.client import ControlClient
from appliance.control.picture import for_role
from appliance.control.wire import AgentNow, Line, LiveCall, Role, SignedIn, Snapshot, Switches, Who
from appliance.errors import Problem
from appliance.messages import Language
from appliance.records import ledger
from appliance.records.events import Happened, RequestMoved, RequestOpened
from appliance.records.reader import Reader
from appliance.records.store import Store
from appliance.web.app import Page
from tests.records.given import KEY, a_call

FORM_TYPE = "application/x-www-form-urlencoded"
NUMBER = "09121234567"
WAITS = "09351112233"
NOW = 1_795_446_977_557  # Monday, 23 November 2026, 18:46 in Tehran
MINUTE, DAY = 60_000, 86_400_000
SNAPSHOT = Snapshot(
    box="test",
    version="1",
    language="en",
    now_utc_ms=NOW,
    trunks=(wire.Trunk("main", "up", 200),),
    phones=(wire.Phone("desk1", True, 1), wire.Phone("desk2", False, 0)),
    calls=(
        LiveCall("c1", "office", NUMBER, "talking", "sara", NOW - 95_000, "live", NOW - 120_000),
        LiveCall("c2", "office", WAITS, "waiting", "", NOW - 61_000, "none", NOW - 90_000, "reception", 1),
        LiveCall("c3", "office", "02144556677", "waiting", "", NOW - 20_000, "none", NOW - 30_000, "reception", 2),
    ),
    counters={"sip.strangers": 3},
    findings=(),
    last_event=1,
    media="up",
    lines=(Line("reception", 2, 2, 0), Line("doctors", 0, 1, 1)),
    agents=(AgentNow("sara", "talking", NOW - 95_000), AgentNow("reza", "free"), AgentNow("nima", "not_registered")),
)


FORM = wire.DeskForm(
    conversation="c9",
    customer="+989121234567",
    shown=NUMBER,
    name="علی",
    line="reception",
    language="fa",
    state="open",
    is_over=True,
    can_extend=True,
    until_utc_ms=NOW + 30_000,
    fields=tuple(wire.FormField(name, value, version) for name, value, version in (
        ("disposition", "", 0), ("note", "asks for <b>the</b> price", 2), ("resolved", "", 0), ("kind", "request", 1)
    )),
    choices=(wire.Choice("settled", "انجام شد", "Settled"), wire.Choice("other", "موارد دیگر", "Something else")),
)  # fmt: skip
CALL = wire.DeskCall(
    conversation="c1",
    customer="+989121234567",
    shown=NUMBER,
    name="علی",
    line="office",
    queue="reception",
    language="fa",
    state="waiting",
    direction="in",
    is_speaking=False,
    opened_utc_ms=NOW - 61_000,
    since_utc_ms=NOW - 5_000,
    recording="live",
    briefs=(wire.Brief("reza", "wants <i>two</i> of them"),),
)
AWAY = tuple(wire.Choice(each.name, each.persian, each.english) for each in AWAY_REASONS)
DESK = wire.DeskNow(NOW, "sara", "offered", "", NOW - 5_000, ("sara",), CALL, FORM, away=AWAY)


class MadeUpCalls(ControlClient):
    """Knows the token ``good`` only, whose role it is told; keeps every order and refuses those it is told to."""

    def __init__(self, role: Role = "owner", must_set_password: bool = False) -> None:
        super().__init__(Path("nowhere"))
        self.role: Role = role
        self.actor = "somebody"
        self.must_set_password = must_set_password
        self.snapshot = SNAPSHOT
        self.has_picture = True
        self.signed_out: list[str] = []
        self.orders: list[wire.Order | wire.DeskOrder | wire.PeopleOrder | wire.SeatOrder] = []
        self.refusal: Problem | None = None
        self.is_stopped = False
        self.reply: wire.Reply = wire.Done()
        self.desk_now = DESK
        self.asked_desks: list[str] = []
        self.desk_stops = False
        self.seated = wire.Seated(
            (wire.SeatNow("Sara", "desk1", "locked"), wire.SeatNow("Reza", "", "none")), ("hall",), ("Sara",), AWAY
        )
        self.people_now = wire.People(
            (wire.Person("owner", "owner", True), wire.Person("sara", "agent", False)), ("Sara", "Reza")
        )

    async def who_am_i(self, token: str) -> Who:
        if self.is_stopped:
            raise Problem("control.calls_is_stopped")
        if token != "good":
            raise Problem("access.signed_out")
        return Who(self.actor, self.role, self.must_set_password)

    async def sign_in(self, name: str, secret: str, address: str = "") -> SignedIn:
        if secret != "right":
            raise Problem("access.wrong")
        return SignedIn(token="good", actor=name, role=self.role, must_set_password=self.must_set_password)

    async def sign_out(self, token: str) -> None:
        self.signed_out.append(token)

    async def order(self, order: wire.Order | wire.DeskOrder | wire.PeopleOrder | wire.SeatOrder) -> wire.Reply:
        self.orders.append(order)
        if self.refusal is not None:
            raise self.refusal
        return self.reply

    async def desk(self, token: str, agent: str = "") -> wire.DeskNow:
        if self.desk_stops:
            raise Problem("control.calls_is_stopped")
        self.asked_desks.append(agent)
        return self.desk_now

    async def seats(self, token: str) -> wire.Seated:
        return self.seated

    async def people(self, token: str) -> wire.People:
        return self.people_now

    async def watch(self, token: str) -> AsyncGenerator[Snapshot | None, None]:
        yield for_role(self.snapshot, self.role) if self.has_picture else None

    def switch(self, switches: Switches) -> None:
        self.snapshot = msgspec.structs.replace(self.snapshot, switches=switches)


def no_reader() -> Reader:
    raise Problem("records.no_key", file="database-key")


class Browser:
    """Asks the page as a browser would. ``token`` is the session's; forms get their token by themselves."""

    def __init__(
        self,
        calls: MadeUpCalls,
        reader: Reader | None = None,
        *,
        language: Language = "en",
        is_tls: bool = True,
        token: str = "good",
        now: int = NOW,
        kept: Path = Path("nowhere"),
    ) -> None:
        self.calls = calls
        self.token = token
        self.address = "127.0.0.1"
        self._is_tls = is_tls
        clock = VirtualClock(now)
        page = Page(calls, (lambda: reader) if reader else no_reader, "test", language, is_tls, clock, kept=kept)
        self.app: ASGIApp = page.app(("box.local",))

    def get(self, path: str) -> tuple[int, dict[str, str], str]:
        return self.ask("GET", path)

    def post(self, path: str, form: str = "", /, **fields: str) -> tuple[int, dict[str, str], str]:
        """Sends a form of the page, with its token unless ``form`` is given."""
        token = form or self.form_token()
        return self.ask("POST", path, urllib.parse.urlencode({"form": token, **fields}).encode())

    def form_token(self) -> str:
        text = self.get("/sign-in")[2]
        return text.partition('name="form" value="')[2].partition('"')[0]

    def ask(
        self, method: str, path: str, body: bytes = b"", chunks: int = 1, kind: str = FORM_TYPE
    ) -> tuple[int, dict[str, str], str]:
        """Status, headers and text of one request."""
        status, headers, content = asyncio.run(self._ask(method, path, [body] * chunks, {"content-type": kind}))
        return status, headers, content.decode()

    def ask_bytes(self, method: str, path: str, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        """The same with headers of its own, and bytes."""
        return asyncio.run(self._ask(method, path, [b""], headers))

    async def _ask(
        self, method: str, target: str, bodies: Sequence[bytes], more: Mapping[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        sent: list[Message] = []
        waiting = list(bodies)

        async def receive() -> Message:
            if not waiting:
                await asyncio.Event().wait()  # the browser stays
            return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

        async def send(message: Message) -> None:
            sent.append(dict(message))

        path, _, query = target.partition("?")
        cookie = f"{'__Host-pasokh' if self._is_tls else 'pasokh'}={self.token}".encode()
        named = [(name.encode(), value.encode()) for name, value in more.items()]
        scope = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode(),
            "headers": [(b"host", b"box.local"), (b"cookie", cookie), *named], "scheme": "https", "http_version": "1.1",
            "server": ("box.local", 443), "client": (self.address, 5), "root_path": "",
        }  # fmt: skip
        await self.app(scope, receive, send)
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], headers, b"".join(each.get("body", b"") for each in sent[1:])


class Records:
    """A calls.db to which a test adds what happened, each at its moment."""

    def __init__(self, folder: Path, begins: int = NOW - 40 * DAY) -> None:
        self._begins = begins
        self._clock = VirtualClock(begins)
        self._store = Store(folder / "calls.db", KEY, self._clock)
        self._number = 0
        self.reader = Reader(folder / "calls.db", KEY)

    def at(self, moment: int, *happened: Happened) -> None:
        """Moments are given in order."""
        self._clock.advance_to((moment - self._begins) / 1000)
        self._store.apply(list(happened))

    def owe(
        self, what: ledger.What, customer: str, *, at: int, due: int = 0, about: str = "", agent: str = "",
        conversation: str = "",
    ) -> str:  # fmt: skip
        """A new request, opened at ``at``."""
        self._number += 1
        request = f"r{self._number}"
        code = ledger.code_of(self._number)
        opened = RequestOpened(
            conversation, request, self._number, code, what, customer, "fa", "reception", due, about, 0, agent
        )
        self.at(at, opened)
        return request

    def settle(self, request: str, state: str, *, at: int) -> None:
        self.at(at, RequestMoved(request, state, "owner", ""))

    def talk(self, conversation: str, *, at: int) -> None:
        """+989121234567 rings, and somebody speaks with them nine seconds later."""
        self.at(at, *(happened for moment in a_call(conversation) for happened in moment))

    def close_hard(self) -> None:
        """As a box that stops: the file can still be read by others."""
        self._store.close_hard()

    def close(self) -> None:
        self.reader.close()
        self._store.close()
