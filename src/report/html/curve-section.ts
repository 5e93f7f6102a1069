import { nameIn } from "../../run/entry-names.js";
import { candidateCell, candidateText, subjectOf } from "../subject.js";
import { points } from "../../choice/format-points.js";
import type { SweepResult } from "../../run/result.js";
import { endsOf, type ResultCandidate } from "../ends.js";
import { answerLength, hasAnswers, labelOf, metricsOf, range, shortBytes, thousands } from "../figures.js";
import { leftOut, selectionTitle, type LeftOut } from "../left-out.js";
import { chartImage } from "./chart.js";
import { curveOption, type Curve, type CurvePlot, type Level, type PlotPoint } from "./curve-plot.js";
import { markup, type Content, type Html } from "../../html/markup.js";
import { table, type Column } from "./table.js";

/** Sizes in CSS pixels: the main chart on a wide and on a narrow screen, and the small ones. */
const WIDE = { width: 880, height: 380 };
const NARROW = { width: 330, height: 270 };
const SMALL = { width: 330, height: 210 };
const PERCENT = { least: 0, most: 100 };
const UNBOUNDED = { least: 0, most: Number.POSITIVE_INFINITY };

/** Scores, speed and bytes against K, each with its numbers in a table. */
export function curveSection(result: SweepResult): Html {
  const [primary = result.metric, ...others] = metricsOf(result);
  const label = labelOf(result, primary);
  return markup`<section id="curve" aria-labelledby="curve-title">
<h2 id="curve-title">${label} against ${subjectOf(result).axis}</h2>
<figure>
${mainChart(result, primary)}
<figcaption>${legend(result)} The highest of many is flattered by having been picked: only samples that chose nothing say what the choice is worth.</figcaption>
</figure>
${others.length > 0 && markup`<h3>The other metrics</h3>\n<div class="charts">${others.map((metric, i) => small(result, `metric-${i}`, labelOf(result, metric), scorePlot(result, metric), scoreWords(result, metric)))}</div>\n`}<h3>Speed and size</h3>
<div class="charts">${speedCharts(result)}</div>
<p>Speeds were measured in passing, on the machine of this run; they tell a trend, not a benchmark.</p>
<h3>The numbers</h3>
${boundaryTable(result)}${leftOutTable(result)}</section>
`;
}

function mainChart(result: SweepResult, metric: string): Html {
  const plot = scorePlot(result, metric);
  const title = `${labelOf(result, metric)} against ${subjectOf(result).axis}`;
  const description = scoreWords(result, metric);
  const image = (id: string, size: typeof WIDE): Html =>
    chartImage({ id, title, description, ...size, option: curveOption(plot, size) });
  return markup`<div class="wide">${image("main-chart", WIDE)}</div><div class="narrow">${image("main-chart-narrow", NARROW)}</div>`;
}

function small(result: SweepResult, id: string, title: string, plot: CurvePlot, description: string): Html {
  const { axis } = subjectOf(result);
  const option = curveOption(plot, SMALL);
  return markup`<figure><figcaption>${title}</figcaption>${chartImage({ id, title: `${title} against ${axis}`, description, ...SMALL, option })}</figure>
`;
}

function legend(result: SweepResult): Html {
  const holdout = result.candidates.some((candidate) => candidate.holdout);
  const selection = markup`<span class="key"><svg viewBox="0 0 34 14" width="34" height="14" aria-hidden="true"><rect width="34" height="14" fill="var(--curve-1)" opacity="0.18"/><path d="M0 7H34" stroke="var(--curve-1)" stroke-width="2"/><circle cx="17" cy="7" r="3.5" fill="var(--curve-1)"/></svg> selection (${result.data.selection.length} samples, which chose${result.strategy ? "" : " K"}), the band being each score's 95 % interval.</span>`;
  const confirming = markup` <span class="key"><svg viewBox="0 0 14 14" width="14" height="14" aria-hidden="true"><path d="M7 0V14M3 1H11M3 13H11" stroke="var(--curve-2)" stroke-width="2"/><path d="M7 2L12 7L7 12L2 7Z" fill="var(--curve-2)"/></svg> holdout (${result.data.holdout.length} samples, which chose nothing) with 95 % intervals, drawn a little to the right of its ${subjectOf(result).head}.</span>`;
  return markup`${selection}${holdout && confirming}`;
}

function scorePlot(result: SweepResult, metric: string): CurvePlot {
  const pointsOf = (part: "selection" | "holdout"): PlotPoint[] =>
    result.candidates.flatMap((candidate) => {
      const score = candidate[part]?.scores[metric];
      if (!score) return [];
      const { value, low, high } = score;
      // A candidate that stands for several boundaries has its score at each of them; the holdout is shown once.
      const places = part === "selection" ? candidate.boundaries : [candidate.boundary];
      return places.map((x) => ({ x, value, low, high }));
    });
  const selection: Curve = {
    name: "selection",
    points: pointsOf("selection").sort((a, b) => a.x - b.x),
    colour: "var(--curve-1)",
    symbol: "circle",
    kind: result.strategy?.nested === false ? "bars" : "line",
  };
  const holdout: Curve = {
    name: "holdout",
    points: pointsOf("holdout"),
    colour: "var(--curve-2)",
    symbol: "diamond",
    kind: "bars",
  };
  return {
    ...frame(result),
    curves: [selection, holdout],
    levels: levels(result, metric),
    limits: PERCENT,
    format: shortNumber,
  };
}

/** What all plots over the boundaries of a run have in common. */
function frame(result: SweepResult): Pick<CurvePlot, "places" | "named" | "marks" | "ranges" | "xName"> {
  const places = result.candidates.flatMap(({ boundaries }) => boundaries).sort((a, b) => a - b);
  const named = new Map<number, string>();
  for (const { isBase, isFull, candidate } of endsOf(result).filter(({ isListed }) => isListed)) {
    if (isFull)
      named.set(
        candidate.boundaries.at(-1) ?? candidate.boundary,
        `${candidate.boundaries.at(-1) ?? candidate.boundary}\nfull`,
      );
    if (isBase) named.set(candidate.boundary, `${candidate.boundary}\nbase`);
  }
  const { boundary } = result.choice;
  const xName = result.strategy ? { xName: subjectOf(result).axis } : {};
  return { places, named, marks: [{ x: boundary, text: `chosen ${nameIn(result, boundary)}` }], ranges: [], ...xName };
}

/** The full adapter's score on the selection, and the least that the margin allows. */
function levels(result: SweepResult, metric: string): Level[] {
  const full = endsOf(result).find(({ isFull }) => isFull)?.candidate.selection?.scores[metric]?.value;
  if (full === undefined) return [];
  const { margin } = result.choice;
  const least = metric === result.metric && margin !== undefined ? full - margin : undefined;
  return [
    { value: full, text: `full ${points(full)}`, side: "above" },
    ...(least === undefined ? [] : [{ value: least, text: `full - ${margin ?? ""}`, side: "below" } as const]),
  ];
}

function speedCharts(result: SweepResult): Content {
  const speeds = result.timings.speeds;
  const plotOf = (plotted: readonly PlotPoint[], format: (value: number) => string): CurvePlot => ({
    ...frame(result),
    curves: [{ name: "", points: plotted, colour: "var(--curve-3)", symbol: "rect", kind: "line" }],
    levels: [],
    limits: UNBOUNDED,
    fromZero: true,
    format,
  });
  const speed = (of: (row: (typeof speeds)[number]) => number): CurvePlot =>
    plotOf(
      speeds.map((row) => ({ x: row.boundary, value: of(row) })),
      thousands,
    );
  const bytes = result.candidates.flatMap((candidate) =>
    candidate.boundaries.map((x) => ({ x, value: candidate.bytes })),
  );
  return [
    small(
      result,
      "prefill",
      "Prefill, tokens/s",
      speed((row) => row.prefillTokensPerSecond),
      plotWords(
        result,
        speed((row) => row.prefillTokensPerSecond),
      ),
    ),
    small(
      result,
      "decode",
      "Decode, tokens/s",
      speed((row) => row.decodeTokensPerSecond),
      plotWords(
        result,
        speed((row) => row.decodeTokensPerSecond),
      ),
    ),
    small(
      result,
      "bytes",
      "Bytes of adapter tensors",
      plotOf(bytes, shortBytes),
      plotWords(result, plotOf(bytes, shortBytes)),
    ),
  ];
}

function scoreWords(result: SweepResult, metric: string): string {
  const selection = result.candidates.flatMap((candidate) => {
    const score = candidate.selection?.scores[metric];
    return score ? [`${candidateText(candidate)} ${points(score.value)}`] : [];
  });
  const holdout = endsOf(result).flatMap(({ candidate, role }) => {
    const score = candidate.holdout?.scores[metric];
    return score ? [`${role} (${candidateText(candidate)}) ${points(score.value)}, interval ${range(score)}`] : [];
  });
  return `On the selection: ${selection.join(", ")}.${holdout.length > 0 ? ` On the holdout: ${holdout.join("; ")}.` : ""} Chosen: ${nameIn(result, result.choice.boundary)}.`;
}

function plotWords(result: SweepResult, { curves, format }: CurvePlot): string {
  const nameOf = (x: number): string => (result.strategy ? nameIn(result, x) : `K=${x}`);
  return curves.flatMap((curve) => curve.points.map(({ x, value }) => `${nameOf(x)} ${format(value)}`)).join(", ");
}

function shortNumber(value: number): string {
  return String(Number(value.toFixed(1)));
}

function boundaryTable(result: SweepResult): Html {
  const speedOf = ({ boundary }: ResultCandidate) => result.timings.speeds.find((row) => row.boundary === boundary);
  const columns: Column<ResultCandidate>[] = [
    { head: subjectOf(result).head, cell: (candidate) => boundaryCell(result, candidate), align: "words" },
    ...(result.strategy
      ? [{ head: "keeps", cell: ({ keeps }: ResultCandidate) => keeps, align: "words" } as const]
      : []),
    ...metricsOf(result).map((metric): Column<ResultCandidate> => ({
      head: labelOf(result, metric),
      cell: ({ selection }) => scoreCell(selection?.scores[metric]),
    })),
    ...(hasAnswers(result)
      ? [{ head: "Tokens/answer", cell: ({ selection }: ResultCandidate) => selection && answerLength(selection) }]
      : []),
    { head: "Prefill tok/s", cell: (candidate) => textOf(speedOf(candidate)?.prefillTokensPerSecond) },
    { head: "Decode tok/s", cell: (candidate) => textOf(speedOf(candidate)?.decodeTokensPerSecond) },
    { head: "Adapter bytes", cell: ({ bytes }) => thousands(bytes) },
  ];
  return table(
    `${selectionTitle(result)}, with 95 % intervals`,
    columns,
    result.candidates.filter(({ selection }) => selection),
    { isMarked: ({ boundaries }) => boundaries.includes(result.choice.boundary) },
  );
}

function leftOutTable(result: SweepResult): Content {
  const rows = leftOut(result);
  return (
    rows.length > 0 &&
    table<LeftOut>(
      `${subjectOf(result).one === "mask" ? "Masks" : "Boundaries"} without a score`,
      [
        { head: subjectOf(result).one, cell: ({ boundaries }) => boundaries, align: "words" },
        { head: "answered", cell: ({ answered }) => answered, align: "words" },
        { head: "why no more", cell: ({ reason }) => reason, align: "words" },
      ],
      rows,
    )
  );
}

function boundaryCell(result: SweepResult, candidate: ResultCandidate): Html {
  const role = endsOf(result).find((end) => end.candidate === candidate)?.role ?? "";
  return markup`${candidateCell(candidate)}${role !== "" && markup` <strong>${role}</strong>`}`;
}

function scoreCell(score: { value: number; low: number; high: number } | undefined): Content {
  return score && markup`${points(score.value)} <small>${range(score)}</small>`;
}

function textOf(value: number | undefined): string {
  return value === undefined ? "" : thousands(value);
}
