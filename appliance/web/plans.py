"""What the page shows of a file that was sent, before it is carried out: how it was read, and what is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from appliance import messages
from appliance.contacts.draft import Wrong
from appliance.messages import Language
from appliance.messages.numbers import digits

SHOWN_WRONG = 100
MOST_DIGITS = 8


@dataclass(frozen=True, slots=True)
class FileShown:
    """``wrong`` are lines and why they cannot be taken; ``is_cut``: there are more."""

    encoding: str
    separator: str
    wrong: tuple[tuple[str, str], ...]
    is_cut: bool


def file_shown(
    encoding: str, separator: str, wrong: Sequence[Wrong], wrong_count: int, language: Language
) -> FileShown:
    return FileShown(
        encoding,
        "Tab" if separator == "\t" else separator,
        tuple(
            (digits(each.line, language), messages.problem_lines(each.problem, language)[0])
            for each in wrong[:SHOWN_WRONG]
        ),
        wrong_count > SHOWN_WRONG,
    )


def counted(query: Mapping[str, str], name: str) -> int:
    """How many rows an import has taken, as the address says afterwards; 0 where it says nothing that makes sense."""
    said = query.get(name, "")
    return int(said) if said.isascii() and said.isdigit() and len(said) <= MOST_DIGITS else 0
