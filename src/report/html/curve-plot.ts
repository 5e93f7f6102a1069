import type { CustomSeriesOption, LineSeriesOption } from "echarts/charts";
import type { ChartOption } from "./chart.js";
import { boundaryTicks, niceBounds, type Tick } from "./ticks.js";

/** A point of a curve; `low` and `high` are the ends of its interval where it has one. */
export interface PlotPoint {
  readonly x: number;
  readonly value: number;
  readonly low?: number;
  readonly high?: number;
}

/** One row of points. Curves differ in symbol and dashes, not in colour alone. */
export interface Curve {
  readonly name: string;
  readonly points: readonly PlotPoint[];
  /** As CSS: `var(--curve-1)`. */
  readonly colour: string;
  readonly symbol: "circle" | "rect" | "triangle" | "diamond" | "pin" | "arrow";
  readonly dash?: readonly number[];
  /** A line through the points with its intervals as a band, or single points with their intervals as bars. */
  readonly kind: "line" | "bars";
}

/** A line across the plot that has a meaning. */
export interface Level {
  readonly value: number;
  readonly text: string;
  /** Where its text stands: over the line or under it. */
  readonly side: "above" | "below";
}

/** Curves over boundaries. */
export interface CurvePlot {
  readonly curves: readonly Curve[];
  /** All values of x that could be marked, ascending. */
  readonly places: readonly number[];
  /** Marks that must be there, with their labels, the most important first. */
  readonly named: ReadonlyMap<number, string>;
  readonly levels: readonly Level[];
  /** Upright lines with a text on top. */
  readonly marks: readonly { readonly x: number; readonly text: string }[];
  /** Stretches of x with a shade. */
  readonly ranges: readonly { readonly from: number; readonly to: number }[];
  readonly limits: { readonly least: number; readonly most: number };
  readonly fromZero?: boolean;
  readonly format: (value: number) => string;
  /** Name and texts of x, where it is not K. */
  readonly xName?: string;
  readonly formatX?: (x: number) => string;
}

/** Pixels that a label of an axis takes, with some air. */
const LABEL_PIXELS = 30;
const CHARACTER_PIXELS = 7;
/** Bars stand beside the curve's own points, not on them. */
const BAR_OFFSET = 5;
const TEXT = "var(--muted)";
const LABEL = { color: "var(--ink)", textBorderColor: "var(--paper)", textBorderWidth: 3, fontSize: 12 } as const;

/** A plot as the chart library takes it. */
export function curveOption(plot: CurvePlot, { width }: { readonly width: number }): ChartOption {
  const bounds = niceBounds(valuesOf(plot), plot.limits);
  const labels = [bounds.min, bounds.max].map((value) => plot.format(value).length);
  const left = 14 + CHARACTER_PIXELS * Math.max(3, ...labels);
  const grid = { left, right: 30, top: plot.marks.length > 0 ? 30 : 14, bottom: 42 };
  const [first = 0, last = first] = [plot.places[0], plot.places.at(-1)];
  const span = Math.max(1, last - first);
  const distance = (span * LABEL_PIXELS) / (width - left - grid.right);
  const ticks = boundaryTicks(plot.places, plot.named, distance, plot.formatX);
  return {
    grid,
    xAxis: xAxis(plot.xName ?? "K", ticks, first, first + span),
    yAxis: {
      type: "value",
      min: bounds.min,
      max: bounds.max,
      interval: bounds.step,
      axisLabel: { color: TEXT, formatter: plot.format },
      splitLine: { lineStyle: { color: "var(--rule)" } },
    },
    series: [...plot.curves.flatMap((curve) => seriesOf(curve)), marksSeries(plot, (first + first + span) / 2)],
  };
}

function xAxis(name: string, ticks: readonly Tick[], min: number, max: number): NonNullable<ChartOption["xAxis"]> {
  const at = ticks.map((tick) => tick.at);
  const labelOf = (x: number): string => ticks.find((tick) => tick.at === x)?.label ?? "";
  return {
    type: "value",
    name,
    nameGap: 12,
    nameTextStyle: { color: TEXT },
    min,
    max,
    axisLine: { onZero: false, lineStyle: { color: TEXT } },
    axisTick: { customValues: at, lineStyle: { color: TEXT } },
    axisLabel: { customValues: at, color: TEXT, formatter: labelOf, lineHeight: 15 },
    splitLine: { show: false },
  };
}

function valuesOf({ curves, levels, fromZero }: CurvePlot): number[] {
  const own = curves.flatMap(({ points }) =>
    points.flatMap(({ value, low, high }) => [value, low ?? value, high ?? value]),
  );
  return [...own, ...levels.map(({ value }) => value), ...(fromZero ? [0] : [])];
}

function seriesOf(curve: Curve): (LineSeriesOption | CustomSeriesOption)[] {
  return curve.kind === "bars" ? [barSeries(curve)] : [...bandSeries(curve), lineSeries(curve)];
}

function lineSeries({ points, colour, symbol, dash }: Curve): LineSeriesOption {
  const size = points.length > 40 ? 4 : 7;
  return {
    type: "line",
    silent: true,
    clip: false,
    data: points.map(({ x, value }) => [x, value]),
    symbol,
    symbolSize: size,
    lineStyle: { color: colour, width: 2, ...(dash ? { type: [...dash] } : {}) },
    itemStyle: { color: colour },
  };
}

/** The intervals of a line's points as one shape. */
function bandSeries({ points, colour }: Curve): CustomSeriesOption[] {
  const ends = points.flatMap(({ x, low, high }) =>
    low === undefined || high === undefined ? [] : [{ x, low, high }],
  );
  if (ends.length === 0) return [];
  const outline = [...ends.map(({ x, high }) => [x, high]), ...ends.reverse().map(({ x, low }) => [x, low])];
  return [
    {
      type: "custom",
      silent: true,
      clip: false,
      data: [outline[0] ?? []],
      renderItem: (_params, api) => ({
        type: "polygon",
        shape: { points: outline.map((point) => api.coord(point)) },
        style: { fill: colour, opacity: 0.18 },
      }),
    },
  ];
}

/** Points with an upright bar from the lower end of the interval to the upper. */
function barSeries({ points, colour }: Curve): CustomSeriesOption {
  return {
    type: "custom",
    silent: true,
    clip: false,
    data: points.map(({ x, value }) => [x, value]),
    renderItem: ({ dataIndex }, api) => {
      const point = points[dataIndex];
      if (!point) return null;
      const place = (value: number): number[] => {
        const [x = 0, y = 0] = api.coord([point.x, value]);
        return [x + BAR_OFFSET, y];
      };
      const [[x = 0, y = 0], [, top = 0], [, bottom = 0]] = [
        place(point.value),
        place(point.high ?? point.value),
        place(point.low ?? point.value),
      ];
      const stroke = { stroke: colour, lineWidth: 2, fill: "none" };
      const line = (x1: number, y1: number, x2: number, y2: number) =>
        ({ type: "line", shape: { x1, y1, x2, y2 }, style: stroke }) as const;
      return {
        type: "group",
        children: [
          line(x, top, x, bottom),
          line(x - 4, top, x + 4, top),
          line(x - 4, bottom, x + 4, bottom),
          { type: "polygon", shape: { points: diamond(x, y) }, style: { fill: colour, stroke: "var(--paper)" } },
        ],
      };
    },
  };
}

function diamond(x: number, y: number): number[][] {
  return [
    [x, y - 6],
    [x + 6, y],
    [x, y + 6],
    [x - 6, y],
  ];
}

/** A series without points that carries the levels, marks and ranges. @param middle of x: texts on its right grow to the left. */
function marksSeries({ levels, marks, ranges }: CurvePlot, middle: number): LineSeriesOption {
  const lines = [
    ...levels.map(({ value, text, side }) => ({
      yAxis: value,
      label: {
        ...LABEL,
        formatter: text,
        position: side === "above" ? "insideStartTop" : "insideStartBottom",
      } as const,
      lineStyle: { color: TEXT, type: [2, 3], width: 1 },
    })),
    ...marks.map(({ x, text }) => ({
      xAxis: x,
      label: { ...LABEL, formatter: text, position: "end", align: x > middle ? "right" : "left" } as const,
      lineStyle: { color: "var(--chosen)", type: [6, 4], width: 2 },
    })),
  ];
  return {
    type: "line",
    silent: true,
    data: [],
    markLine: { silent: true, symbol: "none", data: lines },
    markArea: {
      silent: true,
      itemStyle: { color: "var(--chosen)", opacity: 0.12 },
      data: ranges.map(({ from, to }) => [{ xAxis: from }, { xAxis: to }]),
    },
  };
}
