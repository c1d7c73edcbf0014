"""The phones for which files are made, and what their labels say. Pure.

Not tried here on a real telephone of either maker: the names of settings come from the makers' public templates.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Maker = Literal["yealink", "grandstream"]
_MAC = re.compile(r"[0-9a-f]{12}")
_BETWEEN = str.maketrans("", "", ":-. ")
MOST_KEYS = 16  # keys that the box sets: what is beyond them stays the user's own


@dataclass(frozen=True, slots=True)
class Model:
    """``keys`` are those beside the display that can watch a colleague, the first of which stays the phone's line."""

    maker: Maker
    keys: int


def _models(maker: Maker, keys: Mapping[int, str]) -> dict[str, Model]:
    return {name: Model(maker, min(count, MOST_KEYS)) for count, names in keys.items() for name in names.split()}


MODELS: Mapping[str, Model] = {
    **_models(
        "yealink",
        {
            2: "T30 T30P T31 T31P T31G T31W",
            3: "T40P T40G",
            4: "T33P T33G T34W",
            15: "T41P T41S T41U T42G T42S T42U",
            16: "T43U T44U T44W T46G T46S T46U T48G T48S T48U T53 T53W T54W T57W T58 T58A T58W",
        },
    ),
    **_models(
        "grandstream",
        {
            2: "GRP2601 GRP2601P GXP1610 GXP1615 GXP1620 GXP1625",
            4: "GRP2602 GRP2602P GRP2602W GRP2603 GRP2603P GXP1628 GXP1630",
            8: "GXP2130 GXP2140",
            16: "GRP2604 GRP2604P GRP2612 GRP2612P GRP2612W GRP2613 GRP2614 GRP2615 GRP2616 GRP2624 GRP2634 GRP2636"
            " GRP2650 GRP2670 GXP2135 GXP2160 GXP2170",
        },
    ),
}


def model_of(written: str) -> Model | None:
    """The model of a label (``T46U``, ``SIP-T46U``, ``grp2612``); None for one that is not known here."""
    return MODELS.get(written.strip().upper().removeprefix("SIP-"))


def mac_of(written: str) -> str:
    """Twelve small hexadecimal digits; empty where this is no address of one telephone."""
    digits = written.strip().lower().translate(_BETWEEN)
    if _MAC.fullmatch(digits) is None or int(digits[1], 16) & 1 or digits == "0" * 12:
        return ""  # the lowest bit of the first byte: an address of many
    return digits
