"""What happens when a customer is called back, kind by kind: who plays the customer, what they do, what must be told.

``KINDS`` are the answers that lines give. Customers stand on trunks of their own: our softphone for what needs every
packet, SIPp and pyVoIP for what they can do themselves. Agents are telephones of the office and know by the number that
is shown what their part is.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np

from tests.support import sounds
from tests.support.customers import Script
from tests.system.sipp import pause, recv, scenario, sdp

SIPP, PYVOIP, OURS = "sipp", "pyvoip", "provider"
AGENT, CUSTOMER = "reception", "sales"  # lines: whom they ring first


@dataclass(frozen=True, kw_only=True)
class Kind:
    """``outcome`` and ``heard`` are what the row must say; ``trunk`` names the peer."""

    name: str
    line: str
    outcome: str
    heard: str
    trunk: str = OURS
    customer: Script | None = None
    agent: Script | None = None


@functools.cache
def sound(name: str) -> bytes:
    """A-law, as long as it is."""
    match name:
        case "announcement":
            made = sounds.speech("مشترک مورد نظر خاموش می‌باشد. The mobile set is off.", "fa", 150)
        case "announcement with a sung 1":
            talk = sounds.speech("برای ادامه", "fa", 150)
            made = np.concatenate([talk, sounds.keys("1", -8.0, 300), talk, sounds.keys("11", -12.0, 150), talk])
        case "song":
            notes = [sounds.sine((hertz, 2 * hertz), 0.4, -14.0) for hertz in (392, 440, 523, 494, 440, 392, 330, 349)]
            made = np.concatenate([*notes, sounds.keys("1", -14.0, 200), *notes])
        case "ring-back":
            made = sounds.beeps((425,), (1000, 4000), 40.0, -15.0)
        case "two rings and a person":
            made = np.concatenate(
                [sounds.beeps((425,), (1000, 4000), 9.0, -15.0), sounds.speech("بله، بفرمایید", "fa")]
            )
        case "busy":
            made = sounds.beeps((425,), (500, 500), 30.0, -15.0)
        case "congestion":
            made = sounds.beeps((425,), (250, 250), 30.0, -20.0)
        case "machine":
            greeting = sounds.speech("hello, we are not at home. please leave a message after the tone", "en-us", 170)
            made = np.concatenate([greeting, sounds.sine((1000,), 0.8, -12.0)])
        case "fax":
            made = np.concatenate([sounds.sine((2100,), 3.0, -12.0), sounds.sine((1650, 1850), 5.0, -14.0)])
        case _:
            made = sounds.speech("بله، بفرمایید. خودم هستم.", "fa", 150)
    return sounds.encode(made, "PCMA")


def kinds() -> tuple[Kind, ...]:
    hello = sound("hello")
    early = Script(early=sound("announcement"), early_seconds=3.0)
    song = Script(early=sound("song"), early_seconds=5.0)
    sung = sound("announcement with a sung 1")
    takes = Script(hangs_up=2.0, sound=hello)  # an agent who is given a customer who has pressed 1
    silent = Script(waits_for_customer=True, hangs_up=5.0)

    def says(*keys: tuple[float, str], hangs_up: float = 6.5) -> Script:
        return Script(waits_for_customer=True, keys=keys, hangs_up=hangs_up, sound=hello)

    one = ((0.0, "*"), (0.3, "1"))

    def first(name: str, outcome: str, heard: str, customer: Script, trunk: str = OURS) -> Kind:
        return Kind(name=name, line=CUSTOMER, outcome=outcome, heard=heard, customer=customer, agent=takes, trunk=trunk)

    def behind(name: str, outcome: str, heard: str, customer: Script, agent: Script, trunk: str = OURS) -> Kind:
        return Kind(name=name, line=AGENT, outcome=outcome, heard=heard, customer=customer, agent=agent, trunk=trunk)

    nobody = Script()  # SIPp and pyVoIP follow a scenario of their own
    return (
        first("early announcement, then 480", "off", "early", replace(early, code=480)),
        first("early announcement, then 486", "busy", "early", replace(early, code=486)),
        first("early song, then silence", "not_reached", "silence", replace(song, hangs_up=9.0)),
        first("early sound, key 1 during it, then silence", "not_reached", "silence",
              replace(song, hangs_up=9.0, early_keys=((0.5, "1"), (1.5, "1")))),
        first("200 with an announcement", "not_reached", "sound", Script(sound=sound("announcement"), hangs_up=8.0)),
        first("200 with an announcement that has a sung 1", "not_reached", "sound",
              Script(sound=sung, hangs_up=9.0)),
        first("busy tone behind 200", "busy", "busy", Script(sound=sound("busy"))),
        first("congestion tone behind 200", "network", "congestion", Script(sound=sound("congestion"))),
        first("ring-back behind 200 and nobody", "no_answer", "ringing", Script(sound=sound("ring-back"))),
        first("ring-back behind 200, then a person with the right key", "reached", "sound",
              Script(sound=sound("two rings and a person"), keys=((13.0, "1"),))),
        first("silence behind 200", "not_reached", "silence", Script()),
        first("wrong key", "not_reached", "sound", Script(sound=hello, keys=((3.0, "7"), (4.0, "*")), hangs_up=9.0)),
        first("right key, late but in time", "reached", "sound", Script(sound=hello, keys=((14.0, "1"),))),
        first("right key", "reached", "sound", Script(sound=hello, keys=((3.0, "1"),))),
        first("right key after a wrong one", "reached", "silence", Script(keys=((2.0, "4"), (4.0, "1")))),
        first("song, then a person with the right key", "reached", "sound",
              replace(song, sound=hello, keys=((4.0, "1"),))),
        first("answering machine with a beep", "not_reached", "sound", Script(sound=sound("machine"), hangs_up=12.0)),
        first("200, then BYE", "not_reached", "silence", Script(hangs_up=0.0)),
        first("fax", "not_reached", "sound", Script(sound=sound("fax"), hangs_up=10.0)),
        first("declined", "declined", "", Script(code=603)),
        first("no such number", "no_such_number", "", Script(code=404)),
        first("refused by the network", "network", "", Script(code=503)),
        first("rings and nobody answers", "no_answer", "", Script(answers=False)),
        behind("agent says 1", "reached", "sound", Script(sound=hello), says((3.0, "*"), (3.3, "1"))),
        behind("agent says 1 when asked", "reached", "sound", Script(sound=hello, hangs_up=3.0),
               says((7.0, "1"), hangs_up=30.0)),
        behind("agent says nothing", "not_given", "sound", Script(sound=hello), silent),
        behind("agent says 2", "not_reached", "sound", Script(sound=hello), says((3.0, "*"), (3.3, "2"))),
        behind("agent says 3 of an announcement", "announcement", "sound", Script(sound=sound("announcement")),
               says((5.0, "*"), (5.3, "3"))),
        behind("agent presses 1 without the star", "not_given", "sound", Script(sound=hello), says((3.0, "1"))),
        behind("customer presses 1, agent nothing", "not_given", "sound", Script(sound=hello, keys=((2.0, "1"),)),
               silent),
        behind("sung 1, agent nothing", "not_given", "sound", Script(sound=sung), silent),
        behind("agent presses *1 at an early announcement, then 480", "off", "early", replace(early, code=480),
               Script(keys=((1.0, "1"), (2.4, "*"), (2.7, "1")))),
        behind("agent hears busy tone behind 200", "busy", "busy", Script(sound=sound("busy")),
               Script(waits_for_customer=True)),
        behind("agent says 1 of a person, who was a song before", "reached", "sound", replace(song, sound=hello),
               says(*((3.0 + moment, key) for moment, key in one))),
        behind("agent hears 200, then BYE", "not_given", "silence", Script(hangs_up=0.0),
               Script(waits_for_customer=True, hangs_up=4.0)),
        first("SIPp: early media, then 480", "off", "early", nobody, "sipp1"),
        first("SIPp: 200 without any sound", "not_reached", "silence", nobody, "sipp2"),
        first("SIPp: announcement behind 200", "not_reached", "sound", nobody, "sipp3"),
        first("SIPp: busy tone behind 200", "busy", "busy", nobody, "sipp4"),
        first("SIPp: 200, then BYE", "not_reached", "silence", nobody, "sipp5"),
        first("SIPp: right key by INFO", "reached", "silence", nobody, "sipp6"),
        first("pyVoIP: right key", "reached", "sound", nobody, "pyvoip1"),
        first("pyVoIP: talks and presses nothing", "not_reached", "sound", nobody, "pyvoip2"),
    )  # fmt: skip


# SIPp ----------------------------------------------------------------------------------------------------------------

KEPT = (
    '<action><ereg regexp=".*" search_in="hdr" header="From:" assign_to="2"/>'
    '<ereg regexp=".*" search_in="hdr" header="To:" assign_to="3"/></action>'
)
INVITE = f'<recv request="INVITE" rrs="true" timeout="200000">{KEPT}</recv>'
USED = '<nop><action><assignstr assign_to="4" value="[$2][$3]"/></action></nop><Reference variables="4"/>'


def response(code: int, reason: str, body: str = "", tag: str = ";tag=[pid]p[call_number]") -> str:
    lines = [
        f"SIP/2.0 {code} {reason}",
        "[last_Via:]",
        "[last_Record-Route:]",
        "[last_From:]",
        f"[last_To:]{tag}",
        "[last_Call-ID:]",
        "[last_CSeq:]",
        "Contact: <sip:customer@[local_ip]:[local_port]>",
        *(["Content-Type: application/sdp"] if body else []),
        "Content-Length: [len]",
        "",
        body,
    ]
    return "<send><![CDATA[\n" + "\n".join(lines) + "\n]]></send>"


def request(method: str, number: int, kind: str = "", body: str = "") -> str:
    """A request of ours within the call that came in."""
    lines = [
        f"{method} [next_url] SIP/2.0",
        "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]",
        "From:[$3];tag=[pid]p[call_number]",
        "To:[$2]",
        "[last_Call-ID:]",
        f"CSeq: {number} {method}",
        "Max-Forwards: 70",
        *([f"Content-Type: {kind}"] if kind else []),
        "Content-Length: [len]",
        "",
        body,
    ]
    return '<send retrans="500"><![CDATA[\n' + "\n".join(lines) + "\n]]></send>"


def stream(file: str) -> str:
    return f'<nop><action><exec rtp_stream="{file},-1,8"/></action></nop>'


def sipp_scenarios() -> dict[str, tuple[str, str]]:
    """By trunk: the scenario, and the sound that it plays."""
    media = sdp(port="[auto_media_port]")
    answered = (INVITE, USED, response(180, "Ringing"), pause(300), response(200, "OK", media), recv("ACK"))
    ends = (
        '<recv request="BYE" timeout="60000"/>',
        response(200, "OK", tag=""),
    )
    refused = response(480, "Temporarily Unavailable")
    info = request("INFO", 1, "application/dtmf-relay", "Signal=1\nDuration=160\n")
    return {
        "sipp1": (
            scenario(INVITE, USED, response(183, "Session Progress", media), stream("sound.alaw"), pause(2500), refused,
                     recv("ACK")),
            "announcement",
        ),
        "sipp2": (scenario(*answered, *ends), "ring-back"),
        "sipp3": (scenario(*answered, stream("sound.alaw"), *ends), "announcement"),
        "sipp4": (scenario(*answered, stream("sound.alaw"), *ends), "busy"),
        "sipp5": (scenario(*answered, request("BYE", 1), recv(200)), "ring-back"),
        "sipp6": (scenario(*answered, pause(3000), info, recv(200), *ends), "ring-back"),
    }  # fmt: skip


PYVOIP_SCRIPTS = {"pyvoip1": "talk 2,wait 1,press 1,stay 40", "pyvoip2": "talk 6,hang_up"}
