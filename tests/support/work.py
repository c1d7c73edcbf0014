"""How much work something is, as a figure that a busy machine cannot change: the Python functions it enters."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType


def functions_entered(work: Callable[[], object]) -> int:
    """Python functions (and resumed generators) that ``work`` enters in this thread."""
    entered = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal entered
        entered += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return entered
