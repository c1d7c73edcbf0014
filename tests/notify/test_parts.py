"""How many messages a text is, at every border."""

from __future__ import annotations

import pytest

from appliance.notify.parts import count


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),  # two septets each
        ("€" * 81, 2),
        ("€" * 153, 3),  # no escape is cut from its letter: 76 in each part
        ("س" * 70, 1),
        ("س" * 71, 2),
        ("س" * 134, 2),
        ("س" * 135, 3),
        ("a" * 70 + "س", 2),  # one Persian letter makes all of it so
        ("😀" * 35, 1),  # two units each
        ("😀" * 36, 2),
        ("😀" * 67, 3),  # 33 in each part
        ("می\u200cشود", 1),
    ],
)
def test_a_text_is_so_many_messages(text: str, parts: int) -> None:
    assert count(text) == parts
