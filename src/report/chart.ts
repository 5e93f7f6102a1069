import asciichart from "asciichart";

/** Rows that a chart takes in a terminal, without its axis. */
const HEIGHT = 10;
/** Columns that the values of a chart may take at most. */
const MAX_WIDTH = 64;

/** Column of the vertical axis, which is also that of the first value. */
const AXIS_COLUMN = 8;

/** One point of a curve: x is the boundary, y a score from 0 to 100. */
export interface CurvePoint {
  readonly boundary: number;
  readonly value: number;
}

/**
 * A chart of a score against K for a terminal: boundaries from left to right at their true distances, joined by straight lines,
 * with the boundaries under the axis.
 * @param points by ascending boundary, at least one.
 * @param xName name of the axis, where it is not K.
 */
export function curveChart(points: readonly CurvePoint[], title: string, xName = "K"): string {
  const first = points[0];
  const last = points.at(-1);
  if (!first || !last) return "";
  const span = last.boundary - first.boundary;
  // Whole columns a layer while they fit; a deeper model's layers share them.
  const fitting = MAX_WIDTH / Math.max(1, span);
  const columnsPerLayer = fitting < 1 ? fitting : Math.min(6, Math.floor(fitting));
  const columns = Math.round(span * columnsPerLayer) + 1;
  const values = Array.from({ length: columns }, (_, column) =>
    valueAt(points, first.boundary + column / columnsPerLayer),
  );
  // The library rounds the only label of a flat curve to a whole number.
  const only = values.every((value) => value === first.value) ? first.value : undefined;
  const format = (value: number): string => (only ?? value).toFixed(1).padStart(AXIS_COLUMN - 1);
  const plot = asciichart.plot(values, { height: HEIGHT, format });
  return [
    `${" ".repeat(AXIS_COLUMN + 1)}${title}`,
    plot.replace(/ +$/gm, ""),
    `${axis(points, first.boundary, columnsPerLayer, columns, AXIS_COLUMN)}  ${xName}`,
  ].join("\n");
}

function valueAt(points: readonly CurvePoint[], boundary: number): number {
  const right = points.find((point) => point.boundary >= boundary) ?? points.at(-1);
  const left = points.findLast((point) => point.boundary <= boundary) ?? points[0];
  if (!left || !right) return 0;
  if (left.boundary === right.boundary) return left.value;
  const share = (boundary - left.boundary) / (right.boundary - left.boundary);
  return left.value + share * (right.value - left.value);
}

/** Boundaries below their columns, as many as fit without touching. */
function axis(
  points: readonly CurvePoint[],
  first: number,
  columnsPerLayer: number,
  columns: number,
  margin: number,
): string {
  const cells = Array.from({ length: margin + columns + 6 }, () => " ");
  const column = (boundary: number): number => margin + Math.round((boundary - first) * columnsPerLayer);
  let free = 0;
  const write = (boundary: number): void => {
    const label = String(boundary);
    const at = column(boundary);
    if (at < free) return;
    for (let i = 0; i < label.length; i++) cells[at + i] = label.charAt(i);
    free = at + label.length + 1;
  };
  const last = points.at(-1)?.boundary ?? first;
  for (const { boundary } of points) {
    if (boundary === last || column(boundary) + String(boundary).length < column(last)) write(boundary);
  }
  return cells.join("").trimEnd();
}
