// What a committed board may be: Grafana's published types, made as strict as JSON that a program writes can bear.
// Each board becomes a literal of this type, so that a property which the types do not have is an error.
import type { dashboard, heatmap, stat, table, timeseries } from "./grafana";

export type Board = Json<
  With<
    dashboard.Dashboard,
    { uid: string; panels: Panel[]; templating: { list: With<dashboard.VariableModel, { datasource?: Source }>[] } }
  >
>;

type Panel =
  | dashboard.RowPanel
  | Drawn<"heatmap", heatmap.Options, heatmap.FieldConfig>
  | Drawn<"stat", stat.Options>
  | Drawn<"table", table.Options, table.FieldConfig>
  | Drawn<"timeseries", timeseries.Options, timeseries.FieldConfig>;

/** A panel with the options of its type, where Grafana's own Panel takes any. */
type Drawn<Type extends string, Options, Custom = Record<string, never>> = With<
  dashboard.Panel,
  {
    type: Type;
    id: number;
    gridPos: dashboard.GridPos;
    datasource: Source;
    targets: Query[];
    transformations?: Transformation[];
    options: Options;
    fieldConfig: {
      defaults: With<dashboard.FieldConfig, { custom?: Custom }>;
      overrides: {
        matcher: { id: "byName"; options: string };
        properties: (Property<Omit<dashboard.FieldConfig, "custom">> | Property<Custom, "custom.">)[];
      }[];
    };
  }
>;

/** No data source but the one that is chosen on the board. */
interface Source {
  type: "prometheus";
  uid: "${datasource}";
}

// Of these three Grafana publishes types in packages only that need its whole front end.
interface Query {
  refId: string;
  datasource: Source;
  expr: string;
  format: "time_series" | "table" | "heatmap";
  legendFormat: string;
  instant: boolean;
  range: boolean;
}
type Transformation = { id: "merge"; options: Record<string, never> } | { id: "organize"; options: Organized };
interface Organized {
  excludeByName: Record<string, boolean>;
  renameByName: Record<string, string>;
}

type Property<T, Prefix extends string = ""> = {
  [K in keyof T & string]-?: { id: `${Prefix}${K}`; value: Required<T>[K] };
}[keyof T & string];

type With<T, Changed> = Omit<T, keyof Changed> & Changed;

/** T as JSON has it: an enum of strings stands there as the string. */
type Json<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: Json<T[K]> } : T;
