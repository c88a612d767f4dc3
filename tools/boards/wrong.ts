// What the types must not let through; tsc fails where one of these is no error.
import type { Board } from "./board";

type Panel = Board["panels"][number];
type Graph = Extract<Panel, { type: "timeseries" }>;
type Table = Extract<Panel, { type: "table" }>;

const datasource = { type: "prometheus", uid: "${datasource}" } as const;
const fieldConfig = { defaults: {}, overrides: [] };
const place = { datasource, fieldConfig, gridPos: { h: 8, w: 8, x: 0, y: 0 }, id: 1, targets: [] };
const legend: Graph["options"]["legend"] = { calcs: [], displayMode: "list", placement: "bottom", showLegend: true };
const drawn: Graph["options"] = { legend, tooltip: { mode: "multi", sort: "none" } };
const right: Graph = { ...place, type: "timeseries", options: drawn };
const asked = { refId: "A", datasource, expr: "up", format: "time_series", legendFormat: "", instant: false } as const;
const cells: Table["options"] = { frameIndex: 0, showHeader: true };
const unit = { id: "unit", value: "s" } as const;
const columns = (properties: Table["fieldConfig"]["overrides"][number]["properties"]): Table => {
  const overrides = [{ matcher: { id: "byName" as const, options: "Jobs" }, properties }];
  return { ...place, type: "table", options: cells, fieldConfig: { defaults: {}, overrides } };
};

export const rights: Panel[] = [right, { ...right, targets: [{ ...asked, range: true }] }, columns([unit])];

export const wrongs: Panel[] = [
  // @ts-expect-error a property that panels do not have
  { ...right, discription: "" },
  // @ts-expect-error a type of panel that is not among ours
  { ...right, type: "graph" },
  // @ts-expect-error an option of another type of panel
  { ...right, options: { ...drawn, colorMode: "value" } },
  // @ts-expect-error no options where the type needs some
  { ...place, type: "timeseries", options: { legend } },
  // @ts-expect-error a word that is none of the enum
  { ...right, options: { ...drawn, tooltip: { mode: "all", sort: "none" } } },
  // @ts-expect-error a setting of fields that they do not have
  { ...right, fieldConfig: { defaults: { units: "s" }, overrides: [] } },
  // @ts-expect-error one that lines do not have
  { ...right, fieldConfig: { defaults: { custom: { lineWeight: 1 } }, overrides: [] } },
  // @ts-expect-error a value of the wrong type
  { ...right, fieldConfig: { defaults: { custom: { lineWidth: "1" } }, overrides: [] } },
  // @ts-expect-error a step without its colour
  { ...right, fieldConfig: { defaults: { thresholds: { mode: "absolute", steps: [{ value: 1 }] } }, overrides: [] } },
  // @ts-expect-error a data source of its own
  { ...right, datasource: { type: "prometheus", uid: "P1" } },
  // @ts-expect-error a query that does not say what range it is asked for
  { ...right, targets: [asked] },
  // @ts-expect-error a property that columns do not have
  columns([{ id: "custom.cellOption", value: { type: "color-text" } }]),
  // @ts-expect-error a value that the property does not take
  columns([{ id: "custom.cellOptions", value: { type: "colour-text" } }]),
];
