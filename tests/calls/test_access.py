"""The box's door, in virtual time and with quick hashes; one test uses the real ones."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Literal

import argon2
import pytest

from appliance.calls import typed
from appliance.calls.access import IDLE_SECONDS, MOST_WAITING, Access
from appliance.calls.delays import Delays
from appliance.clock import VirtualClock
from appliance.control.wire import Role
from appliance.errors import Problem
from appliance.records.events import CredentialSet, Happened, SignedIn, SignedOut, SignInRefused
from appliance.records.store import Store
from appliance.records.writer import DirectWriter, Report, Written

pytestmark = pytest.mark.anyio
PASSWORD = "correct horse battery"
OWNER: frozenset[Role] = frozenset({"owner"})
HERE = "192.0.2.1"


class Counting(argon2.PasswordHasher):
    """Hashes quickly and counts how often it was asked to verify, and how many at once."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=64, parallelism=1)
        self.verified = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - the library's name
        self.verified += 1
        return super().verify(hash, password)


class Door:
    """An Access on a real store, with a clock that only moves by sleeping or by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = VirtualClock()
        self.slept: list[float] = []
        self.happened: list[Happened] = []
        self.hasher = Counting()
        self.store = Store(folder / "calls.db", bytes(32), self.clock)
        self.records = DirectWriter(self.store, self._heard)
        self.code_file = folder / "secrets" / "first-boot-code"
        self.access = self.another()

    def another(self) -> Access:
        return Access(self.records, self.clock, self.code_file, hasher=self.hasher, sleep=self._sleep)

    def code(self) -> str:
        return self.code_file.read_text().strip()

    async def owner(self) -> str:
        first = await self.access.sign_in("owner", self.code(), HERE)
        return (await self.access.set_password(first.token, PASSWORD)).token

    async def refused(self, name: str, secret: str, address: str = HERE) -> Problem:
        with pytest.raises(Problem) as caught:
            await self.access.sign_in(name, secret, address)
        return caught.value

    def later(self, seconds: float) -> None:
        self.clock.advance_to(self.clock.monotonic() + seconds)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.later(seconds)

    def _heard(self, report: Report) -> None:
        assert isinstance(report, Written)
        self.happened.extend(report.happened)


Opened = Callable[[], AbstractAsyncContextManager[Door]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def door(tmp_path: Path) -> Opened:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Door]:
        door = Door(tmp_path)
        await door.access.start()
        yield door
        door.records.flush_now()
        door.access.close()
        door.store.close()

    return opened


async def test_the_first_start_makes_a_code_that_only_its_user_can_read(door: Opened) -> None:
    async with door() as it:
        assert it.code_file.stat().st_mode & 0o777 == 0o600
        assert len(it.code()) == 10 and not set(it.code()) & set("01OIoil")
        again = it.another()
        await again.start()
        again.close()
        it.records.flush_now()
        assert it.happened == [CredentialSet("owner", "owner", "first_boot")]  # once, not at every start


async def test_a_code_that_came_with_the_label_is_taken(tmp_path: Path) -> None:
    it = Door(tmp_path)
    it.code_file.parent.mkdir()
    it.code_file.write_text("abcde-23456\n")
    await it.access.start()
    assert it.code() == "ABCDE23456"
    assert (await it.access.sign_in("owner", "ABCDE23456", HERE)).session.must_set_password
    it.access.close()
    it.store.close()


async def test_the_code_may_be_typed_in_any_case_with_gaps_and_in_persian_digits(door: Opened) -> None:
    async with door() as it:
        code = it.code()
        persian = code.translate(str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")).lower()
        for typed_code in (f" {persian[:5]} {persian[5:]} ", "-".join(code), code):
            assert (await it.access.sign_in(" Owner ", typed_code, HERE)).session.actor == "owner"


async def test_the_code_is_good_for_nothing_but_setting_a_password_and_ends_with_it(door: Opened) -> None:
    async with door() as it:
        code = it.code()
        first = await it.access.sign_in("owner", code, HERE)
        with pytest.raises(Problem, match=r"access\.must_set_password"):
            it.access.permitted(first.token, OWNER)
        second = await it.access.set_password(first.token, PASSWORD)
        assert it.access.permitted(second.token, OWNER).actor == "owner"
        assert not it.code_file.exists()
        with pytest.raises(Problem, match=r"access\.signed_out"):
            it.access.session(first.token)
        assert (await it.refused("owner", code)).key == "access.wrong"
        assert not (await it.access.sign_in("owner", PASSWORD, HERE)).session.must_set_password


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("short", "access.password_length"),
        ("x" * 201, "access.password_length"),
        ("aaaaaaaaaaaa", "access.password_weak"),
        ("the-owner-of-this", "access.password_weak"),
        ("", "access.password_length"),
    ],
)
async def test_a_poor_password_is_refused_and_the_old_one_stays(door: Opened, password: str, problem: str) -> None:
    async with door() as it:
        token = await it.owner()
        with pytest.raises(Problem, match=problem):
            await it.access.set_password(token, password)
        assert (await it.access.sign_in("owner", PASSWORD, HERE)).session.actor == "owner"


async def test_the_code_itself_cannot_become_the_password(door: Opened) -> None:
    async with door() as it:
        first = await it.access.sign_in("owner", it.code(), HERE)
        with pytest.raises(Problem, match=r"access\.password_is_code"):
            await it.access.set_password(first.token, it.code())


async def test_the_same_password_from_another_keyboard_is_the_same(door: Opened) -> None:
    async with door() as it:
        first = await it.access.sign_in("owner", it.code(), HERE)
        await it.access.set_password(first.token, "caf\u00e9 رمز عبور")
        again = await it.access.sign_in("owner", "cafe\u0301 رمز عبور", HERE)
        assert again.session.actor == "owner"


async def test_an_unknown_name_gets_the_same_answer_after_the_same_work(door: Opened) -> None:
    async with door() as it:
        answers: list[object] = []
        work: list[int] = []
        for name in ("owner", "nobody", "", "x" * 5000, "\ud800"):
            before = it.hasher.verified
            problem = await it.refused(name, "wrong password", f"192.0.2.{len(work)}")
            answers.append((problem.key, problem.fields))
            work.append(it.hasher.verified - before)
        assert answers == [("access.wrong", {})] * 5 and work == [1] * 5
        it.records.flush_now()
        refusals = [one for one in it.happened if isinstance(one, SignInRefused)]
        assert {one.actor for one in refusals} == {"owner", ""}  # what was typed for a name is not kept


async def test_an_address_that_guesses_is_closed_for_longer_and_longer_without_any_hashing(door: Opened) -> None:
    async with door() as it:
        waits: list[float] = []
        for _ in range(14):
            problem = await it.refused("owner", "wrong")
            while problem.key == "access.too_soon":
                before = it.hasher.verified
                waits.append(float(problem.fields["seconds"]))
                it.later(float(problem.fields["seconds"]) - 0.5)
                assert (await it.refused("owner", PASSWORD)).key == "access.too_soon"
                assert it.hasher.verified == before
                it.later(0.5)
                problem = await it.refused("owner", "wrong")
        assert waits[0] == 1 and waits == sorted(waits) and max(waits) <= 300
        assert max(waits) > 290


async def test_a_guesser_elsewhere_slows_the_owner_but_can_never_lock_him_out(door: Opened) -> None:
    async with door() as it:
        await it.owner()
        for number in range(200):
            await it.refused("owner", "wrong", f"198.51.100.{number}")
        it.slept.clear()
        assert (await it.access.sign_in("owner", PASSWORD, HERE)).session.actor == "owner"
        assert it.slept == [4.0]
        await it.access.sign_in("owner", PASSWORD, "192.0.2.9")
        assert it.slept == [4.0]  # after a success it is as before


async def test_many_tries_at_once_count_each_and_a_flood_is_turned_away(door: Opened) -> None:
    async with door() as it:
        problems = await asyncio.gather(*(it.refused("owner", "wrong", HERE) for _ in range(20)))
        assert sum(problem.key == "access.wrong" for problem in problems) <= 3
        addresses = [f"198.51.100.{number}" for number in range(60)]
        problems = await asyncio.gather(*(it.refused("nobody", "wrong", address) for address in addresses))
        assert sum(problem.key == "access.wrong" for problem in problems) <= MOST_WAITING


async def test_a_session_ends_when_idle_and_only_a_use_keeps_it(door: Opened) -> None:
    async with door() as it:
        token = await it.owner()
        it.later(IDLE_SECONDS["owner"] - 1)
        assert it.access.session(token).actor == "owner"
        it.later(IDLE_SECONDS["owner"] - 1)
        assert it.access.session(token, is_use=False).actor == "owner"
        it.later(2)
        with pytest.raises(Problem, match=r"access\.signed_out"):
            it.access.session(token)


async def test_a_technician_is_idle_after_a_quarter_of_an_hour(door: Opened) -> None:
    async with door() as it:
        code = await it.access.invite("tech", "technician")
        token = (await it.access.set_password((await it.access.sign_in("tech", code, HERE)).token, PASSWORD)).token
        it.later(901)
        with pytest.raises(Problem, match=r"access\.signed_out"):
            it.access.session(token)


async def test_a_session_ends_after_thirty_days_however_much_it_is_used(door: Opened) -> None:
    async with door() as it:
        token = await it.owner()
        for _ in range(30 * 24):
            it.later(3600)
            it.access.session(token)
        it.later(3600)
        with pytest.raises(Problem, match=r"access\.signed_out"):
            it.access.session(token)


async def test_sessions_and_passwords_live_through_a_restart_and_no_secret_is_kept_in_clear(door: Opened) -> None:
    async with door() as it:
        token = await it.owner()
        again = it.another()
        await again.start()
        assert again.permitted(token, OWNER).actor == "owner"
        assert (await again.sign_in("owner", PASSWORD, HERE)).session.actor == "owner"
        again.close()
        with it.store.transaction() as db:
            tables = ("credential", "web_session")
            kept = str([db.execute(f"SELECT * FROM {table}").fetchall() for table in tables])
            assert token not in kept and PASSWORD not in kept and "$argon2id$" in kept
        it.store.rebuild()
        third = it.another()
        await third.start()
        assert third.session(token).actor == "owner"
        third.close()


async def test_signing_out_ends_that_session_and_a_new_password_ends_all(door: Opened) -> None:
    async with door() as it:
        first, second = await it.owner(), (await it.access.sign_in("owner", PASSWORD, HERE)).token
        await it.access.sign_out(first)
        await it.access.sign_out("never was one")
        assert it.access.session(second).actor == "owner"
        third = (await it.access.set_password(second, PASSWORD + "2")).token
        for token in (first, second):
            with pytest.raises(Problem, match=r"access\.signed_out"):
                it.access.session(token)
        assert it.access.session(third).actor == "owner"
        it.records.flush_now()
        assert SignedOut("owner") in it.happened and SignedIn("owner", "owner", "password") in it.happened


async def test_a_role_that_may_not_is_told_so(door: Opened) -> None:
    async with door() as it:
        code = await it.access.invite("sara", "agent")
        token = (await it.access.set_password((await it.access.sign_in("sara", code, HERE)).token, PASSWORD)).token
        with pytest.raises(Problem) as caught:
            it.access.permitted(token, OWNER)
        assert (caught.value.key, caught.value.fields) == ("access.not_allowed", {"role": "agent"})
        await it.access.invite("sara", "agent")
        with pytest.raises(Problem, match=r"access\.signed_out"):
            it.access.session(token)


async def test_no_secret_shows_in_a_log_or_a_representation(door: Opened, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with door() as it:
        code = it.code()
        grant = await it.access.sign_in("owner", code, HERE)
        assert grant.token not in repr(grant)
        await it.refused("owner", "wrong guess")
        assert code not in caplog.text and grant.token not in caplog.text and "wrong guess" not in caplog.text
        assert all(code not in repr(one) and grant.token not in repr(one) for one in it.happened)


async def test_the_real_hash_is_argon2id_with_the_decided_cost(tmp_path: Path) -> None:
    clock = VirtualClock()
    store = Store(tmp_path / "calls.db", bytes(32), clock)
    access = Access(DirectWriter(store), clock, tmp_path / "code")
    await access.start()
    [(kept,)] = store.within(lambda db: db.execute("SELECT hash FROM credential").fetchall())
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (await access.sign_in("owner", (tmp_path / "code").read_text(), HERE)).session.must_set_password
    access.close()
    store.close()


def test_codes_do_not_repeat_and_use_all_their_letters() -> None:
    codes = {typed.new_code() for _ in range(500)}
    assert len(codes) == 500 and {letter for code in codes for letter in code} == set(typed.CODE_LETTERS)


def test_delays_double_are_forgotten_after_a_quiet_hour_and_never_grow_without_bound() -> None:
    delays = Delays()
    seen = []
    for number in range(8):
        seen.append((delays.closed_seconds("a", number), delays.slowed_seconds("n", number)))
        delays.failed("n", "a", number)
    assert [slowed for _, slowed in seen] == [0, 0, 0, 1, 2, 4, 4, 4]
    assert [closed for closed, _ in seen] == [0, 0, 0, 0, 1, 3, 7, 15]
    assert delays.closed_seconds("a", 7 + 3601) == 0 == delays.slowed_seconds("n", 7 + 3601)
    for number in range(10_000):
        delays.failed(f"n{number}", f"a{number}", 10_000)
    assert len(delays._names) == len(delays._addresses) == 4096
