"""What a call has come through before it reached us: by this a call that comes back is recognised. Pure.

To peers each INVITE of ours carries ``X-Pasokh-Path``: the names of the legs that the call has gone through, oldest
first. A proxy leaves it as it is, another Pasokh adds its own; a PBX that makes a new call of it (Asterisk) drops it:
then Diversion (RFC 5806), History-Info (RFC 7044) or Referred-By (RFC 3892) name the extension that sent it on.
Max-Forwards goes down by one through us, as through a proxy (RFC 3261, 16.6), and ends what none of these tells.
"""

from __future__ import annotations

import re

from appliance.signalling import headers as h
from appliance.signalling.dialogs import MAX_FORWARDS
from appliance.signalling.port import Passage
from appliance.signalling.wire import Headers, split_list

PATH = "x-pasokh-path"
MOST_HOPS = int(MAX_FORWARDS)
MOST_LEGS = 8  # a call that has gone through us so often goes in a circle
MOST_SENDERS = 8
_NAMED = re.compile(r"[0-9a-f]{32}")
_SENDERS = ("diversion", "history-info", "referred-by")


def read(headers: Headers) -> Passage:
    """What an INVITE says of its way; what cannot be read is as if it were not there."""
    hops = headers.get("max-forwards") or ""
    written = ",".join(headers.all(PATH))[: 2 * MOST_LEGS * 34]
    legs = tuple(each for each in (part.strip() for part in written.split(",")) if _NAMED.fullmatch(each))
    return Passage(
        hops=min(int(hops), MOST_HOPS) if hops.isascii() and hops.isdigit() and len(hops) < 6 else MOST_HOPS,
        legs=legs,
        senders=_senders(headers),
    )


def is_circle(passage: Passage) -> bool:
    """Whether the call has gone round too often to go on (483)."""
    return passage.hops < 2 or len(passage.legs) >= MOST_LEGS


def _senders(headers: Headers) -> tuple[str, ...]:
    found: list[str] = []
    for name in _SENDERS:
        for each in split_list(",".join(headers.all(name)))[:MOST_SENDERS]:
            try:
                found.append(h.parse_name_address(each).uri.user)
            except ValueError:
                continue
    return tuple(each for each in found[:MOST_SENDERS] if each)
