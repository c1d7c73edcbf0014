"""A box whose callers wait in a line, in hours that are always open."""

from __future__ import annotations

from tests.support.box import Box

FLOW = """
[flow]
name = "welcome"
start = "open"
languages = ["fa", "en"]
needs_notice = false

[node.open]
kind = "hours"
calendar = "shop"
on_open = "line"
on_closed = "closed"

[node.line]
kind = "enqueue"
queue = "reception"
on_nobody = "closed"

[node.closed]
kind = "goodbye"
prompt = ["goodbye"]
outcome = "closed"
"""
ALWAYS = 'zone = "Asia/Tehran"\n\n[week]\nevery_day = "0-24"\n'


def always_open(box: Box) -> Box:
    """The same box, with the hours that the flow asks; before it is started."""
    (box.folder / "flows" / "hours").mkdir()
    (box.folder / "flows" / "hours" / "shop.toml").write_text(ALWAYS)
    return box
