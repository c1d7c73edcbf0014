"""Generated tests draw the same examples each time in ``make check``; ``make long`` looks for new ones."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("check", derandomize=True, database=None, deadline=None)
settings.register_profile("long", database=None, deadline=None)
settings.load_profile("long" if os.environ.get("PASOKH_LONG") else "check")
