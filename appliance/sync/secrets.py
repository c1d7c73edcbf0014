"""Secrets of targets: files for the sync service alone, refused where others can read them.

On a box systemd hands the whole folder over (``LoadCredential=upstream:...``): each file ``NAME`` becomes the
credential ``upstream_NAME``. Elsewhere they are read from the folder ``upstream`` of the box's secrets.
"""

from __future__ import annotations

import os
from pathlib import Path

from appliance.errors import Problem
from appliance.places import Places


def read(places: Places, name: str) -> str:
    """The secret of target ``name``; Problem where it is missing, empty, or readable by others."""
    file = _file(places, name)
    try:
        mode = file.stat().st_mode
        content = file.read_text(encoding="utf-8").strip()
    except FileNotFoundError as error:
        raise Problem("sync.no_secret", target=name, file=str(file)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise Problem("sync.secret_unreadable", target=name, file=str(file), reason=str(error)) from error
    if mode & 0o077:
        raise Problem("sync.secret_open", target=name, file=str(file), mode=f"{mode & 0o777:04o}")
    if not content:
        raise Problem("sync.no_secret", target=name, file=str(file))
    return content


def _file(places: Places, name: str) -> Path:
    handed = os.environ.get("CREDENTIALS_DIRECTORY", "")
    if handed and (Path(handed) / f"upstream_{name}").is_file():
        return Path(handed) / f"upstream_{name}"
    return places.secrets / "upstream" / name
