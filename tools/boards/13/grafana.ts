// @grafana/schema as of Grafana 13.2, by path: not all of it is exported.
export type * as dashboard from "../../node_modules/grafana-schema-13/dist/types/raw/dashboard/x/types.gen.d.ts";
export type * as heatmap from "../../node_modules/grafana-schema-13/dist/types/raw/composable/heatmap/panelcfg/x/types.gen.d.ts";
export type * as stat from "../../node_modules/grafana-schema-13/dist/types/raw/composable/stat/panelcfg/x/types.gen.d.ts";
export type * as table from "../../node_modules/grafana-schema-13/dist/types/raw/composable/table/panelcfg/x/types.gen.d.ts";
export type * as timeseries from "../../node_modules/grafana-schema-13/dist/types/raw/composable/timeseries/panelcfg/x/types.gen.d.ts";
