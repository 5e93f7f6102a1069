import type { CustomSeriesOption } from "echarts/charts";
import type { LayerCard } from "../../probe/card.js";
import { cardColumns, storageLine, type CardColumn, type CardValue } from "../card-columns.js";
import { chartImage, type ChartOption } from "./chart.js";
import { escaped, shapesOf, standaloneImage } from "./standalone-image.js";
import { boundaryTicks } from "./ticks.js";

/** Pixels of a panel, of the text above it, and around the whole. */
const PANEL = { width: 440, height: 190 } as const;
const HEAD = 22;
const TOP = 62;
const MARGIN = 16;
const COLUMNS = 2;
/** Pixels that a mark of the layers takes. */
const MARK = 30;
const TEXT = "var(--muted)";
/** Share of a layer's place that its bar takes. */
const BAR = 0.7;
/** How many times longer than any other a bar must be to be cut off, and how many times longer it then is. */
const DWARFING = 5;
const CUT = 1.3;
/** How many times larger than the smallest a value must be for a scale of powers of ten. */
const LOG_SCALE = 50;

/** A layer card as one image: a panel for each thing that was measured, a bar for each layer. */
export function cardImage(card: LayerCard): string {
  const columns = cardColumns(card);
  const panels = columns.map((column, i) => {
    const x = MARGIN + (i % COLUMNS) * (PANEL.width + MARGIN);
    const y = TOP + Math.floor(i / COLUMNS) * (PANEL.height + HEAD);
    const how = [column.unit, decadeBelow(column) === undefined ? "" : "log scale"].filter((word) => word !== "");
    const title = `${column.title}${how.length === 0 ? "" : ` (${how.join(", ")})`}`;
    const html = chartImage({ id: `panel-${i}`, title, description: title, ...PANEL, option: panelOption(column) });
    return `<g transform="translate(${x} ${y})"><text x="0" y="14" font-size="13" fill="var(--ink)">${escaped(title)}</text><g transform="translate(0 ${HEAD})">${shapesOf(html.text)}</g></g>`;
  });
  const names = columns.map(({ title }) => title).join("; ");
  return standaloneImage({
    title: `Layer card: ${card.rows.length} layers, ${card.samples} samples`,
    description: `A bar for each layer: ${names}. Upright lines are 95 % intervals.`,
    width: COLUMNS * PANEL.width + (COLUMNS + 1) * MARGIN,
    height: TOP + Math.ceil(columns.length / COLUMNS) * (PANEL.height + HEAD) + MARGIN,
    body: [
      `<text x="20" y="44" font-size="13" fill="var(--muted)">${escaped(storageLine(card))}</text>`,
      ...panels,
    ].join("\n"),
  });
}

/** The power of ten below a column whose values lie so far apart that a straight scale would show only the largest; undefined for others. */
function decadeBelow({ values }: CardColumn): number | undefined {
  const known = values.flatMap((value) => (value === undefined ? [] : [value]));
  const all = known.map(({ value }) => value);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  if (!(least > 0) || most < LOG_SCALE * least || known.some(({ low }) => low !== undefined)) return undefined;
  return 10 ** Math.floor(Math.log10(least));
}

function panelOption(column: CardColumn): ChartOption {
  const { values, format } = column;
  const decade = decadeBelow(column);
  const layers = values.map((_, layer) => layer);
  const last = layers.length - 1;
  const left = 64;
  const distance = (layers.length * MARK) / (PANEL.width - left - 40);
  const ticks = boundaryTicks(layers, new Map([[last, String(last)]]), distance);
  const at = ticks.map((tick) => tick.at);
  return {
    grid: { left, right: 40, top: 14, bottom: 28 },
    xAxis: {
      type: "value",
      name: "layer",
      nameGap: 6,
      nameTextStyle: { color: TEXT },
      min: -0.5,
      max: last + 0.5,
      axisLine: { onZero: false, lineStyle: { color: TEXT } },
      axisTick: { customValues: at, lineStyle: { color: TEXT } },
      axisLabel: { customValues: at, color: TEXT, formatter: String },
      splitLine: { show: false },
    },
    yAxis: {
      ...(decade === undefined ? { type: "value" } : { type: "log", min: decade }),
      axisLine: { show: false },
      axisTick: { show: false },
      axisLabel: { color: TEXT, formatter: format },
      splitLine: { lineStyle: { color: "var(--rule)" } },
      splitNumber: 4,
    },
    series: [barSeries(column)],
  };
}

interface Bar extends CardValue {
  readonly layer: number;
  /** What stands at its end, where the bar is cut off. */
  readonly label?: string;
}

/** Bars of the layers that have a value. One that dwarfs all others is cut off, so that they can be told apart. */
function barsOf(column: CardColumn): Bar[] {
  const { format } = column;
  const bars = allBars(column);
  const sizes = bars.map(({ value }) => Math.abs(value));
  const largest = Math.max(0, ...sizes);
  const others = bars.filter(({ value }) => Math.abs(value) < largest);
  const reach = Math.max(
    0,
    ...others.flatMap(({ value, low = value, high = value }) => [Math.abs(low), Math.abs(high)]),
  );
  if (others.length !== bars.length - 1 || reach === 0 || largest < DWARFING * reach) return bars;
  return bars.map((bar): Bar => {
    if (Math.abs(bar.value) < largest) return bar;
    return { layer: bar.layer, value: Math.sign(bar.value) * CUT * reach, label: format(bar.value) };
  });
}

function allBars({ values }: CardColumn): Bar[] {
  return values.flatMap((value, layer) => (value === undefined ? [] : [{ layer, ...value }]));
}

/** A bar from the foot of the panel for each layer that has a value, with its interval. */
function barSeries(column: CardColumn): CustomSeriesOption {
  const decade = decadeBelow(column);
  const bars = decade === undefined ? barsOf(column) : allBars(column);
  return {
    type: "custom",
    silent: true,
    clip: false,
    // The axis must hold the ends of intervals too.
    encode: { x: 0, y: [1, 2, 3] },
    data: bars.map(({ layer, value, low, high }) => [layer, value, low ?? value, high ?? value]),
    renderItem: ({ dataIndex }, api) => {
      const bar = bars[dataIndex];
      if (!bar) return null;
      const place = (x: number, y: number): [number, number] => {
        const [left = 0, top = 0] = api.coord([x, y]);
        return [left, top];
      };
      const [[left, zero], [right, end]] = [
        place(bar.layer - BAR / 2, decade ?? 0),
        place(bar.layer + BAR / 2, bar.value),
      ];
      const [middle, low] = place(bar.layer, bar.low ?? bar.value);
      const [, high] = place(bar.layer, bar.high ?? bar.value);
      const shape = { x: left, y: Math.min(zero, end), width: right - left, height: Math.abs(zero - end) };
      return {
        type: "group",
        children: [
          { type: "rect", shape, style: { fill: "var(--curve-1)" } },
          {
            type: "line",
            shape: { x1: middle, y1: low, x2: middle, y2: high },
            style: { stroke: "var(--ink)", lineWidth: bar.low === undefined ? 0 : 1.5 },
          },
          {
            type: "text",
            x: bar.label === undefined ? middle : Math.max(left, 0),
            y: bar.value < 0 ? end + 3 : end - 3,
            style: {
              text: bar.label === undefined ? "" : `cut off: ${bar.label}`,
              fill: "var(--ink)",
              align: bar.layer * 2 > column.values.length ? "right" : "left",
              verticalAlign: bar.value < 0 ? "top" : "bottom",
            },
          },
        ],
      };
    },
  };
}
