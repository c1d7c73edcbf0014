"""The page's routes: who may ask for what, and what comes of it.

Nothing is decided here about people: the opaque token of the session goes to calls with every request, and calls says
whose it is. ``ROLES`` is the whole table of what is open to whom; a route without an entry cannot be built.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from appliance.clock import Clock, SystemClock
from appliance.contacts.draft import LARGEST_BYTES
from appliance.control.client import STOPPED, ControlClient
from appliance.control.wire import Role
from appliance.errors import Problem
from appliance.messages import LANGUAGES, Language
from appliance.provisioning.settings import Provisioning
from appliance.recorder import viewer
from appliance.records.reader import Reader
from appliance.web.agents import Agents
from appliance.web.contacts import Contacts
from appliance.web.conversations import Conversations
from appliance.web.desk import Desk
from appliance.web.home import Home
from appliance.web.keeping import Keeping
from appliance.web.keys import Keys
from appliance.web.listen import PLACE, Listening
from appliance.web.lists import Lists
from appliance.web.live import GONE
from appliance.web.me import Me
from appliance.web.monitor import Monitor
from appliance.web.people import People
from appliance.web.phone_files import PhoneFiles
from appliance.web.security import Door
from appliance.web.site import EVERYONE, LANGUAGE_COOKIE, LEADS, OWNS, WORKS, Site

ANYBODY: frozenset[Role] = frozenset()  # no session needed
ROLES: Mapping[tuple[str, str], frozenset[Role]] = {
    ("GET", "/"): EVERYONE,
    ("GET", "/live"): EVERYONE,
    ("GET", "/owed"): WORKS,
    ("GET", "/owed/live"): WORKS,
    ("POST", "/owed/promise"): WORKS,
    ("POST", "/owed/change"): WORKS,
    ("POST", "/owed/call"): WORKS,
    ("POST", "/owed/close"): WORKS,
    ("GET", "/conversations"): WORKS,  # an agent: the own ones
    ("GET", "/listening"): LEADS,
    ("GET", "/switches"): LEADS,
    ("GET", "/switches/live"): LEADS,
    ("POST", "/switches"): LEADS,
    ("POST", "/calls/move"): LEADS,
    ("POST", "/calls/hang-up"): LEADS,
    ("GET", "/listen/{recording}"): LEADS,
    ("POST", "/listen/{recording}"): LEADS,
    ("GET", "/recordings/{recording}/{part}"): LEADS,
    ("GET", "/me"): WORKS,
    ("GET", "/me/live"): WORKS,
    ("POST", "/me/away"): WORKS,
    ("POST", "/me/draft"): WORKS,
    ("POST", "/me/give"): WORKS,
    ("POST", "/me/extend"): WORKS,
    ("POST", "/me/brief"): WORKS,
    ("POST", "/me/promise"): WORKS,
    ("POST", "/me/pause"): WORKS,
    ("GET", "/keeping"): OWNS,
    ("GET", "/keeping/live"): OWNS,
    ("POST", "/keeping/hold"): OWNS,
    ("POST", "/keeping/release"): OWNS,
    ("POST", "/keeping/erase"): OWNS,
    ("GET", "/keys"): OWNS,
    ("GET", "/keys/test/{recording}/{part}"): OWNS,
    ("POST", "/me/pin"): WORKS,
    ("GET", "/agents"): LEADS,
    ("POST", "/agents/pin"): LEADS,
    ("POST", "/agents/unlock"): LEADS,
    ("GET", "/people"): OWNS,
    ("POST", "/people/invite"): OWNS,
    ("POST", "/people/remove"): OWNS,
    ("GET", "/contacts"): WORKS,
    ("POST", "/contacts/save"): LEADS,
    ("POST", "/contacts/remove"): LEADS,
    ("POST", "/contacts/import"): LEADS,
    ("POST", "/contacts/import/do"): LEADS,
    ("GET", "/contacts/export"): LEADS,
    ("POST", "/me/next"): WORKS,
    ("POST", "/me/outcome"): WORKS,
    ("GET", "/lists"): LEADS,
    ("POST", "/lists/turn"): LEADS,
    ("POST", "/lists/import"): LEADS,
    ("POST", "/lists/import/do"): LEADS,
    ("POST", "/lists/forbid"): LEADS,
    ("POST", "/lists/allow"): LEADS,
    ("GET", "/lists/export"): LEADS,
    ("GET", "/sign-in"): ANYBODY,
    ("POST", "/sign-in"): ANYBODY,
    ("GET", "/password"): EVERYONE,
    ("POST", "/password"): EVERYONE,
    ("POST", "/sign-out"): EVERYONE,
    ("POST", "/language"): ANYBODY,
    ("GET", "/static/{name}"): ANYBODY,
    ("GET", "/health"): ANYBODY,
    ("GET", "/metrics"): ANYBODY,  # with a token of its own
    ("GET", "/provision/{token}/{name}"): ANYBODY,  # for phones, each with a token of its own
}
# Where who has chosen a language goes on.
PAGES = (
    "/", "/me", "/owed", "/conversations", "/listening", "/contacts", "/lists", "/switches", "/agents", "/keeping",
    "/keys", "/people",
)  # fmt: skip
LARGEST = dict.fromkeys(("/contacts/import", "/lists/import"), LARGEST_BYTES + 4_096)  # a file and its form
SECRETS = ("new", "again", "secret", "password", "pin")  # fields that are never given back to a browser

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Shown:
    """``area_code`` is what a bare local number belongs to."""

    area_code: str = ""
    provisioning: Provisioning = field(default_factory=Provisioning)


class Page:
    """All routes behind the door. ``clock`` says what is overdue; without ``monitor`` nobody gets figures.

    ``kept`` is the folder of closed recordings, ``office`` what the settings say of the office; what a test leaves out
    is empty.
    """

    def __init__(
        self,
        control: ControlClient,
        reader: Callable[[], Reader],
        box: str,
        language: Language,
        is_tls: bool,
        clock: Clock | None = None,
        monitor: Monitor | None = None,
        kept: Path = Path("/nowhere"),
        office: Shown | None = None,
    ) -> None:
        office = office or Shown()
        self._control = control
        self._monitor = monitor or Monitor(control, "", Path("/"))
        self._site = Site(control, reader, box, language, is_tls, clock or SystemClock())
        self._home = Home(self._site)
        self._desk = Desk(self._site, self._home)
        self._conversations = Conversations(self._site)
        self._listening = Listening(self._site, kept)
        self._keys = Keys(self._site, kept.parent)
        self._me = Me(self._site)
        self._keeping = Keeping(self._site, office.area_code)
        self._people = People(self._site)
        self._agents = Agents(self._site)
        self._contacts = Contacts(self._site, office.area_code)
        self._lists = Lists(self._site)
        self._phone_files = PhoneFiles(control, office.provisioning, "https" if is_tls else "http", self._site.clock)
        self._static = _static_files()

    def app(self, hosts: tuple[str, ...]) -> ASGIApp:
        desk, contacts, keeping = self._desk, self._contacts, self._keeping
        handlers: dict[tuple[str, str], Handler] = {
            ("GET", "/"): self._home.show,
            ("GET", "/live"): self._home.live,
            ("GET", "/owed"): desk.show_owed,
            ("GET", "/owed/live"): desk.live_owed,
            ("POST", "/owed/promise"): desk.promise,
            ("POST", "/owed/change"): desk.change,
            ("POST", "/owed/call"): desk.call_now,
            ("POST", "/owed/close"): desk.close,
            ("GET", "/conversations"): self._conversations.find,
            ("GET", "/listening"): self._conversations.listening,
            ("GET", "/switches"): desk.show_switches,
            ("GET", "/switches/live"): desk.live_switches,
            ("POST", "/switches"): desk.turn,
            ("POST", "/calls/move"): desk.move,
            ("POST", "/calls/hang-up"): desk.hang_up,
            ("GET", "/listen/{recording}"): self._listening.show,
            ("POST", "/listen/{recording}"): self._listening.take,
            ("GET", "/recordings/{recording}/{part}"): self._listening.part,
            ("GET", "/me"): self._me.show,
            ("GET", "/me/live"): self._me.live,
            ("POST", "/me/away"): self._me.away,
            ("POST", "/me/draft"): self._me.draft,
            ("POST", "/me/give"): self._me.give,
            ("POST", "/me/extend"): self._me.extend,
            ("POST", "/me/brief"): self._me.brief,
            ("POST", "/me/promise"): self._me.promise,
            ("POST", "/me/pause"): self._me.pause,
            ("GET", "/keeping"): keeping.show,
            ("GET", "/keeping/live"): keeping.live,
            ("POST", "/keeping/hold"): keeping.hold,
            ("POST", "/keeping/release"): keeping.release,
            ("POST", "/keeping/erase"): keeping.erase,
            ("GET", "/keys"): self._keys.show,
            ("GET", "/keys/test/{recording}/{part}"): self._keys.part,
            ("POST", "/me/pin"): self._me.pin,
            ("GET", "/agents"): self._agents.show,
            ("POST", "/agents/pin"): self._agents.make_pin,
            ("POST", "/agents/unlock"): self._agents.unlock,
            ("GET", "/people"): self._people.show,
            ("POST", "/people/invite"): self._people.invite,
            ("POST", "/people/remove"): self._people.remove,
            ("GET", "/contacts"): contacts.show,
            ("POST", "/contacts/save"): contacts.save,
            ("POST", "/contacts/remove"): contacts.remove,
            ("POST", "/contacts/import"): contacts.look,
            ("POST", "/contacts/import/do"): contacts.carry_out,
            ("GET", "/contacts/export"): contacts.export,
            ("POST", "/me/next"): self._me.next_customer,
            ("POST", "/me/outcome"): self._me.outcome,
            ("GET", "/lists"): self._lists.show,
            ("POST", "/lists/turn"): self._lists.turn,
            ("POST", "/lists/import"): self._lists.look,
            ("POST", "/lists/import/do"): self._lists.carry_out,
            ("POST", "/lists/forbid"): self._lists.forbid,
            ("POST", "/lists/allow"): self._lists.allow,
            ("GET", "/lists/export"): self._lists.export,
            ("GET", "/sign-in"): self._sign_in_form,
            ("POST", "/sign-in"): self._sign_in,
            ("GET", "/password"): self._password_form,
            ("POST", "/password"): self._password,
            ("POST", "/sign-out"): self._sign_out,
            ("POST", "/language"): self._choose_language,
            ("GET", "/static/{name}"): self._file,
            ("GET", "/health"): self._monitor.health,
            ("GET", "/metrics"): self._monitor.metrics,
            ("GET", "/provision/{token}/{name}"): self._phone_files.fetch,
        }
        routes = [
            Route(path, self._guarded(handler, ROLES[method, path]), methods=[method])
            for (method, path), handler in handlers.items()
        ]
        return Door(Starlette(routes=routes), hosts, self._site.is_tls, LARGEST)

    def _guarded(self, handler: Handler, roles: frozenset[Role]) -> Handler:
        """Signed in and of a role that may; what a person must know becomes a page."""

        async def guarded(request: Request) -> Response:
            try:
                if roles:
                    who = await self._control.who_am_i(self._site.token(request))
                    if who.must_set_password and request.url.path not in ("/password", "/sign-out"):
                        return RedirectResponse("/password", 303)
                    request.state.who = who
                    if who.role not in roles:
                        raise Problem("access.not_allowed", role=who.role)
                return await handler(request)
            except ClientDisconnect:  # gone, or cut off by the door because it says more than it may
                return PlainTextResponse("413\n", 413)
            except Problem as problem:
                return await self._problem(request, problem)

        return guarded

    async def _problem(self, request: Request, problem: Problem) -> Response:
        if problem.key in ("access.signed_out", "access.must_set_password"):
            if request.url.path.endswith("/live"):  # a stream does not follow to a page: it is told to go there
                return Response(GONE, media_type="text/event-stream")
            return RedirectResponse("/sign-in", 303)
        is_stopped = problem.key == STOPPED
        lines, again = self._site.lines(request, problem), {}
        if is_stopped and request.method == "POST":  # what was typed is not lost: the same can be sent again
            try:
                again = await self._site.form(request)
            except Problem:
                again = {}
            again = {name: value for name, value in again.items() if name != "form" and name not in SECRETS}
        return self._site.render(request, "problem.html", 503 if is_stopped else 403, problem=lines, again=again)

    # Signing in -------------------------------------------------------------------------------------------------------

    async def _sign_in_form(self, request: Request) -> Response:
        return self._site.render(request, "sign_in.html", problem=None, name="")

    async def _sign_in(self, request: Request) -> Response:
        form = await self._site.form(request)
        address = request.client.host if request.client else ""
        try:
            granted = await self._control.sign_in(form.get("name", ""), form.get("secret", ""), address)
        except Problem as problem:
            lines = self._site.lines(request, problem)
            return self._site.render(request, "sign_in.html", 403, problem=lines, name=form.get("name", "")[:64])
        response = RedirectResponse("/password" if granted.must_set_password else "/", 303)
        self._site.set_token(response, granted.token)
        return response

    async def _password_form(self, request: Request) -> Response:
        return self._site.render(request, "password.html", problem=None)

    async def _password(self, request: Request) -> Response:
        form = await self._site.form(request)
        try:
            if form.get("new", "") != form.get("again", ""):
                raise Problem("web.not_the_same")
            granted = await self._control.set_password(self._site.token(request), form.get("new", ""))
        except Problem as problem:
            if problem.key == "access.signed_out":
                raise
            return self._site.render(request, "password.html", 400, problem=self._site.lines(request, problem))
        response = RedirectResponse("/", 303)
        self._site.set_token(response, granted.token)
        return response

    async def _sign_out(self, request: Request) -> Response:
        await self._site.form(request)
        await self._control.sign_out(self._site.token(request))
        response = RedirectResponse("/sign-in", 303)
        response.delete_cookie(self._site.cookie, path="/", secure=self._site.is_tls, httponly=True, samesite="strict")
        return response

    async def _choose_language(self, request: Request) -> Response:
        form = await self._site.form(request)
        chosen = form.get("language", "")
        back = form.get("back", "")
        here = back if back in PAGES or PLACE.fullmatch(back) else "/"
        response = RedirectResponse(here if self._site.token(request) else "/sign-in", 303)
        if chosen in LANGUAGES:
            response.set_cookie(
                LANGUAGE_COOKIE, chosen, max_age=31_536_000, secure=self._site.is_tls, httponly=True, samesite="strict"
            )
        return response

    async def _file(self, request: Request) -> Response:
        found = self._static.get(request.path_params["name"])
        if found is None:
            return PlainTextResponse("404\n", 404)
        kind, content, tag = found
        headers = {"etag": tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=kind, headers=headers)


_KINDS = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


def _static_files() -> dict[str, tuple[str, bytes, str]]:
    """Name to kind, content and tag; read once."""
    found = {}
    files = [*resources.files("appliance.web").joinpath("static").iterdir(), *viewer.files()]
    for file in files:
        ending = file.name.rpartition(".")[2]
        if ending in _KINDS:
            content = file.read_bytes()
            found[file.name] = (_KINDS[ending], content, f'"{hashlib.sha256(content).hexdigest()[:16]}"')
    return found
