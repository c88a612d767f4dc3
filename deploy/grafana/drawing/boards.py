"""The committed JSON, as far as drawing needs it, and the expressions in it with every variable replaced."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

FOLDER: Final = Path(__file__).parents[1]


class Target(NamedTuple):
    """A query of a panel."""

    expr: str
    """As committed, with variables."""
    legend: str
    instant: bool

    def named(self, labels: Mapping[str, str]) -> str:
        """What a series is called."""
        name = re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), self.legend).strip()
        return name or ", ".join(labels.values()) or "value"


class Drawable(NamedTuple):
    """A panel or the heading of a row."""

    kind: str
    title: str
    place: tuple[int, int, int, int]
    """x, y, width, height on the grid."""
    targets: Sequence[Target]
    field: Mapping[str, Any]
    """Grafana's fieldConfig.defaults."""
    overrides: Mapping[str, Mapping[str, Any]]
    """Properties by the name of a column."""
    names: Mapping[str, str]
    """What columns are called instead."""
    largest_first: str
    """The column by which rows are sorted; "" if by name."""


class DrawableBoard(NamedTuple):
    """A board."""

    name: str
    title: str
    panels: Sequence[Drawable]
    variables: Mapping[str, str]
    """What stands for each variable when all is chosen."""

    def expression(self, expr: str, rate_interval: str) -> str:
        """What Grafana would send."""
        values = {**self.variables, "__rate_interval": rate_interval}
        return re.sub(r"\$(\w+)", lambda found: values[found[1]], expr)


def committed() -> list[DrawableBoard]:
    """Every board, by name."""
    return [_board(path) for path in sorted(FOLDER.glob("*.json"))]


def _board(path: Path) -> DrawableBoard:
    board = json.loads(path.read_text())
    variables = {each["name"]: each["allValue"] for each in board["templating"]["list"] if "allValue" in each}
    return DrawableBoard(path.stem, board["title"], [_drawable(each) for each in board["panels"]], variables)


def _drawable(panel: Mapping[str, Any]) -> Drawable:
    at = panel["gridPos"]
    config = panel.get("fieldConfig", {})
    return Drawable(
        kind=panel["type"],
        title=panel["title"],
        place=(at.get("x", 0), at.get("y", 0), at["w"], at["h"]),
        targets=[
            Target(each["expr"], each.get("legendFormat", ""), bool(each.get("instant")))
            for each in panel.get("targets", [])
        ],
        field=config.get("defaults", {}),
        overrides={
            each["matcher"]["options"]: {one["id"]: one["value"] for one in each["properties"]}
            for each in config.get("overrides", [])
        },
        names={
            name: shown
            for each in panel.get("transformations", [])
            for name, shown in each["options"].get("renameByName", {}).items()
        },
        largest_first=next((each["displayName"] for each in panel.get("options", {}).get("sortBy", [])), ""),
    )
