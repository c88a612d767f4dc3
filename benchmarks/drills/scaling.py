"""The rules as they are, with every length of time in them divided: what takes an hour takes minutes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import yaml

from benchmarks.observed.rules import FOLDER

FACTOR: Final = 20
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_WAIT_BUCKETS: Final = {"60.0": "2.5"}
"""A histogram has its own few limits: the next below the divided one."""


def scaled_rules(target: Path) -> Sequence[Path]:
    """Copies of the rule files, divided by FACTOR, in a folder."""
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for path in sorted(FOLDER.glob("*.yaml")):
        content = yaml.safe_load(path.read_text())
        for group in content["groups"]:
            group.pop("interval", None)  # each second, as the server is told
            for rule in group["rules"]:
                rule["expr"] = scaled(rule["expr"])
                if "for" in rule:
                    rule["for"] = _divided(rule["for"])
        written.append(target / path.name)
        written[-1].write_text(yaml.safe_dump(content, sort_keys=False))
    return written


def scaled(expr: str) -> str:
    """Windows, offsets and what is compared with an age; seconds of a window by which a rate is multiplied, too."""
    expr = re.sub(r"\[(\w+)\]", lambda found: f"[{_divided(found[1])}]", expr)
    expr = re.sub(r"offset (\w+)", lambda found: f"offset {_divided(found[1])}", expr)
    expr = re.sub(r"\* (\d+)(?= [<>])", lambda found: f"* {int(found[1]) / FACTOR:g}", expr)
    expr = re.sub(
        r"((?:time\(\) - |_age_seconds)[^<>]*[<>] )(\d+(?: \* \d+)?)",
        lambda found: f"{found[1]}{_product(found[2]) / FACTOR:g}",
        expr,
    )
    return re.sub(r'le="([\d.]+)"', lambda found: f'le="{_WAIT_BUCKETS[found[1]]}"', expr)


def _product(text: str) -> float:
    first, _, second = text.partition(" * ")
    return float(first) * float(second or 1)


def _divided(length: str) -> str:
    """A length as Prometheus writes it, such as 5m."""
    seconds = sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([smhd])", length))
    return f"{max(1000, 1000 * seconds // FACTOR)}ms" if seconds else length
