"""Settings of the files by which desk phones set themselves up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisioning:
    """Files are made for every `[[phone]]` with `mac` and `model`; `pasokh provision` lists and writes them."""

    serves: bool = False  # whether the page hands a phone its file over HTTPS, at an address of its own
    networks: tuple[str, ...] = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8")  # who may fetch them
    address: str = ""  # of the box, as phones reach it; empty: that of [signalling], else the one they asked
    ntp: str = ""  # where phones get their time; empty: the box
    language: Literal["en", "fa"] = "en"  # of the phones' own menus; a model without Persian stays English
