"""Settings of media: addresses, ports, prompts, limits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    first_port: int = 20000  # even
    last_port: int = 29999
    prompts_folder: str = ""  # empty: the prompts that ship with the box
    max_streams: int = 400  # legs at once in one media process
    silence_seconds: int = 20  # no packet for so long on a leg that had sent: the leg is asked whether it lives
    real_time: bool = True  # ask for SCHED_FIFO; else nice
