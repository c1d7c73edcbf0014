"""What agents' own pages ask and order, and who may sign in to them: answered here, by the rules of the office.

An agent sees and changes what is theirs alone; those who lead, everybody's. A person is the agent of the settings whose
name they sign in by. The owner makes people by a code that is good for one thing, setting a password; it is shown once
and kept only as a hash.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from appliance.calls import list_desk
from appliance.calls.access import LONGEST_NAME, OWNER, Access, Session
from appliance.calls.conversation import Conversation
from appliance.calls.office import Office, PauseAsked
from appliance.calls.wrap_up import Change, Form
from appliance.control import wire
from appliance.control.wire import Done, Reply
from appliance.errors import Problem
from appliance.records import events
from appliance.records.drafts import FIELDS, LONGEST_BRIEF, LONGEST_NOTE
from appliance.records.events import State


class Desks:
    """``sessions`` are the conversations under way, by id."""

    def __init__(self, office: Office, sessions: Mapping[str, Conversation], access: Access) -> None:
        self._office = office
        self._sessions = sessions
        self._access = access

    async def answer(self, order: wire.DeskOrder | wire.PeopleOrder, who: Session) -> Reply:
        """Does what ``who``, whose role may, has asked. Problem where it cannot be done."""
        match order:
            case wire.AskDesk(_, agent):
                return await self._desk(self.agent_of(who, agent), who)
            case wire.NextCustomer(_, agent, list_name):
                await list_desk.call_next(self._office, self.agent_of(who, agent), list_name)
            case wire.SayOutcome(_, agent):
                await list_desk.say(self._office, self._sessions, self.agent_of(who, agent), order)
            case wire.GoAway(_, agent, reason):
                self._go_away(self.agent_of(who, agent), reason, who.actor)
            case wire.WriteForm(_, agent, conversation, fields):
                found = await self._office.wrap_ups.write(self.agent_of(who, agent), conversation, _changes(fields))
                return _written(*found)
            case wire.GiveForm(_, agent, conversation, fields):
                given = self._office.wrap_ups.give(self.agent_of(who, agent), conversation, _changes(fields))
                await self._office.records.flush()
                return _written(*given)
            case wire.ExtendForm(_, agent, conversation):
                self._office.wrap_ups.extend(self.agent_of(who, agent), conversation)
            case wire.WriteBrief(_, agent, conversation, text):
                await self._brief(self.agent_of(who, agent), conversation, text)
            case wire.PauseRecording(_, agent, conversation, is_on):
                self._pause(self.agent_of(who, agent), conversation, is_on)
            case wire.AskPeople():
                return self._people()
            case wire.InvitePerson(_, name, role):
                return await self._invite(name, role)
            case wire.RemovePerson(_, name):
                await self._remove(name)
        return Done()

    def agent_of(self, who: Session, wanted: str) -> str:
        """The agent whose desk is meant; Problem where there is none, or it is somebody else's."""
        own = next((name for name in self._office.agents if name.lower() == who.actor), "")
        if who.role == "agent":
            if wanted and wanted != own:
                raise Problem("desk.not_yours")
            if not own:
                raise Problem("desk.no_agent", name=who.actor, known=self._named())
            return own
        found = wanted or own or next(iter(self._office.agents), "")
        if found not in self._office.agents:
            raise Problem("desk.no_agent", name=found[:40] or "-", known=self._named())
        return found

    def _named(self) -> str:
        return ", ".join(self._office.agents) or "-"

    # What is shown ----------------------------------------------------------------------------------------------------

    async def _desk(self, agent: str, who: Session) -> wire.DeskNow:
        now = next(each for each in self._office.agents_now() if each.name == agent)
        form = self._office.wrap_ups.of(agent)
        return wire.DeskNow(
            now_utc_ms=self._office.clock.utc_ms(),
            agent=agent,
            doing=now.doing,
            reason=now.reason,
            since_utc_ms=now.since_utc_ms,
            agents=(agent,) if who.role == "agent" else tuple(self._office.agents),
            call=self._call(agent),
            form=self._form(form) if form is not None else None,
            lists=self._office.lists.of_agent(agent),
            entry=await list_desk.shown(self._office, agent),
            away=away_choices(self._office),
        )

    def _call(self, agent: str) -> wire.DeskCall | None:
        conversation = self._with(agent)
        if conversation is None:
            return None
        speaks = self._speaks(agent, conversation)
        pausing, clock = conversation.pausing, self._office.clock
        may_pause = speaks and conversation.recording.is_live
        return wire.DeskCall(
            conversation=conversation.id,
            customer=conversation.customer_number,
            shown=conversation.shown_customer,
            name=conversation.customer_name,
            line=conversation.line_name,
            queue=self._office.floor.line_of(conversation.id) or self._office.floor.asks_wrap_up(agent)[0],
            language=conversation.language,
            state=conversation.state.value,
            direction=conversation.direction,
            is_speaking=speaks,
            opened_utc_ms=conversation.opened_utc_ms,
            since_utc_ms=conversation.since_utc_ms,
            briefs=tuple(wire.Brief(by, text) for by, text in conversation.briefs.items() if by != agent),
            recording=("paused" if pausing.is_on else "live") if may_pause else "",
            pause_until_utc_ms=clock.utc_ms() + round(pausing.rest_seconds * 1000) if pausing.is_on else 0,
        )

    @staticmethod
    def _speaks(agent: str, conversation: Conversation) -> bool:
        return conversation.agent == agent and conversation.state in (State.TALKING, State.HOLD)

    def _with(self, agent: str) -> Conversation | None:
        """The conversation for which the agent is rung, or in which they speak."""
        return self._sessions.get(self._office.floor.engaged().get(agent, ""))

    def _form(self, form: Form) -> wire.DeskForm:
        clock, about = self._office.clock, form.about
        left = 0.0 if form.until is None else form.until - clock.monotonic()
        conversation = self._sessions.get(about.conversation)
        return wire.DeskForm(
            conversation=about.conversation,
            customer=about.customer,
            shown=about.shown,
            name=about.name,
            line=form.line,
            language=about.language,
            state=form.state,
            is_over=form.is_over,
            can_extend=form.can_extend,
            until_utc_ms=0 if form.until is None else round(clock.utc_ms() + left * 1000),
            fields=tuple(_fields(form)),
            choices=tuple(
                wire.Choice(each.name, each.persian, each.english)
                for each in self._office.settings.dispositions_of(form.line)
            ),
            brief=conversation.briefs.get(form.agent, "") if conversation is not None else "",
        )

    # What is ordered --------------------------------------------------------------------------------------------------

    def _go_away(self, agent: str, reason: str, by: str) -> None:
        if reason and reason not in {each.name for each in self._office.settings.known_away}:
            raise Problem("desk.no_sense", value=reason[:40])
        self._office.breaks.withdraw(agent)
        self._office.desk.turn("sign_off" if reason else "sign_on", f"{agent}={reason}" if reason else agent, by)
        self._office.floor.look()

    async def _brief(self, agent: str, conversation: str, text: str) -> None:
        """For the call that the agent has, or has just let go of while it goes on."""
        found = self._sessions.get(conversation)
        form = self._office.wrap_ups.of(agent)
        is_theirs = form is not None and form.about.conversation == conversation
        if found is None or not (is_theirs or self._with(agent) is found):
            raise Problem("control.no_such_call")
        found.briefs[agent] = text.strip()[:LONGEST_BRIEF]
        found.put(events.TransferBriefed(conversation, agent, found.briefs[agent], found.offset_ms()))
        for each, engaged in self._office.floor.engaged().items():
            if engaged == conversation:
                self._office.wrap_ups.touched(each)
        await self._office.records.flush()

    def _pause(self, agent: str, conversation: str, is_on: bool) -> None:
        found = self._with(agent)
        if found is None or found.id != conversation or not self._speaks(agent, found):
            raise Problem("control.no_such_call")
        if is_on and not found.recording.is_live:
            raise Problem("desk.not_recorded")
        found.inbox.put(PauseAsked(agent, is_on))

    # People -----------------------------------------------------------------------------------------------------------

    def _people(self) -> wire.People:
        return wire.People(tuple(wire.Person(*each) for each in self._access.people()), tuple(self._office.agents))

    async def _invite(self, name: str, role: wire.Role) -> wire.Invited:
        actor = name.strip().lower()
        if actor == OWNER or role == OWNER:
            raise Problem("access.one_owner")
        if not actor or len(actor) > LONGEST_NAME or not actor.isprintable():
            raise Problem("access.no_name", most=LONGEST_NAME)
        if role == "agent" and actor not in {agent.lower() for agent in self._office.agents}:
            raise Problem("desk.no_agent", name=name[:40], known=self._named())
        return wire.Invited(actor, await self._access.invite(actor, role))

    async def _remove(self, name: str) -> None:
        actor = name.strip().lower()
        if actor == OWNER:
            raise Problem("access.one_owner")
        await self._access.remove(actor)


def away_choices(office: Office) -> tuple[wire.Choice, ...]:
    """For what agents may be away."""
    return tuple(wire.Choice(each.name, each.persian, each.english) for each in office.settings.known_away)


def _changes(fields: tuple[wire.FormField, ...]) -> list[Change]:
    """What a browser has sent; fields that no form has are passed over, what is too long is cut."""
    return [Change(each.name, each.value[:LONGEST_NOTE], each.version) for each in fields if each.name in FIELDS]


def _fields(form: Form) -> Iterator[wire.FormField]:
    for name in FIELDS:
        yield wire.FormField(name, form.values[name], form.versions[name])


def _written(form: Form, changed: tuple[str, ...]) -> wire.Written:
    return wire.Written(tuple(_fields(form)), changed)
