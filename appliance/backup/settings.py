"""Settings of backups."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """The box's own schedule. Without an owner's public key (`keys/recipients.txt`) no backup is made."""

    every_hours: float = 24.0  # 0: only by hand (`pasokh backup`)
    folder: str = ""  # must be there (a USB disk that is not mounted is not); empty: `backups` in the data folder
    keep: int = 7  # the newest so many of this box stay in the folder
    drill_days: float = 30.0  # how often a backup is opened and restored into a scratch folder to see that it can be
