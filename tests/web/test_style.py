"""The page's colours can be told apart by eyes that see little: WCAG 2.2, contrast of text and of what is pressed."""

from __future__ import annotations

import re
from importlib import resources

import pytest

TEXT, SHAPE = 4.5, 3.0  # 1.4.3 and 1.4.11, level AA
STYLE = resources.files("appliance.web").joinpath("static", "app.css").read_text(encoding="utf-8")
LIGHT, DARK = (
    dict(re.findall(r"--(\w+): (#[0-9a-f]+)", block)) for block in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
)


def luminance(colour: str) -> float:
    """Relative luminance of ``#rgb`` or ``#rrggbb`` (WCAG 2.2, definitions)."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_the_oracle_agrees_with_the_known_extremes() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21.0) and contrast("#777777", "#fff") == pytest.approx(
        4.48, abs=0.01
    )


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_stands_out_from_every_ground_it_stands_on(colours: dict[str, str]) -> None:
    for ground in ("ground", "card"):
        for text in ("ink", "soft", "main", "good", "busy", "bad", "idle"):
            assert contrast(colours[text], colours[ground]) >= TEXT, (text, ground)
    assert contrast(colours["ink"], colours["warn"]) >= TEXT  # a finding
    assert contrast(colours["card"], colours["main"]) >= TEXT  # the main button


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_buttons_fields_and_the_focus_can_be_seen(colours: dict[str, str]) -> None:
    for edge in ("edge", "soft", "main"):
        assert contrast(colours[edge], colours["card"]) >= SHAPE, edge


def test_the_focus_is_never_taken_away() -> None:
    assert ":focus-visible { outline: 3px solid" in STYLE and "outline: none" not in STYLE and "outline: 0" not in STYLE
