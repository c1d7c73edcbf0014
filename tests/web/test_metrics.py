"""What monitors read: well formed for another parser, complete, and without a number or a person in it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import Message

from appliance.control import picture
from appliance.control.client import ControlClient
from appliance.control.wire import AgentNow, Finding, Line, LiveCall, Measured, Phone, Snapshot, Trunk
from appliance.errors import Problem
from appliance.web import metrics
from appliance.web.app import Page
from appliance.web.metrics import METRICS, Own
from appliance.web.monitor import Monitor
from tests.web.given import no_reader

NUMBER, PERSON = "09121234567", "sara"
OWN = Own(12.5, 30 << 20, 5_000, 10_000)
SNAPSHOT = Snapshot(
    box="test",
    version="0.3.0",
    language="en",
    now_utc_ms=1_795_446_977_557,
    trunks=(Trunk("main", "up"), Trunk("02188123456", "refused", 403, f"no {NUMBER}")),
    phones=(Phone(f"desk-{PERSON}", True, 1), Phone("desk2", False)),
    calls=(
        LiveCall("c1", "office", NUMBER, "talking", PERSON, 1, "live"),
        LiveCall("c2", "office", NUMBER, "waiting", "", 1, "none"),
    ),
    counters={
        "calls": 7, "refused_503": 2, "ended_served": 4, "sip_silenced": 9, "notices_sent": 3, "late_ticks": 1,
        "wrap_ups_given": 2,
        "media_streams": 4, "bad_rtp": 0, "recordings_now": 1, "commit_p99_ms": 12, "calls_owed": 5, "faults": 1,
        "media_lost": 1, "recordings_refused": 2, "backup_made_s": 1_795_000_000, "backup_drilled_s": 0,
    },
    findings=(Finding("backup.old", {"hours": 50}), Finding("calls.records_delayed", {"reason": NUMBER})),
    last_event=99,
    media="up",
    lines=(Line('sal"es\\', 3, 2, 1),),
    agents=(AgentNow(PERSON, "talking"), AgentNow("ali", "not_registered")),
)  # fmt: skip
MEASURED = picture.measured(SNAPSHOT, 60_000, 50_000)


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """As another parser reads them."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_another_parser_reads_every_figure_of_the_list_and_no_other() -> None:
    families = list(text_string_to_metric_families(metrics.text(MEASURED, OWN)))
    names = {metric.name.removesuffix("_total") if metric.kind == "counter" else metric.name for metric in METRICS}
    assert {family.name for family in families} == names
    kinds = {metric.name.removesuffix("_total"): metric.kind for metric in METRICS}
    assert all(family.type == kinds[family.name] for family in families)
    known = {metric.name: set(metric.labels) for metric in METRICS}
    assert all(set(sample.labels) == known[sample.name] for family in families for sample in family.samples)


def test_the_figures_are_those_of_the_picture() -> None:
    found = samples(metrics.text(MEASURED, OWN))

    def value(name: str, **labels: str) -> float:
        return found[name, tuple(sorted(labels.items()))]

    assert value("pasokh_up") == 1 and value("pasokh_calls_total") == 7
    assert value("pasokh_calls_in_progress", state="talking") == 1
    assert value("pasokh_calls_in_progress", state="ringing") == 0
    assert value("pasokh_calls_refused_total", code="503") == 2
    assert value("pasokh_conversations_ended_total", outcome="served") == 4
    assert value("pasokh_trunk_up", trunk="main") == 1
    assert (value("pasokh_phones"), value("pasokh_phones_registered")) == (2, 1)
    assert value("pasokh_agents", doing="not_registered") == 1
    assert value("pasokh_line_waiting", line='sal"es\\') == 3
    assert value("pasokh_recorder_commit_p99_seconds") == 0.012
    assert value("pasokh_findings") == 2 and value("pasokh_finding", key="backup.old") == 1
    assert value("pasokh_uptime_seconds", service="calls") == 60
    assert value("pasokh_resident_bytes", service="calls") == 51_200_000
    assert value("pasokh_media_state", state="up") == 1 and value("pasokh_media_state", state="lost") == 0
    assert value("pasokh_data_free_bytes") == 5_000


def test_no_number_and_no_person_is_in_the_text() -> None:
    text = metrics.text(MEASURED, OWN)
    for hidden in (NUMBER, "02188123456", PERSON, 'ali"', "desk-", "desk2"):
        assert hidden not in text
    assert len(re.findall(r'pasokh_trunk_up\{trunk="name-[0-9a-f]{8}"\} 0', text)) == 1


def test_without_calls_it_says_so_and_tells_what_is_known() -> None:
    found = samples(metrics.text(None, OWN))
    assert found["pasokh_up", ()] == 0 and ("pasokh_calls_total", ()) not in found
    assert found["pasokh_data_bytes", ()] == 10_000


def test_names_and_meanings_are_as_the_format_wants_them() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert re.fullmatch("pasokh_[a-z0-9_]+", metric.name) and "\n" not in metric.meaning
        assert (metric.kind == "counter") == metric.name.endswith("_total"), metric.name


# The two routes -------------------------------------------------------------------------------------------------------


class MadeUpCalls(ControlClient):
    def __init__(self, measured: Measured | None) -> None:
        super().__init__(Path("nowhere"))
        self.measured = measured
        self.asked = 0

    @property
    def is_alive(self) -> bool:
        return True

    async def measure(self) -> Measured:
        self.asked += 1
        if self.measured is None:
            raise Problem("control.calls_is_stopped")
        return self.measured


def get(calls: MadeUpCalls, path: str, authorization: str = "", token: str = "t0ken", times: int = 1) -> list[int]:
    """The status of each request, through the page's own door."""
    page = Page(calls, no_reader, "test", "en", True, monitor=Monitor(calls, token, Path("/"), lambda: 5.0))
    app = page.app(("box.local",))
    headers = [(b"host", b"box.local"), *([(b"authorization", authorization.encode())] if authorization else [])]

    async def one() -> int:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            sent.append(dict(message))

        scope = {
            "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
            "headers": headers, "scheme": "https", "http_version": "1.1", "server": ("box.local", 443),
            "client": ("127.0.0.1", 5), "root_path": "",
        }  # fmt: skip
        await app(scope, receive, send)
        return int(sent[0]["status"])

    async def scene() -> list[int]:
        return [await one() for _ in range(times)]

    return asyncio.run(scene())


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Bearer t0ken", 200), ("bearer t0ken", 200), ("", 401), ("Bearer", 401), ("Bearer t0ken2", 401),
        ("Basic t0ken", 401), ("Bearer \xff", 401),
    ],
)  # fmt: skip
def test_figures_are_for_who_brings_the_token(authorization: str, status: int) -> None:
    assert get(MadeUpCalls(MEASURED), "/metrics", authorization) == [status]


def test_without_a_token_of_its_own_nobody_gets_figures() -> None:
    assert get(MadeUpCalls(MEASURED), "/metrics", "Bearer ", token="") == [401]


@pytest.mark.parametrize(
    ("measured", "status"),
    [(MEASURED, 200), (None, 503), (picture.measured(Snapshot("b", "1", "en", 1, media="lost"), 1, 1), 503)],
    ids=["well", "no calls", "no voices"],
)
def test_health_is_one_word_for_everybody(measured: Measured | None, status: int) -> None:
    assert get(MadeUpCalls(measured), "/health") == [status]


def test_many_questions_cost_calls_one_a_second() -> None:
    calls = MadeUpCalls(MEASURED)
    assert get(calls, "/health", times=50) == [200] * 50 and calls.asked == 1
