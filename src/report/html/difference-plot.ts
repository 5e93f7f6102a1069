import { at } from "../../assert.js";
import type { ChartOption } from "./chart.js";
import { niceBounds } from "./ticks.js";

/** A difference in points with its interval. */
export interface DifferenceRow {
  readonly name: string;
  readonly difference: number;
  readonly low: number;
  readonly high: number;
}

const CHARACTER_PIXELS = 7;
const TEXT = "var(--muted)";

/** Differences one below the other, each a point with its interval, around a line at 0. @param margin points that may be lost. */
export function differenceOption(rows: readonly DifferenceRow[], margin: number | undefined): ChartOption {
  const ends = rows.flatMap(({ low, high }) => [low, high]);
  const bounds = niceBounds([0, ...ends, ...(margin === undefined ? [] : [-margin])], { least: -100, most: 100 });
  const left = 20 + CHARACTER_PIXELS * Math.max(...rows.map(({ name }) => name.length));
  const lines = [
    { xAxis: 0, label: { show: false }, lineStyle: { color: "var(--ink)", type: "solid" as const, width: 1 } },
    ...(margin === undefined
      ? []
      : [{ xAxis: -margin, label: { show: false }, lineStyle: { color: "var(--chosen)", type: [6, 4], width: 2 } }]),
  ];
  return {
    grid: { left, right: 24, top: 8, bottom: 30 },
    xAxis: {
      type: "value",
      min: bounds.min,
      max: bounds.max,
      interval: bounds.step,
      axisLabel: { color: TEXT },
      splitLine: { lineStyle: { color: "var(--rule)" } },
    },
    yAxis: {
      type: "category",
      inverse: true,
      data: rows.map(({ name }) => name),
      axisTick: { show: false },
      axisLine: { show: false },
      axisLabel: { color: "var(--ink)", interval: 0 },
    },
    series: [
      {
        type: "custom",
        silent: true,
        clip: false,
        data: rows.map(({ difference }, i) => [difference, i]),
        renderItem: ({ dataIndex }, api) => {
          const row = rows[dataIndex];
          if (!row) return null;
          const x = (value: number): number => at(api.coord([value, dataIndex]), 0);
          const y = at(api.coord([row.difference, dataIndex]), 1);
          const style = { stroke: "var(--curve-2)", lineWidth: 2, fill: "none" };
          const line = (x1: number, y1: number, x2: number, y2: number) =>
            ({ type: "line", shape: { x1, y1, x2, y2 }, style }) as const;
          const [low, high] = [x(row.low), x(row.high)];
          return {
            type: "group",
            children: [
              line(low, y, high, y),
              line(low, y - 5, low, y + 5),
              line(high, y - 5, high, y + 5),
              { type: "circle", shape: { cx: x(row.difference), cy: y, r: 5 }, style: { fill: "var(--curve-2)" } },
            ],
          };
        },
      },
      { type: "line", silent: true, data: [], markLine: { silent: true, symbol: "none", data: lines } },
    ],
  };
}
