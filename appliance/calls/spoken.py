"""Prompts that were spoken by telephone: mended like any recording, and played from then on instead of the others.

``FOLDER/LANGUAGE/NAME-HASH.ulaw`` and ``.alaw``; ``FOLDER/spoken.json`` says which of them is the one to play, so that
the next caller hears the new one whole, and whoever listens just now the old one.
"""

from __future__ import annotations

import audioop
import hashlib
import json
from pathlib import Path

from appliance.durable import write_whole
from appliance.prompts import recordings, voices

INDEX = "spoken.json"
MOST_SECONDS = 120
ENDS_WITH = "#"


class Spoken:
    """``prompts`` are the box's own; ``folder`` (data/spoken) need not be there."""

    def __init__(self, folder: Path, prompts: Path) -> None:
        self._folder = folder
        self._prompts = prompts
        self._chosen = _read(folder / INDEX)

    def base(self, language: str, name: str) -> Path:
        """The file, without ending, that is played for a prompt."""
        chosen = self._chosen.get(f"{language}/{name}")
        return self._folder / language / chosen if chosen else self._prompts / language / name

    def name_of(self, language: str, number: str) -> str:
        """The sound of this number in the reading list (`pasokh prompts script`); empty where there is none."""
        names = list(voices.sounds_of(self._prompts).get(language, {}))
        return names[int(number) - 1] if number.isdigit() and 1 <= int(number) <= len(names) else ""

    def keep(self, language: str, name: str, law: str, sound: bytes) -> None:
        """Takes in what was said; Problem (``prompts.*``) where it cannot be mended. To be called in a thread."""
        linear = audioop.ulaw2lin(sound, 2) if law == "PCMU" else audioop.alaw2lin(sound, 2)
        mended = recordings.mended(linear, name).linear
        chosen = f"{name}-{hashlib.sha256(mended).hexdigest()[:12]}"
        (self._folder / language).mkdir(parents=True, exist_ok=True, mode=0o755)
        base = self._folder / language / chosen
        write_whole(base.with_name(f"{chosen}.ulaw"), audioop.lin2ulaw(mended, 2), 0o644)
        write_whole(base.with_name(f"{chosen}.alaw"), audioop.lin2alaw(mended, 2), 0o644)
        self._chosen = {**self._chosen, f"{language}/{name}": chosen}
        write_whole(self._folder / INDEX, json.dumps(self._chosen, indent=1, sort_keys=True).encode(), 0o644)


def _read(file: Path) -> dict[str, str]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none yet; or not ours: the prompts of the box are played
        return {}
    return {str(name): str(chosen) for name, chosen in found.items()} if isinstance(found, dict) else {}
