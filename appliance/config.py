"""pasokh.toml, assembled from the settings of the rooms and checked before anything starts.

Each room owns its settings (``signalling/settings.py`` and so on); this module only knows which table of the file
belongs to which dataclass, and stands above the rooms: a process is handed its own settings and its ``places``, never
the whole configuration. Secrets are not settings: ``Places.secret`` reads them from files of their own.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import tomllib
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from appliance.backup.settings import Backup
from appliance.calls import agent_numbers, peer_check, screen_pop
from appliance.calls.capacity import kept_for_callers
from appliance.calls.settings import (
    MISSED,
    MOST_AWAY_REASONS,
    MOST_DISPOSITIONS,
    MOST_LEVELS,
    Agent,
    AwayReason,
    CalledLine,
    Calls,
    DialHours,
    Disposition,
    Queue,
    Tariff,
    skill_of,
)
from appliance.errors import Problem
from appliance.lookup.settings import Elsewhere, Identity, Lookup, Sms, SmsTemplate
from appliance.media import cadence
from appliance.media.settings import Media
from appliance.messages.numbers import latin
from appliance.notify.ready import Writing
from appliance.notify.settings import Mail, Notify
from appliance.outbound_lists.settings import OutboundList
from appliance.places import Places, shipped_flows
from appliance.provisioning.models import MODELS, mac_of, model_of
from appliance.provisioning.settings import Provisioning
from appliance.recorder.settings import Recorder
from appliance.retention.settings import Keep, Retention
from appliance.signalling import numbers
from appliance.signalling.settings import Phone, Signalling, Trunk
from appliance.sync import targets
from appliance.sync.settings import Sync, Target, Upstream
from appliance.web.settings import Web

T = TypeVar("T")

KINDS_OF_NUMBERS = frozenset({"mobile", "landline", "short", "premium", "satellite", "foreign"})
MOST_SHORT_DIGITS = 6
MOST_EXTENSION = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """What concerns the whole box. A relative folder is relative to the settings' file."""

    name: str = "pasokh"
    language: Literal["fa", "en"] = "fa"
    data_folder: str = "/var/lib/pasokh"
    run_folder: str = "/run/pasokh"
    secrets_folder: str = "/etc/pasokh/secrets"
    flows_folder: str = ""  # empty: the flows that ship with the box


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything the owner has set; each process takes from it what is its own."""

    file: Path
    box: Box
    signalling: Signalling
    media: Media
    recorder: Recorder
    calls: Calls
    web: Web = field(default_factory=Web)
    backup: Backup = field(default_factory=Backup)
    elsewhere: Elsewhere = field(default_factory=Elsewhere)
    mail: Mail = field(default_factory=Mail)
    notify: Notify = field(default_factory=Notify)
    sync: Sync = field(default_factory=Sync)
    provisioning: Provisioning = field(default_factory=Provisioning)
    retention: Retention = field(default_factory=Retention)

    @property
    def writing(self) -> Writing:
        return Writing(self.notify, self.mail, self.elsewhere.sms, self.elsewhere.sms_templates)

    @property
    def places(self) -> Places:
        flows = self._folder(self.box.flows_folder) if self.box.flows_folder else shipped_flows()
        return Places(
            data=self._folder(self.box.data_folder),
            run=self._folder(self.box.run_folder),
            secrets=self._folder(self.box.secrets_folder),
            flows=flows,
            prompts=self._folder(self.media.prompts_folder) if self.media.prompts_folder else flows / "prompts",
        )

    def _folder(self, value: str) -> Path:
        return (self.file.parent / value).resolve()


# The tables of the file and the dataclasses they become; arrays of tables are in the second list.
_TABLES: dict[str, type] = {
    "box": Box,
    "signalling": Signalling,
    "media": Media,
    "recorder": Recorder,
    "calls": Calls,
    "web": Web,
    "backup": Backup,
    "sms": Sms,
    "mail": Mail,
    "notify": Notify,
    "identity": Identity,
    "sync": Upstream,
    "provisioning": Provisioning,
    "retention": Retention,
}
_LISTS: dict[str, type] = {
    "trunk": Trunk,
    "phone": Phone,
    "line": CalledLine,
    "agent": Agent,
    "queue": Queue,
    "tariff": Tariff,
    "dial_hours": DialHours,
    "disposition": Disposition,
    "outbound_list": OutboundList,
    "away_reason": AwayReason,
    "lookup": Lookup,
    "sms_template": SmsTemplate,
    "target": Target,
    "keep": Keep,
}
_LISTED = {  # fields that the arrays of tables fill
    *((Signalling, name) for name in ("trunks", "phones")),
    *((Calls, name) for name in ("lines", "agents", "queues", "tariffs", "dial_hours", "dispositions", "away_reasons")),
    (Calls, "outbound_lists"),
    (Retention, "keeps"),
}

# Bounds of numbers by setting; what is not listed must not be negative.
_BOUNDS: dict[str, tuple[float, float]] = {
    "port": (0, 65_535),
    "first_port": (1024, 65_534),
    "last_port": (1025, 65_535),
    "commit_seconds": (0.1, 5),
    "recording_pause_seconds": (10, 1800),
    "hold_seconds": (0.02, 0.3),
    "segment_bytes": (64 << 10, 1 << 30),
    "register_seconds": (60, 86_400),
    "session_seconds": (90, 86_400),
    "max_contacts": (1, 10),
    "max_streams": (2, 5000),
    "requests_per_second": (1, 100_000),
    "idle_minutes": (1, 100_000),
    "budget_seconds": (0.1, 2),
    "ring_seconds": (3, 300),
    "misses": (1, 100),
    "vip_priority": (0, 9),
    "park_recall_seconds": (10, 3600),
    "longest_outside_minutes": (0, 1440),
    "callback_attempts": (1, 20),
    "callback_spacing_minutes": (1, 10_000),
    "callback_expires_hours": (1, 1_000),
    "spacing_minutes": (1, 100_000),
    "attempts": (1, 20),
    "lock_minutes": (1, 10_000),
    "increment_seconds": (1, 3600),
    "wait_seconds": (1, 120),
    "survey_share": (0, 1),
    "per_hour": (1, 10_000),
    "per_recipient_day": (1, 1_000),
    "alarms_per_hour": (1, 1_000),
    "alarm_minutes": (0, 10_000),
    "expires_hours": (0.01, 168),
    "most_parts": (1, 10),
    "every_hours": (0, 8_760),
    "keep": (1, 10_000),
    "drill_days": (0.0001, 366),
    "batch_seconds": (0.1, 3600),
    "first_pause_seconds": (0.1, 900),
    "longest_pause_seconds": (0.5, 86_400),
    "probe_seconds": (0.1, 3600),
    "answer_seconds": (0.5, 300),
    "budget": (1, 1000),
    "lock_days": (0, 36_500),
    "days": (0, 36_500),
}


def load(file: Path) -> Config:
    """Reads and checks ``file``; raises the first Problem found, with the file, the place and what is known there."""
    file = file.resolve()
    document = _document(file)
    for section in document:
        if section not in _TABLES and section not in _LISTS:
            raise Problem("config.unknown_section", file=file.name, section=section, known=_named([*_TABLES, *_LISTS]))
    lists: dict[str, list[Any]] = {name: _entries(file, document, name, kind) for name, kind in _LISTS.items()}
    tables: dict[str, Any] = {name: _table(file, document, name, kind) for name, kind in _TABLES.items()}
    config = Config(
        file=file,
        box=tables["box"],
        signalling=dataclasses.replace(
            tables["signalling"], trunks=tuple(lists["trunk"]), phones=tuple(lists["phone"])
        ),
        media=tables["media"],
        recorder=tables["recorder"],
        calls=dataclasses.replace(
            tables["calls"],
            lines=tuple(lists["line"]),
            agents=tuple(lists["agent"]),
            queues=tuple(lists["queue"]),
            tariffs=tuple(lists["tariff"]),
            dial_hours=tuple(lists["dial_hours"]),
            dispositions=tuple(lists["disposition"]),
            outbound_lists=tuple(lists["outbound_list"]),
            away_reasons=tuple(lists["away_reason"]),
        ),
        web=tables["web"],
        backup=tables["backup"],
        elsewhere=Elsewhere(
            lookups=tuple(lists["lookup"]),
            sms=tables["sms"],
            sms_templates=tuple(lists["sms_template"]),
            identity=tables["identity"],
        ),
        mail=tables["mail"],
        notify=tables["notify"],
        sync=Sync(targets=tuple(lists["target"]), upstream=tables["sync"]),
        provisioning=tables["provisioning"],
        retention=dataclasses.replace(tables["retention"], keeps=tuple(lists["keep"])),
    )
    _check(config)
    return config


def _document(file: Path) -> dict[str, Any]:
    try:
        text = file.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Problem("config.unreadable", file=str(file), reason=reason) from error
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Problem("config.not_toml", file=file.name, reason=str(error)) from error


def _table(file: Path, document: Mapping[str, Any], name: str, kind: type[T]) -> T:
    table = document.get(name, {})
    if not isinstance(table, dict):
        raise Problem("config.not_a_table", file=file.name, section=name)
    return _build(file, name, table, kind)


def _entries(file: Path, document: Mapping[str, Any], name: str, kind: type[T]) -> list[T]:
    entries = document.get(name, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise Problem("config.not_a_list", file=file.name, section=name)
    built: list[T] = []
    seen: set[str] = set()
    for number, entry in enumerate(entries, 1):
        label = entry.get("name")
        where = f"{name} {label if isinstance(label, str) and label else number}"
        built.append(_build(file, where, entry, kind))
        if str(label) in seen:
            raise Problem("config.twice", file=file.name, where=where)
        seen.add(str(label))
    return built


def _build(file: Path, where: str, table: Mapping[str, Any], kind: type[T]) -> T:
    assert dataclasses.is_dataclass(kind)
    known = {entry.name: entry for entry in dataclasses.fields(kind) if (kind, entry.name) not in _LISTED}
    hints = typing.get_type_hints(kind)
    for setting in table:
        if setting not in known:
            raise Problem("config.unknown_setting", file=file.name, where=where, setting=setting, known=_named(known))
    values: dict[str, Any] = {}
    for setting, entry in known.items():
        if setting in table:
            values[setting] = _value(file, where, setting, table[setting], hints[setting])
        elif entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING:
            raise Problem("config.missing_setting", file=file.name, where=where, setting=setting)
    return typing.cast(T, kind(**values))


def _value(file: Path, where: str, setting: str, value: object, hint: Any) -> object:
    """The value as the field wants it, or the Problem that names what was expected."""
    origin = typing.get_origin(hint)
    if origin is Literal:
        choices = typing.get_args(hint)
        if value not in choices:
            raise Problem(
                "config.not_a_choice",
                file=file.name,
                where=where,
                setting=setting,
                value=str(value),
                known=_named(choices),
            )
        return value
    if origin is tuple:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise _wrong_type(file, where, setting, tuple, value)
        return tuple(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(hint, type) or type(value) is not hint:
        raise _wrong_type(file, where, setting, hint, value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        least, most = _BOUNDS.get(setting, (0, float("inf")))
        if not least <= value <= most:
            raise Problem(
                "config.out_of_range", file=file.name, where=where, setting=setting, value=value, least=least, most=most
            )
    return value


_NEEDS = {
    str: "config.needs_text",
    int: "config.needs_whole_number",
    float: "config.needs_number",
    bool: "config.needs_yes_no",
    tuple: "config.needs_list",
}


def _wrong_type(file: Path, where: str, setting: str, expected: Any, value: object) -> Problem:
    found = json.dumps(value, ensure_ascii=False, default=str)[:60]
    return Problem(_NEEDS[expected], file=file.name, where=where, setting=setting, found=found)


def _check(config: Config) -> None:
    """What one table says about another, and what a type cannot say."""
    file = config.file.name
    trunks = {trunk.name for trunk in config.signalling.trunks}
    phones = {phone.name for phone in config.signalling.phones}
    for line in config.calls.lines:
        _refers(file, f"line {line.name}", "trunk", line.trunk, trunks)
    for agent in config.calls.agents:
        if agent.phone:
            _refers(file, f"agent {agent.name}", "phone", agent.phone, phones)
        for written in agent.skills:
            skill = skill_of(written)
            if skill is None:
                raise Problem(
                    "config.not_a_skill", file=file, where=f"agent {agent.name}", found=written, most=MOST_LEVELS
                )
            _refers(file, f"agent {agent.name}", "skills", skill[0], {queue.name for queue in config.calls.queues})
        for name in agent.supervises:
            _refers(file, f"agent {agent.name}", "supervises", name, {queue.name for queue in config.calls.queues})
    for queue in config.calls.queues:
        for name in (*queue.agents, *queue.later):
            _refers(file, f"queue {queue.name}", "agents", name, {agent.name for agent in config.calls.agents})
    if config.calls.screen_pop:
        _check_screen_pop(file, config)
    agent_numbers.check(config.calls, config.signalling.trunks, file)
    _check_lists(file, config.calls, trunks)
    _check_dispositions(file, config.calls)
    _check_away(file, config.calls)
    _check_phones(file, config)
    _check_dialling(file, config.calls)
    _check_extensions(file, config)
    prefix = config.calls.outside_prefix
    for what, name in _dialled_inside(config):
        for number in sorted(config.calls.plan.emergency):
            is_hidden = bool(prefix) and name != prefix and f"{prefix}{number}".startswith(name)
            if number.startswith(name) or is_hidden:
                raise Problem("config.hides_emergency", file=file, where=what, found=name, number=number)
    emergency = config.calls.plan.emergency
    peer_check.check(file, config.signalling.trunks, _dialled_inside(config), emergency, prefix)
    for trunk in config.signalling.trunks:
        where = f"trunk {trunk.name}"
        if not trunk.proxy:
            raise Problem("config.missing_setting", file=file, where=where, setting="proxy")
        if trunk.registers and not trunk.user:
            raise Problem("config.missing_setting", file=file, where=where, setting="user")
        _check_lines(file, where, trunk, config.calls.kept_for_callers)
        _networks(file, where, "sources", trunk.sources)
        _networks(file, where, "media_from", trunk.media_from)
        if trunk.address:
            _address(file, where, "address", trunk.address)
        for tone in trunk.tones:
            _tone(file, where, tone)
    for keep in config.retention.keeps:
        _check_keep(file, keep, config.calls)
    _address(file, "signalling", "address", config.signalling.address)
    _address(file, "web", "address", config.web.address)
    for target in config.sync.targets:
        targets.check(target, file)
    if config.media.first_port >= config.media.last_port:
        raise Problem(
            "config.out_of_range",
            file=file,
            where="media",
            setting="last_port",
            value=config.media.last_port,
            least=config.media.first_port + 1,
            most=65_535,
        )


def _check_screen_pop(file: str, config: Config) -> None:
    """A look-up by POST, which is sent nothing but what is known when it rings."""
    name = config.calls.screen_pop
    _refers(
        file, "calls", "screen_pop", name, {each.name for each in config.elsewhere.lookups if each.method == "POST"}
    )
    for sent in next(each.sends for each in config.elsewhere.lookups if each.name == name):
        _refers(file, f"lookup {name}", "sends", sent, screen_pop.FIELDS)


def _check_lists(file: str, calls: Calls, trunks: set[str]) -> None:
    for each in calls.outbound_lists:
        where = f"outbound_list {each.name}"
        for name in each.agents:
            _refers(file, where, "agents", name, {agent.name for agent in calls.agents})
        if each.trunk:
            _refers(file, where, "trunk", each.trunk, trunks)


def _check_away(file: str, calls: Calls) -> None:
    """As many reasons as there are keys, by names that can stand in the record of who is away for what."""
    for reason in calls.away_reasons:
        is_name = reason.name.isascii() and reason.name.replace("_", "").isalnum()
        if not is_name or reason.name == MISSED or len(calls.away_reasons) > MOST_AWAY_REASONS:
            where = f"away_reason {reason.name}"
            raise Problem("config.away_reason", file=file, where=where, found=reason.name, most=MOST_AWAY_REASONS)


def _check_dispositions(file: str, calls: Calls) -> None:
    """Each line that is named is there, and every line and call has between one and nine to choose from."""
    queues = {queue.name for queue in calls.queues}
    for disposition in calls.dispositions:
        for queue in disposition.queues:
            _refers(file, f"disposition {disposition.name}", "queues", queue, queues)
    for queue in ("", *sorted(queues)):
        found = len(calls.dispositions_of(queue))
        if not 1 <= found <= MOST_DISPOSITIONS:
            where = f"queue {queue}" if queue else "disposition"
            raise Problem("config.dispositions", file=file, where=where, found=found, most=MOST_DISPOSITIONS)


def _check_phones(file: str, config: Config) -> None:
    """What the box writes for desk phones: each of a known model, no two with one address."""
    macs: dict[str, str] = {}
    for phone in config.signalling.phones:
        where = f"phone {phone.name}"
        if not phone.mac and not phone.model:
            continue
        for setting in ("mac", "model"):
            if not getattr(phone, setting):
                raise Problem("config.missing_setting", file=file, where=where, setting=setting)
        mac = mac_of(phone.mac)
        if not mac:
            raise Problem("config.not_a_mac", file=file, where=where, found=phone.mac)
        if mac in macs:
            raise Problem("config.mac_twice", file=file, where=where, found=phone.mac, other=macs[mac])
        if model_of(phone.model) is None:
            raise Problem("config.no_model", file=file, where=where, found=phone.model, known=_named(MODELS))
        macs[mac] = phone.name
    settings = config.provisioning
    _networks(file, "provisioning", "networks", settings.networks)
    if settings.address:
        _address(file, "provisioning", "address", settings.address)


def _check_keep(file: str, keep: Keep, calls: Calls) -> None:
    """It is about one called line or one line of agents."""
    where = f"keep {keep.name}"
    if bool(keep.line) == bool(keep.queue):
        raise Problem("retention.keeps_what", file=file, where=where)
    if keep.line:
        _refers(file, where, "line", keep.line, {line.name for line in calls.lines})
    else:
        _refers(file, where, "queue", keep.queue, {queue.name for queue in calls.queues})


def _check_dialling(file: str, calls: Calls) -> None:
    for kind in calls.may_dial:
        _refers(file, "calls", "may_dial", kind, KINDS_OF_NUMBERS)
    for hours in calls.dial_hours:
        for kind in hours.kinds:
            _refers(file, f"dial_hours {hours.name}", "kinds", kind, KINDS_OF_NUMBERS)
    for setting, prefixes in (("allow", calls.allow), ("deny", calls.deny)):
        for prefix in prefixes:
            _prefix(file, "calls", setting, prefix)
    for number in calls.emergency:
        if not number.isascii() or not number.isdigit() or not 2 < len(number) <= MOST_SHORT_DIGITS:
            raise Problem("config.not_emergency", file=file, where="calls", setting="emergency", found=number)
    prefix = calls.outside_prefix
    if prefix and not (prefix.isascii() and prefix.isdigit()):
        raise Problem("config.not_a_prefix", file=file, where="calls", setting="outside_prefix", found=prefix)
    for tariff in calls.tariffs:
        where = f"tariff {tariff.name}"
        if not tariff.prefix and not tariff.kind:
            raise Problem("config.missing_setting", file=file, where=where, setting="kind")
        if tariff.prefix:
            _prefix(file, where, "prefix", tariff.prefix)
    priced = {tariff.kind for tariff in calls.tariffs if not tariff.prefix}
    for kind in calls.may_dial:
        if calls.daily_cap_rial and kind not in priced:
            raise Problem("config.no_tariff", file=file, where="calls", setting="daily_cap_rial", number_kind=kind)


def _check_extensions(file: str, config: Config) -> None:
    """Each means one agent or line, and nothing else that is dialled by the same digits."""
    taken = {latin(name) for _, name in _names_inside(config)}
    for where, extension in _extensions(config):
        if not (extension.isascii() and extension.isdigit() and 2 <= len(extension) <= MOST_EXTENSION):
            raise Problem("config.not_an_extension", file=file, where=where, found=extension, most=MOST_EXTENSION)
        if extension in taken:
            raise Problem("config.extension_taken", file=file, where=where, found=extension)
        taken.add(extension)


def _prefix(file: str, where: str, setting: str, found: str) -> None:
    if numbers.prefix_of(found) is None:
        raise Problem("config.not_a_prefix", file=file, where=where, setting=setting, found=found)


def _check_lines(file: str, where: str, trunk: Trunk, by_default: int) -> None:
    """Lines that are kept must be there; where none is kept for our calls the box's own setting may be too large."""
    if not trunk.max_calls:
        return
    kept = kept_for_callers(trunk, by_default if trunk.kept_for_outgoing else 0)
    if kept + trunk.kept_for_outgoing > trunk.max_calls:
        raise Problem(
            "config.out_of_range",
            file=file,
            where=where,
            setting="kept_for_outgoing",
            value=trunk.kept_for_outgoing,
            least=0,
            most=max(0, trunk.max_calls - kept),
        )


def _names_inside(config: Config) -> list[tuple[str, str]]:
    """Where it stands, and the name."""
    return [
        *((f"phone {phone.name}", phone.name) for phone in config.signalling.phones),
        *((f"agent {agent.name}", agent.name) for agent in config.calls.agents),
        *((f"queue {queue.name}", queue.name) for queue in config.calls.queues),
    ]


def _extensions(config: Config) -> list[tuple[str, str]]:
    """Where it stands, and the extension."""
    return [
        *((f"agent {agent.name}", agent.extension) for agent in config.calls.agents if agent.extension),
        *((f"queue {queue.name}", queue.extension) for queue in config.calls.queues if queue.extension),
    ]


def _dialled_inside(config: Config) -> list[tuple[str, str]]:
    """What people of the office dial by digits: where it stands, and the digits."""
    named = (*_names_inside(config), *_extensions(config), ("calls outside_prefix", config.calls.outside_prefix))
    found = ((where, latin(name)) for where, name in named)
    return [(where, name) for where, name in found if name.isascii() and name.isdigit()]


def warnings(config: Config) -> list[Problem]:
    """What works and may still not be meant: extensions that hide a short number which people dial."""
    found = []
    for where, name in _dialled_inside(config):
        hidden = sorted(number for number in numbers.SERVICES if number.startswith(name))
        if hidden and where != "calls outside_prefix":
            found.append(
                Problem(
                    "config.hides_service", file=config.file.name, where=where, found=name, number=", ".join(hidden)
                )
            )
    file = config.file.name
    for trunk in config.signalling.trunks:
        for pattern, services in peer_check.hidden_services(trunk):
            where = f"trunk {trunk.name}"
            found.append(Problem("config.hides_service", file=file, where=where, found=pattern, number=services))
    return found


def _refers(file: str, where: str, setting: str, value: str, known: Iterable[str]) -> None:
    names = sorted(known)
    if value not in names:
        raise Problem("config.no_such", file=file, where=where, setting=setting, value=value, known=_named(names))


def _networks(file: str, where: str, setting: str, values: Sequence[str]) -> None:
    for value in values:
        try:
            ipaddress.ip_network(value, strict=False)
        except ValueError as error:
            raise Problem("config.not_a_network", file=file, where=where, setting=setting, value=value) from error


def _address(file: str, where: str, setting: str, value: str) -> None:
    try:
        ipaddress.IPv4Address(value)
    except ValueError as error:
        raise Problem("config.not_an_address", file=file, where=where, setting=setting, value=value) from error


def _tone(file: str, where: str, value: str) -> None:
    try:
        cadence.tone_of(value)
    except ValueError as error:
        raise Problem("config.not_a_tone", file=file, where=where, value=value) from error


def _named(names: Iterable[object]) -> str:
    return ", ".join(str(name) for name in names) or "-"
