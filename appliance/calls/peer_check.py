"""What the settings must say of peers: which extensions live there, each in one place only. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from appliance.errors import Problem
from appliance.signalling import numbers
from appliance.signalling.extensions import MOST_DIGITS, begins, choices_of, matches, overlap
from appliance.signalling.settings import Trunk


def check(
    file: str,
    trunks: Iterable[Trunk],
    inside: Collection[tuple[str, str]],
    emergency: Iterable[str],
    outside_prefix: str,
) -> None:
    """Raises the first Problem. ``inside`` is what the office dials by digits: where it stands, and the digits."""
    known: list[tuple[str, str]] = []
    for trunk in trunks:
        where = f"trunk {trunk.name}"
        if trunk.kind != "peer":
            if trunk.extensions:
                raise Problem("config.no_peer", file=file, where=where)
            continue
        if not trunk.extensions:
            raise Problem("config.missing_setting", file=file, where=where, setting="extensions")
        for pattern in trunk.extensions:
            if not choices_of(pattern):
                raise Problem("config.not_a_pattern", file=file, where=where, found=pattern, most=MOST_DIGITS)
            _check_emergency(file, where, pattern, emergency, outside_prefix)
            for other, digits in inside:
                if matches(pattern, digits):
                    raise Problem("config.peer_hides", file=file, where=where, found=pattern, other=other)
            for other, theirs in known:
                if other != where and overlap(pattern, theirs):
                    raise Problem("config.peer_hides", file=file, where=where, found=pattern, other=other)
            known.append((where, pattern))


def hidden_services(trunk: Trunk) -> list[tuple[str, str]]:
    """Patterns, and the short numbers that people dial which they hide."""
    found = ((each, sorted(number for number in numbers.SERVICES if begins(each, number))) for each in trunk.extensions)
    return [(pattern, ", ".join(hidden)) for pattern, hidden in found if hidden]


def _check_emergency(file: str, where: str, pattern: str, emergency: Iterable[str], prefix: str) -> None:
    for number in sorted(emergency):
        if begins(pattern, number) or (prefix and begins(pattern, f"{prefix}{number}")):
            raise Problem("config.hides_emergency", file=file, where=where, found=pattern, number=number)
