"""Settings of the page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    address: str = "127.0.0.1"
    port: int = 8080
    hosts: tuple[str, ...] = ()  # names by which a browser may ask for the page, beside the address itself
    tls: bool = True  # off only on loopback
    idle_minutes: int = 720
