"""A progress bar for commands that take long."""

from __future__ import annotations

import sys
import time

from appliance import messages

BAR_LETTERS = 30
BAR_SECONDS = 0.1


class Bar:
    """A progress bar on standard error, where that is a terminal; gone at the end."""

    def __init__(self, key: str) -> None:
        self._words = messages.text(key, messages.chosen_language())
        self._is_shown = sys.stderr.isatty()
        self._drawn = 0.0

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._clear()

    def say(self, line: str) -> None:
        """A line of its own on standard error; the bar goes on below it."""
        self._clear()
        print(line, file=sys.stderr)

    def show(self, done: int, total: int) -> None:
        now = time.monotonic()
        if not self._is_shown or (now - self._drawn < BAR_SECONDS and done < total):
            return
        self._drawn = now
        share = min(1.0, done / total) if total else 1.0
        full = round(BAR_LETTERS * share)
        bar = "#" * full + "." * (BAR_LETTERS - full)
        print(f"\r{self._words} [{bar}] {share:4.0%} ", end="", file=sys.stderr, flush=True)

    def _clear(self) -> None:
        if self._is_shown and self._drawn:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._drawn = 0.0
