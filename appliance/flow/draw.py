"""A flow as a picture (SVG): nodes in the order in which a caller comes to them, ways as lines. Pure.

Rows are distances from the start; a way back is drawn at the side. Made for a page and for paper: text stays text, so
that it can be searched and read aloud.
"""

from __future__ import annotations

from collections import deque
from html import escape

from appliance.flow.model import PEOPLE, Flow, Goodbye, Node, follows, prompts_of

BOX_WIDTH, BOX_HEIGHT = 190, 52
GAP_X, GAP_Y = 40, 56
MARGIN = 24
MOST_PROMPT = 26
COLOURS = {"person": "#cfe8cf", "end": "#eed6d6", "other": "#e6ebf5"}


def svg(flow: Flow) -> str:
    """The whole flow, as one SVG document."""
    places = _places(flow)
    width = MARGIN * 2 + max(x for x, _ in places.values()) + BOX_WIDTH + 60
    height = MARGIN * 2 + max(y for _, y in places.values()) + BOX_HEIGHT
    lines = [
        _way(places, name, setting, target) for name, node in flow.nodes.items() for setting, target in follows(node)
    ]
    boxes = [_box(flow, name, places[name]) for name in flow.nodes]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" font-family="sans-serif" font-size="12"><title>{escape(flow.name)}</title>'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#555"/></marker></defs>'
        f"{''.join(lines)}{''.join(boxes)}</svg>\n"
    )


def _places(flow: Flow) -> dict[str, tuple[int, int]]:
    """Where each node stands: its distance from the start is its row."""
    rows: dict[str, int] = {flow.start: 0}
    waiting = deque([flow.start])
    while waiting:
        name = waiting.popleft()
        for _, target in follows(flow.nodes[name]):
            if target in flow.nodes and target not in rows:
                rows[target] = rows[name] + 1
                waiting.append(target)
    last = max(rows.values()) + 1
    used: dict[int, int] = {}
    places = {}
    for name in [*rows, *(name for name in flow.nodes if name not in rows)]:
        row = rows.get(name, last)
        column = used.get(row, 0)
        used[row] = column + 1
        places[name] = MARGIN + column * (BOX_WIDTH + GAP_X), MARGIN + row * (BOX_HEIGHT + GAP_Y)
    return places


def _box(flow: Flow, name: str, place: tuple[int, int]) -> str:
    node = flow.nodes[name]
    x, y = place
    colour = COLOURS["person" if isinstance(node, PEOPLE) else "end" if isinstance(node, Goodbye) else "other"]
    edge = ' stroke-width="2.5"' if name == flow.start else ""
    return (
        f'<g id="node-{escape(name)}"><rect x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6" '
        f'fill="{colour}" stroke="#444"{edge}/>'
        f'<text x="{x + 8}" y="{y + 18}" font-weight="bold">{escape(name)}</text>'
        f'<text x="{x + BOX_WIDTH - 8}" y="{y + 18}" text-anchor="end" fill="#555">{escape(node.kind)}</text>'
        f'<text x="{x + 8}" y="{y + 38}" fill="#333">{escape(_about(node))}</text></g>'
    )


def _about(node: Node) -> str:
    text = ", ".join(dict.fromkeys(prompt for setting, prompt in prompts_of(node) if setting == "prompt"))
    return text if len(text) <= MOST_PROMPT else text[: MOST_PROMPT - 1] + "…"


def _way(places: dict[str, tuple[int, int]], name: str, setting: str, target: str) -> str:
    if target not in places:
        return ""
    x1, y1 = places[name]
    x2, y2 = places[target]
    label = setting.removeprefix("keys.").removeprefix("cases.")
    if y2 > y1:
        start, end = (x1 + BOX_WIDTH // 2, y1 + BOX_HEIGHT), (x2 + BOX_WIDTH // 2, y2)
        bend = f"C {start[0]} {start[1] + 28} {end[0]} {end[1] - 28} {end[0]} {end[1]}"
    else:  # back, or beside
        start, end = (x1 + BOX_WIDTH, y1 + BOX_HEIGHT // 2), (x2 + BOX_WIDTH, y2 + BOX_HEIGHT // 2 + 6)
        bend = f"C {start[0] + 46} {start[1]} {end[0] + 46} {end[1]} {end[0]} {end[1]}"
    middle = (start[0] + end[0]) // 2, (start[1] + end[1]) // 2
    return (
        f'<path d="M {start[0]} {start[1]} {bend}" fill="none" stroke="#777" marker-end="url(#tip)"/>'
        f'<text x="{middle[0] + 4}" y="{middle[1]}" fill="#225">{escape(label)}</text>'
    )
