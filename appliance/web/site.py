"""What every page of the box shares: its words and language, forms that are ours, templates, and who asks.

Nothing is decided here about people: the opaque token of the session goes to calls with every request, and calls says
whose it is.
"""

from __future__ import annotations

import contextlib
import secrets
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from appliance import messages
from appliance.clock import Clock
from appliance.control.client import STOPPED, ControlClient
from appliance.control.wire import Role, Snapshot, Who
from appliance.errors import Problem
from appliance.messages import Language
from appliance.records.reader import Reader
from appliance.web import live, views
from appliance.web.security import form_token, is_form_token

LANGUAGE_COOKIE = "pasokh-language"
MAX_FIELDS = 20
EVERYONE: frozenset[Role] = frozenset({"owner", "supervisor", "agent", "technician"})
LEADS: frozenset[Role] = frozenset({"owner", "supervisor"})
OWNS: frozenset[Role] = frozenset({"owner"})
WORKS: frozenset[Role] = LEADS | {"agent"}

_GUARDS = frozenset({"access.signed_out", "access.must_set_password", "access.not_allowed", STOPPED})

T = TypeVar("T")


def leave_to_guard(problem: Problem | None) -> None:
    """Raises what a page of its own is shown for, whatever was sent: nobody is signed in, may not, calls is stopped."""
    if problem is not None and problem.key in _GUARDS:
        raise problem


class Site:
    """``control`` speaks to calls, ``reader`` to calls.db (Problem where it cannot be opened yet)."""

    def __init__(
        self,
        control: ControlClient,
        reader: Callable[[], Reader],
        box: str,
        language: Language,
        is_tls: bool,
        clock: Clock,
    ) -> None:
        self.control = control
        self.reader = reader
        self.box = box
        self.language = language
        self.is_tls = is_tls
        self.clock = clock
        self.cookie = "__Host-pasokh" if is_tls else "pasokh"
        self._key = secrets.token_bytes(32)
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("appliance.web"), autoescape=True, undefined=jinja2.StrictUndefined
        )

    # Requests ---------------------------------------------------------------------------------------------------------

    async def form(self, request: Request) -> dict[str, str]:
        """The fields of a form of ours; Problem where it is somebody else's."""
        form = await self.fields(request)
        self.check_form(request, form.get("form", ""))
        return form

    def check_form(self, request: Request, given: str) -> None:
        """Problem where a form came with another token than ours."""
        if not is_form_token(self._key, self.token(request), given):
            raise Problem("web.old_form")

    async def fields(self, request: Request) -> dict[str, str]:
        """What was sent, whoever sent it; empty where it is too much."""
        body = await request.body()
        if body.count(b"&") >= MAX_FIELDS:
            return {}
        return dict(urllib.parse.parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))

    def token(self, request: Request) -> str:
        return request.cookies.get(self.cookie, "")[:200]

    def set_token(self, response: Response, token: str) -> None:
        response.set_cookie(self.cookie, token, path="/", secure=self.is_tls, httponly=True, samesite="strict")

    def language_of(self, request: Request) -> Language:
        return messages.language_from(request.cookies.get(LANGUAGE_COOKIE)) or self.language

    async def picture(self, request: Request) -> Snapshot | None:
        """What is live now; None while calls is stopped."""
        async with contextlib.aclosing(self.control.watch(self.token(request))) as pictures:
            async for snapshot in pictures:
                return snapshot
        return None

    # Answers ----------------------------------------------------------------------------------------------------------

    def lines(self, request: Request, problem: Problem) -> tuple[str, str]:
        return messages.problem_lines(problem, self.language_of(request))

    def words(self, request: Request) -> dict[str, Any]:
        """What every template and fragment needs."""
        language = self.language_of(request)

        def say(key: str, **fields: str | int | float) -> str:
            return messages.text(f"web.{key}", language, **fields)

        who: Who | None = getattr(request.state, "who", None)
        return {
            "_": say,
            "language": language,
            "box": self.box,
            "form": form_token(self._key, self.token(request)),
            "is_signed_in": who is not None,
            "leads": who is not None and who.role in LEADS,
            "works": who is not None and who.role in WORKS,
            "owns": who is not None and who.role == "owner",
            "path": request.url.path,
        }

    def part(self, name: str, words: Mapping[str, Any], **values: object) -> str:
        """One fragment."""
        return self._templates.get_template(f"part_{name}.html").render(**words, **values)

    def render(self, request: Request, template: str, code: int = 200, **values: object) -> Response:
        words = self.words(request)
        direction = "rtl" if words["language"] == "fa" else "ltr"
        html = self._templates.get_template(template).render(**words, direction=direction, **values)
        return HTMLResponse(html, code)

    def findings(self, request: Request, snapshot: Snapshot | None) -> str:
        """The fragment of what a person should act on: above all that calls is stopped."""
        words, language = self.words(request), self.language_of(request)
        if snapshot is None:
            stopped = messages.problem_lines(Problem(STOPPED), language)
            return self.part("findings", words, rows=[views.FindingRow(*stopped)], is_stopped=True)
        return self.part("findings", words, rows=views.findings(snapshot.findings, language), is_stopped=False)

    def stream(
        self,
        request: Request,
        read: Callable[[], T],
        fragments: Callable[[Snapshot | None, T], Mapping[str, str]],
        look: live.Look | None = None,
    ) -> Response:
        """The fragments that change, for as long as the browser listens."""
        token, is_gone = self.token(request), request.is_disconnected
        events = live.events(self.control, token, self.clock, read, fragments, is_gone, look)
        return StreamingResponse(events, media_type="text/event-stream", headers={"x-accel-buffering": "no"})
