"""Who may sign in, on the owner's page: a code for each new person, shown once, and good for setting a password."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from appliance.control import wire
from appliance.control.wire import Role
from appliance.errors import Problem
from appliance.web import forms
from appliance.web.site import Site, leave_to_guard
from appliance.web.views import word

ROLES: tuple[Role, ...] = ("agent", "supervisor", "technician")


class People:
    def __init__(self, site: Site) -> None:
        self._site = site

    async def show(self, request: Request) -> Response:
        return await self._page(request)

    async def invite(self, request: Request) -> Response:
        """A code, on this answer and nowhere else: there is no page that shows it again."""
        form = await self._site.form(request)
        name, role = form.get("name", "").strip()[: forms.LONGEST_NAME], form.get("role", "")
        given: Role = next((each for each in ROLES if each == role), "agent")
        try:
            reply = await self._site.control.order(wire.InvitePerson(self._site.token(request), name, given))
        except Problem as problem:
            return await self._page(request, problem, name=name, role=given)
        assert isinstance(reply, wire.Invited)
        return await self._page(request, made=reply)

    async def remove(self, request: Request) -> Response:
        form = await self._site.form(request)
        name = form.get("name", "")[: forms.LONGEST_NAME]
        try:
            await self._site.control.order(wire.RemovePerson(self._site.token(request), name))
        except Problem as problem:
            return await self._page(request, problem)
        return RedirectResponse("/people", 303)

    async def _page(
        self,
        request: Request,
        problem: Problem | None = None,
        *,
        made: wire.Invited | None = None,
        name: str = "",
        role: Role = "agent",
    ) -> Response:
        site, language = self._site, self._site.language_of(request)
        leave_to_guard(problem)
        people = await site.control.people(site.token(request))
        known = {person.name for person in people.persons}
        return site.render(
            request,
            "people.html",
            200 if problem is None else 400,
            problem=site.lines(request, problem) if problem else None,
            persons=people.persons,
            uninvited=[agent for agent in people.agents if agent.lower() not in known],
            made=made,
            name=name,
            role=role,
            roles={each: word(f"web.role_{each}", language) for each in ("owner", *ROLES)},
        )
