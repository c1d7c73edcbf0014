"""Yealink T3x, T4x, T5x: text files of ``name = value``.

A phone asks for MAC.boot, which names the two files that it then reads: what is common to all of them, and its own.
"""

from __future__ import annotations

from appliance.provisioning.desk import Desk, plain

COMMON = "y000000000000.cfg"
_FIRST_LINE = "#!version:1.0.0.1"  # without it, in the first place, a phone takes nothing of a file
_LANGUAGES = {"en": "English", "fa": "Persian"}
_BLF, _TRANSFER, _LINE = "16", "3", "15"  # types of keys (DSS key types of the administrator's guide)
_RFC_2833 = "1"


def files(desk: Desk) -> dict[str, str]:
    """The phone's files by their names."""
    own = f"{desk.mac}.cfg"
    return {
        f"{desk.mac}.boot": f'{_FIRST_LINE}\ninclude:config "{COMMON}"\ninclude:config "{own}"\noverwrite_mode = 1\n',
        COMMON: _file(_common(desk)),
        own: _file(_own(desk)),
    }


def _common(desk: Desk) -> list[tuple[str, str]]:
    return [
        ("local_time.time_zone", "+3:30"),
        ("local_time.time_zone_name", "Iran(Teheran)"),
        ("local_time.summer_time", "0"),
        ("local_time.dhcp_time", "0"),
        ("local_time.manual_ntp_srv_prior", "1"),  # before one that a router names
        ("local_time.ntp_server1", desk.ntp),
        ("local_time.time_format", "1"),
        ("lang.gui", _LANGUAGES[desk.language]),
        ("lang.wui", "English"),
        ("features.pickup.direct_pickup_enable", "1"),
        ("features.pickup.direct_pickup_code", desk.pick_up),
        ("transfer.dsskey_deal_type", "2"),  # a colleague's key during a call passes it on without asking
        ("features.config_dsskey_length", "1"),  # long names beside the keys
    ]


def _own(desk: Desk) -> list[tuple[str, str]]:
    account = {
        "enable": "1",
        "label": desk.label,
        "display_name": desk.label,
        "user_name": desk.phone,
        "auth_name": desk.phone,
        "password": desk.password,
        "sip_server.1.address": desk.address,
        "sip_server.1.port": str(desk.port),
        "sip_server.1.transport_type": "0",
        "sip_server.1.expires": "600",
        "outbound_proxy_enable": "1",
        "outbound_proxy.1.address": desk.address,
        "outbound_proxy.1.port": str(desk.port),
        "codec.pcma.enable": "1",
        "codec.pcma.priority": "1",
        "codec.pcmu.enable": "1",
        "codec.pcmu.priority": "2",
        "codec.g722.enable": "0",
        "codec.g729.enable": "0",
        "codec.opus.enable": "0",
        "dtmf.type": _RFC_2833,
        "dtmf.dtmf_payload": "101",
        "subscribe_mwi": "1",
    }
    found = [(f"account.1.{name}", value) for name, value in account.items()]
    found += [
        ("static.security.user_password", f"admin:{desk.admin_password}"),
        ("linekey.1.type", _LINE),
        ("linekey.1.line", "1"),
        ("linekey.1.label", desk.label),
        ("linekey.2.type", _TRANSFER),
    ]
    for number, key in enumerate(desk.keys, 3):
        found += [
            (f"linekey.{number}.type", _BLF),
            (f"linekey.{number}.line", "1"),
            (f"linekey.{number}.value", key.dialled),
            (f"linekey.{number}.label", key.label),
            (f"linekey.{number}.extension", desk.pick_up),  # the phone dials it before the value
        ]
    if desk.url:
        found.append(("static.auto_provision.server.url", desk.url))
    return found


def _file(settings: list[tuple[str, str]]) -> str:
    return "\n".join([_FIRST_LINE, *(f"{name} = {plain(value)}" for name, value in settings), ""])
