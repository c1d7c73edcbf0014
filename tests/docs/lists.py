"""The lists in docs/ that the code already holds: settings and commands. ``python -m tests.docs.lists`` writes them."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import re
import textwrap
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from appliance import cli
from appliance.backup.settings import Backup
from appliance.calls.settings import Agent, CalledLine, Calls, DialHours, Disposition, Queue, Tariff
from appliance.config import Box
from appliance.flow.model import KINDS, forms
from appliance.lookup.settings import Identity, Lookup, Sms, SmsTemplate
from appliance.media.settings import Media
from appliance.notify.settings import Mail, Notify
from appliance.outbound_lists.settings import OutboundList
from appliance.provisioning.settings import Provisioning
from appliance.recorder.settings import Recorder
from appliance.retention.settings import Keep, Retention
from appliance.signalling.settings import Phone, Signalling, Trunk
from appliance.sync.settings import Target, Upstream
from appliance.web.metrics import METRICS
from appliance.web.settings import Web

ROOT = Path(__file__).parents[2]
TABLES: tuple[tuple[str, type], ...] = (
    ("[box]", Box),
    ("[[trunk]]", Trunk),
    ("[[line]]", CalledLine),
    ("[[phone]]", Phone),
    ("[[agent]]", Agent),
    ("[[queue]]", Queue),
    ("[[disposition]]", Disposition),
    ("[[outbound_list]]", OutboundList),
    ("[signalling]", Signalling),
    ("[media]", Media),
    ("[recorder]", Recorder),
    ("[calls]", Calls),
    ("[web]", Web),
    ("[[tariff]]", Tariff),
    ("[[dial_hours]]", DialHours),
    ("[backup]", Backup),
    ("[[lookup]]", Lookup),
    ("[sms]", Sms),
    ("[[sms_template]]", SmsTemplate),
    ("[mail]", Mail),
    ("[notify]", Notify),
    ("[identity]", Identity),
    ("[provisioning]", Provisioning),
    ("[[target]]", Target),
    ("[sync]", Upstream),
    ("[retention]", Retention),
    ("[[keep]]", Keep),
)
NAMES = {str: "text", int: "whole number", float: "number", bool: "true or false"}
FIELD = re.compile(r"    (\w+): .*?#\s*(.*)")


def settings() -> str:
    """docs/SETTINGS.md: every setting of pasokh.toml, from the dataclasses of the rooms."""
    parts = [
        "# Settings",
        _paragraph(
            "Written by `make docs` from the code; a test compares. All of them stand in `pasokh.toml`; double",
            "brackets mean that a table may stand several times. Services read it when they start: a change needs a",
            "restart. Secrets (`trunk-NAME`, `phone-NAME`) are files in `secrets_folder`, never settings.",
            "`pasokh check` reads the file and says what is wrong, in two lines, without starting anything.",
        ),
    ]
    for name, kind in TABLES:
        parts.append(f"## {name}")
        if kind.__doc__ and not kind.__doc__.startswith(f"{kind.__name__}("):
            parts.append(inspect.cleandoc(kind.__doc__))
        rows = ["| setting | is | if left out | meaning |", "|---|---|---|---|", *_rows(kind)]
        parts.append("\n".join(rows))
    return "\n\n".join(parts) + "\n"


def _rows(kind: type) -> Iterator[str]:
    assert dataclasses.is_dataclass(kind)
    remarks = dict(FIELD.findall(inspect.getsource(kind)))
    hints = typing.get_type_hints(kind)
    for entry in dataclasses.fields(kind):
        hint = hints[entry.name]
        if typing.get_origin(hint) is tuple and typing.get_args(hint)[0] is not str:
            continue  # filled by tables of their own
        remark = remarks.get(entry.name, "")
        remark = "" if remark.startswith("noqa") else remark.split("  # noqa")[0]
        yield f"| `{entry.name}` | {_type(hint)} | {_default(entry)} | {_cell(remark)} |"


def _type(hint: Any) -> str:
    if typing.get_origin(hint) is Literal:
        return ", ".join(f"`{choice}`" for choice in typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        return "list of texts"
    return NAMES[hint]


def _default(entry: dataclasses.Field[Any]) -> str:
    if entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING:
        return "**needed**"
    match entry.default:
        case bool() as value:
            return f"`{str(value).lower()}`"
        case "" | ():
            return "empty"
        case value:
            return f"`{value}`"


def _paragraph(*sentences: str) -> str:
    return textwrap.fill(" ".join(sentences), 118, break_on_hyphens=False, break_long_words=False)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").strip()


def commands() -> str:
    """docs/COMMANDS.md: the whole command line, from its parsers."""
    parts = [
        "# Commands",
        _paragraph(
            "Written by `make docs` from the code; a test compares. `.venv/bin/pasokh` in a checkout, `pasokh` on the",
            "box. Whatever a person got wrong ends in two lines (what and where; what to do) and exit status 2. The",
            "language of messages: `PASOKH_LANG`, then `LANG`, then English.",
        ),
    ]
    for words, parser in _leaves((), cli.parser()):
        parts.append(f"## pasokh {' '.join(words)}")
        if parser.description:
            parts.append(_paragraph(parser.description[0].upper() + parser.description[1:] + "."))
        left_out = (argparse._HelpAction, argparse._SubParsersAction)
        rows = [_argument(action) for action in parser._actions if not isinstance(action, left_out)]
        if rows:
            parts.append("\n".join(["| argument | meaning |", "|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _leaves(
    words: tuple[str, ...], parser: argparse.ArgumentParser
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not inner or parser.get_default("run") is not None:
        yield words, parser
    for action in inner:
        for name, below in action.choices.items():
            yield from _leaves((*words, name), below)


def _argument(action: argparse.Action) -> str:
    name = ", ".join(action.option_strings) or str(action.metavar or action.dest)
    if action.option_strings and action.nargs != 0:
        name += f" {action.metavar or action.dest.upper()}"
    is_needed = action.required and bool(action.option_strings)
    return f"| `{name}` | {_cell((action.help or '') + (' (needed)' if is_needed else ''))} |"


_HOLDS = {
    "node": "a node",
    "prompts": "a prompt, a value `{variable:kind}`, or a list of them",
    "text": "a name",
    "texts": "a list of names",
    "seconds": "seconds",
    "count": "a whole number",
    "keys": "a table: key to node",
    "answers": "a table: key to prompts",
    "languages": "a table: key to language",
    "language": "`fa` or `en`",
    "choice": "one of",
    "variable": "a variable, which it sets",
    "variables": "a list of variables, which it sets",
    "used": "a variable",
    "values": "a table: variable to a text with `{variables}`, a number, true or false",
    "cases": "a table: value (or `<5`, `<=5`, `>5`, `>=5`) to node",
    "template": "a text with `{variables}`",
    "key": "a key of the telephone",
}


def nodes() -> str:
    """docs/NODES.md: every kind of node and every setting of it, from the dataclasses of the flow."""
    parts = [
        "# Nodes of flows",
        _paragraph(
            "Written by `make docs` from the code; a test compares. Each node is a table `[node.NAME]` with a `kind`",
            "and the settings below. What flows are stands in [FLOWS.md](FLOWS.md).",
        ),
    ]
    for name, kind in KINDS.items():
        parts.append(f"## {name}")
        parts.append(inspect.cleandoc(kind.__doc__ or ""))
        rows = ["| setting | holds | if left out |", "|---|---|---|"]
        fields = {entry.name: entry for entry in dataclasses.fields(kind)}
        for setting, (form, _) in forms(kind).items():
            holds = _HOLDS[form.what] + (" " + ", ".join(f"`{each}`" for each in form.choices) if form.choices else "")
            if form.most:
                holds += f", {form.least:g} to {form.most:g}"
            rows.append(f"| `{setting}` | {holds} | {_default(fields[setting])} |")
        parts.append("\n".join(rows))
    return "\n\n".join(parts) + "\n"


def metrics() -> str:
    """docs/METRICS.md: every figure for monitors, from the page's list."""
    parts = [
        "# Metrics",
        _paragraph(
            "Written by `make docs` from the code; a test compares. The page answers `GET /metrics` in the Prometheus",
            "text format to whoever brings the token: `Authorization: Bearer TOKEN`, where TOKEN stands in the file",
            "`web/metrics-token` of the data folder (made at the first start; root and the page may read it). No label",
            "holds a number or the name of a person. `GET /health` needs no token and says one word: `ok` with 200, or",
            "`down` with 503 when the service calls does not answer or the voices do not run.",
        ),
        "```yaml\n# prometheus.yml\nscrape_configs:\n  - job_name: pasokh\n    scheme: https\n"
        "    authorization: {credentials_file: /etc/prometheus/pasokh-token}\n"
        "    tls_config: {ca_file: /etc/prometheus/pasokh-authority.pem}  # web/authority.pem of the data folder\n"
        '    static_configs: [{targets: ["pasokh.local:8080"]}]\n```',
    ]
    rows = ["| metric | is | labels | meaning |", "|---|---|---|---|"]
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        rows.append(f"| `{metric.name}` | {metric.kind} | {labels} | {_cell(metric.meaning)} |")
    return "\n\n".join([*parts, "\n".join(rows)]) + "\n"


LISTS = {
    "docs/SETTINGS.md": settings,
    "docs/COMMANDS.md": commands,
    "docs/NODES.md": nodes,
    "docs/METRICS.md": metrics,
}


def write() -> None:
    """Writes every list anew."""
    for name, text in LISTS.items():
        (ROOT / name).write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    write()
