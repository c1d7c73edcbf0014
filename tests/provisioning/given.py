"""An office with three phones, and strict readers of the files that are made for them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping

from appliance.provisioning.desk import Person
from appliance.provisioning.files import DeskFiles, DeskSettings
from appliance.provisioning.settings import Provisioning
from appliance.signalling.settings import Phone, Signalling

KEY = bytes(range(32))
PAGE = "https://192.168.1.5:8080"
YEALINK = Phone(name="desk1", mac="00:15:65:12:34:56", model="T46U")
GRANDSTREAM = Phone(name="desk2", mac="000B82ABCDEF", model="GRP2612", names="latin")
SMALL = Phone(name="desk3", mac="00-15-65-00-00-01", model="SIP-T31P", names="number")
PEOPLE = (
    Person("desk1", "سارا احمدی", "sara", "201"),
    Person("desk2", "رضا <b>&\nکریمی", "reza", "202"),
    Person("desk3", "نیما", "nima", "nima"),
)
DESKS = ("desk1", "desk2", "desk3")
SECRETS = {f"{what}-{phone}": f"{what}{phone}secret" for what in ("phone", "admin") for phone in DESKS}
_SETTING = re.compile(r"([a-z0-9_.]+) = (.*)")
_INCLUDE = re.compile(r'include:config "([a-z0-9.]+)"')
_P_VALUE = re.compile(r"P[1-9][0-9]*")


def office(**settings: object) -> DeskFiles:
    signalling = Signalling(address="192.168.1.5", port=5060, phones=(YEALINK, GRANDSTREAM, SMALL))
    made = Provisioning(**settings)  # type: ignore[arg-type]
    return DeskFiles(DeskSettings(settings=made, signalling=signalling, people=PEOPLE, pick_up="*8"), SECRETS.get, KEY)


def read_yealink(text: str) -> dict[str, str]:
    """The settings of one file; ValueError for anything that is not ``name = value``, or stands twice."""
    first, *lines = text.split("\n")
    if first != "#!version:1.0.0.1" or lines.pop() != "":
        raise ValueError(first)
    found: dict[str, str] = {}
    for line in lines:
        included = _INCLUDE.fullmatch(line)
        name, value = ("include:" + included[1], "") if included else _SETTING.fullmatch(line).groups()  # type: ignore[union-attr]
        if name in found or value != value.strip() or not value.isprintable():
            raise ValueError(line)
        found[name] = value
    return found


def read_grandstream(text: str, mac: str) -> Mapping[str, str]:
    """The P values of one file; ValueError for any other element, attribute or repetition."""
    root = ET.fromstring(text)
    named, config = list(root)
    if (root.tag, dict(root.attrib), named.tag, named.text) != ("gs_provision", {"version": "1"}, "mac", mac):
        raise ValueError(text[:100])
    if config.tag != "config" or dict(config.attrib) != {"version": "1"}:
        raise ValueError(config.tag)
    found: dict[str, str] = {}
    for each in config:
        if _P_VALUE.fullmatch(each.tag) is None or each.tag in found or each.attrib or len(each):
            raise ValueError(each.tag)
        found[each.tag] = each.text or ""
    return found
