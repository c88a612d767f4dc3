"""A panel in Grafana's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard, heatmap, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog import builder as cogbuilder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import (
    DashboardLink,
    DashboardLinkType,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    GridPos,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.grafana.links import board_url, runbook_url
from deploy.grafana.model import PLAIN, Column, Panel, Place, Shape, Steps, Unit

SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")

Builder: TypeAlias = timeseries.Panel | stat.Panel | table.Panel | heatmap.Panel

_BUILDERS: Final[Mapping[Shape, Callable[[], Builder]]] = {
    Shape.GRAPH: timeseries.Panel,
    Shape.STAT: stat.Panel,
    Shape.TABLE: table.Panel,
    Shape.HEATMAP: heatmap.Panel,
}


def panel_of(panel: Panel, number: int, place: Place, titles: dict[str, str]) -> Builder:
    """The builder of a panel; `titles` are those of the boards, by uid."""
    builder = _BUILDERS[panel.shape]()
    builder.id(number).title(panel.title).datasource(SOURCE)
    builder.description(f"{panel.means}\n\n**What to do:** {panel.do}")
    builder.grid_pos(GridPos(h=place.height, w=place.width, x=place.x, y=place.y))
    builder.unit(panel.unit).thresholds(_thresholds(panel.steps)).links(_links(panel, titles))
    if panel.decimals is not None:
        builder.decimals(panel.decimals)
    if panel.words:
        words = {str(value): ValueMappingResult(text=text) for value, text in panel.words.items()}
        builder.mappings([ValueMap(options=words)])
    if panel.shape is not Shape.HEATMAP and panel.unit is not Unit.DOLLARS:
        builder.min(0)
    if panel.most is not None:
        builder.max(panel.most)
    for number_of_query, query in enumerate(panel.queries):
        asked = prometheus.Dataquery().ref_id(chr(ord("A") + number_of_query)).expr(query.expr).datasource(SOURCE)
        asked.legend_format(query.legend).format(_FORMATS.get(panel.shape, PromQueryFormat.TIME_SERIES))
        builder.with_target(asked.instant() if panel.instant or panel.shape is Shape.TABLE else asked.range())
    _shape(builder, panel)
    return builder


_LABELS: Final = {"alertname": "Alert", "grpc_method": "Method"} | {
    name: name.capitalize() for name in ("component", "job", "kind", "operation", "queue", "severity", "version")
}
"""How tables call the labels of their rows."""
_FORMATS: Final = {Shape.TABLE: PromQueryFormat.TABLE, Shape.HEATMAP: PromQueryFormat.HEATMAP}


def _shape(builder: Builder, panel: Panel) -> None:
    match builder:
        case timeseries.Panel():
            _graph(builder, panel)
        case stat.Panel():
            builder.reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
            builder.color_mode(common.BigValueColorMode.BACKGROUND)
            builder.graph_mode(common.BigValueGraphMode.NONE if panel.instant else common.BigValueGraphMode.AREA)
            builder.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
        case table.Panel():
            _table(builder, panel)
        case heatmap.Panel():
            builder.color(heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges").steps(64))
            builder.y_axis(heatmap.YAxisConfig().unit(panel.unit))
            builder.hide_legend()


def _graph(builder: timeseries.Panel, panel: Panel) -> None:
    builder.line_width(1).fill_opacity(30 if panel.stacked else 5).show_points(common.VisibilityMode.NEVER)
    builder.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC))
    legend = common_builders.VizLegendOptions().display_mode(common.LegendDisplayMode.LIST)
    builder.legend(legend.placement(common.LegendPlacement.BOTTOM).show_legend(True).calcs(["lastNotNull"]))
    builder.tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
    if panel.stacked:
        builder.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    if panel.steps != PLAIN:
        style = common_builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        builder.thresholds_style(style)


def _table(builder: table.Panel, panel: Panel) -> None:
    """One row for each set of labels, one column for each query."""
    builder.show_header(True)
    alone = len(panel.queries) == 1
    names = {
        "Value" if alone else f"Value #{chr(ord('A') + number)}": query.legend
        for number, query in enumerate(panel.queries)
    } | _LABELS
    if not alone:
        builder.with_transformation(DataTransformerConfig(id_val="merge", options={}))
    builder.with_transformation(
        DataTransformerConfig(id_val="organize", options={"excludeByName": {"Time": True}, "renameByName": names})
    )
    if panel.largest_first:
        builder.sort_by([common_builders.TableSortByFieldState().display_name(panel.queries[0].legend).desc(True)])
    for query in panel.queries:
        column = panel.columns.get(query.legend, Column(panel.unit))
        builder.override_by_name(
            query.legend,
            [
                DynamicConfigValue(id_val="unit", value=column.unit),
                DynamicConfigValue(id_val="thresholds", value=_thresholds(column.steps).build()),
                DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-text"}),
            ],
        )


def _thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    written = [Threshold(value=step.value, color=step.colour) for step in steps]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(written)


def _links(panel: Panel, titles: dict[str, str]) -> list[cogbuilder.Builder[DashboardLink]]:
    links: list[cogbuilder.Builder[DashboardLink]] = []
    if panel.opens:
        links.append(_link(f"Open {titles[panel.opens]}", board_url(panel.opens)))
    links += [_link(f"Runbook: {alert}", runbook_url(alert)).target_blank(True) for alert in panel.runbooks]
    return links


def _link(title: str, url: str) -> dashboard.DashboardLink:
    return dashboard.DashboardLink(title).type(DashboardLinkType.LINK).url(url)
