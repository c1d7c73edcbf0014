"""What ``pasokh flow check`` found, for other programs: JSON lines, and SARIF 2.1.0 (OASIS) for editors. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from appliance import __version__, messages
from appliance.errors import Problem
from appliance.flow.check import ADVICE

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def severity(problem: Problem) -> str:
    """``error``: cannot be published; ``advice``: could be better."""
    return "advice" if problem.key in ADVICE else "error"


def as_json(problem: Problem) -> dict[str, Any]:
    """One finding, in both languages."""
    texts = {language: messages.problem_lines(problem, language) for language in messages.LANGUAGES}
    return {
        "key": problem.key,
        "severity": severity(problem),
        **problem.fields,
        "what": {language: what for language, (what, _) in texts.items()},
        "do": {language: do for language, (_, do) in texts.items()},
    }


def as_sarif(problems: Sequence[Problem], language: messages.Language) -> str:
    """One run of the checks, with every finding at its file and line."""
    keys = sorted({problem.key for problem in problems})
    results = []
    for problem in problems:
        what, do = messages.problem_lines(problem, language)
        place: dict[str, Any] = {"artifactLocation": {"uri": str(problem.fields.get("file", ""))}}
        if "line" in problem.fields:
            place["region"] = {"startLine": int(problem.fields["line"])}
        results.append(
            {
                "ruleId": problem.key,
                "ruleIndex": keys.index(problem.key),
                "level": "note" if severity(problem) == "advice" else "error",
                "message": {"text": f"{what} {do}"},
                "locations": [{"physicalLocation": place}],
            }
        )
    driver = {"name": "pasokh", "version": __version__, "rules": [{"id": key} for key in keys]}
    document = {
        "$schema": SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }
    return json.dumps(document, ensure_ascii=False, indent=1)
