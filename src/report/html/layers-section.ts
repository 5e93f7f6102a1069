import type { StrategiesResult, StrategyRow } from "../../compare/strategies-result.js";
import { points } from "../../choice/format-points.js";
import type { ProbeMarks } from "../report-input.js";
import { strategyCells, strategyHeads } from "../strategies.js";
import { chartImage } from "./chart.js";
import { curveOption } from "./curve-plot.js";
import { markup, type Html } from "../../html/markup.js";
import { kneeMarks, layerPlot } from "./probe-images.js";
import { table } from "./table.js";

const SIZE = { width: 880, height: 360 };
const NARROW = { width: 330, height: 260 };

type Curves = ProbeMarks["truth"];

/** What the layers show: where the reference becomes probable, and what a boundary changes of that. */
export function probeSection(probe: ProbeMarks): Html {
  const { truth, training, knees, differences, confidence, samples, layers, ranking, notes } = probe;
  return markup`<section id="layers" aria-labelledby="layers-title">
<h2 id="layers-title">What the layers show</h2>
<p>After each layer, what would the model's own output head say? ${samples} samples of the selection, one pass each through the full adapter; nothing is generated. A suggestion of a boundary, not a measurement of answers.</p>
${figure("truth", "Probability of the reference's tokens after each layer (%)", truth, { marks: kneeMarks(probe) })}
${table(
  "Where the curve of each token begins to rise",
  [
    { head: "token", cell: ({ token }) => token },
    { head: "samples", cell: ({ samples: own }) => own },
    { head: "behind layer", cell: ({ knee, isLow }) => knee?.layer ?? (isLow ? "too low" : "does not rise") },
    { head: "95 % interval", cell: ({ knee }) => knee?.interval && `${knee.interval.low} to ${knee.interval.high}` },
    { head: "suggests", cell: ({ knee }) => knee && `K=${knee.boundary} of ${layers}` },
  ],
  truth.map(({ token, samples: own, points: curve }, i) => ({
    ...{ token, samples: own, knee: knees[i] ?? undefined },
    isLow: curve.every(({ mean }) => mean < (training?.least ?? 0)),
  })),
)}
${differences.map(({ boundary, curve }) => figure(`difference-${boundary}`, `K=${boundary} less full: probability of the first token (points)`, [curve], { limits: { least: -100, most: 100 } }))}
${confidence.map(({ boundary, curves }) => figure(`confidence-${boundary}`, `K=${boundary}: probability of the most probable token (%)`, curves, {}))}
${ranking && markup`<p>Layers from the most important, 1 - CKA of input and output on the base model: ${ranking.join(", ")}.</p>\n`}${notes.map((note) => markup`<p class="note">${note}</p>\n`)}</section>
`;
}

function figure(id: string, title: string, curves: Curves, more: Parameters<typeof layerPlot>[1]): Html {
  const plot = layerPlot(curves, more);
  const words = curves.map(({ token, points: own }) => {
    return `token ${token}: ${own.map(({ layer, mean }) => `layer ${layer} ${points(100 * mean)}`).join(", ")}`;
  });
  const description = `${words.join(". ")}. Bands are 95 % intervals.`;
  const image = (suffix: string, size: typeof SIZE): Html =>
    chartImage({ id: `layers-${id}${suffix}`, title, description, ...size, option: curveOption(plot, size) });
  return markup`<figure><figcaption>${title}</figcaption>
<div class="wide">${image("", SIZE)}</div><div class="narrow">${image("-narrow", NARROW)}</div>
${curves.length > 1 && markup`<p>Curves: ${curves.map(({ token }, i) => markup`<span class="key">${swatch(i)} token ${token}</span> `)}</p>\n`}</figure>
`;
}

function swatch(index: number): Html {
  return markup`<svg viewBox="0 0 26 8" width="26" height="8" aria-hidden="true"><path d="M0 4H26" stroke="${`var(--curve-${(index % 8) + 1})`}" stroke-width="3"/></svg>`;
}

/** Strategies under one budget, on samples that none of them has seen. */
export function strategiesSection(result: StrategiesResult): Html {
  const { base, full, label, finalSamples, left, notes } = result;
  const columns = strategyHeads(result).map((head, i) => ({
    head,
    cell: (row: StrategyRow) => strategyCells(row, result)[i],
    ...(i < 3 ? { align: "words" as const } : {}),
  }));
  return markup`<section id="strategies" aria-labelledby="strategies-title">
<h2 id="strategies-title">Other ways to choose what is kept</h2>
<p>Each strategy had the same budget of layers times tokens. On ${finalSamples} samples that none of them has seen the full adapter has ${label} ${points(full.value)} (${points(full.low)} to ${points(full.high)}), the base ${points(base.value)} (${points(base.low)} to ${points(base.high)}).</p>
${table("What each chose on the selection, and what that is worth on the final part", columns, result.rows)}
${left.map(({ strategy, reason }) => markup`<p>${strategy}: left out, ${reason}.</p>\n`)}${notes.map((note) => markup`<p class="note">${note}</p>\n`)}</section>
`;
}
