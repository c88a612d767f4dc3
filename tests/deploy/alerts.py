"""The rules and rule tests below deploy/prometheus, and what the page on metrics documents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy/prometheus/rules"
TESTS = ROOT / "deploy/prometheus/tests"
RUNBOOKS = ROOT / "docs/runbooks"

_METRIC = re.compile(r"\b(?:mediafleet|grpc_server)_[a-z0-9_]+")
_ROW = re.compile(r"^\| `([a-z_]+)` \| (counter|gauge|histogram) \|([^|]*)\|", re.MULTILINE)


class Documented(NamedTuple):
    """A row of docs/metrics.md."""

    name: str
    type: str
    labels: frozenset[str]


def documented(text: str) -> Iterator[Documented]:
    """Rows of the page, or of a part of it."""
    for name, kind, labels in _ROW.findall(text):
        yield Documented(name, kind, frozenset(re.findall(r"`([a-z_]+)`", labels)))


def rules() -> list[dict[str, Any]]:
    """Every rule of every file."""
    files = [yaml.safe_load(path.read_text()) for path in sorted(RULES.glob("*.yaml"))]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """Those that alert; a name may have several."""
    return [rule for rule in rules() if "alert" in rule]


def cases() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Of every rule test: the alert's name, and those that are expected to fire."""
    for path in sorted(TESTS.glob("*.yaml")):
        for group in yaml.safe_load(path.read_text())["tests"]:
            for case in group["alert_rule_test"]:
                yield case["alertname"], case["exp_alerts"]


def undocumented(expression: str) -> set[str]:
    """Metrics in an expression that docs/metrics.md does not know."""
    known = {row.name for row in documented((ROOT / "docs/metrics.md").read_text())}
    # A recording rule's name has its metric between colons.
    named = set(_METRIC.findall(re.sub(r"\w+:\w+:\w+", "", expression)))
    return {name for name in named if not {name, re.sub(r"_(bucket|count|sum)$", "", name)} & known}
