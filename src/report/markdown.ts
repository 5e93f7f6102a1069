import { at } from "../assert.js";
import { nameIn } from "../run/entry-names.js";
import { candidateCell, subjectOf } from "./subject.js";
import { points, signed, signedRange } from "../choice/format-points.js";
import type { SweepResult } from "../run/result.js";
import type { ComparedSamples } from "./compared-samples.js";
import { endsOf } from "./ends.js";
import {
  answerLength,
  confirmationText,
  hasAnswers,
  labelOf,
  metricsOf,
  pOf,
  range,
  shortBytes,
  thousands,
} from "./figures.js";
import { leftOut } from "./left-out.js";
import type { RunReport, VoteResult } from "./report-input.js";
import { goodRangeSentences, placeText } from "./run-comparison-words.js";
import type { RunComparison } from "./run-curves.js";
import { voteColumns, votersText } from "./votes.js";

/** Samples that are shown: those whose score or text changed most. */
const MOST_SAMPLES = 5;
/** Characters of an answer that are shown. */
const LONGEST_ANSWER = 300;

/** A run in Markdown, for a pull request: the answer, before and after, what people preferred, every boundary, the most changed samples, how to repeat it. */
export function reportMarkdown({ name, result, samples, votes }: RunReport): string {
  const [first = "", ...rest] = result.verdict.sentences;
  return [
    `### Boundary report: ${plain(name)}`,
    `**${plain(first)}**`,
    ...rest.map(plain),
    ...result.notes.map((note) => `> ${plain(note)}`),
    `#### ${plain(confirmationText(result))}`,
    confirmation(result),
    ...(votes ? preferred(votes) : []),
    details(
      `${leftOut(result).length === 0 ? `Every ${subjectOf(result).one}` : `The ${subjectOf(result).several} that answered everything`} (selection, ${result.data.selection.length} samples)`,
      [boundaries(result), ...leftOutLines(result)].join("\n\n"),
    ),
    ...(samples ? changed(result, samples) : []),
    details("Repeat it", recipe(result)),
  ].join("\n\n");
}

/** Several runs in Markdown: the boundaries that are good for all, and every run's difference to its own full adapter. */
export function runsMarkdown(comparison: RunComparison): string {
  const { curves, places, axis, margin } = comparison;
  const [first = "", ...rest] = goodRangeSentences(comparison);
  const rows = places.map(({ x, values, isGood, isShown }) => [
    placeText(x, axis),
    ...values.map((value) => {
      if (!value) return "not tried";
      const { difference, low, high, isBetween } = value;
      const beside = low === undefined || high === undefined || low === high ? "" : ` (${signedRange({ low, high })})`;
      return `${signed(difference)}${isBetween ? " between" : beside}`;
    }),
    isShown ? "yes, shown" : isGood ? "yes" : "no",
  ]);
  const heads = curves.map(({ name, result }) => `${name}, ${labelOf(result, result.metric)}`);
  return [
    `### Boundary report: ${curves.map(({ name }) => plain(name)).join(", ")}`,
    `**${plain(first)}**`,
    ...rest.map(plain),
    `Points against each run's own full adapter on the samples that chose its K, paired 95 % intervals; margin ${margin} points:`,
    table([axis === "boundary" ? "K" : "layers", ...heads, "good for all"], rows),
  ].join("\n\n");
}

function confirmation(result: SweepResult): string {
  const { comparisons } = result.confirmation;
  const rows = metricsOf(result).flatMap((metric) =>
    comparisons
      .filter((one) => one.metric === metric)
      .map(({ label, base, full, chosen, chosenMinusFull: paired }) => [
        plain(label),
        points(base),
        points(full),
        points(chosen),
        signed(paired.difference),
        signedRange(paired),
        pOf(paired),
        `${paired.better}/${paired.worse}`,
      ]),
  );
  const chosen =
    result.confirmation.part === "folds" ? "chosen by the folds" : `chosen (${nameIn(result, result.choice.boundary)})`;
  return table(["metric", "base", "full", chosen, "chosen - full", "95 % interval", "p", "better/worse"], rows);
}

function preferred(votes: VoteResult): string[] {
  const { rows, agreement, notes } = votes;
  const columns = voteColumns(rows);
  const cells = rows.map((row) => columns.map(({ text }) => plain(text(row))));
  const numbers = columns.filter(({ align }) => align === "number").length;
  const heads = columns.map(({ head }) => head);
  return [
    "#### People",
    [votersText(votes), agreement ?? ""].map(plain).join(" ").trim(),
    ...(rows.length > 0 ? [table(heads, cells, numbers)] : []),
    ...notes.map((note) => `> ${plain(note)}`),
  ];
}

function boundaries(result: SweepResult): string {
  const isAnswered = hasAnswers(result);
  const metrics = metricsOf(result);
  const roles = new Map(endsOf(result).map(({ candidate, role }) => [candidate, role]));
  const rows = result.candidates.flatMap((candidate) => {
    const { selection, boundary, bytes } = candidate;
    if (!selection) return [];
    const speed = result.timings.speeds.find((row) => row.boundary === boundary);
    const scores = metrics.map((metric) => {
      const score = selection.scores[metric];
      return score ? `${points(score.value)} (${range(score)})` : "";
    });
    const role = roles.get(candidate);
    return [
      [
        `${plain(candidateCell(candidate))}${role === undefined ? "" : ` ${role}`}`,
        ...scores,
        ...(isAnswered ? [answerLength(selection)] : []),
        speed ? thousands(speed.prefillTokensPerSecond) : "",
        speed ? thousands(speed.decodeTokensPerSecond) : "",
        shortBytes(bytes),
      ],
    ];
  });
  const heads = metrics.map((metric) => labelOf(result, metric));
  const length = isAnswered ? ["tokens/answer"] : [];
  return table([subjectOf(result).head, ...heads, ...length, "prefill tok/s", "decode tok/s", "adapter"], rows);
}

function leftOutLines(result: SweepResult): string[] {
  const lines = leftOut(result).map(({ boundaries: left, answered, reason }) => {
    return plain(`${left}: left after ${answered}, ${reason}`);
  });
  return lines.length > 0 ? [lines.map((line) => `- ${line}`).join("\n")] : [];
}

function changed(result: SweepResult, { samples, ends, full, subject, part }: ComparedSamples): string[] {
  const shown = samples.filter(({ isChanged }) => isChanged).slice(0, MOST_SAMPLES);
  if (shown.length === 0) return [];
  const rows = shown.map(({ sample, answers, change }) => [
    code(sample.id),
    code(sample.references.join(" / ")),
    code(at(answers, full).text),
    code(at(answers, subject).text),
    signed(change),
  ]);
  const label = labelOf(result, result.metric);
  const body = table(["sample", "reference", at(ends, full).role, at(ends, subject).role, label], rows, 1);
  return [details(`The most changed of ${samples.length} samples (${part})`, body)];
}

function recipe({ command, tool, engine, model, adapter, data }: SweepResult): string {
  const hash = (name: string, path: string, sha256: string): string =>
    `- ${name} ${code(path)}, SHA-256 ${code(sha256)}`;
  return [
    fenced(command),
    "",
    hash("model", model.path, model.sha256),
    hash("adapter", adapter.path, adapter.sha256),
    hash("data", data.path, data.sha256),
    `- ${tool.name} ${plain(tool.version)}, llama.cpp ${plain(engine.llamaCpp)} (${plain(engine.backend)})`,
  ].join("\n");
}

function details(summary: string, body: string): string {
  return `<details><summary>${plain(summary)}</summary>\n\n${body}\n\n</details>`;
}

/** @param rows cells in Markdown. @param numbers columns at the end that stand to the right; all but the first by default. */
function table(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  numbers: number = header.length - 1,
): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = header.map((_, i) => (i < header.length - numbers ? "---" : "---:"));
  return [line(header.map(plain)), line(rule), ...rows.map(line)].join("\n");
}

/** Text that Markdown leaves as it is, in one line. */
function plain(text: string): string {
  return text
    .replace(/\s+/g, " ")
    .replace(/[\\`*_{}[\]<>#|~$]/g, (character) => `\\${character}`)
    .replaceAll("&", "&amp;")
    .replaceAll("@", "&#64;");
}

/** Text as code in one line that fits into a cell of a table; nobody is mentioned by it, and nothing in it is a link. */
function code(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  const shown = line.length > LONGEST_ANSWER ? `${line.slice(0, LONGEST_ANSWER)}…` : line;
  if (shown === "") return "";
  const fence = fenceFor(shown, 1);
  const space = shown.startsWith("`") || shown.endsWith("`") ? " " : "";
  return `${fence}${space}${shown.replaceAll("|", "\\|")}${space}${fence}`;
}

function fenced(text: string): string {
  const fence = fenceFor(text, 3);
  return `${fence}sh\n${text}\n${fence}`;
}

/** A run of back ticks that is longer than any in the text. */
function fenceFor(text: string, least: number): string {
  const longest = Math.max(0, ...(text.match(/`+/g) ?? []).map((run) => run.length));
  return "`".repeat(Math.max(least, longest + 1));
}
