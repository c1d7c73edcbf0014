"""Settings of what goes upstream. Secrets are files of their own (``secrets.py``), never settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TargetKind = Literal["folder", "s3", "sftp", "smb", "webhook", "daily"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A place where records and sealed recordings go. Several may stand; each keeps its own position.

    Secrets are files in the folder ``upstream`` of ``secrets_folder``, for the sync service alone: ``NAME`` holds the
    password (smb), the private key (sftp), the signing secret (webhook), or two lines with access key and secret key
    (s3).
    """

    name: str
    kind: TargetKind
    takes: Literal["both", "recordings", "records"] = "both"
    url: str = ""  # s3, webhook: https://host[:port]/...; without TLS on loopback only
    host: str = ""  # sftp, smb
    port: int = 0  # sftp, smb; 0: the usual one
    user: str = ""  # sftp, smb
    folder: str = ""  # folder, daily: on this box (systemd: ReadWritePaths in a drop-in); sftp, smb: over there
    share: str = ""  # smb: the name of the share
    bucket: str = ""  # s3
    region: str = "us-east-1"  # s3
    prefix: str = ""  # what every name begins with; empty: the box's name
    ca: str = ""  # s3, webhook: file with the only authority that is believed; empty: those of the system
    host_key: str = ""  # sftp: the server's public key, as a line of known_hosts without the name
    lock_days: int = 0  # s3: object lock (COMPLIANCE) of bodies and seals, never of heads; 0: none
    allows_public: bool = False  # s3: a bucket that strangers may read is refused otherwise
    quiet_from: str = ""  # HH:MM of the box's zone; between the two no recordings are sent
    quiet_until: str = ""
    budget: int = 4  # an object may be sent so many times its own size within a day, and 1 MiB more


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """How what goes upstream behaves towards calls and towards servers that fail."""

    bytes_per_second: int = 0  # at most, for all targets together; 0: as fast as it goes
    bytes_per_second_in_calls: int = 32_000  # while anybody is on the line; 0: no other limit
    batch_seconds: float = 15.0  # events and records of so long go together
    first_pause_seconds: float = 30.0  # after a fault, doubled at each further one
    longest_pause_seconds: float = 900.0
    probe_seconds: float = 60.0  # a target that fails is asked so often whether it is back
    answer_seconds: float = 20.0  # a server that is silent for so long counts as hanging


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """All that the sync process owns of the settings."""

    targets: tuple[Target, ...] = ()
    upstream: Upstream = Upstream()
