"""How somebody is shown on a telephone: not every one shows Persian."""

from __future__ import annotations

from appliance.signalling.settings import Names


def on_phone(name: str, latin: str, names: Names) -> str:
    """The name for a telephone that is set to ``names``; empty where it shall show the number alone."""
    match names:
        case "persian":
            return name or latin
        case "latin":
            return latin or (name if name.isascii() else "")
        case "number":
            return ""
