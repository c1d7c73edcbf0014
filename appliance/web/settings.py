"""Settings of the page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    address: str = "127.0.0.1"
    port: int = 8080
    hosts: tuple[str, ...] = ()  # names a browser may ask by, beside the address (0.0.0.0: any address)
    tls: bool = True  # off only on loopback
    idle_minutes: int = 720
