"""A report as one HTML page that loads nothing."""

from __future__ import annotations

import html

from appliance.evidence.report import Cell, Report, Table

_STYLE = "body{font:16px/1.6 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}table{border-collapse:collapse;"
_STYLE += "width:100%}td,th{border:1px solid #888;padding:.3em .6em;text-align:start;vertical-align:top}"
_STYLE += "code{direction:ltr;unicode-bidi:isolate;overflow-wrap:anywhere}"


def page(report: Report) -> str:
    direction = "rtl" if report.language == "fa" else "ltr"
    title = html.escape(report.title)
    return "\n".join(
        (
            f'<!doctype html><html lang="{report.language}" dir="{direction}"><head><meta charset="utf-8">',
            f"<title>{title}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{title}</h1><p>{html.escape(report.what)}</p>",
            _table(report.facts),
            _table(report.recordings),
            f"<h2>{html.escape(report.how_title)}</h2><p>{html.escape(report.how)}</p>",
            f"<p><code>{html.escape(report.command)}</code></p>",
            f"<p>{html.escape(report.limit)}</p>",
            _table(report.events),
            "</body></html>\n",
        )
    )


def _table(table: Table) -> str:
    title = f"<h2>{html.escape(table.title)}</h2>" if table.title else ""
    head = f"<tr>{''.join(f'<th>{html.escape(each)}</th>' for each in table.heads)}</tr>" if table.heads else ""
    body = "".join(f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>" for row in table.rows)
    return f"{title}<table>{head}{body}</table>"


def _cell(cell: Cell) -> str:
    text = html.escape(cell.text)
    return f"<code>{text}</code>" if cell.is_code else text
