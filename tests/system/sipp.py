"""SIPp, the independent peer of the signalling tests: scenarios put together from messages, run, and counted.

A scenario is a list of steps; each message has its headers written once here. SIPp plays the provider's side of an IP
trunk unless told otherwise.
"""

from __future__ import annotations

import csv
import subprocess
from dataclasses import dataclass
from pathlib import Path

SDP = """v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio {port} RTP/AVP 8 0 101
a=rtpmap:101 telephone-event/8000
a={direction}
"""


@dataclass(frozen=True)
class Outcome:
    """What SIPp counted. ``response_ms`` are INVITE to 200 of every call."""

    code: int
    successful: int
    failed: int
    unexpected: int
    response_ms: list[float]
    output: str


def send(
    method: str,
    *,
    body: str = "",
    headers: str = "",
    uri: str = "",
    cseq: str = "",
    retrans: int = 500,
    to_tag: bool = True,
    branch: str = "[branch]",
    routes: bool = False,
    rtd: str = "",
) -> str:
    """A request of SIPp's."""
    first = f"{method} {uri or ('[next_url]' if routes else 'sip:[service]@[remote_ip]:[remote_port]')} SIP/2.0"
    lines = [
        first,
        f"Via: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch}",
        *(["[routes]"] if routes else []),
        "From: <sip:09121234567@[local_ip]:[local_port]>;tag=[pid]s[call_number]",
        f"To: <sip:[service]@[remote_ip]:[remote_port]>{'[peer_tag_param]' if to_tag else ''}",
        "Call-ID: [call_id]",
        f"CSeq: {cseq or '[cseq]'} {method}",
        "Contact: <sip:09121234567@[local_ip]:[local_port]>",
        "Max-Forwards: 70",
        *(headers.strip().splitlines() if headers else []),
        *(["Content-Type: application/sdp"] if body else []),
        "Content-Length: [len]",
        "",
        body,
    ]
    repeats = f' retrans="{retrans}"' if retrans else ""
    start = f' start_rtd="{rtd}"' if rtd else ""
    return f"<send{repeats}{start}><![CDATA[\n" + "\n".join(lines) + "\n]]></send>"


def sdp(direction: str = "sendrecv", port: str = "[media_port]") -> str:
    return SDP.format(direction=direction, port=port)


def recv(code: int | str, *, optional: bool = False, rrs: bool = False, action: str = "", auth: bool = False) -> str:
    """An answer (a number) or a request (a word) that must come."""
    what = f'response="{code}"' if isinstance(code, int) else f'request="{code}"'
    marks = (' optional="true"' if optional else "") + (' rrs="true"' if rrs else "") + (' auth="true"' if auth else "")
    return f'<recv {what}{marks} timeout="20000">{action}</recv>'


def must_match(pattern: str) -> str:
    """An action: the message must match this regular expression, or the call fails."""
    return f'<action><ereg regexp="{pattern}" search_in="msg" check_it="true" assign_to="1"/></action>'


def pause(milliseconds: int) -> str:
    return f'<pause milliseconds="{milliseconds}"/>'


def scenario(*steps: str) -> str:
    uses = '<Reference variables="1"/>' if any('assign_to="1"' in step for step in steps) else ""
    return '<?xml version="1.0"?>\n<scenario name="test">\n' + "\n".join((*steps, uses)) + "\n</scenario>\n"


def run(
    folder: Path,
    box: int,
    mine: tuple[str, int],
    xml: str = "",
    *,
    calls: int = 1,
    rate: float = 1.0,
    hold_ms: int = 200,
    arguments: tuple[str, ...] = (),
    timeout_seconds: float = 60.0,
    service: str = "02188123456",
) -> Outcome:
    """Runs SIPp to its end; without ``xml`` its built-in ``uac`` scenario."""
    folder.mkdir(parents=True, exist_ok=True)
    if xml:
        (folder / "scenario.xml").write_text(xml)
    chosen = ["-sf", "scenario.xml"] if xml else ["-sn", "uac", "-d", str(hold_ms)]
    command = [
        "sipp", f"127.0.0.1:{box}", *chosen, "-i", mine[0], "-p", str(mine[1]), "-m", str(calls), "-r", str(rate),
        "-s", service, "-nostdin", "-trace_stat", "-stf", "stat.csv", "-fd", "1", "-trace_rtt", "-rtt_freq", "1",
        "-trace_err", "-error_file", "errors.log", "-timeout", str(int(timeout_seconds)), *arguments,
    ]  # fmt: skip
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout_seconds + 20)
    stat = folder / "stat.csv"
    rows = list(csv.DictReader(stat.read_text().splitlines(), delimiter=";")) if stat.is_file() else []
    last = rows[-1] if rows else {}
    times: list[float] = []
    for file in folder.glob("*_rtt.csv"):
        times += [float(line.split(";")[1]) for line in file.read_text().splitlines()[1:]]
    errors = folder / "errors.log"
    return Outcome(
        code=done.returncode,
        successful=int(last.get("SuccessfulCall(C)", 0)),
        failed=int(last.get("FailedCall(C)", 0)),
        unexpected=int(last.get("FailedUnexpectedMessage(C)", 0)),
        response_ms=times,
        output=done.stdout[-1500:] + done.stderr[-500:] + (errors.read_text()[-2500:] if errors.is_file() else ""),
    )
