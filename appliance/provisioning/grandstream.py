"""Grandstream GRP and GXP: one XML file of numbered settings (P values), ``cfgMAC.xml``."""

from __future__ import annotations

from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from appliance.provisioning.desk import Desk, plain

_A_LAW, _MU_LAW = "8", "0"  # static payload types (RFC 3551)
_TEHRAN = "IRST-3:30"  # POSIX: the sign is the other way round, and no daylight saving follows
_LANGUAGES = {"en": "en", "fa": "fa"}
_BLF, _TRANSFER, _LINE = "11", "18", "0"  # modes of keys
_HTTPS = "2"


def files(desk: Desk) -> dict[str, str]:
    """The phone's file by its name."""
    lines = [f"    <{name}>{escape(plain(value))}</{name}>" for name, value in _settings(desk)]
    body = "\n".join(lines)
    return {
        f"cfg{desk.mac}.xml": '<?xml version="1.0" encoding="UTF-8" ?>\n<gs_provision version="1">\n'
        f'  <mac>{desk.mac}</mac>\n  <config version="1">\n{body}\n  </config>\n</gs_provision>\n'
    }


def _settings(desk: Desk) -> list[tuple[str, str]]:
    server = f"{desk.address}:{desk.port}"
    codecs = [(f"P{number}", _A_LAW if number == 57 else _MU_LAW) for number in range(57, 63)]
    found = [
        ("P271", "1"),  # account 1 is active
        ("P270", desk.label),
        ("P47", server),
        ("P48", server),  # outbound proxy
        ("P35", desk.phone),
        ("P36", desk.phone),
        ("P34", desk.password),
        ("P3", desk.label),
        ("P32", "10"),  # minutes between registrations
        ("P130", "0"),  # UDP
        *codecs,
        ("P79", "101"),  # telephone-event
        ("P2301", "0"),
        ("P2302", "1"),  # digits by RFC 2833 alone
        ("P2303", "0"),
        ("P99", "1"),  # subscribes to the message lamp
        ("P1347", desk.pick_up),
        ("P2", desk.admin_password),
        ("P30", desk.ntp),
        ("P144", "0"),  # the router names no other server of time,
        ("P143", "0"),  # nor another zone
        ("P64", "customize"),
        ("P246", _TEHRAN),
        ("P122", "1"),  # 24 hours
        ("P1362", _LANGUAGES[desk.language]),
        *_key(1, _LINE, desk.label, ""),
        *_key(2, _TRANSFER, "", ""),
    ]
    for number, key in enumerate(desk.keys, 3):
        found += _key(number, _BLF, key.label, key.dialled)
    if desk.url:
        parts = urlsplit(desk.url)
        found += [("P212", _HTTPS), ("P237", f"{parts.netloc}{parts.path.rstrip('/')}")]
    return found


def _key(number: int, mode: str, label: str, value: str) -> list[tuple[str, str]]:
    """A key beside the display: mode and account, label and value, each two P values after those of the one before."""
    after = 2 * (number - 1)
    return [
        (f"P{1363 + after}", mode),
        (f"P{1364 + after}", "0"),
        (f"P{1465 + after}", label),
        (f"P{1466 + after}", value),
    ]
