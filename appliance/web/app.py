"""The page's routes: who may ask for what, and what comes of it.

Nothing is decided here about people: the opaque token of the session goes to calls with every request, and calls says
whose it is. ``ROLES`` is the whole table of what is open to whom; a route without an entry cannot be built.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import secrets
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from importlib import resources
from typing import Any

import jinja2
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from appliance import messages
from appliance.control.client import ControlClient
from appliance.control.wire import Role, Snapshot, Who
from appliance.errors import Problem
from appliance.messages import LANGUAGES, Language, calendar
from appliance.records.reader import Conversation, Reader
from appliance.web import views
from appliance.web.security import Door, form_token, is_form_token

LAST_CALLS = 30
LANGUAGE_COOKIE = "pasokh-language"
MAX_FIELDS = 20
GONE = "event: gone\ndata: {}\n\n"  # the session has ended

ANYBODY: frozenset[Role] = frozenset()  # no session needed
EVERYONE: frozenset[Role] = frozenset({"owner", "supervisor", "agent", "technician"})
ROLES: Mapping[tuple[str, str], frozenset[Role]] = {
    ("GET", "/"): EVERYONE,
    ("GET", "/live"): EVERYONE,
    ("GET", "/sign-in"): ANYBODY,
    ("POST", "/sign-in"): ANYBODY,
    ("GET", "/password"): EVERYONE,
    ("POST", "/password"): EVERYONE,
    ("POST", "/sign-out"): EVERYONE,
    ("POST", "/language"): ANYBODY,
    ("GET", "/static/{name}"): ANYBODY,
}

Handler = Callable[[Request], Awaitable[Response]]


class Page:
    """``control`` speaks to calls, ``reader`` to calls.db (None where it cannot be opened yet)."""

    def __init__(
        self, control: ControlClient, reader: Callable[[], Reader], box: str, language: Language, is_tls: bool
    ) -> None:
        self._control = control
        self._reader = reader
        self._box = box
        self._language = language
        self._is_tls = is_tls
        self._cookie = "__Host-pasokh" if is_tls else "pasokh"
        self._key = secrets.token_bytes(32)
        self._static = _static_files()
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("appliance.web"), autoescape=True, undefined=jinja2.StrictUndefined
        )

    def app(self, hosts: tuple[str, ...]) -> ASGIApp:
        handlers: dict[tuple[str, str], Handler] = {
            ("GET", "/"): self._home,
            ("GET", "/live"): self._live,
            ("GET", "/sign-in"): self._sign_in_form,
            ("POST", "/sign-in"): self._sign_in,
            ("GET", "/password"): self._password_form,
            ("POST", "/password"): self._password,
            ("POST", "/sign-out"): self._sign_out,
            ("POST", "/language"): self._choose_language,
            ("GET", "/static/{name}"): self._file,
        }
        routes = [
            Route(path, self._guarded(handler, ROLES[method, path]), methods=[method])
            for (method, path), handler in handlers.items()
        ]
        return Door(Starlette(routes=routes), hosts, self._is_tls)

    def _guarded(self, handler: Handler, roles: frozenset[Role]) -> Handler:
        """Signed in and of a role that may; what a person must know becomes a page."""

        async def guarded(request: Request) -> Response:
            try:
                if roles:
                    who = await self._control.who_am_i(self._token(request))
                    if who.role not in roles:
                        raise Problem("access.not_allowed", role=who.role)
                    if who.must_set_password and request.url.path not in ("/password", "/sign-out"):
                        return RedirectResponse("/password", 303)
                    request.state.who = who
                return await handler(request)
            except ClientDisconnect:  # gone, or cut off by the door because it says more than it may
                return PlainTextResponse("413\n", 413)
            except Problem as problem:
                if problem.key in ("access.signed_out", "access.must_set_password"):
                    if request.url.path == "/live":  # a stream does not follow to a page: it is told to go there
                        return Response(GONE, media_type="text/event-stream")
                    return RedirectResponse("/sign-in", 303)
                code = 503 if problem.key == "control.calls_is_stopped" else 403
                return self._render(request, "problem.html", code, problem=self._lines(request, problem))

        return guarded

    # Pages ------------------------------------------------------------------------------------------------------------

    async def _home(self, request: Request) -> Response:
        who: Who = request.state.who
        snapshot = await self._picture(self._token(request))
        language = self._language_of(request)
        conversations = await asyncio.to_thread(self._last)
        return self._render(
            request,
            "home.html",
            who=who,
            fragments=self._fragments(request, snapshot, conversations, who.role, language),
            day=calendar.day(snapshot.now_utc_ms, language) if snapshot else "",
        )

    async def _picture(self, token: str) -> Snapshot | None:
        async with contextlib.aclosing(self._control.watch(token)) as pictures:
            async for snapshot in pictures:
                return snapshot
        return None

    async def _sign_in_form(self, request: Request) -> Response:
        return self._render(request, "sign_in.html", problem=None, name="")

    async def _sign_in(self, request: Request) -> Response:
        form = await self._form(request)
        address = request.client.host if request.client else ""
        try:
            granted = await self._control.sign_in(form.get("name", ""), form.get("secret", ""), address)
        except Problem as problem:
            lines = self._lines(request, problem)
            return self._render(request, "sign_in.html", 403, problem=lines, name=form.get("name", "")[:64])
        response = RedirectResponse("/password" if granted.must_set_password else "/", 303)
        self._set_token(response, granted.token)
        return response

    async def _password_form(self, request: Request) -> Response:
        return self._render(request, "password.html", problem=None)

    async def _password(self, request: Request) -> Response:
        form = await self._form(request)
        try:
            if form.get("new", "") != form.get("again", ""):
                raise Problem("web.not_the_same")
            granted = await self._control.set_password(self._token(request), form.get("new", ""))
        except Problem as problem:
            if problem.key == "access.signed_out":
                raise
            return self._render(request, "password.html", 400, problem=self._lines(request, problem))
        response = RedirectResponse("/", 303)
        self._set_token(response, granted.token)
        return response

    async def _sign_out(self, request: Request) -> Response:
        await self._form(request)
        await self._control.sign_out(self._token(request))
        response = RedirectResponse("/sign-in", 303)
        response.delete_cookie(self._cookie, path="/", secure=self._is_tls, httponly=True, samesite="strict")
        return response

    async def _choose_language(self, request: Request) -> Response:
        form = await self._form(request)
        chosen = form.get("language", "")
        response = RedirectResponse("/" if self._token(request) else "/sign-in", 303)
        if chosen in LANGUAGES:
            response.set_cookie(
                LANGUAGE_COOKIE, chosen, max_age=31_536_000, secure=self._is_tls, httponly=True, samesite="strict"
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

    # Live -------------------------------------------------------------------------------------------------------------

    async def _live(self, request: Request) -> Response:
        who: Who = request.state.who
        events = self._events(request, self._token(request), who.role, self._language_of(request))
        return StreamingResponse(events, media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    async def _events(self, request: Request, token: str, role: Role, language: Language) -> AsyncIterator[str]:
        """Server-sent events: the fragments that have changed, as one JSON object."""
        sent: dict[str, str] = {}
        conversations: list[Conversation] | None = None
        seen_event = -1
        yield "retry: 1000\n\n"
        try:
            async with contextlib.aclosing(self._control.watch(token)) as pictures:
                async for snapshot in pictures:
                    number = snapshot.last_event if snapshot else -2
                    if number != seen_event:
                        seen_event = number
                        conversations = await asyncio.to_thread(self._last)
                    now = self._fragments(request, snapshot, conversations, role, language)
                    changed = {name: html for name, html in now.items() if sent.get(name) != html}
                    sent = now
                    if changed:
                        yield f"data: {json.dumps(changed, ensure_ascii=False)}\n\n"
                    if await request.is_disconnected():
                        return
        except Problem:
            yield GONE

    def _last(self) -> list[Conversation] | None:
        """The last calls; None while the records cannot be read."""
        try:
            return self._reader().last(LAST_CALLS)
        except Problem:
            return None

    def _fragments(
        self,
        request: Request,
        snapshot: Snapshot | None,
        conversations: list[Conversation] | None,
        role: Role,
        language: Language,
    ) -> dict[str, str]:
        """The parts of the page that change, by the id of their place."""
        words = self._words(request)
        if snapshot is None:
            stopped = Problem("control.calls_is_stopped")
            rows = [views.FindingRow(*messages.problem_lines(stopped, language))]
            return {"findings": self._part("findings", words, rows=rows, is_stopped=True)}
        last_rows = None if conversations is None else views.last(conversations, role, language)
        parts = {
            "findings": self._part(
                "findings", words, rows=views.findings(snapshot.findings, language), is_stopped=False
            ),
            "health": self._part(
                "health",
                words,
                trunks=views.trunks(snapshot, language),
                phones=views.phones(snapshot, language),
                media=views.media(snapshot, language),
            ),
            "calls": self._part("calls", words, rows=views.calls(snapshot, language), role=role),
            "last": self._part("last", words, rows=last_rows),
        }
        if role in ("owner", "technician"):
            parts["counters"] = self._part("counters", words, rows=views.counters(snapshot, language))
        return parts

    def _part(self, name: str, words: dict[str, Any], **values: object) -> str:
        return self._templates.get_template(f"part_{name}.html").render(**words, **values)

    # Requests ---------------------------------------------------------------------------------------------------------

    async def _form(self, request: Request) -> dict[str, str]:
        """The fields of a form of ours; Problem where it is somebody else's."""
        body = await request.body()
        if body.count(b"&") >= MAX_FIELDS:
            raise Problem("web.old_form")
        form = dict(urllib.parse.parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        if not is_form_token(self._key, self._token(request), form.get("form", "")):
            raise Problem("web.old_form")
        return form

    def _token(self, request: Request) -> str:
        return request.cookies.get(self._cookie, "")[:200]

    def _set_token(self, response: Response, token: str) -> None:
        response.set_cookie(self._cookie, token, path="/", secure=self._is_tls, httponly=True, samesite="strict")

    def _language_of(self, request: Request) -> Language:
        return messages.language_from(request.cookies.get(LANGUAGE_COOKIE)) or self._language

    def _lines(self, request: Request, problem: Problem) -> tuple[str, str]:
        return messages.problem_lines(problem, self._language_of(request))

    def _words(self, request: Request) -> dict[str, Any]:
        language = self._language_of(request)

        def say(key: str, **fields: str | int | float) -> str:
            return messages.text(f"web.{key}", language, **fields)

        return {"_": say, "language": language, "box": self._box}

    def _render(self, request: Request, template: str, code: int = 200, **values: object) -> Response:
        words = self._words(request)
        form = form_token(self._key, self._token(request))
        html = self._templates.get_template(template).render(
            **words,
            direction="rtl" if words["language"] == "fa" else "ltr",
            form=form,
            is_signed_in=hasattr(request.state, "who"),
            **values,
        )
        return HTMLResponse(html, code)


_KINDS = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


def _static_files() -> dict[str, tuple[str, bytes, str]]:
    """Name to kind, content and tag; read once."""
    found = {}
    for file in resources.files("appliance.web").joinpath("static").iterdir():
        ending = file.name.rpartition(".")[2]
        if ending in _KINDS:
            content = file.read_bytes()
            found[file.name] = (_KINDS[ending], content, f'"{hashlib.sha256(content).hexdigest()[:16]}"')
    return found
