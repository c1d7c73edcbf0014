"""A file out of a form (multipart/form-data, RFC 7578), as browsers send it: a few parts, each with its name.

The page's library lays a large file down on the disk while it reads it; a customer list is never to lie there in plain.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

MOST_PARTS = 10
_BOUNDARY = re.compile(r'^multipart/form-data;.*boundary="?([^";,\s]{1,70})"?', re.IGNORECASE)
_NAME = re.compile(rb'content-disposition:[^\r\n]*\bname="([^"\r\n]{0,64})"', re.IGNORECASE)


def parts(body: bytes, content_type: str) -> Mapping[str, bytes]:
    """The contents by name; empty for a body that is none of this kind."""
    boundary = _BOUNDARY.match(content_type)
    if boundary is None:
        return {}
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary[1].encode("latin-1", "replace"), MOST_PARTS + 1)
    found: dict[str, bytes] = {}
    for piece in pieces[1:]:
        head, blank, content = piece.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if blank and name is not None:
            found[name[1].decode("utf-8", "replace")] = content
    return found
