import type { Knee, LayerCurve } from "../../probe/layer-curves.js";
import type { ProbeResult } from "../../probe/probe.js";
import type { ProbeMarks } from "../report-input.js";
import { cardImage } from "./card-image.js";
import { chartImage } from "./chart.js";
import { curveOption, type Curve, type CurvePlot } from "./curve-plot.js";
import { shapesOf, standaloneImage } from "./standalone-image.js";

/** A file to be written. */
export interface ProbeImage {
  readonly name: string;
  readonly svg: string;
}

const SIZE = { width: 760, height: 380 } as const;
/** Pixels on both sides, for the ends of labels. */
const MARGIN = 24;
const SYMBOLS = ["circle", "rect", "triangle", "diamond"] as const;
const DASHES = [undefined, [6, 3], [2, 3], [8, 3, 2, 3]] as const;

/** The curves of a probe as images that stand alone. */
export function probeImages(result: ProbeResult): ProbeImage[] {
  const marks = kneeMarks(result);
  return [
    image("truth.svg", "Probability of the reference's tokens after each layer, full adapter (%)", result.truth, {
      marks,
    }),
    ...result.differences.map(({ boundary, curve }) =>
      image(
        `difference-${boundary}.svg`,
        `K=${boundary} minus full: probability of the first token (points)`,
        [curve],
        {
          limits: { least: -100, most: 100 },
        },
      ),
    ),
    ...result.confidence.map(({ boundary, curves }) =>
      image(`confidence-${boundary}.svg`, `K=${boundary}: probability of the most probable token (%)`, curves, {}),
    ),
    ...(result.card ? [{ name: "card.svg", svg: cardImage(result.card) }] : []),
  ];
}

function image(
  name: string,
  title: string,
  curves: readonly LayerCurve[],
  more: Partial<Pick<CurvePlot, "marks" | "limits">>,
): ProbeImage {
  const plot = layerPlot(curves, more);
  const legend = curves.map(({ token, samples }) => `token ${token} (${samples} samples)`).join(", ");
  const description = `${title}. Curves: ${legend}. Bands are 95 % intervals.`;
  const html = chartImage({ id: "chart", title, description, ...SIZE, option: curveOption(plot, SIZE) });
  return { name, svg: standalone(html.text, title, description, curves) };
}

/** Curves over the layers, in percent or points. */
export function layerPlot(
  curves: readonly LayerCurve[],
  more: Partial<Pick<CurvePlot, "marks" | "limits">>,
): CurvePlot {
  const layers = curves[0]?.points.map(({ layer }) => layer) ?? [];
  return {
    curves: curves.map(curveOf),
    places: layers,
    named: new Map([[layers.at(-1) ?? 0, String(layers.at(-1) ?? 0)]]),
    levels: [],
    marks: [],
    ranges: [],
    limits: { least: 0, most: 100 },
    format: (value) => value.toFixed(0),
    xName: "layer",
    ...more,
  };
}

/** What a mark needs of a probe, as it was measured or as it was read. */
interface KneeFacts extends Pick<ProbeMarks, "training" | "layers"> {
  readonly knees: readonly (Pick<Knee, "layer" | "boundary"> | null)[];
}

/** The knee of the first token as a mark of a plot, or that there is none because the adapter looks under-trained. */
export function kneeMarks({ knees, training, layers }: KneeFacts): CurvePlot["marks"] {
  const [first] = knees;
  if (first) return [{ x: first.layer, text: `knee: K=${first.boundary}` }];
  return training?.underTrained ? [{ x: layers - 1, text: `under-trained: keep K=${layers}` }] : [];
}

function curveOf({ token, points }: LayerCurve, index: number): Curve {
  const dash = DASHES[index % DASHES.length];
  return {
    name: `token ${token}`,
    points: points.map(({ layer, mean, low, high }) => ({
      x: layer,
      value: 100 * mean,
      low: 100 * low,
      high: 100 * high,
    })),
    colour: `var(--curve-${(index % 8) + 1})`,
    symbol: SYMBOLS[index % SYMBOLS.length] ?? "circle",
    ...(dash ? { dash } : {}),
    kind: "line",
  };
}

function dashes(index: number): string {
  const dash = DASHES[index % DASHES.length];
  return dash ? ` stroke-dasharray="${dash.join(" ")}"` : "";
}

/** With a legend that can be seen. */
function standalone(svg: string, title: string, description: string, curves: readonly LayerCurve[]): string {
  const entries = curves.map(({ token }, i) => {
    const x = 20 + 110 * i;
    return `<line x1="${x}" x2="${x + 26}" y1="44" y2="44" stroke="var(--curve-${(i % 8) + 1})" stroke-width="2"${dashes(i)}/><text x="${x + 32}" y="48" font-size="13" fill="var(--ink)">token ${token}</text>`;
  });
  const body = `${entries.join("\n")}\n<g transform="translate(${MARGIN} 60)">${shapesOf(svg)}</g>`;
  return standaloneImage({ title, description, width: SIZE.width + 2 * MARGIN, height: SIZE.height + 60, body });
}
