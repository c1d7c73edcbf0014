"""The one exception that a person is meant to read.

A ``Problem`` carries a key and the fields its text needs; the texts live in ``appliance.messages`` in Persian and
English: one line that says what is wrong and where, and one that says what to do. Ordinary outcomes of telephony (busy,
no answer, abandoned) are values and never a ``Problem``.
"""

from __future__ import annotations

Field = str | int | float


class Problem(Exception):  # noqa: N818 - it is what a person reads, not a programming error
    """Something a person must act on.

    ``key`` names an entry of both catalogues (``room.what_is_wrong``); ``fields`` fill its placeholders. Neither may
    hold a secret; telephone numbers only as their last four digits.
    """

    def __init__(self, key: str, /, **fields: Field) -> None:
        super().__init__(key)
        self.key = key
        self.fields = fields

    def __str__(self) -> str:
        return self.key + "".join(f" {name}={value!r}" for name, value in self.fields.items())
