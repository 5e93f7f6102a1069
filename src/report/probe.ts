import type { LayerCurve } from "../probe/layer-curves.js";
import type { ProbeResult } from "../probe/probe.js";
import { cardReport } from "./card.js";
import { curveChart } from "./chart.js";
import { plainTable } from "./table.js";

/** What a probe found, for a terminal: the first token's curve, a table of all, the knees and the boundary they suggest. */
export function probeReport(result: ProbeResult): string {
  const { truth, importances } = result;
  const [first] = truth;
  return [
    ...(first
      ? [chartOf(first, `probability (%) of the reference's token 1 after each layer, ${first.samples} samples`)]
      : []),
    truthTable(result),
    ...kneeLines(result),
    ...result.differences.map(({ boundary, curve }) =>
      chartOf(curve, `K=${boundary} minus full: probability (points) of the reference's token 1 after each layer`),
    ),
    ...result.confidence.map(({ boundary, curves }) => confidenceTable(boundary, curves, result.layers)),
    ...(importances ? [importanceTable(result)] : []),
    ...(result.updates ? [updateTable(result.updates)] : []),
    ...(result.card ? [cardReport(result.card)] : []),
    ...result.notes.map((note) => `note  ${note}`),
  ].join("\n\n");
}

function chartOf({ points }: LayerCurve, title: string): string {
  return curveChart(
    points.map(({ layer, mean }) => ({ boundary: layer, value: 100 * mean })),
    title,
    "layer",
  );
}

function tableOf(head: string[], rows: readonly string[][]): string {
  const table = plainTable(head);
  table.push(...rows);
  return table.toString();
}

function truthTable({ truth, layers }: ProbeResult): string {
  return layerTable(
    truth,
    layers,
    truth.map(({ token, samples }) => `token ${token} (n=${samples})`),
  );
}

/** The curves side by side, a row a layer. */
function layerTable(curves: readonly LayerCurve[], layers: number, heads: readonly string[]): string {
  const rows = Array.from({ length: layers }, (_, layer) => [
    String(layer),
    ...curves.map(({ points }) => interval(points[layer])),
  ]);
  return tableOf(["layer", ...heads], rows);
}

function interval(point: LayerCurve["points"][number] | undefined): string {
  if (!point) return "-";
  const percent = (value: number): string => (100 * value).toFixed(1);
  return `${percent(point.mean)} [${percent(point.low)}, ${percent(point.high)}]`;
}

function kneeLines({ knees, truth, layers, training }: ProbeResult): string[] {
  const lines = knees.map((knee, i) => {
    const token = truth[i]?.token ?? i + 1;
    if (!knee) return `token ${token}: no knee, as the curve does not rise or stays below ${100 * training.least} %`;
    const { layer, boundary, interval: ends, method, risingShare } = knee;
    const sure = risingShare < 1 ? `; ${(100 * risingShare).toFixed(0)} % of resampled curves have a knee` : "";
    return `token ${token}: begins to rise behind layer ${layer}${ends ? ` [${ends.low}, ${ends.high}]` : ""} (${method}), which suggests K=${boundary}${sure}`;
  });
  const [first] = knees;
  return [
    lines.join("\n"),
    ...(first
      ? [
          `Suggested by the first token: K=${first.boundary} of ${layers}. A suggestion, not a measurement of answers: \`boundary sweep\` tells.`,
        ]
      : training.underTrained
        ? [`Suggested: K=${layers} of ${layers}, the full adapter, as it looks under-trained.`]
        : []),
  ];
}

function confidenceTable(boundary: number, curves: readonly LayerCurve[], layers: number): string {
  const heads = curves.map(({ token }) => `token ${token}`);
  return `K=${boundary}: probability (%) of the most probable token after each layer\n${layerTable(curves, layers, heads)}`;
}

function updateTable(updates: NonNullable<ProbeResult["updates"]>): string {
  const percent = (value: number): string => (100 * value).toFixed(3);
  const rows = updates.map(({ layer, frobenius, spectral }) => [String(layer), percent(frobenius), percent(spectral)]);
  const heads = ["layer", "Frobenius", "spectral, largest module"];
  return `Size of the update in percent of the weights' Frobenius norm\n${tableOf(heads, rows)}`;
}

function importanceTable({ importances = [], ranking = [], ckaPosition = "published" }: ProbeResult): string {
  const rows = importances.map(({ layer, plain, unbiased }) => [
    String(layer),
    plain?.toFixed(4) ?? "-",
    unbiased?.toFixed(4) ?? "-",
    ranking.includes(layer) ? String(ranking.indexOf(layer) + 1) : "-",
  ]);
  const title = `Layer importance (1 - CKA) on the base model, read at: ${ckaPosition}`;
  return `${title}\n${tableOf(["layer", "plain", "unbiased", "rank"], rows)}`;
}
