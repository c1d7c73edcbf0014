"""The player of recordings as files: its script and style, and the two offline files in which both stand.

The script is made from ``listen/src`` by ``listen/build.mjs`` and kept here as it was made; a test makes it again and
compares. The viewer and the file that makes keys are one HTML file each that loads nothing: what may run in it is
named by its hash, so that a page that was changed on its way does not run.
"""

from __future__ import annotations

import base64
import hashlib
import json
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Literal

from appliance import messages
from appliance.messages import LANGUAGES, Language

KEYS = ("listen.", "keys.", "ceremony.", "recorder.weak_passphrase", "recorder.passphrases_differ")  # of the script
_FOLDER = resources.files("appliance.recorder").joinpath("listen")


def files() -> tuple[Traversable, Traversable]:
    """The script and the style, as the page serves them."""
    return _FOLDER / "listen.js", _FOLDER / "listen.css"


def words(*languages: Language) -> str:
    """The player's texts as JSON that can stand inside a script element."""
    texts = {
        language: {key: entry for key, entry in messages.catalogue(language).items() if key.startswith(KEYS)}
        for language in languages
    }
    return json.dumps(texts, ensure_ascii=False, sort_keys=True).replace("<", "\\u003c")


def html(place: Literal["viewer", "ceremony"] = "viewer") -> str:
    """The offline viewer, or the file in which keys are made (``ceremony``)."""
    script, style = (file.read_text(encoding="utf-8") for file in files())
    style = (_FOLDER / "viewer.css").read_text(encoding="utf-8") + style
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; base-uri 'none'; "
        "form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Pasokh</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f'<main id="{place}"></main>\n<script type="application/json" id="listen-words">{words(*LANGUAGES)}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _hash(text: str) -> str:
    """A source expression of Content Security Policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
