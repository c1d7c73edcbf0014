"""What can go wrong between the box and a target, as values: each names what a person reads and what the plan does.

A ``Fault`` is no Problem: nobody is asked to act before the machine has tried what it can, but it is shown at its first
occurrence. ``detail`` is for a technician and holds no secret.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from appliance.control.wire import Finding


class Why(StrEnum):
    """The words are part of the keys of messages (``sync.fault_unreachable``)."""

    UNREACHABLE = "unreachable"  # refused, no route, no name
    SILENT = "silent"  # connected, and no answer in time
    CUT = "cut"  # the connection ended in the middle
    FAILING = "failing"  # the server says that it has an error
    BUSY = "busy"  # the server asks for patience
    FULL = "full"  # no space there
    DENIED = "denied"  # credentials are wrong, revoked, or may not do it
    GONE = "gone"  # bucket, share or folder is not there
    CERTIFICATE = "certificate"  # TLS: not the server that is meant, or a certificate that has ended
    HOST_KEY = "host_key"  # SSH: not the server that is meant
    CLOCK = "clock"  # the clocks of box and server disagree, and it could not be settled
    PUBLIC = "public"  # strangers may read there
    OTHER_BOX = "other_box"  # the place belongs to another box
    TWO_BOXES = "two_boxes"  # another machine works under this box's id
    DISABLED = "disabled"  # the receiver has said that it wants nothing more
    SETTINGS = "settings"  # a secret is missing or open to others; said by its own Problem
    UNEXPECTED = "unexpected"  # an answer that nobody foresaw
    # About one unit, not about the target:
    MANGLED = "mangled"  # what was read back is not what was sent
    FOREIGN = "foreign"  # something else lies under this name already
    DAMAGED = "damaged"  # the file on the box is not what was sealed
    MISSING = "missing"  # the file on the box is not there
    REJECTED = "rejected"  # the receiver will not have this one
    # About us:
    BROKEN_OFF = "broken_off"  # something is to be erased first


OF_UNIT = frozenset({Why.MANGLED, Why.FOREIGN, Why.DAMAGED, Why.MISSING, Why.REJECTED})
REFUSED_AT_ONCE = frozenset({Why.FOREIGN, Why.DAMAGED, Why.MISSING, Why.REJECTED})
WRITES_FAIL = frozenset({Why.FAILING, Why.FULL, Why.BUSY})  # reaching the server shows nothing: a byte is written
BLAMES = frozenset({Why.FAILING, Why.CUT, Why.SILENT, Why.UNEXPECTED})  # may be about what is sent, not the server
# Greeted anew with an adapter made anew: secret, place or server may be others by then.
GREETS_ANEW = frozenset(
    {Why.OTHER_BOX, Why.TWO_BOXES, Why.PUBLIC, Why.GONE, Why.DENIED, Why.SETTINGS, Why.CERTIFICATE, Why.HOST_KEY}
)
PARKS = {
    Why.CLOCK: "clock",
    Why.FULL: "full",
    Why.DENIED: "denied",
    Why.GONE: "denied",
    Why.PUBLIC: "denied",
    Why.OTHER_BOX: "denied",
    Why.TWO_BOXES: "denied",
    Why.DISABLED: "denied",
    Why.CERTIFICATE: "denied",
    Why.HOST_KEY: "denied",
    Why.SETTINGS: "denied",
}


class Fault(Exception):  # noqa: N818 - an ordinary outcome of networks
    """What happened; ``sent_bytes`` had left the box for nothing, ``retry_after_seconds`` is the server's wish."""

    def __init__(self, why: Why, detail: str = "", *, sent_bytes: int = 0, retry_after_seconds: float = 0.0) -> None:
        super().__init__(f"{why}: {detail}")
        self.why = why
        self.detail = detail[:200]
        self.sent_bytes = sent_bytes
        self.retry_after_seconds = retry_after_seconds

    @property
    def park(self) -> str:
        """Why the target rests: clock, link, full or denied."""
        return PARKS.get(self.why, "link")


@contextmanager
def disk(path: str) -> Iterator[None]:
    """What a disk of this box says, as a Fault."""
    try:
        yield
    except OSError as error:
        why = _OF_DISK.get(error.errno or 0, Why.UNEXPECTED)
        raise Fault(why, f"{path}: {error.strerror or error}") from error


_OF_DISK = {
    errno.ENOSPC: Why.FULL, errno.EDQUOT: Why.FULL, errno.EFBIG: Why.FULL,
    errno.EACCES: Why.DENIED, errno.EPERM: Why.DENIED, errno.EROFS: Why.DENIED,
    errno.ENOENT: Why.GONE, errno.ENOTDIR: Why.GONE, errno.EIO: Why.GONE, errno.ENODEV: Why.GONE,
    errno.ENXIO: Why.GONE, errno.ENOTCONN: Why.GONE, errno.ESTALE: Why.GONE, errno.EUCLEAN: Why.GONE,
}  # fmt: skip


def finding(target: str, why: Why, detail: str) -> Finding:
    """What the page says of it, in the form of the control socket."""
    return Finding(f"sync.fault_{why}", {"target": target, "detail": detail or "-"})
