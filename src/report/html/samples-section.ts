import { defined } from "../../assert.js";
import { candidateText } from "../subject.js";
import type { SweepResult } from "../../run/result.js";
import type { ComparedAnswer, ComparedSample, ComparedSamples } from "../compared-samples.js";
import { type End } from "../ends.js";
import { labelOf, metricsOf } from "../figures.js";
import { valueText } from "../../samples/value-text.js";
import { markup, type Content, type Html } from "../../html/markup.js";
import { facts } from "./table.js";
import { wordDifferences, type Stretch } from "./word-differences.js";

/** Samples that a page shows at most: beyond, it would be slow to open. */
const MOST_SAMPLES = 200;
/** Characters of one text that are shown. */
const LONGEST_TEXT = 4000;
/** Characters of a sample's variable that are shown without being asked for. */
const LONG_VARIABLE = 300;

/** The samples side by side, the most changed first, with a search where scripts run. */
export function samplesSection(result: SweepResult, compared: ComparedSamples | undefined): Html {
  if (!compared) {
    return section(
      markup`<p>The run's folder does not hold the answers of base, full and chosen, so no samples can be shown.</p>\n`,
    );
  }
  const { samples, ends, subject, full } = compared;
  const shown = samples.slice(0, MOST_SAMPLES);
  const [changed, same] = [shown.filter(({ isChanged }) => isChanged), shown.filter(({ isChanged }) => !isChanged)];
  const [own, other] = [nameOf(ends[subject]), nameOf(ends[full])];
  const count = (test: (sample: ComparedSample) => boolean): number => samples.filter(test).length;
  const cards = (list: readonly ComparedSample[], from: number): Html[] =>
    list.map((sample, i) => card(result, compared, sample, from + i));
  return section(markup`<p>${samples.length} samples of the ${compared.part}: ${own} answers ${count(({ isChanged }) => isChanged)} of them in other words than ${other}; ${labelOf(result, result.metric)} fell on ${count(({ change }) => change < 0)} and rose on ${count(({ change }) => change > 0)}. ${markNote(own, other)}</p>
${samples.length > MOST_SAMPLES && markup`<p>The first ${MOST_SAMPLES} are here; all answers are in <code>outputs.jsonl</code>.</p>\n`}${searchForm(other)}${cards(changed, 0)}${
    same.length > 0 &&
    markup`<details id="same-samples"><summary>${same.length} samples that ${own} answers as ${other} does</summary>
${cards(same, changed.length)}</details>
`
  }`);
}

function section(content: Content): Html {
  return markup`<section id="samples" aria-labelledby="samples-title">
<h2 id="samples-title">The most changed samples</h2>
${content}</section>
`;
}

function markNote(own: string, other: string): Html {
  return markup`Words that only ${other} has are marked <del>so</del>, words that only ${own} has <ins>so</ins>.`;
}

/** Shown by the script that it needs. */
function searchForm(other: string): Html {
  return markup`<form id="sample-search" role="search" aria-label="Samples" hidden>
<label>Search <input type="search" id="sample-words" autocomplete="off"></label>
<label>Show <select id="sample-kind">
<option value="all">all samples</option>
<option value="changed">answers that differ from ${other}</option>
<option value="worse">scores that fell</option>
<option value="better">scores that rose</option>
</select></label>
<output id="sample-count" for="sample-words sample-kind"></output>
</form>
`;
}

function card(
  result: SweepResult,
  compared: ComparedSamples,
  { sample, answers, change, isChanged }: ComparedSample,
  at: number,
): Html {
  const { ends, subject, full } = compared;
  const kinds = [isChanged ? "changed" : "same", change < 0 ? "worse" : change > 0 ? "better" : ""].join(" ").trim();
  const marks = wordDifferences(
    shortened(defined(answers[full], "an answer").text),
    shortened(defined(answers[subject], "an answer").text),
  );
  const texts = ends.map((_, i): Content => {
    if (isChanged && i === full) return stretches(marks.left, "del");
    if (isChanged && i === subject) return stretches(marks.right, "ins");
    return shortened(defined(answers[i], "an answer").text);
  });
  const label = change < 0 ? "fell" : change > 0 ? "rose" : isChanged ? "other words" : "same";
  return markup`<article class="sample" data-sample="${kinds}" aria-labelledby="sample-${at}">
<h3 id="sample-${at}"><bdi>${sample.id}</bdi> <span class="tag ${label.split(" ")[0]}">${label}</span></h3>
${facts([
  ...variables(sample.variables),
  [
    sample.references.length > 1 ? "References" : "Reference",
    sample.references.map(
      (text) => markup`<bdi class="text">${shortened(text) === "" ? "(none)" : shortened(text)}</bdi> `,
    ),
  ],
  ...Object.entries(sample.group ?? {}),
])}<div class="answers">
${ends.map((end, i) => answerBox(result, end, answers[i], texts[i]))}</div>
</article>
`;
}

function answerBox(result: SweepResult, end: End, answer: ComparedAnswer | undefined, text: Content): Html {
  const values = metricsOf(result).map((metric) => {
    const value = answer?.values[metric];
    return `${labelOf(result, metric)} ${value === undefined ? "" : value.toFixed(0)}`;
  });
  const isEmpty = (answer?.text ?? "") === "";
  return markup`<div class="answer"><h4>${nameOf(end)}</h4>
<p class="values">${values.join(", ")}</p>
<p class="text" dir="auto">${isEmpty ? markup`<em>(empty)</em>` : text}</p>
${answer?.output !== undefined && markup`<details><summary>Whole output</summary><p class="text" dir="auto">${shortened(answer.output)}</p></details>\n`}</div>
`;
}

/** What the prompt was made of: short values in sight, long ones to be opened. */
function variables(all: ComparedSample["sample"]["variables"]): (readonly [string, Html])[] {
  return Object.entries(all).map(([name, value]) => {
    const text = valueText(value);
    if (text.length <= LONG_VARIABLE) return [name, markup`<span class="text" dir="auto">${text}</span>`];
    const start = `${text.slice(0, 80)}… (${text.length} characters)`;
    return [
      name,
      markup`<details><summary dir="auto">${start}</summary><p class="text" dir="auto">${shortened(text)}</p></details>`,
    ];
  });
}

/** White space at the end of a marked stretch is not marked. */
function stretches(all: readonly Stretch[], tag: "ins" | "del"): Content {
  return all.map(({ text, isOwn }) => {
    const words = text.trimEnd();
    if (!isOwn || words === "") return text;
    const space = text.slice(words.length);
    return tag === "ins" ? markup`<ins>${words}</ins>${space}` : markup`<del>${words}</del>${space}`;
  });
}

function nameOf(end: End | undefined): string {
  return end ? `${end.role} (${candidateText(end.candidate)})` : "";
}

function shortened(text: string): string {
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}… (${text.length} characters)` : text;
}
