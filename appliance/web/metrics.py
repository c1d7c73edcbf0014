"""What monitors read: every figure with its meaning, and the text of all of them (Prometheus text format 0.0.4).

``METRICS`` is the whole list; docs/METRICS.md is written from it, and nothing that is not in it can be said. No label
holds a number or the name of a person: agents and phones are only counted, and a name of a trunk or line that holds a
telephone number is shown as a piece of its hash.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from appliance.control.wire import Measured

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STATES = ("ringing", "menu", "waiting", "talking", "hold", "parked")
MEDIA = ("up", "full", "lost", "unknown")
_NUMBER = re.compile(r"\d{5,}")


@dataclass(frozen=True, slots=True)
class Metric:
    """``counter`` grows until its service starts again; ``labels`` are all that a line of it may have."""

    name: str
    kind: Literal["gauge", "counter"]
    meaning: str
    labels: tuple[str, ...] = ()


METRICS: tuple[Metric, ...] = (
    Metric("pasokh_up", "gauge", "1 while the service calls answers; without it only disk and page are told"),
    Metric("pasokh_info", "gauge", "always 1; the version that runs", ("version",)),
    Metric("pasokh_uptime_seconds", "gauge", "since the service started", ("service",)),
    Metric("pasokh_resident_bytes", "gauge", "the most memory that the service has held", ("service",)),
    Metric("pasokh_trunk_up", "gauge", "1 while calls come and go by the trunk", ("trunk",)),
    Metric("pasokh_phones", "gauge", "desk phones of the settings"),
    Metric("pasokh_phones_registered", "gauge", "those that are registered now"),
    Metric("pasokh_agents", "gauge", "agents by what they do, or why they are not there", ("doing",)),
    Metric("pasokh_calls_in_progress", "gauge", "conversations now, by what they do", ("state",)),
    Metric("pasokh_calls_total", "counter", "conversations that began"),
    Metric("pasokh_calls_refused_total", "counter", "calls that were not taken, by the SIP code", ("code",)),
    Metric("pasokh_conversations_ended_total", "counter", "conversations that ended, by their outcome", ("outcome",)),
    Metric("pasokh_line_waiting", "gauge", "callers who wait", ("line",)),
    Metric("pasokh_line_agents_present", "gauge", "agents of the line who are there, busy or not", ("line",)),
    Metric("pasokh_line_agents_free", "gauge", "those of them who could take a call", ("line",)),
    Metric("pasokh_calls_owed", "gauge", "callbacks, promises and missed callers that wait to be called"),
    Metric("pasokh_wrap_ups_total", "counter", "what agents were asked about a call: given, or missed", ("outcome",)),
    Metric("pasokh_media_state", "gauge", "1 for the state in which the voices are", ("state",)),
    Metric("pasokh_media_lost_total", "counter", "how often the process of the voices died"),
    Metric("pasokh_media_streams", "gauge", "voices that are carried now"),
    Metric("pasokh_media_late_ticks_total", "counter", "slots of 5 ms that began late, since media started"),
    Metric("pasokh_media_bad_packets_total", "counter", "RTP packets that could not be used, since media started"),
    Metric("pasokh_recordings_in_progress", "gauge", "recordings now"),
    Metric("pasokh_recordings_refused_total", "counter", "conversations that should have been recorded and were not"),
    Metric("pasokh_recorder_commit_p99_seconds", "gauge", "99 % of the journal's commits took less"),
    Metric("pasokh_sip_events_total", "counter", "what SIP met that was no part of a call", ("what",)),
    Metric("pasokh_notices_total", "counter", "messages to people, by what came of them", ("outcome",)),
    Metric("pasokh_backup_last_timestamp_seconds", "gauge", "when the last backup was made; 0: never"),
    Metric("pasokh_backup_drill_last_timestamp_seconds", "gauge", "when the last drill went well; 0: never"),
    Metric("pasokh_findings", "gauge", "what a person should act on: the page says what and how"),
    Metric("pasokh_finding", "gauge", "1 for each of them, by the key of its text", ("key",)),
    Metric("pasokh_faults_total", "counter", "conversations that ended by a fault of our own"),
    Metric("pasokh_last_event", "gauge", "the number of the newest event in the records"),
    Metric("pasokh_data_free_bytes", "gauge", "what is left of the disk on which the data folder lies"),
    Metric("pasokh_data_bytes", "gauge", "the size of that disk"),
)
_KNOWN = {metric.name: metric for metric in METRICS}

# Counters of calls by the name of their metric, and by the beginning of their names where a label follows.
_PLAIN: Mapping[str, str] = {
    "calls": "pasokh_calls_total",
    "faults": "pasokh_faults_total",
    "media_lost": "pasokh_media_lost_total",
    "media_streams": "pasokh_media_streams",
    "late_ticks": "pasokh_media_late_ticks_total",
    "bad_rtp": "pasokh_media_bad_packets_total",
    "recordings_now": "pasokh_recordings_in_progress",
    "recordings_refused": "pasokh_recordings_refused_total",
    "calls_owed": "pasokh_calls_owed",
    "backup_made_s": "pasokh_backup_last_timestamp_seconds",
    "backup_drilled_s": "pasokh_backup_drill_last_timestamp_seconds",
}
_LABELLED: tuple[tuple[str, str, str], ...] = (
    ("refused_", "pasokh_calls_refused_total", "code"),
    ("ended_", "pasokh_conversations_ended_total", "outcome"),
    ("sip_", "pasokh_sip_events_total", "what"),
    ("notices_", "pasokh_notices_total", "outcome"),
    ("wrap_ups_", "pasokh_wrap_ups_total", "outcome"),
)

Sample = tuple[str, Mapping[str, str], float]


@dataclass(frozen=True, slots=True)
class Own:
    """What the page knows without calls."""

    uptime_seconds: float
    resident_bytes: int
    data_free_bytes: int
    data_bytes: int


def text(measured: Measured | None, own: Own) -> str:
    """All figures; ``measured`` is None while calls does not answer."""
    found: dict[str, list[str]] = {}
    for name, labels, value in _samples(measured, own):
        assert set(labels) == set(_KNOWN[name].labels), name
        written = ",".join(f'{label}="{_escaped(labels[label])}"' for label in _KNOWN[name].labels)
        number = f"{value:.0f}" if float(value).is_integer() else f"{value:.6f}"
        found.setdefault(name, []).append(f"{name}{{{written}}} {number}" if written else f"{name} {number}")
    lines: list[str] = []
    for metric in METRICS:
        if metric.name in found:
            lines += [f"# HELP {metric.name} {metric.meaning}", f"# TYPE {metric.name} {metric.kind}"]
            lines += sorted(set(found[metric.name]))
    return "\n".join(lines) + "\n"


def _samples(measured: Measured | None, own: Own) -> Iterator[Sample]:
    yield "pasokh_up", {}, int(measured is not None)
    yield "pasokh_uptime_seconds", {"service": "web"}, own.uptime_seconds
    yield "pasokh_resident_bytes", {"service": "web"}, own.resident_bytes
    yield "pasokh_data_free_bytes", {}, own.data_free_bytes
    yield "pasokh_data_bytes", {}, own.data_bytes
    if measured is None:
        return
    yield "pasokh_info", {"version": measured.version}, 1
    yield "pasokh_uptime_seconds", {"service": "calls"}, measured.uptime_ms / 1000
    yield "pasokh_resident_bytes", {"service": "calls"}, measured.resident_kb * 1024
    for trunk, is_up in measured.trunks.items():
        yield "pasokh_trunk_up", {"trunk": _shown(trunk)}, int(is_up)
    yield "pasokh_phones", {}, measured.phones
    yield "pasokh_phones_registered", {}, measured.phones_registered
    for doing, count in measured.agents.items():
        yield "pasokh_agents", {"doing": doing}, count
    for state in STATES:
        yield "pasokh_calls_in_progress", {"state": state}, measured.calls.get(state, 0)
    for line in measured.lines:
        label = {"line": _shown(line.name)}
        yield "pasokh_line_waiting", label, line.waiting
        yield "pasokh_line_agents_present", label, line.present
        yield "pasokh_line_agents_free", label, line.free
    for state in MEDIA:
        yield "pasokh_media_state", {"state": state}, int(measured.media == state)
    yield "pasokh_findings", {}, len(measured.findings)
    for key in set(measured.findings):
        yield "pasokh_finding", {"key": key}, 1
    yield "pasokh_last_event", {}, measured.last_event
    yield from _of_counters(measured.counters)


def _of_counters(counters: Mapping[str, int]) -> Iterator[Sample]:
    for name, count in counters.items():
        if name in _PLAIN:
            yield _PLAIN[name], {}, count
        elif name == "commit_p99_ms":
            yield "pasokh_recorder_commit_p99_seconds", {}, count / 1000
        else:
            for beginning, metric, label in _LABELLED:
                if name.startswith(beginning):
                    yield metric, {label: name.removeprefix(beginning)}, count
    for name in ("calls", "faults", "media_lost", "recordings_refused"):
        if name not in counters:  # a counter that has not counted yet is there all the same
            yield _PLAIN[name], {}, 0


def _shown(name: str) -> str:
    """A name that the owner gave; one with a telephone number in it is not for monitors."""
    return f"name-{hashlib.sha256(name.encode()).hexdigest()[:8]}" if _NUMBER.search(name) else name


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
