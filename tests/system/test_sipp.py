"""SIPp against the whole box: its own scenario, and one for each thing that goes wrong on real lines."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.box import Box, free_ports, running
from tests.support.softphone import Softphone
from tests.system import sipp
from tests.system.sipp import must_match, pause, recv, scenario, sdp, send

IS_LONG = bool(os.environ.get("PASOKH_LONG"))
RINGING = (
    '[flow]\nname = "welcome"\nstart = "ring"\nneeds_notice = false\n'
    '[node.ring]\nkind = "call"\nagents = ["first"]\nring_seconds = 20\non_nobody = "sorry"\n'
    '[node.sorry]\nkind = "goodbye"\noutcome = "nobody"\n'
)
INVITE = send("INVITE", body=sdp(), to_tag=False)
ACK = send("ACK", routes=True, retrans=0)
BYE = (send("BYE", routes=True), recv(200))
ANSWERED = (recv(100, optional=True), recv(200, rrs=True), ACK)


@dataclass
class Site:
    box: Box
    trunk: int
    folder: Path

    def run(self, name: str, xml: str, **options: object) -> sipp.Outcome:
        return sipp.run(self.folder / name, self.box.sip, ("127.0.0.2", self.trunk), xml, **options)  # type: ignore[arg-type] # passed on


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    (trunk,) = free_ports(1, "127.0.0.2")
    with running(Box(f"127.0.0.2:{trunk}", max_calls=60)) as box:
        yield Site(box, trunk, tmp_path_factory.mktemp("sipp"))
        assert "Traceback" not in box.log


def passed(outcome: sipp.Outcome, calls: int = 1) -> None:
    assert (outcome.code, outcome.successful, outcome.failed, outcome.unexpected) == (0, calls, 0, 0), outcome.output


def test_the_built_in_uac_scenario_is_answered_call_after_call(site: Site) -> None:
    calls, rate, hold = (1000, 5.0, 3000) if IS_LONG else (60, 10.0, 1000)
    (mine,) = free_ports(1, "127.0.0.2")
    del mine
    outcome = sipp.run(
        site.folder / "uac", site.box.sip, ("127.0.0.2", site.trunk), calls=calls, rate=rate, hold_ms=hold,
        timeout_seconds=400.0,
    )  # fmt: skip
    passed(outcome, calls)
    times = sorted(outcome.response_ms)
    assert len(times) == calls
    p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99) - 1]
    assert p99 <= 500.0, "five-fold slack on 100 ms"
    if IS_LONG:
        result = Path("bench/results/sipp-uac.json")
        result.write_text(json.dumps({"calls": calls, "rate": rate, "p50_ms": p50, "p99_ms": p99}) + "\n")


SCENARIOS = {
    "hold and resume": scenario(
        INVITE,
        *ANSWERED,
        pause(200),
        send("INVITE", body=sdp("sendonly"), routes=True),
        recv(100, optional=True),
        recv(200, action=must_match("a=recvonly")),
        ACK,
        pause(300),
        send("INVITE", body=sdp("sendrecv"), routes=True),
        recv(100, optional=True),
        recv(200, action=must_match("m=audio")),
        ACK,
        *BYE,
    ),
    "an ACK that is lost": scenario(
        INVITE, recv(100, optional=True), recv(200, rrs=True), pause(2200), ACK, pause(200), *BYE
    ),
    "an answer to BYE that is lost": scenario(
        INVITE,
        *ANSWERED,
        send("BYE", routes=True, branch="z9hG4bKbye[call_number]", cseq="2"),
        recv(200),
        pause(300),
        send("BYE", routes=True, branch="z9hG4bKbye[call_number]", cseq="2", retrans=0),
        pause(500),
    ),
    "a late offer": scenario(
        send("INVITE", to_tag=False),
        recv(100, optional=True),
        recv(200, rrs=True, action=must_match("m=audio [0-9]+ RTP/AVP 8 0 101")),
        send("ACK", routes=True, retrans=0, body=sdp()),
        pause(500),
        *BYE,
    ),
    "OPTIONS": scenario(send("OPTIONS", to_tag=False), recv(200, action=must_match("Allow: INVITE"))),
    "an unknown method": scenario(send("FROBNICATE", to_tag=False), recv(501, action=must_match("Allow: INVITE"))),
    "a method that is not done here": scenario(send("PUBLISH", to_tag=False), recv(405)),
    "BYE without a call": scenario(send("BYE", to_tag=False), recv(481)),
    "an extension that is not known": scenario(
        send("INVITE", to_tag=False, body=sdp(), headers="Require: fancy"),
        recv(420, action=must_match("Unsupported: fancy")),
        send("ACK", retrans=0, cseq="1"),
    ),
    "no codec that we speak": scenario(
        send(
            "INVITE",
            to_tag=False,
            body=sdp().replace("8 0 101", "18").replace("a=rtpmap:101 telephone-event/8000\n", ""),
        ),
        recv(100, optional=True),
        recv(488),
        send("ACK", retrans=0, cseq="1"),
    ),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_of_a_real_line_ends_as_it_should(site: Site, name: str) -> None:
    passed(site.run(name.replace(" ", "-"), SCENARIOS[name]))


def test_a_call_beyond_the_trunks_limit_is_told_that_it_is_busy(tmp_path: Path) -> None:
    first, second = free_ports(2, "127.0.0.2")
    trunk = f"127.0.0.2:{first}"
    with running(Box(trunk, extra_trunk='max_calls = 1\nsources = ["127.0.0.2/32"]')) as box:
        holding = scenario(INVITE, *ANSWERED, pause(6000), *BYE)
        busy = scenario(pause(1500), INVITE, recv(100, optional=True), recv(486), send("ACK", retrans=0, cseq="1"))
        one = sipp_in_background(tmp_path / "one", box.sip, first, holding)
        outcome = sipp.run(tmp_path / "two", box.sip, ("127.0.0.2", second), busy)
        passed(outcome)
        assert one.wait(30) == 0


def sipp_in_background(folder: Path, box: int, mine: int, xml: str) -> subprocess.Popen[bytes]:
    folder.mkdir()
    (folder / "scenario.xml").write_text(xml)
    return subprocess.Popen(
        ["sipp", f"127.0.0.1:{box}", "-sf", "scenario.xml", "-i", "127.0.0.2", "-p", str(mine), "-m", "1",
         "-s", "02188123456", "-nostdin", "-timeout", "60"],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def test_a_box_that_is_full_answers_503_with_retry_after_and_the_running_call_goes_on(tmp_path: Path) -> None:
    first, second = free_ports(2, "127.0.0.2")
    with running(Box(f"127.0.0.2:{first}", max_calls=1, extra_trunk='sources = ["127.0.0.2/32"]')) as box:
        one = sipp_in_background(tmp_path / "one", box.sip, first, scenario(INVITE, *ANSWERED, pause(6000), *BYE))
        full = scenario(
            pause(1500), INVITE, recv(100, optional=True), recv(503, action=must_match("Retry-After: 20")),
            send("ACK", retrans=0, cseq="1"),
        )  # fmt: skip
        passed(sipp.run(tmp_path / "two", box.sip, ("127.0.0.2", second), full))
        assert one.wait(30) == 0
        outcomes = sorted(each.outcome for each in box.conversations(2))
        assert outcomes == ["abandoned", "refused"]


def test_a_caller_who_cancels_while_the_agents_phone_rings_ends_the_ringing(tmp_path: Path) -> None:
    (trunk,) = free_ports(1, "127.0.0.2")
    with running(Box(f"127.0.0.2:{trunk}", flow=RINGING)) as box:

        async def scene() -> sipp.Outcome:
            phone = Softphone(
                ("127.0.0.1", box.sip), ("127.0.0.3", 0), user="desk1", password=box.password, answer=lambda _: "ring"
            )
            await phone.start()
            async with asyncio.timeout(10):
                await phone.is_registered.wait()
            cancelled = scenario(
                send("INVITE", body=sdp(), to_tag=False, branch="z9hG4bKone[call_number]", cseq="1"),
                recv(100, optional=True),
                recv(180),
                pause(500),
                send("CANCEL", to_tag=False, branch="z9hG4bKone[call_number]", cseq="1"),
                recv(200),
                recv(487),
                send("ACK", retrans=0, branch="z9hG4bKone[call_number]", cseq="1"),
            )
            done = await asyncio.to_thread(sipp.run, tmp_path, box.sip, ("127.0.0.2", trunk), cancelled)
            await asyncio.sleep(1)
            assert phone.legs == 0
            await phone.stop()
            return done

        passed(asyncio.run(scene()))
        (conversation,) = box.conversations(1)
        assert conversation.outcome == "abandoned"
        assert [leg.cause for leg in conversation.legs] == ["cancelled", "no_answer"]


AS_PHONE = ("-auth_uri", "pasokh.local")


def register(*, auth: bool) -> str:
    lines = [
        "REGISTER sip:pasokh.local SIP/2.0",
        "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]",
        "From: <sip:desk1@pasokh.local>;tag=[pid]r[call_number]",
        "To: <sip:desk1@pasokh.local>",
        "Call-ID: [call_id]",
        "CSeq: [cseq] REGISTER",
        "Contact: <sip:desk1@[local_ip]:[local_port]>",
        "Max-Forwards: 70",
        "Expires: 120",
        *(["[authentication username=desk1 password=PASSWORD]"] if auth else []),
        "Content-Length: 0",
        "",
        "",
    ]
    return '<send retrans="500"><![CDATA[\n' + "\n".join(lines) + "]]></send>"


def test_a_desk_phone_is_challenged_registers_and_registers_again(site: Site, tmp_path: Path) -> None:
    (mine,) = free_ports(1, "127.0.0.3")
    xml = scenario(
        register(auth=False), recv(401, auth=True), register(auth=True), recv(200), pause(300),
        register(auth=False), recv(401, auth=True), register(auth=True), recv(200),
    ).replace("PASSWORD", site.box.password)  # fmt: skip
    passed(sipp.run(tmp_path, site.box.sip, ("127.0.0.3", mine), xml, arguments=AS_PHONE))
    wrong = scenario(register(auth=False), recv(401, auth=True), register(auth=True), recv(403))
    passed(
        sipp.run(
            tmp_path / "wrong",
            site.box.sip,
            ("127.0.0.3", mine),
            wrong.replace("PASSWORD", "guess"),
            arguments=AS_PHONE,
        )
    )


ANSWER = """<send><![CDATA[
SIP/2.0 {code}
[last_Via:]
[last_From:]
[last_To:];tag=[pid]p[call_number]
[last_Call-ID:]
[last_CSeq:]
{headers}
Content-Length: 0

]]></send>"""


def test_our_registration_answers_a_challenge_and_is_renewed_in_time(tmp_path: Path) -> None:
    """The provider is SIPp: it challenges, grants half a minute, and expects us again before that is over."""
    provider, phones = free_ports(2, "127.0.0.2")
    del phones
    challenge = 'WWW-Authenticate: Digest realm="provider", nonce="n{number}", algorithm=MD5, qop="auth"'
    granted = "Expires: 30"
    xml = scenario(
        recv("REGISTER"),
        ANSWER.format(code="401 Unauthorized", headers=challenge.format(number=1)),
        recv("REGISTER", action=must_match("Authorization: Digest username=.021880.*response=")),
        ANSWER.format(code="200 OK", headers=granted),
        '<recv request="REGISTER" timeout="29000"/>',
        ANSWER.format(code="200 OK", headers=granted),
    )
    (tmp_path / "scenario.xml").write_text(xml)
    server = subprocess.Popen(
        ["sipp", "-sf", "scenario.xml", "-i", "127.0.0.2", "-p", str(provider), "-m", "1", "-nostdin",
         "-timeout", "60", "-trace_err", "-error_file", "errors.log"],
        cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    box = Box(
        "127.0.0.2:9",
        extra=f'[[trunk]]\nname = "main"\nproxy = "127.0.0.2:{provider}"\n'
        'domain = "sip.provider.example"\nuser = "021880"\n',
    )
    (box.folder / "secrets" / "trunk-main").write_text("secret of ours")
    try:
        with running(box):
            code = server.wait(60)
    finally:
        server.kill()
    errors = tmp_path / "errors.log"
    assert code == 0, errors.read_text() if errors.is_file() else code
