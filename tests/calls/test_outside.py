"""The way out by itself: whatever is asked for, what is sent is what the policy lets out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from appliance.calls import outbound
from appliance.calls.outside import GuardedLine, Outside, Permit
from appliance.calls.settings import Calls, Tariff
from appliance.clock import Clock, VirtualClock
from appliance.records import events
from appliance.records.events import Happened
from appliance.signalling import numbers, sdp
from appliance.signalling import port as signalling
from appliance.signalling.port import ToTrunk
from appliance.signalling.settings import Signalling, Trunk

OFFER = sdp.offer("192.0.2.1", 40_000, "PCMA", 1)


@dataclass
class Sent:
    """A line and records that keep what they are given."""

    commands: list[signalling.Command] = field(default_factory=list)
    happened: list[Happened] = field(default_factory=list)

    def submit(self, command: signalling.Command) -> None:
        self.commands.append(command)

    def put(self, happened: Happened) -> None:
        self.happened.append(happened)


@dataclass
class House:
    """What the way out stands on."""

    settings: Calls
    sip: Signalling
    sent: Sent = field(default_factory=Sent)
    clock: Clock = field(default_factory=VirtualClock)
    counters: dict[str, int] = field(default_factory=dict)
    closed: bool = False

    def __post_init__(self) -> None:
        self.records = self.sent
        self.outside = Outside(self)
        self.line: signalling.Line = GuardedLine(self.sent, self.outside)

    def is_open(self, calendar: str) -> bool:
        return not self.closed

    def count(self, what: str) -> None:
        self.counters[what] = self.counters.get(what, 0) + 1

    def asks(self, text: str, leg: str = "leg") -> Permit | str:
        permit = self.outside.permit("talk", leg, text, "main", "transfer", 0)
        if isinstance(permit, Permit):
            self.outside.dial(permit, OFFER)
        return permit


def house(**settings: object) -> House:
    trunk = Trunk(name="main", proxy="192.0.2.1")
    return House(replace(Calls(), **settings), Signalling(trunks=(trunk,)))  # type: ignore[arg-type]


_written = st.builds(
    lambda head, tail: head + tail,
    st.sampled_from(["", "0", "00", "+", "+98", "0098", "0912", "0909", "021", "+8816", "00870", "9", "11", "+1900"]),
    st.text("0123456789۰۱۲۳۴۵۶۷۸۹", max_size=13),
) | st.text("0123456789+-* ()abc۱۲", max_size=45)
_prefixes = st.lists(st.sampled_from(["+49", "0912", "0900", "15", "021", "+8816"]), max_size=2).map(tuple)


@given(
    st.sets(st.sampled_from(["mobile", "landline", "short", "premium", "satellite", "foreign"])).map(tuple),
    _prefixes,
    _prefixes,
    st.sampled_from(["", "0", "9"]),
    st.sampled_from(["21", "31", ""]),
    st.sampled_from(["national", "e164", "plus", "local"]),
    _written,
)
def test_no_forbidden_kind_ever_yields_an_invite(
    kinds: tuple[str, ...],
    allow: tuple[str, ...],
    deny: tuple[str, ...],
    prefix: str,
    area_code: str,
    form: Literal["national", "e164", "plus", "local"],
    written: str,
) -> None:
    it = house(may_dial=kinds, allow=allow, deny=deny, outside_prefix=prefix)
    it.sip = Signalling(trunks=(Trunk(name="main", proxy="x", dial_as=form, area_code=area_code),))
    permit = it.asks(written)
    if not isinstance(permit, Permit):
        assert it.sent.commands == [] and it.outside.busy("main") == 0
        (told,) = it.sent.happened
        assert isinstance(told, events.DialRefused) and told.reason == permit
        assert it.counters["dial_refused"] == it.counters[f"dial_refused_{permit}"] == 1
        return
    (dial,) = it.sent.commands
    assert isinstance(dial, signalling.Dial) and isinstance(dial.to, ToTrunk)
    # The provider's reading of what was sent: in its own form, and without any prefix of the office.
    sent = dial.to.number
    heard = numbers.normalise(f"+{sent}" if form == "e164" and permit.number.e164 else sent, area_code)
    assert (heard.e164, heard.kind) == (permit.number.e164, permit.number.kind)
    plain = replace(it.settings, outside_prefix="")
    assert not outbound.why_never(plain, heard)
    assert (
        heard.kind == "emergency"
        or heard.kind in kinds
        or numbers.has_prefix(heard, [each for each in map(numbers.prefix_of, allow) if each])
    )
    assert all(each.isdigit() or each == "+" for each in sent) and sent.isascii()


def test_a_permit_is_good_until_its_leg_ends() -> None:
    it = house()
    assert isinstance(it.asks("09121234567"), Permit) and it.outside.busy("main") == 1
    it.outside.ended("leg")
    assert it.outside.busy("main") == 0 and not it.outside.is_permitted("leg", ToTrunk("main", "09121234567"))


def test_only_answered_calls_cost_and_emergency_calls_never_do() -> None:
    tariffs = (Tariff(name="m", kind="mobile", rial_per_minute=600, increment_seconds=1),)
    it = house(tariffs=tariffs, daily_cap_rial=600, longest_outside_minutes=0)
    it.clock = now = VirtualClock()
    it.asks("09121234567", "a")
    it.asks("110", "b")
    now.advance_to(30.0)
    assert it.outside.spent() == 0
    it.outside.answered("a")
    it.outside.answered("b")
    it.outside.answered("nobody")
    now.advance_to(90.0)
    assert it.outside.spent() == 600
    assert it.asks("09121234567", "c") == "money_cap" and isinstance(it.asks("115", "d"), Permit)
    assert [each.key for each in it.outside.findings()] == ["calls.money_cap"]


def test_a_refusal_says_number_kind_and_reason() -> None:
    it = house()
    assert it.asks("09091234567") == "premium"
    assert it.sent.happened == [
        events.DialRefused("talk", "main", "+989091234567", "premium", "premium", "transfer", 0)
    ]


def test_looking_whether_a_number_could_be_dialled_takes_and_writes_nothing() -> None:
    it = house(most_outgoing=1)
    assert it.outside.why_not("09091234567", "main") == "premium" and it.outside.why_not("09121234567", "main") == ""
    assert it.sent.happened == [] and it.outside.busy("main") == 0 and it.counters == {}
