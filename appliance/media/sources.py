"""From whom a stream takes sound: the source rule (DECISIONS 21).

The negotiated address is taken at its first valid packet. Behind a router the first address that sends three valid
packets with one SSRC within two seconds is taken instead, inside the trunk's own networks where it names some. Then the
source is locked: everything else is counted and dropped, until the other side negotiates anew, or the source is silent
for a second and another one inside the trunk's networks has taken over.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

Address = tuple[str, int]

PACKETS = 3
WINDOW_SECONDS = 2.0
RELATCH_SECONDS = 1.0
MAX_CANDIDATES = 8


class SourceRule:
    """``locked`` is the address that is heard, once one is."""

    __slots__ = ("_candidates", "_is_behind_nat", "_negotiated", "_networks", "locked")

    def __init__(self) -> None:
        self.locked: Address | None = None
        self._negotiated: Address | None = None
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        self._is_behind_nat = True
        self._candidates: dict[Address, tuple[int, int, float]] = {}

    def negotiated(self, address: Address, networks: Sequence[str], is_behind_nat: bool) -> None:
        """A description named ``address``; the window opens anew where it is another one than before."""
        if address != self._negotiated:
            self.locked = None
            self._candidates.clear()
        self._negotiated = address
        self._networks = [ipaddress.ip_network(network, strict=False) for network in networks]
        self._is_behind_nat = is_behind_nat

    def lock(self, address: Address) -> None:
        """What another process had learned already."""
        self.locked = address

    def judge(self, address: Address, ssrc: int, now: float, heard_at: float) -> bool:
        """Whether a valid packet from another address than ``locked`` is taken; locks it if so."""
        if self._negotiated is None:
            return False
        if self.locked is None:
            if address == self._negotiated or self._counted(address, ssrc, now):
                self.locked = address
                self._candidates.clear()
                return True
            return False
        may_move = self._networks and now - heard_at >= RELATCH_SECONDS and self._is_allowed(address)
        if may_move and self._counted(address, ssrc, now):
            self.locked = address
            self._candidates.clear()
            return True
        return False

    def _counted(self, address: Address, ssrc: int, now: float) -> bool:
        if not self._is_behind_nat or not self._is_allowed(address):
            return False
        count, known, began = self._candidates.get(address, (0, ssrc, now))
        if known != ssrc or now - began > WINDOW_SECONDS:
            count, began = 0, now
        if len(self._candidates) >= MAX_CANDIDATES and address not in self._candidates:
            return False
        self._candidates[address] = (count + 1, ssrc, began)
        return count + 1 >= PACKETS

    def _is_allowed(self, address: Address) -> bool:
        if not self._networks:
            return True
        ip = ipaddress.ip_address(address[0])
        return any(ip in network for network in self._networks)
