"""The control socket: real sockets, both ends in one loop; nothing here waits for a clock but the sign of life."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import argon2
import msgspec
import pytest

from appliance.calls.access import Access, Session
from appliance.calls.control import ControlServer
from appliance.clock import VirtualClock
from appliance.control import wire
from appliance.control.client import ControlClient
from appliance.control.wire import Finding, LiveCall, Phone, Snapshot, Trunk
from appliance.errors import Problem
from appliance.records.store import Store
from appliance.records.writer import DirectWriter

PASSWORD = "correct horse battery"
QUICK = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
pytestmark = pytest.mark.anyio
EMPTY = Snapshot("box", "0.1", "fa", 1)


def call(name: str, state: str = "menu") -> LiveCall:
    return LiveCall(name, "office", "0912…4567", state, "", 1_790_000_000_000, "live")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="p") as name:  # short: a socket's path has 107 bytes
        yield Path(name)


class Office:
    """A server with a picture that tests change, and the orders it was given."""

    def __init__(self, folder: Path, users: dict[int, str] | None = None) -> None:
        self.clock = VirtualClock()
        self.store = Store(folder / "calls.db", bytes(32), self.clock)
        self.access = Access(DirectWriter(self.store), self.clock, folder / "code", hasher=QUICK)
        self.picture = EMPTY
        self.orders: list[tuple[wire.Order, str]] = []
        self.path = folder / "calls.sock"
        self.asked: list[tuple[object, Session]] = []
        self.server = ControlServer(
            self.path, self.access, lambda: self.picture, self.carry_out, self.clock, users=users, desks=self.answer
        )

    async def carry_out(self, order: wire.Order, by: str) -> wire.Reply:
        self.orders.append((order, by))
        if isinstance(order, wire.HangUpCall) and order.conversation not in {
            now.conversation for now in self.picture.calls
        }:
            raise Problem("control.no_such_call")
        return wire.Done()

    async def answer(self, order: wire.DeskOrder | wire.PeopleOrder, who: Session) -> wire.Reply:
        self.asked.append((order, who))
        return wire.Done()

    def show(self, picture: Snapshot) -> None:
        self.picture = picture
        self.server.changed()

    async def token(self, client: ControlClient) -> str:
        first = await client.sign_in("owner", (self.path.parent / "code").read_text(), "192.0.2.1")
        return (await client.set_password(first.token, PASSWORD)).token


@asynccontextmanager
async def office(folder: Path) -> AsyncIterator[tuple[Office, ControlClient]]:
    it = Office(folder)
    await it.access.start()
    it.server.start()
    async with ControlClient(it.path) as client:
        await asyncio.wait_for(client.until_alive(), 5)
        yield it, client
    await it.server.close()
    it.access.close()
    it.store.close()


async def test_the_code_signs_in_for_setting_a_password_and_the_password_for_all_else(folder: Path) -> None:
    async with office(folder) as (it, client):
        first = await client.sign_in("owner", (folder / "code").read_text(), "192.0.2.1")
        assert first.must_set_password and (await client.who_am_i(first.token)).must_set_password
        with pytest.raises(Problem, match=r"access\.must_set_password"):
            await client.hang_up(first.token, "c1")
        second = await client.set_password(first.token, PASSWORD)
        assert await client.who_am_i(second.token) == wire.Who("owner", "owner", False)
        await client.sign_out(second.token)
        with pytest.raises(Problem, match=r"access\.signed_out"):
            await client.who_am_i(second.token)


async def test_desks_are_for_those_who_work_and_people_for_the_owner_alone(folder: Path) -> None:
    desk: list[wire.DeskOrder | wire.PeopleOrder] = [
        wire.GoAway("", "x", "meal"), wire.WriteForm("", "x", "c1"), wire.GiveForm("", "x", "c1"),
        wire.ExtendForm("", "x", "c1"), wire.WriteBrief("", "x", "c1", "t"), wire.AskDesk(""),
    ]  # fmt: skip
    people: list[wire.DeskOrder | wire.PeopleOrder]
    people = [wire.InvitePerson("", "x", "agent"), wire.RemovePerson("", "x"), wire.AskPeople("")]
    async with office(folder) as (it, client):
        tokens = {"owner": await it.token(client)}
        for role in ("supervisor", "agent", "technician"):
            code = await it.access.invite(role, role)
            first = await client.sign_in(role, code)
            tokens[role] = (await client.set_password(first.token, PASSWORD)).token
        for role, token in tokens.items():
            for order in [*desk, *people]:
                may = role == "owner" or (role != "technician" and order in desk)
                it.asked.clear()
                asked = msgspec.structs.replace(order, token=token)
                if may:
                    assert await client.order(asked) == wire.Done() and it.asked[0][1].role == role
                else:
                    with pytest.raises(Problem, match=r"access\.not_allowed"):
                        await client.order(asked)
                    assert it.asked == []


async def test_a_page_that_stands_open_at_a_desk_keeps_no_session_from_ending(folder: Path) -> None:
    async with office(folder) as (it, client):
        token = await it.token(client)
        it.clock.advance_to(40_000.0)
        await client.order(wire.AskDesk(token))
        it.clock.advance_to(43_201.0)
        with pytest.raises(Problem, match=r"access\.signed_out"):
            await client.order(wire.GoAway(token, "first"))


async def test_a_refusal_arrives_as_the_problem_it_is_with_its_fields(folder: Path) -> None:
    async with office(folder) as (it, client):
        first = await client.sign_in("owner", (folder / "code").read_text(), "192.0.2.1")
        with pytest.raises(Problem) as caught:
            await client.set_password(first.token, "short")
        assert caught.value.key == "access.password_length" and caught.value.fields == {"least": 10, "most": 200}


async def test_a_watcher_sees_the_whole_picture_then_each_change_and_the_end_of_a_call(folder: Path) -> None:
    async with office(folder) as (it, client), aclosing(client.watch(await it.token(client))) as pictures:
        assert await anext(pictures) == EMPTY
        trunks = (Trunk("main", "up", 200),)
        it.show(Snapshot("box", "0.1", "fa", 2, trunks=trunks, calls=(call("c1"),), counters={"calls": 1}))
        assert await anext(pictures) == it.picture
        it.show(
            Snapshot(
                "box",
                "0.1",
                "fa",
                3,
                trunks=trunks,
                phones=(Phone("desk1", True, 1),),
                calls=(call("c1", "talking"), call("c2")),
            )
        )
        assert await anext(pictures) == it.picture
        it.show(Snapshot("box", "0.1", "fa", 4, calls=(call("c2"),), findings=(Finding("records.stopped", {"n": 3}),)))
        assert await anext(pictures) == it.picture


async def test_changes_of_one_moment_go_out_together_and_at_most_five_times_a_second(folder: Path) -> None:
    async with office(folder) as (it, client), aclosing(client.watch(await it.token(client))) as pictures:
        await anext(pictures)
        for number in range(50):
            it.show(Snapshot("box", "0.1", "fa", number + 2, counters={"n": number}))
        assert (await anext(pictures)).counters == {"n": 49}  # type: ignore[union-attr] # None would fail as well


async def test_a_thousand_calls_at_once_are_shown_though_one_datagram_holds_far_fewer(folder: Path) -> None:
    async with office(folder) as (it, client):
        token = await it.token(client)
        it.picture = Snapshot("box", "0.1", "fa", 1, calls=tuple(call(f"{n:032x}") for n in range(1000)))
        async with aclosing(client.watch(token)) as pictures:
            async for picture in pictures:
                if picture is not None and len(picture.calls) == 1000:
                    break
        assert picture == it.picture


async def test_a_technician_sees_health_and_never_a_number(folder: Path) -> None:
    async with office(folder) as (it, client):
        code = await it.access.invite("tech", "technician")
        first = await client.sign_in("tech", code, "192.0.2.2")
        token = (await client.set_password(first.token, PASSWORD)).token
        it.picture = Snapshot("box", "0.1", "fa", 1, calls=(call("c1"),))
        async with aclosing(client.watch(token)) as pictures:
            seen = await anext(pictures)
        assert seen is not None and [now.customer for now in seen.calls] == [""]
        with pytest.raises(Problem, match=r"access\.not_allowed"):
            await client.hang_up(token, "c1")
        assert it.orders == []


async def test_the_owner_ends_a_call_and_hears_when_it_was_over_already(folder: Path) -> None:
    async with office(folder) as (it, client):
        token = await it.token(client)
        it.picture = Snapshot("box", "0.1", "fa", 1, calls=(call("c1"),))
        await client.hang_up(token, "c1")
        with pytest.raises(Problem, match=r"control\.no_such_call"):
            await client.hang_up(token, "c9")
        assert [(order.conversation, by) for order, by in it.orders if isinstance(order, wire.HangUpCall)] == [
            ("c1", "owner"),
            ("c9", "owner"),
        ]


async def test_who_orders_what_is_decided_by_role_and_the_button_turns_nothing_but_the_night(folder: Path) -> None:
    async with office(folder) as (it, client):
        code = await it.access.invite("sara", "agent")
        first = await client.sign_in("sara", code, "192.0.2.2")
        token = (await client.set_password(first.token, PASSWORD)).token
        assert await client.order(wire.MakePromise(token, "09121234567", "16:30")) == wire.Done()
        for order in (
            wire.Turn(token, "night_on"),
            wire.MoveCaller(token, "c1", "sales", "support"),
            wire.TakeRecording(token, "r1", "play", "I am curious"),
        ):
            with pytest.raises(Problem, match=r"access\.not_allowed"):
                await client.order(order)
        assert await client.order(wire.Turn("", "night_on")) == wire.Done()
        with pytest.raises(Problem, match=r"control\.not_for_service"):
            await client.order(wire.Turn("", "divert_on", "09121234567"))
        assert [by for _, by in it.orders] == ["sara", "button"]


async def test_a_watch_ends_when_its_session_does(folder: Path) -> None:
    async with office(folder) as (it, client):
        token = await it.token(client)
        async with aclosing(client.watch(token)) as pictures:
            await anext(pictures)
            await client.sign_out(token)
            it.show(Snapshot("box", "0.1", "fa", 2, counters={"calls": 1}))
            with pytest.raises(Problem, match=r"access\.signed_out"):
                await anext(pictures)


async def test_vitals_are_kept_by_service_with_their_age(folder: Path) -> None:
    async with office(folder) as (it, client):
        await client.tell_vitals(wire.Vitals("web", 1000, {"rss_kb": 30_000}))
        it.clock.advance_to(1.5)
        assert it.server.vitals("web") == (wire.Vitals("web", 1000, {"rss_kb": 30_000}), 1.5)
        assert it.server.vitals("sync") is None
        await client.tell_vitals(wire.Vitals("nonsense", 1))
        assert it.server.vitals("nonsense") is None


async def test_when_calls_dies_every_watch_is_told_and_goes_on_when_it_is_back(folder: Path) -> None:
    it = Office(folder)
    await it.access.start()
    it.server.start()
    async with ControlClient(it.path) as client:
        await asyncio.wait_for(client.until_alive(), 5)
        async with aclosing(client.watch(await it.token(client))) as pictures:
            assert await anext(pictures) == EMPTY
            await it.server.close()
            assert await anext(pictures) is None
            with pytest.raises(Problem, match=r"control\.calls_is_stopped"):
                await client.who_am_i("token")
            again = ControlServer(it.path, it.access, lambda: it.picture, it.carry_out, it.clock)
            again.start()
            assert await asyncio.wait_for(anext(pictures), 5) == EMPTY
            await again.close()
    it.access.close()
    it.store.close()


async def test_a_calls_process_that_hangs_counts_as_dead_after_the_silence(folder: Path) -> None:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(folder / "s"))
    listener.listen()
    listener.setblocking(False)
    with listener:
        async with ControlClient(folder / "s", silence_seconds=0.1) as client:
            peer, _ = await asyncio.get_running_loop().sock_accept(listener)
            peer.send(wire.packed(wire.Alive(1)))
            await asyncio.wait_for(client.until_alive(), 5)
            while client.is_alive:  # noqa: ASYNC110 - there is no event for silence
                await asyncio.sleep(0.01)
            peer.close()


async def test_a_peer_that_sends_rubbish_is_cut_off_and_others_do_not_notice(folder: Path) -> None:
    async with office(folder) as (it, client):
        for rubbish in (
            b"\x00",
            b"\x01\xc1",
            b"\x02" + wire.packed(wire.Ask(1, wire.WhoAmI("x")))[1:],
            os.urandom(400),
        ):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
                peer.setblocking(False)
                loop = asyncio.get_running_loop()
                await loop.sock_connect(peer, str(it.path))
                await loop.sock_sendall(peer, rubbish)
                heard = [datagram async for datagram in _until_closed(peer)]
                assert all(isinstance(wire.push_from(one), wire.Alive) for one in heard)
        await it.token(client)


async def _until_closed(peer: socket.socket) -> AsyncIterator[bytes]:
    try:
        while datagram := await asyncio.wait_for(asyncio.get_running_loop().sock_recv(peer, 65_536), 5):
            yield datagram
    except ConnectionResetError:
        return


async def test_a_peer_that_does_not_read_holds_up_nobody(folder: Path) -> None:
    async with office(folder) as (it, client):
        token = await it.token(client)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as deaf:
            deaf.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(deaf, str(it.path))
            await loop.sock_sendall(deaf, wire.packed(wire.Ask(1, wire.Watch(token))))
            async with aclosing(client.watch(token)) as pictures:
                await anext(pictures)
                for turn in range(3):
                    calls = tuple(call(f"{turn}{n:031x}") for n in range(1500))
                    it.show(Snapshot("box", "0.1", "fa", turn, calls=calls))
                    async for picture in pictures:
                        if picture is not None and picture.calls == calls:
                            break


async def test_a_service_speaks_only_for_itself_and_only_the_page_for_people(folder: Path) -> None:
    it = Office(folder, users={4711: "panel"})
    connection = it.server._admitted  # the credentials of a socket pair are our own: asked below with a stand-in
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        admitted = connection(ours)
        assert admitted is not None and admitted.service is None
        admitted.service = "panel"
        await it.access.start()
        vitals = await it.server._reply(admitted, wire.Ask(1, wire.Vitals("panel", 1)))
        assert vitals == wire.Done()
        for request in (
            wire.Vitals("sync", 1),
            wire.WhoAmI("x"),
            wire.SignIn("owner", "x"),
            wire.HangUpCall("x", "c1"),
        ):
            with pytest.raises(Problem, match=r"control\.not_for_service"):
                await it.server._reply(admitted, wire.Ask(1, request))
    it.access.close()
    it.store.close()
