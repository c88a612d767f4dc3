// @grafana/schema as of Grafana 11.6, by path: it exports these under other names than 13 does.
export type * as dashboard from "../../node_modules/grafana-schema-11/dist/esm/raw/dashboard/x/dashboard_types.gen.d.ts";
export type * as heatmap from "../../node_modules/grafana-schema-11/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen.d.ts";
export type * as stat from "../../node_modules/grafana-schema-11/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen.d.ts";
export type * as table from "../../node_modules/grafana-schema-11/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen.d.ts";
export type * as timeseries from "../../node_modules/grafana-schema-11/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen.d.ts";
