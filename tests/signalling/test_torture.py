"""Messages in the spirit of RFC 4475 (SIP torture tests) and spoiled ones without end: an answer or silence, no error.

Each message carries the feature that its section of the RFC is about; the section stands beside it.
"""

from __future__ import annotations

import os
import random

import pytest

from appliance.signalling import wire
from appliance.signalling.port import Answer, Dial, HangUp, Hold, Identity, Offered, ToTrunk
from appliance.signalling.transactions import Peer
from tests.signalling.given import DESK, LOCAL, OFFER, STRANGER, TRUNK, Bench, Caller, code_of, reply, sdp_body

MUTATIONS = 100_000 if os.environ.get("PASOKH_LONG") else 2_000
BODY = sdp_body()


def message(method: str = "INVITE", uri: str = "sip:100@192.0.2.1", body: bytes = BODY, **changes: str) -> bytes:
    """A request whose headers can be replaced by name (underscores for dashes); an empty text leaves one out."""
    headers = {
        "Via": "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-t;rport",
        "Max-Forwards": "70",
        "From": "<sip:200@192.0.2.10>;tag=a",
        "To": "<sip:100@192.0.2.1>",
        "Call-ID": "torture",
        "CSeq": f"1 {method}",
        "Contact": "<sip:gw@192.0.2.10>",
        "Content-Type": "application/sdp",
        "Content-Length": str(len(body)),
    }
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value)
    return f"{method} {uri} SIP/2.0\r\n{lines}\r\n".encode() + body


# 3.1.1.1, as the RFC folds and spaces it; the sent-by is ours, so that the answer comes here.
WSINV = (
    b"INVITE sip:vivekg@192.0.2.1;unknownparam SIP/2.0\r\nTO :\r\n sip:vivekg@192.0.2.1 ;   tag    = 1918181833n\r\n"
    b'from   : "J Rosenberg \\\\\\""       <sip:jdrosen@example.com>\r\n  ;\r\n  tag = 98asjd8\r\n'
    b"MaX-fOrWaRdS: 0068\r\nCall-ID: wsinv.ndaksdj@192.0.2.1\r\ncseq: 0009\r\n  INVITE\r\n"
    b"Via  : SIP  /   2.0\r\n /UDP\r\n    192.0.2.10;branch=390skdjuw\r\ns :\r\nNewFangledHeader:   newfangled\r\n"
    b" continued newfangled value\r\nUnknownHeaderWithUnusualValue: ;;,,;;,;\r\nContent-Type: application/sdp\r\n"
    b"Route:\r\n <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\r\n"
    b"v:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8  ,\r\n SIP  /    2.0   / UDP  "
    b'192.168.255.111   ; branch=\r\n z9hG4bK30239\r\nm:"Quoted string \\"\\"" <sip:jdrosen@example.com> ; n =\r\n'
    b"      newvalue ;\r\n  secondparam ; q = 0.33\r\n\r\n"
)

VALID = {
    "3.1.1.2 wide range of characters": (
        message(
            From='"BEL:\\\x07 NUL:\\\x00" '
            "<sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@192.0.2.10>;tag=_token~1'+`*%!-.",
            Call_ID="intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{",
        ),
        100,
    ),
    "3.1.1.3 escaped characters in the uri": (message(uri="sip:sips%3Auser%40example.com@192.0.2.1"), 100),
    "3.1.1.4 escaped nulls": (message("OPTIONS", uri="sip:null-%00-null@192.0.2.1", body=b""), 200),
    "3.1.1.6 no space before the uri in brackets": (message(From="Bell<sip:a@192.0.2.10>;tag=43"), 100),
    "3.1.1.7 long values": (message(From=f'"{"I have a user name of " * 20}" <sip:a@b>;tag={"1" * 200}'), 100),
    "3.1.1.8 two requests in one datagram": (message() + message("OPTIONS"), 100),
    "3.1.1.9 semicolons in the user part": (
        message("OPTIONS", uri="sip:user;par=u%40example.net@192.0.2.1", body=b""),
        200,
    ),
    "3.1.1.10 transports of all kinds": (
        message(
            Via="SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKx, SIP/2.0/SCTP t2.example.com;branch=z9, SIP/2.0/UNKNOWN t5;b=1"
        ),
        100,
    ),
    "3.1.2.1 extraneous separators": (message(Via="SIP/2.0/UDP 192.0.2.10;;,;,,"), 100),
    "3.3.1 missing max-forwards": (message(Max_Forwards=""), 100),
    "3.3.13 cancel without a call": (message("CANCEL", body=b"", Content_Type=""), 481),
    "3.4.1 a request of rfc 2543": (message(Via="SIP/2.0/UDP 192.0.2.10", Max_Forwards="", From="<sip:a@b>"), 100),
}

REFUSED = {
    "3.1.2.2 content-length too large": (message(Content_Length="9999"), 400),
    "3.1.2.3 negative content-length": (message(Content_Length="-999"), 400),
    "3.1.2.4 overlarge number": (message(CSeq="36893488147419103232 INVITE"), 400),
    "3.1.2.6 quote that is not closed": (message(To='"Mr. J. User <sip:j.user@example.com>'), 400),
    "3.1.2.7 brackets around the request uri": (message(uri="<sip:user@example.com>"), 416),
    "3.1.2.8 space in the request uri": (message(uri="sip:user@example.com; lr"), 400),
    "3.1.2.9 spaces between the parts of the first line": (
        message().replace(b" SIP/2.0\r\nVia", b"  SIP/2.0\r\nVia"),
        400,
    ),
    "3.1.2.12 escaped headers in a name address": (message(To="<sip:a@b?Route=%3Csip:x%3E"), 400),
    "3.1.2.16 unknown version": (message().replace(b"SIP/2.0\r\nVia", b"SIP/7.0\r\nVia", 1), 505),
    "3.1.2.17 method and cseq differ": (message("OPTIONS", CSeq="8 INVITE"), 400),
    "3.1.2.18 unknown method and cseq differ": (message("NEWMETHOD", CSeq="8 INVITE"), 400),
    "3.1.1.5 unusual method": (message("!interesting-Method0123456789_*+`.%indeed'~", body=b""), 501),
    "3.3.2 unknown scheme": (message(uri="nobodyKnowsThisScheme:totallyopaquecontent"), 416),
    "3.3.3 known but foreign scheme": (message(uri="soap.beep://192.0.2.103:3002"), 416),
    "3.3.5 proxy-require and require": (message(Require="nothingSupportsThis, nothingSupportsThisEither"), 420),
    "3.3.6 unknown content type": (message(Content_Type="application/unknownformat"), 415),
    "3.3.8 two call-ids": (message(Call_ID="a\r\nCall-ID: b"), 400),
    "3.3.9 two content-lengths": (message(Content_Length="5\r\nContent-Length: 9"), 400),
    "3.3.11 max-forwards of 0": (message(Max_Forwards="0"), 483),
    "no from": (message(From=""), None),
    "no contact": (message(Contact=""), 400),
}


@pytest.mark.parametrize("name", VALID)
def test_a_strange_but_valid_request_is_served(name: str) -> None:
    data, code = VALID[name]
    assert code_of(Bench().receive(data)) == code


@pytest.mark.parametrize("name", REFUSED)
def test_an_invalid_request_is_refused_with_its_code_and_makes_no_call(name: str) -> None:
    data, code = REFUSED[name]
    bench = Bench()
    assert code_of(bench.receive(data)) == (code or 0)
    assert bench.events == []


def test_folded_headers_and_spaces_everywhere_are_understood() -> None:
    assert code_of(Bench().receive(WSINV)) == 481  # its To has a tag, of a dialog that is not known here


@pytest.mark.parametrize(
    "data",
    [
        b"SIP/2.0 4294967301 better not break the receiver\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\n\r\n",
        b"SIP/2.0 200 = 2**3 * 5**2 \xd0\xbd\xd0\xbe\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nCSeq: 1 INVITE\r\n"
        b"From: a\r\nTo: b\r\nCall-ID: c\r\n\r\n",
        b"SIP/2.0 100 \r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nCSeq: 0 INVITE\r\nFrom: a\r\nTo: b\r\nCall-ID: c"
        b"\r\n\r\n",
        b"\x00" * 200,
        b"INVITE",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_answers_that_belong_to_nothing_and_other_protocols_get_silence(data: bytes) -> None:
    bench = Bench()
    assert bench.receive(data) == [] and bench.events == [] and bench.is_clean


def test_a_via_with_a_port_that_does_not_exist_gets_silence_and_the_next_message_is_served() -> None:
    bench = Bench()
    assert bench.receive(message().replace(b"192.0.2.10:5060", b"192.0.2.10:99999", 1)) == []
    assert code_of(bench.receive(message())) == 100


# Spoiled messages -----------------------------------------------------------------------------------------------------

PIECES = (
    b"\r\n", b"\r\n\r\n", b"\x00", b"\xff\xfe", b";", b",", b'"', b"<", b">", b"@", b":", b"%00", b" ", b"=", b"9" * 40,
    b"9" * 5000, b"sip:", b"tag=", b"SIP/2.0", b"-1", b"[::1]", b"Via: ", b"To: ", b"Require: x\r\n", b"\xd9\xa9",
    b"\t", b"Content-Length: 0\r\n", b"Session-Expires: x\r\n", b"rport=0",
    b"Contact: *\r\n", b"Record-Route: <sip:x>\r\n",
)  # fmt: skip


def spoiled(data: bytes, chance: random.Random) -> bytes:
    """One to five likely accidents: bytes changed, cut out, doubled, pieces of SIP put in."""
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 6)):
        at, length = chance.randrange(len(changed) + 1), chance.randrange(1, 30)
        match chance.randrange(5):
            case 0 if at < len(changed):
                changed[at] = chance.randrange(256)
            case 1:
                del changed[at : at + length]
            case 2:
                changed[at:at] = changed[at : at + length]
            case 3:
                changed[at:at] = chance.choice(PIECES)
            case _:
                lines = bytes(changed).split(b"\r\n")
                chance.shuffle(lines)
                changed = bytearray(b"\r\n".join(lines))
        if not changed:
            return b"\r\n" * 20
    return bytes(changed)


class Victim:
    """A heart in the middle of calls in both directions, and the messages that could come for them."""

    def __init__(self, number: int) -> None:
        self.bench = Bench(trunk_password="secret", seed=number)
        self.caller = Caller()
        bench = self.bench
        bench.answered(self.caller)
        dial = Dial("out", ToTrunk("main", "100"), OFFER, Identity("200"))
        [invite] = bench.submit(dial)
        bench.receive(reply(invite, 200, body=BODY))
        [hold] = bench.submit(Hold("out", OFFER))
        [ringing] = bench.submit(Dial("ringing", ToTrunk("main", "101"), OFFER, Identity("200")))
        challenge = 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"'
        caller = self.caller
        dtmf = caller.ask("INFO", "Content-Type: application/dtmf-relay", body=b"Signal=5\r\nDuration=100")
        self.messages = [
            Caller(call_id="fresh").invite("Session-Expires: 1800;refresher=uac", "Supported: timer, 100rel"),
            caller.invite("Min-SE: 90"), caller.ask("UPDATE", body=BODY), dtmf, caller.ask("BYE"),
            caller.ask("OPTIONS"), caller.ack(), caller.cancel(),
            reply(hold, 200, "Session-Expires: 600", body=BODY), reply(hold, 491),
            reply(ringing, 401, challenge), reply(ringing, 183, body=BODY), reply(ringing, 200, body=BODY),
            reply(ringing, 503, "Retry-After: 5"), reply(ringing, 422, "Min-SE: 300"),
            Caller(call_id="r", called="<sip:desk1@x>").ask("REGISTER", "Authorization: Digest username=desk1"),
            *(data for data, _ in VALID.values()), *(data for data, _ in REFUSED.values()), WSINV,
        ]  # fmt: skip


def test_no_spoiled_message_raises_or_makes_the_heart_send_what_cannot_be_read() -> None:
    chance = random.Random(20260101)
    victim = Victim(0)
    for number in range(MUTATIONS):
        if number % 200 == 0:
            victim = Victim(number)
        bench = victim.bench
        data = spoiled(chance.choice(victim.messages), chance)
        peer = chance.choice((TRUNK, TRUNK, DESK, STRANGER, Peer("tcp", TRUNK.address, 3)))
        bench.receive(data, peer)  # the bench reads whatever is sent
        event = bench.all_events[-1]
        if isinstance(event, Offered) and chance.random() < 0.5:
            bench.submit(Answer(event.leg, LOCAL) if chance.random() < 0.7 else HangUp(event.leg))
        if chance.random() < 0.1:
            bench.wait(chance.uniform(0, 5))


def test_after_spoiled_messages_everything_can_still_be_ended_and_nothing_is_left() -> None:
    chance = random.Random(7)
    victim = Victim(1)
    bench = victim.bench
    for _ in range(300):
        bench.receive(spoiled(chance.choice(victim.messages), chance))
    for leg in list(bench.heart._legs):
        bench.submit(HangUp(leg))
    bench.wait(400)
    assert bench.is_clean


def test_messages_the_parser_takes_are_written_so_that_it_takes_them_again() -> None:
    chance = random.Random(11)
    for _ in range(1000):
        data = spoiled(message(), chance)
        try:
            parsed = wire.parse(data)
        except wire.Refusal:
            continue
        assert wire.parse(parsed.encode()).encode() == parsed.encode()
