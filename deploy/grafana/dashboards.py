"""A board in Grafana's words, and as the JSON that Grafana reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog import builder as cogbuilder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    GridPos,
    VariableModel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from deploy.grafana.model import Board, Panel, Row, places
from deploy.grafana.panels import SOURCE, panel_of

TAG: Final = "mediafleet"
JOBS: Final = "mediafleet-.*"
"""What `job` stands for when all are chosen: calls of other services in the same Prometheus are not ours."""
_BUILD: Final = "mediafleet_build_info"
_UNKNOWN: Final = {"auto", "auto_count", "auto_min", "footer"}
"""What the builders add of their own accord and Grafana's types do not have: the first three have no meaning but for
intervals, the last, of tables, none since Grafana 13."""
_HERE: Final = 'cluster=~"$cluster", namespace=~"$namespace"'


def json_of(board: Board, boards: Sequence[Board]) -> str:
    """The committed file; the same board gives the same text."""
    titles = {each.uid: each.title.removeprefix("mediafleet / ") for each in boards}
    built = JSONEncoder().encode(_dashboard(board, titles).build())
    known = json.loads(built, object_hook=lambda fields: {k: v for k, v in fields.items() if k not in _UNKNOWN})
    return json.dumps(known, indent=2, sort_keys=True) + "\n"


def _dashboard(board: Board, titles: dict[str, str]) -> dashboard.Dashboard:
    builder = dashboard.Dashboard(board.title).uid(board.uid).description(board.description).tags([TAG]).readonly()
    builder.time("now-1h", "now").refresh("30s").timezone("browser").tooltip(DashboardCursorSync.CROSSHAIR)
    builder.link(
        dashboard.DashboardLink("Boards")
        .type(DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(False)
        .include_vars(True)
        .keep_time(True)
    )
    builder.variables(_variables())
    for number, (item, place) in enumerate(places(board), 1):
        match item:
            case Row():
                at = GridPos(h=place.height, w=place.width, x=place.x, y=place.y)
                builder.with_row(dashboard.Row(item.title).id(number).grid_pos(at))
            case Panel():
                builder.with_panel(panel_of(item, number, place, titles))
    return builder


def _variables() -> list[cogbuilder.Builder[VariableModel]]:
    everything = VariableOption(selected=True, text="All", value="$__all")
    return [
        dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"),
        _choice("cluster", f"label_values({_BUILD}, cluster)", ".*", everything),
        _choice("namespace", f'label_values({_BUILD}{{cluster=~"$cluster"}}, namespace)', ".*", everything),
        _choice("job", f"label_values({_BUILD}{{{_HERE}}}, job)", JOBS, everything),
        _choice("queue", f"label_values(mediafleet_queue_messages{{{_HERE}}}, queue)", ".*", everything),
        dashboard.TextBoxVariable("docs")
        .label("Docs at")
        .description("Where your people read this repository's folder docs, for links to runbooks.")
        .default_value("docs"),
    ]


def _choice(name: str, query: str, everything: str, chosen: VariableOption) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(name.capitalize())
        .query(query)
        .datasource(SOURCE)
        .multi(True)
        .include_all(True)
        .all_value(everything)
        .current(chosen)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )
