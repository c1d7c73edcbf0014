"""Which adapter a ``[[target]]`` becomes, what it takes, and what is refused before anything starts.

Each adapter, and the library it needs, is imported when a target of its kind is made.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from appliance.errors import Problem
from appliance.places import Places
from appliance.records.reader import Conversation
from appliance.sync import secrets
from appliance.sync.port import Place
from appliance.sync.settings import Sync, Target
from appliance.sync.units import OF_RECORDING, Kind, Unit

NEEDS = {
    "folder": ("folder",),
    "daily": ("folder",),
    "s3": ("url", "bucket"),
    "sftp": ("host", "user", "host_key"),
    "smb": ("host", "user", "share"),
    "webhook": ("url",),
}
ONLY_RECORDS = frozenset({"daily", "webhook"})
WITHOUT_SECRET = frozenset({"folder", "daily"})
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
HOUR = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


@dataclass(frozen=True, slots=True)
class Records:
    """What a target may ask of the records: those of a day, and those a unit is about."""

    of_day: Callable[[int, int], list[Conversation]]
    touched: Callable[[Unit], list[Conversation]]


def kinds(target: Target) -> frozenset[Kind]:
    """What goes to a target."""
    if target.kind == "webhook":
        return frozenset({Kind.CALL})
    if target.kind == "daily":
        return frozenset({Kind.RECORDS})
    found: set[Kind] = set()
    if target.takes in ("both", "recordings"):
        found |= {*OF_RECORDING, Kind.ERASE}
    if target.takes in ("both", "records"):
        found |= {Kind.EVENTS, Kind.RECORDS}
    return frozenset(found)


def of_recordings(sync: Sync) -> frozenset[str]:
    """The names of all targets that take recordings."""
    return frozenset(target.name for target in sync.targets if Kind.HEAD in kinds(target))


def check(target: Target, file: str) -> None:
    """Problem where the settings of a target cannot be meant."""
    where = f"target {target.name}"
    if not NAME.fullmatch(target.name):
        raise Problem("sync.bad_name", file=file, target=target.name)
    for setting in NEEDS[target.kind]:
        if not getattr(target, setting):
            raise Problem("config.missing_setting", file=file, where=where, setting=setting)
    if target.kind in ONLY_RECORDS and target.takes == "recordings":
        raise Problem("sync.takes_no_recordings", file=file, target=target.name, kind=target.kind)
    if target.kind in ("s3", "webhook"):
        _url(target, file)
    if target.kind in ("folder", "daily") and not Path(target.folder).is_absolute():
        raise Problem("sync.not_absolute", file=file, target=target.name, folder=target.folder)
    if target.lock_days and target.kind != "s3":
        raise Problem("sync.no_lock", file=file, target=target.name, kind=target.kind)
    for setting in ("quiet_from", "quiet_until"):
        value = getattr(target, setting)
        if (value or target.quiet_from or target.quiet_until) and not HOUR.fullmatch(value):
            raise Problem("sync.not_an_hour", file=file, target=target.name, setting=setting, value=value)
    if ".." in Path(target.prefix).parts or target.prefix.startswith("/"):
        raise Problem("sync.bad_prefix", file=file, target=target.name, prefix=target.prefix)


def check_secret(target: Target, places: Places) -> None:
    """Problem where a target needs a secret and it is missing, or others can read it."""
    if target.kind not in WITHOUT_SECRET:
        secrets.read(places, target.name)


def _url(target: Target, file: str) -> None:
    parts = urlsplit(target.url)
    try:
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole:
        raise Problem("sync.bad_url", file=file, target=target.name, kind=target.kind)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise Problem("sync.needs_tls", file=file, target=target.name, host=parts.hostname or "")


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def make(target: Target, box: str, places: Places, records: Records, answer_seconds: float) -> Place:
    """The adapter of a target; Problem where its secret is missing or open to others."""
    prefix = target.prefix.strip("/") or box
    match target.kind:
        case "folder":
            from appliance.sync.folder import Folder

            return Folder(Path(target.folder), prefix)
        case "daily":
            from appliance.sync.daily import Daily

            return Daily(Path(target.folder), prefix, records.of_day, records.touched)
        case "s3":
            from appliance.sync.s3 import S3

            return S3(target, prefix, secrets.read(places, target.name), answer_seconds)
        case "sftp":
            from appliance.sync.sftp import Sftp

            return Sftp(target, prefix, secrets.read(places, target.name), answer_seconds)
        case "smb":
            from appliance.sync.smb import Smb

            return Smb(target, prefix, secrets.read(places, target.name), answer_seconds)
        case "webhook":
            from appliance.sync.webhook import Webhook

            return Webhook(target, secrets.read(places, target.name), answer_seconds)
