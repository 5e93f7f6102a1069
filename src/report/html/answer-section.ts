import { defined } from "../../assert.js";
import { nameIn } from "../../run/entry-names.js";
import { points, signed, signedRange } from "../../choice/format-points.js";
import type { SweepResult } from "../../run/result.js";
import { endsOf } from "../ends.js";
import { labelOf, shortBytes, thousands } from "../figures.js";
import { valueText } from "../../samples/value-text.js";
import { markup, type Content, type Html } from "../../html/markup.js";
import { facts } from "./table.js";

/** The answer: in one sentence, in figures, in the rest of the sentences, and what a reader should know besides. */
export function answerSection(result: SweepResult): Html {
  const [first = "", ...others] = result.verdict.sentences;
  // The reasons beside the first are long lists, which stand with the choice.
  const rest = others.filter((sentence) => !result.choice.reasons.slice(1).includes(sentence));
  return markup`<section id="answer" aria-labelledby="answer-title">
<h2 id="answer-title">The answer</h2>
<p class="verdict">${first}</p>
${tiles(result)}${rest.map((sentence) => markup`<p>${sentence}</p>\n`)}${notes(result)}</section>
`;
}

function notes({ notes: all }: SweepResult): Content {
  return (
    all.length > 0 &&
    markup`<h3>Notes</h3>
<ul class="notes">${all.map((note) => markup`<li>${note}</li>\n`)}</ul>
`
  );
}

function tiles(result: SweepResult): Html {
  const { choice, confirmation, metric } = result;
  const ends = endsOf(result);
  const [full, chosen] = [ends.find(({ isFull }) => isFull), ends.find(({ isChosen }) => isChosen)];
  const main = confirmation.comparisons.find((comparison) => comparison.metric === metric);
  const label = labelOf(result, metric);
  const where = { holdout: "holdout", folds: "cross-validated", selection: "in-sample" }[confirmation.part];
  const bytes =
    full?.isListed && chosen && full.candidate.bytes > 0 ? chosen.candidate.bytes / full.candidate.bytes : undefined;
  const shown: Content[] = [
    result.strategy
      ? tile("Kept", nameIn(result, choice.boundary), chosen?.candidate.keeps ?? "")
      : tile("Boundary", `K=${choice.boundary}`, `of ${choice.layers} layers`),
    main && tile(`${label}, ${where}`, points(main.chosen), `full ${points(main.full)}, base ${points(main.base)}`),
    main &&
      tile(
        "Against the full adapter",
        signed(main.chosenMinusFull.difference),
        `95 % interval ${signedRange(main.chosenMinusFull)}`,
      ),
    chosen &&
      bytes !== undefined &&
      tile(
        "Adapter tensors",
        `${Math.round(100 * bytes)} %`,
        `${shortBytes(chosen.candidate.bytes)} of ${shortBytes(defined(full, "the full adapter").candidate.bytes)}`,
      ),
  ];
  return markup`<dl class="tiles">${shown}</dl>
`;
}

function tile(name: string, value: string, beside: string): Html {
  return markup`<div><dt>${name}</dt><dd><strong>${value}</strong> <span>${beside}</span></dd></div>
`;
}

function question({ strategy, choice }: SweepResult): string {
  if (strategy === undefined) {
    return `Up to which layer is the adapter needed? Every candidate K keeps it in the layers 0 to K-1 and drops it above: K=0 is the base model, K=${choice.layers} the full adapter.`;
  }
  const ranked = strategy.ranking ? `, ranked by ${strategy.ranking.by}: ${strategy.ranking.layers.join(", ")}` : "";
  return `Which part of the adapter is needed? The masks are those of the strategy ${strategy.name}${ranked}.`;
}

/** What was asked: of which model and adapter, on which samples, by which metric and rule. */
export function askedSection(result: SweepResult): Html {
  const { model, adapter, data, choice, config, metric } = result;
  const ranks = adapter.ranks.join(", ");
  const margin = choice.margin === undefined ? "" : `, margin ${choice.margin} points`;
  const floors = choice.floors.map((floor) => `${labelOf(result, floor.metric)} at least ${signed(floor.points)}`);
  const confirming = data.holdout.length > 0 ? `, ${data.holdout.length} only confirmed it` : "; none were held out";
  const samples = `${data.selection.length} chose${result.strategy ? "" : " K"}${confirming}`;
  return markup`<section id="asked" aria-labelledby="asked-title">
<h2 id="asked-title">What was asked</h2>
<p>${question(result)}</p>
${facts([
  ["Model", markup`${model.name ?? ""} <code>${model.path}</code> (${model.architecture}, ${model.layers} layers)`],
  [
    "Adapter",
    markup`<code>${adapter.path}</code> (rank ${ranks}, alpha ${adapter.alpha}; ${adapter.modules} modules in ${adapter.coverage.length} of ${model.layers} layers, ${thousands(adapter.bytes)} bytes)`,
  ],
  [
    "Data",
    markup`<code>${data.path}</code>${data.holdoutPath !== undefined && markup`, holdout <code>${data.holdoutPath}</code>`} (${data.format})`,
  ],
  [
    "Samples",
    `${samples}${data.skipped.length > 0 ? `, ${data.skipped.length} skipped: prompt longer than the context` : ""}`,
  ],
  ["Task", config["task"] !== undefined && valueText(config["task"])],
  ["Metric", `${labelOf(result, metric)}, 0 to 100, more is better`],
  ["Rule", `${choice.rule}${margin}${floors.length > 0 ? `; ${floors.join(", ")} points against full` : ""}`],
])}</section>
`;
}
