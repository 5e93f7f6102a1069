import { points, signed, signedRange } from "../../choice/format-points.js";
import { confirmationText, labelOf } from "../figures.js";
import { goodRangeSentences, placeText } from "../run-comparison-words.js";
import { placeOf, type CommonPlace, type RunComparison, type RunCurve, type RunValue } from "../run-curves.js";
import { chartImage } from "./chart.js";
import { curveOption, type Curve, type CurvePlot } from "./curve-plot.js";
import { markup, type Content, type Html } from "../../html/markup.js";
import { pageText } from "./page.js";
import { table, type Column } from "./table.js";

const WIDE = { width: 880, height: 400 };
const NARROW = { width: 330, height: 300 };

/** How curves differ besides their colour; there are eight colours, and each round of them has dashes of its own. */
const SYMBOLS = ["circle", "rect", "triangle", "diamond", "arrow", "pin"] as const;
const DASHES = [undefined, [7, 4], [2, 3]] as const;
const COLOURS = 8;

/** The page of several runs: their curves on one chart, and the boundaries that are good for all. */
export function runsPage(comparison: RunComparison): string {
  return pageText({
    title: `Boundary report: ${comparison.curves.map(({ name }) => name).join(", ")}`,
    contents: [
      ["answer", "Answer"],
      ["curves", "Curves"],
      ["runs", "Runs"],
    ],
    body: [answer(comparison), curves(comparison), runs(comparison)],
  });
}

function answer(comparison: RunComparison): Html {
  const [first = "", ...rest] = goodRangeSentences(comparison);
  return markup`<section id="answer" aria-labelledby="answer-title">
<h2 id="answer-title">The answer</h2>
<p class="verdict">${first}</p>
${rest.map((sentence) => markup`<p>${sentence}</p>\n`)}<p>Each run's own metric, on the samples that chose its K: a boundary that is picked here is to be confirmed on others.</p>
</section>
`;
}

function curves(comparison: RunComparison): Html {
  const title = "Points against each run's own full adapter";
  const description = goodRangeSentences(comparison).join(" ");
  const plot = plotOf(comparison);
  const image = (id: string, size: typeof WIDE): Html =>
    chartImage({ id, title, description, ...size, option: curveOption(plot, size) });
  return markup`<section id="curves" aria-labelledby="curves-title">
<h2 id="curves-title">${title}</h2>
<figure>
<div class="wide">${image("runs-chart", WIDE)}</div><div class="narrow">${image("runs-chart-narrow", NARROW)}</div>
<figcaption>${comparison.curves.map((curve, i) => legendKey(curve, styleOf(i)))} The shaded stretch is good for all.</figcaption>
</figure>
${placeTable(comparison)}</section>
`;
}

function plotOf({ curves: all, axis, places, good, margin }: RunComparison): CurvePlot {
  const last = places.at(-1)?.x ?? 0;
  const percent = (x: number): string => `${Number(x.toFixed(1))} %`;
  return {
    curves: all.map((curve, i) => ({
      name: curve.name,
      points: curve.points.map((point) => ({ x: placeOf(point.boundary, curve, axis), value: point.difference })),
      kind: "line",
      ...styleOf(i),
    })),
    places: axis === "boundary" ? places.map(({ x }) => x) : [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100],
    named: new Map([[last, `${axis === "boundary" ? last : percent(last)}\nfull`]]),
    levels: [
      { value: 0, text: "full adapter", side: "above" },
      { value: -margin, text: `margin -${margin}`, side: "below" },
    ],
    marks: [],
    ranges: good,
    limits: { least: -100, most: 100 },
    format: (value) => signed(value).replace(/\.0$/, ""),
    ...(axis === "boundary" ? {} : { xName: "layers", formatX: percent }),
  };
}

type CurveStyle = Pick<Curve, "colour" | "symbol" | "dash">;

function styleOf(i: number): CurveStyle {
  const dash = DASHES[Math.floor(i / COLOURS) % DASHES.length];
  return {
    colour: `var(--curve-${(i % COLOURS) + 1})`,
    symbol: SYMBOLS[i % SYMBOLS.length] ?? "circle",
    ...(dash === undefined ? {} : { dash }),
  };
}

/** Outlines of the library's symbols in a square of 10, for the legend. */
const OUTLINES: Readonly<Record<Curve["symbol"], string>> = {
  circle: "M5 1A4 4 0 1 1 4.99 1Z",
  rect: "M1 1H9V9H1Z",
  triangle: "M5 1L9 9H1Z",
  diamond: "M5 0L9 5L5 10L1 5Z",
  arrow: "M5 0L9 10L5 7.5L1 10Z",
  pin: "M5 10C2.5 6 2 5 2 3.5A3 3 0 0 1 8 3.5C8 5 7.5 6 5 10Z",
};

function legendKey({ name, result }: RunCurve, { colour, symbol, dash }: CurveStyle): Html {
  return markup`<span class="key"><svg viewBox="0 0 34 10" width="34" height="10" aria-hidden="true"><path d="M0 5H34" stroke="${colour}" stroke-width="2"${dash !== undefined && markup` stroke-dasharray="${dash.join(" ")}"`}/><path d="${OUTLINES[symbol]}" transform="translate(12 0)" fill="${colour}"/></svg> ${name} (${labelOf(result, result.metric)})</span> `;
}

function placeTable({ places, curves: all, axis, margin }: RunComparison): Html {
  const columns: Column<CommonPlace>[] = [
    { head: axis === "boundary" ? "K" : "layers", cell: ({ x }) => placeText(x, axis), align: "words" },
    ...all.map((curve, i): Column<CommonPlace> => ({
      head: curve.name,
      cell: ({ values }) => valueCell(values[i], margin),
    })),
    {
      head: "good for all",
      cell: ({ isGood, isShown }) => (isShown ? "yes, shown" : isGood ? "yes" : "no"),
      align: "words",
    },
  ];
  return table("Points against the full adapter, with paired 95 % intervals", columns, places, {
    isMarked: ({ isGood }) => isGood,
  });
}

function valueCell(value: RunValue | undefined, margin: number): Content {
  if (!value) return "not tried";
  const { difference, low, high, isBetween } = value;
  const text = `${signed(difference)}${difference < -margin ? " ✗" : ""}`;
  if (isBetween) return markup`${text} <small>between</small>`;
  return markup`${text}${low !== undefined && high !== undefined && low < high && markup` <small>${signedRange({ low, high })}</small>`}`;
}

function runs({ curves: all }: RunComparison): Html {
  const full = (curve: RunCurve) =>
    curve.result.confirmation.comparisons.find(({ metric }) => metric === curve.result.metric);
  return markup`<section id="runs" aria-labelledby="runs-title">
<h2 id="runs-title">The runs</h2>
${table<RunCurve>(
  "What each run was about",
  [
    { head: "run", cell: ({ name }) => name, align: "words" },
    {
      head: "model",
      cell: ({ result }) => result.model.name ?? markup`<code>${result.model.path}</code>`,
      align: "words",
    },
    { head: "layers", cell: ({ result }) => result.choice.layers },
    { head: "data", cell: ({ result }) => markup`<code>${result.data.path}</code>`, align: "words" },
    { head: "metric", cell: ({ result }) => labelOf(result, result.metric), align: "words" },
    { head: "samples", cell: ({ result }) => result.data.selection.length },
    { head: "chosen K", cell: ({ result }) => result.choice.boundary },
    { head: "rule", cell: ({ result }) => result.choice.rule, align: "words" },
  ],
  all,
)}${all.map((curve) => {
    const { name, result } = curve;
    const main = full(curve);
    return markup`<h3>${name}</h3>
<p>${result.verdict.sentences[0] ?? ""}</p>
<p class="beside">${confirmationText(result)}.${main && ` ${main.label}: chosen ${points(main.chosen)}, full ${points(main.full)}, base ${points(main.base)}; chosen less full ${signed(main.chosenMinusFull.difference)}, 95 % interval ${signedRange(main.chosenMinusFull)}.`}</p>
`;
  })}</section>
`;
}
