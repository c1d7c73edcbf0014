"""The report that goes with a folder of evidence: what happened, by the signed events, for people who read no JSON."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

from appliance import messages
from appliance.messages import Language, calendar
from appliance.messages.numbers import digits

Events = Sequence[tuple[int, int, str, dict[str, Any]]]

_RECORDING_HEADS = (
    "evidence.column_file", "evidence.column_seconds", "evidence.column_state", "evidence.column_digest",
)  # fmt: skip
_EVENT_HEADS = ("evidence.column_number", "evidence.column_moment", "evidence.column_kind")
_STYLE = "body{font:16px/1.6 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}table{border-collapse:collapse;"
_STYLE += "width:100%}td,th{border:1px solid #888;padding:.3em .6em;text-align:start;vertical-align:top}"
_STYLE += "code{direction:ltr;unicode-bidi:isolate;overflow-wrap:anywhere}"


def page(conversation: str, events: Events, fingerprint: str, signed_at: int, language: Language) -> str:
    """One HTML page without anything from elsewhere."""

    def say(key: str, **fields: str | int) -> str:
        return html.escape(messages.text(key, language, **fields))

    begun = next((body for _, _, kind, body in events if kind == "conversation.opened"), {})
    closed = next((body for _, _, kind, body in events if kind == "conversation.closed"), {})
    consents = [str(body["how"]) for _, _, kind, body in events if kind == "consent.given"]
    talks = [str(body["party"]) for _, _, kind, body in events if kind == "leg.opened" and body["role"] != "customer"]
    customer = messages.text("evidence.hidden", language) if begun.get("is_withheld") else begun.get("customer", "")
    facts = (
        ("evidence.conversation", f"<code>{html.escape(conversation)}</code>"),
        ("evidence.opened", _moment(events[0][1], language)),
        ("evidence.customer", f"<code>{html.escape(str(customer))}</code>"),
        ("evidence.called", f"<code>{html.escape(str(begun.get('called', '')))}</code>"),
        ("evidence.spoke_with", html.escape(", ".join(talks))),
        ("evidence.consent", html.escape(", ".join(consents))),
        ("evidence.outcome", html.escape(str(closed.get("outcome", "")))),
        ("evidence.signed", f"{_moment(signed_at, language)}, <code>{fingerprint}</code>"),
    )
    recordings = (
        (
            f"<code>{body['recording']}.wav</code>",
            digits(round(body["milliseconds"] / 1000), language),
            html.escape(body["state"]),
            f"<code>{body['body_sha256']}</code>",
        )
        for _, _, kind, body in events
        if kind == "recording.sealed"
    )
    happened = (
        (digits(n, language), _moment(at, language), f"<code>{html.escape(kind)}</code>") for n, at, kind, _ in events
    )
    direction = "rtl" if language == "fa" else "ltr"
    return "\n".join(
        (
            f'<!doctype html><html lang="{language}" dir="{direction}"><head><meta charset="utf-8">',
            f"<title>{say('evidence.title')}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{say('evidence.title')}</h1><p>{say('evidence.what')}</p>",
            _table((), ((say(key), value) for key, value in facts)),
            f"<h2>{say('evidence.recordings')}</h2>",
            _table(tuple(map(say, _RECORDING_HEADS)), recordings),
            f"<h2>{say('evidence.how_to_check')}</h2><p>{say('evidence.how')}</p>",
            f"<p><code>python3 check.py . {fingerprint.replace(' ', '')}</code></p>",
            f"<p>{say('evidence.limit')}</p>",
            f"<h2>{say('evidence.events')}</h2>",
            _table(tuple(map(say, _EVENT_HEADS)), happened),
            "</body></html>\n",
        )
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = f"<tr>{''.join(f'<th>{each}</th>' for each in heads)}</tr>" if heads else ""
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{head}{body}</table>"


def _moment(utc_ms: int, language: Language) -> str:
    """Day and time, and the same in UTC, which no calendar changes."""
    utc = calendar.moment(utc_ms - calendar.TEHRAN_OFFSET_MS, "en")
    return f"{html.escape(calendar.moment(utc_ms, language))} <code>({utc} UTC)</code>"
