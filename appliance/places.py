"""Where the box keeps things: folders, sockets, secrets. Handed to every process beside its own settings."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

DATABASE_KEY = "database-key"  # the secret that opens calls.db
SIGNING_KEY = "signing-key"  # the secret that signs the chain of events


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """``data`` survives everything, ``run`` only until the machine starts again."""

    data: Path
    run: Path
    secrets: Path
    flows: Path
    prompts: Path

    @property
    def database(self) -> Path:
        return self.data / "calls.db"

    @property
    def spoken(self) -> Path:
        """Prompts that were spoken by telephone."""
        return self.data / "spoken"

    @property
    def first_boot_code(self) -> Path:
        return self.data / "first-boot-code"

    @property
    def media_socket(self) -> Path:
        return self.run / "media-1.sock"

    @property
    def control_socket(self) -> Path:
        return self.run / "calls.sock"

    def secret(self, name: str) -> str | None:
        """The secret called ``name`` (``trunk-main``, ``phone-desk1``), or None; surrounding white space is cut.

        A credential that systemd hands to the service wins over the file.
        """
        for folder in (os.environ.get("CREDENTIALS_DIRECTORY", ""), str(self.secrets)):
            path = Path(folder) / name
            if folder and path.is_file():
                return path.read_text(encoding="utf-8").strip()
        return None


def shipped_flows() -> Path:
    """The flows and prompts that came with this package: inside the wheel, or beside it in a checkout."""
    here = Path(__file__).resolve().parent
    inside = here / "ivr_flows"
    return inside if inside.is_dir() else here.parent / "ivr_flows"
