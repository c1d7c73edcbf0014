"""What the owner is told of when it lasts: trunks that are down, lost voices, and every finding that is no advice."""

from __future__ import annotations

from collections.abc import Mapping

from appliance.control.wire import Finding, Snapshot
from appliance.errors import Problem

TRUNK_DOWN = frozenset({"refused", "unreachable"})
ADVICE = frozenset(
    {
        "ceremony.unsigned",
        "ceremony.never_drilled",
        "ceremony.drill_old",
        "retention.no_target",
        "retention.not_sent",
    }
)
"""Keys of findings that wait until somebody looks at the page."""


def faults(picture: Snapshot, findings: Mapping[str, Finding]) -> Mapping[str, Problem]:
    """By place, as the owner's messages name them; ``findings`` are those of the page, by place."""
    found = {
        place: Problem(finding.key, **finding.fields)
        for place, finding in findings.items()
        if finding.key not in ADVICE
    }
    for trunk in picture.trunks:
        if trunk.state in TRUNK_DOWN:
            found[f"trunk {trunk.name}"] = Problem("notify.trunk_down", trunk=trunk.name, code=trunk.code)
    if picture.media == "lost":
        found["media"] = Problem("notify.media_lost")
    return found
