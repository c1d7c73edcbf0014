"""A target in memory: the fake that ships, for tests in virtual time and for trying a plan.

``faults`` are raised in turn by whatever is asked next; ``objects`` is what lies there.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from appliance.sync.faults import Fault, Why
from appliance.sync.port import MARKER, Marker, Parcel, Remark, marker_from


@dataclass(slots=True)
class Memory:
    prefix: str = "box"
    objects: dict[str, bytes] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    placed: list[str] = field(default_factory=list)  # every name that was written, in order

    def greet(self, marker: Marker, *, was_here: bool = False, takes_over: bool = False) -> Marker:  # noqa: ARG002 - memory is never unmounted
        self._may_fail()
        name = f"{self.prefix}/{MARKER}"
        if takes_over or name not in self.objects:
            self.objects[name] = marker.packed()
        return marker_from(self.objects[name])

    def probe(self, *, writes: bool) -> None:  # noqa: ARG002 - both are the same here
        self._may_fail()

    def place(self, parcel: Parcel) -> None:
        self._may_fail()
        if parcel.key not in self.objects:
            self.objects[parcel.key] = b"".join(parcel.chunks())
            self.placed.append(parcel.key)
            parcel.is_stored = True

    def verify(self, parcel: Parcel) -> str:
        self._may_fail()
        if hashlib.sha256(self.objects.get(parcel.key, b"")).hexdigest() != parcel.sha256:
            raise Fault(Why.MANGLED if parcel.is_ours else Why.FOREIGN, parcel.key)
        return f"memory:{parcel.key}"

    def sweep(self, keep: frozenset[str]) -> None:  # noqa: ARG002 - a half-written file is written over
        return

    def erase(self, keys: list[str]) -> list[str]:
        self._may_fail()
        for key in keys:
            self.objects.pop(key, None)
        return []

    def remarks(self) -> list[Remark]:
        return []

    def close(self) -> None:
        return

    def _may_fail(self) -> None:
        if self.faults:
            raise self.faults.pop(0)
