"""When the next backup is due, how it is called, which old ones go, and what the owner must be told. Pure.

By wall time, as the last one's moment is known from the records only; a box whose clock went back makes one at once
rather than none for years. After a failure it is tried again every ten minutes. A file is named by its time for people
and by the number of its last event for order: the newest is the one with the highest number, whatever the clock said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from appliance.backup.settings import Backup
from appliance.errors import Problem

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
AGAIN_MS = 600_000  # after a failure
LATE_SHARE = 2  # an age of two periods (and a day at least) is a finding
DRILL_OLD_MS = 35 * DAY_MS
_NAME = re.compile(r"pasokh-(?P<box>.+)-\d{8}T\d{6}Z-(?P<n>\d{9,})\.age")


@dataclass(frozen=True, slots=True)
class Kept:
    """What the records say, UTC ms: the last backup and drill that went well (0: none), and since when there is a box.

    ``failed`` is why none could be made since then, ``drill_failed`` the key of what the last drill found.
    """

    since: int
    made: int = 0
    drilled: int = 0
    failed: Problem | None = None
    failed_at: int = 0
    drill_failed: str = ""


def is_due(settings: Backup, kept: Kept, now: int) -> bool:
    """Whether a backup is to be made now."""
    if not settings.every_hours:
        return False
    if kept.failed and 0 <= now - kept.failed_at < AGAIN_MS:
        return False
    return not 0 <= now - kept.made < settings.every_hours * HOUR_MS


def is_drill_due(settings: Backup, kept: Kept, now: int) -> bool:
    """Whether the next backup is to be a drill as well."""
    return not 0 <= now - kept.drilled < settings.drill_days * DAY_MS


def findings(settings: Backup, kept: Kept, now: int) -> dict[str, Problem]:
    """What a person should act on, by the place it has among the box's findings."""
    if not settings.every_hours:
        return {}
    found: dict[str, Problem] = {}
    late = max(LATE_SHARE * settings.every_hours * HOUR_MS, DAY_MS)
    age = now - (kept.made or kept.since)
    if kept.failed:
        found["backup"] = kept.failed
    elif age > late:
        found["backup"] = Problem("backup.old", hours=age // HOUR_MS)
    drill_age = now - (kept.drilled or kept.since)
    if kept.drill_failed:
        found["backup_drill"] = Problem("backup.drill_failed", reason=kept.drill_failed)
    elif drill_age > DRILL_OLD_MS:
        found["backup_drill"] = Problem("backup.drill_old", days=drill_age // DAY_MS)
    return found


def name_of(box: str, moment: str, head_n: int) -> str:
    """``moment`` is ``20261128T013000Z``."""
    return f"pasokh-{re.sub('[^A-Za-z0-9_.-]', '_', box)}-{moment}-{head_n:09}.age"


def superseded(names: Sequence[str], box: str, keep: int) -> list[str]:
    """Which of the files in the folder go: this box's own, beyond the newest ``keep``; never anybody else's."""
    own = re.sub("[^A-Za-z0-9_.-]", "_", box)
    numbered = sorted(
        ((int(match["n"]), name) for name in names if (match := _NAME.fullmatch(name)) and match["box"] == own),
        reverse=True,
    )
    return [name for _, name in numbered[max(keep, 1) :]]
