import { at, defined } from "../assert.js";
import { oneLine, paint } from "./paint.js";
import type { ComparisonResult } from "../compare/result.js";
import { points, signed, signedRange } from "../choice/format-points.js";
import { pOf } from "./figures.js";
import { plainTable } from "./table.js";

type System = ComparisonResult["systems"][number];

/** Longest text of an answer in a side-by-side. */
const SHOWN_CHARACTERS = 300;

/** A comparison for a terminal: scores, differences to the first system, groups, what became of the samples that fell, changed samples. */
export function comparisonReport(result: ComparisonResult): string {
  const first = at(result.systems, 0).name;
  const parts = [
    paint.bold(`${result.samples} samples`),
    scoreTable(result),
    "",
    answerTable(result),
    "",
    paint.bold(`Against ${first}, paired`),
    differenceTable(result),
  ];
  for (const groups of groupTables(result)) parts.push("", groups);
  for (const line of errorLines(result)) parts.push("", line);
  if (result.changed.length > 0) parts.push("", paint.bold("Most changed samples"), ...changedLines(result));
  for (const { condition } of result.failures) parts.push(paint.red(`FAILED: ${condition}`));
  for (const note of result.notes) parts.push(paint.yellow(oneLine(`Note: ${note}`)));
  return parts.join("\n");
}

/** The same in Markdown, for pull requests. */
export function comparisonMarkdown(result: ComparisonResult): string {
  const first = at(result.systems, 0).name;
  const names = Object.keys(result.labels);
  const header = ["system", ...names.map((name) => result.labels[name] ?? name), "adapter bytes"];
  const rows = result.systems.map((system) => [
    system.name,
    ...names.map((name) => scoreText(system, name)),
    bytesText(system),
  ]);
  const differences = result.systems.flatMap((system) =>
    names.flatMap((name) => {
      const paired = system.against?.[name];
      if (!paired) return [];
      return [
        [
          `${system.name} - ${first}`,
          result.labels[name] ?? name,
          signed(paired.difference),
          signedRange(paired),
          pOf(paired),
          `${paired.better}/${paired.worse}`,
        ],
      ];
    }),
  );
  return [
    `**${result.samples} samples**, 95 % intervals`,
    "",
    ...markdownTable(header, rows),
    "",
    ...markdownTable(["difference", "metric", "points", "95 % interval", "p", "better/worse"], differences),
    ...result.failures.map(({ condition }) => `\n**Failed:** \`${condition}\``),
    ...result.notes.map((note) => `\n> ${note}`),
  ].join("\n");
}

function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(header), line(header.map((_, i) => (i === 0 ? "---" : "---:"))), ...rows.map(line)];
}

function scoreTable({ systems, labels }: ComparisonResult): string {
  const names = Object.keys(labels);
  const table = plainTable(["system", ...names.map((name) => labels[name] ?? name), "adapter bytes"]);
  for (const system of systems) {
    table.push([system.name, ...names.map((name) => scoreText(system, name)), bytesText(system)]);
  }
  return table.toString();
}

function scoreText({ scores }: System, name: string): string {
  const score = scores[name];
  return score ? `${points(score.value)} (${points(score.low)} to ${points(score.high)})` : "";
}

function bytesText({ adapterBytes }: System): string {
  return adapterBytes === undefined ? "" : adapterBytes.toLocaleString("en-US");
}

function answerTable({ systems }: ComparisonResult): string {
  const table = plainTable(["answers", "tokens/answer", "empty", "cut at the limit", "ending in a loop"]);
  for (const { name, answers } of systems) {
    table.push([
      name,
      points(answers.meanTokens),
      String(answers.empty),
      String(answers.cutAtLimit),
      String(answers.looping),
    ]);
  }
  return table.toString();
}

function differenceTable({ systems, labels }: ComparisonResult): string {
  const table = plainTable(["system", "metric", "points", "95 % interval", "p", "effect", "better/worse/same"]);
  for (const { name, against } of systems) {
    for (const metric of Object.keys(labels)) {
      const paired = against?.[metric];
      if (!paired) continue;
      table.push([
        name,
        labels[metric] ?? metric,
        signed(paired.difference),
        signedRange(paired),
        pOf(paired),
        effectText(paired),
        `${paired.better}/${paired.worse}/${paired.same}`,
      ]);
    }
  }
  return table.toString();
}

type Paired = NonNullable<System["against"]>[string];

function effectText({ effect }: Paired): string {
  if (effect.oddsRatio !== undefined) return `odds ${effect.oddsRatio.toFixed(2)}`;
  return effect.standardized === undefined ? "" : `d ${effect.standardized.toFixed(2)}`;
}

function groupTables({ systems, labels, metric }: ComparisonResult): string[] {
  const groups = Object.entries(systems[0]?.groups ?? {});
  if (groups.length === 0) return [];
  const table = plainTable(["group", "n", ...systems.map(({ name }) => name)]);
  for (const [group, own] of groups) {
    const cells = systems.map((system) => points(system.groups[group]?.[metric]?.value ?? Number.NaN));
    table.push([group, String(own[metric]?.n ?? 0), ...cells]);
  }
  return [`${paint.bold(`${labels[metric] ?? metric} by group`)}\n${table.toString()}`];
}

function errorLines({ systems, labels }: ComparisonResult): string[] {
  const first = at(systems, 0).name;
  return systems.flatMap(({ name, errors }) => {
    if (!errors || errors.fell === 0) return [];
    const { metric, fell, containsOther, containedInOther, bothRight } = errors;
    const share = (count: number): string => `${count} (${Math.round((100 * count) / fell)} %)`;
    return [
      `${name}: ${labels[metric] ?? metric} fell on ${fell} samples. In ${share(containsOther)} its answer contains that of ${first}, ` +
        `in ${share(containedInOther)} it is contained in it; in ${share(bothRight)} both contain a reference.`,
    ];
  });
}

function changedLines({ changed, systems }: ComparisonResult): string[] {
  return changed.flatMap(({ sampleId, references, answers, values }) => [
    `${oneLine(sampleId)}  ${paint.dim(`reference: ${shown(references.join(" / "))}`)}`,
    ...systems.map(
      ({ name }) =>
        `  ${name} (${(100 * defined(values[name], `the value of ${name}`)).toFixed(0)}): ${shown(defined(answers[name], `the answer of ${name}`))}`,
    ),
  ]);
}

function shown(text: string): string {
  const line = text.replaceAll(/\s+/g, " ");
  return line.length > SHOWN_CHARACTERS ? `${line.slice(0, SHOWN_CHARACTERS)}...` : line;
}
