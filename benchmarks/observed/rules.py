"""The rule files, and the parts of an alert's expression that must have an answer even while it does not fire."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

FOLDER: Final = Path(__file__).parents[2] / "deploy/prometheus/rules"

_SET = r"\b(?:and|or|unless)\b(?:\s+(?:on|ignoring)\s*\([^)]*\))?(?:\s+group_(?:left|right)\s*(?:\([^)]*\))?)?"
_COMPARISON = r"(?:[<>]=?|[=!]=)(?:\s*bool\b)?(?:\s*(?:on|ignoring)\s*\([^)]*\))?"
_CUT = re.compile(rf"\s*(?:{_SET}|{_COMPARISON})\s*")
_NUMBER = re.compile(r"^[\s()\d.eE+*/-]*$")


class Rule(NamedTuple):
    """An alert or a recording."""

    name: str
    expr: str
    alerts: bool
    severity: str


def rules() -> list[Rule]:
    """All of them, in the order of their files."""
    return [_rule(each) for _, group in groups() for each in group["rules"]]


def groups() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Each group with its file."""
    for path in sorted(FOLDER.glob("*.yaml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield path, group


def _rule(rule: dict[str, Any]) -> Rule:
    name = rule.get("alert") or rule["record"]
    return Rule(name, rule["expr"].strip(), "alert" in rule, rule.get("labels", {}).get("severity", ""))


def parts(expr: str) -> list[str]:
    """What is compared and combined, down to where there is nothing more to take apart; numbers are left out."""
    expr = _bare(expr)
    cuts = [found for found in _CUT.finditer(expr) if _depth(expr[: found.start()]) == 0]
    if not cuts:
        return [] if _NUMBER.match(expr) else [expr]
    ends = [0, *(cut.end() for cut in cuts)]
    starts = [*(cut.start() for cut in cuts), len(expr)]
    return [part for begin, end in zip(ends, starts, strict=True) for part in parts(expr[begin:end])]


def _bare(expr: str) -> str:
    """Without parentheses around the whole."""
    expr = expr.strip()
    while expr.startswith("(") and all(_depth(expr[:place]) > 0 for place in range(1, len(expr))):
        expr = expr[1:-1].strip()
    return expr


def _depth(text: str) -> int:
    """How many brackets are open at its end; a matcher's text and its operators count as inside."""
    text = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)
    return sum(text.count(opening) for opening in "({[") - sum(text.count(closing) for closing in ")}]")
