import { paint } from "./paint.js";
import type { JudgeResult } from "../compare/judge-run.js";
import { points, pText, shareRange, signed, signedRange } from "../choice/format-points.js";
import { plainTable } from "./table.js";

/** What judges said, for a terminal: marks with what became of the questions, then preferences. */
export function judgeReport(result: JudgeResult): string {
  const parts = [paint.bold(`Marks by ${result.judges.join(", ")}`), markTable(result)];
  if (result.pairs.length > 0) parts.push("", paint.bold("Preferences, both orders asked"), pairTable(result));
  parts.push("", askedTable(result));
  const examples = result.systems.flatMap(({ stats }) => stats.flatMap((one) => one.unparseableExamples));
  if (examples.length > 0) {
    parts.push(
      `Not a verdict, so counted and left out: ${[...new Set(examples)]
        .slice(0, 3)
        .map((text) => JSON.stringify(text))
        .join(", ")}`,
    );
  }
  return parts.join("\n");
}

function markTable({ systems }: JudgeResult): string {
  const table = plainTable([
    "system",
    "LLM score",
    "95 % interval",
    "n",
    "against the first",
    "95 % interval",
    "signature",
  ]);
  for (const { name, score, against } of systems) {
    table.push([
      name,
      score ? points(score.value) : "",
      score ? `${points(score.low)} to ${points(score.high)}` : "",
      String(score?.n ?? 0),
      against ? signed(against.difference) : "",
      against ? signedRange(against) : "",
      score?.signature ?? "",
    ]);
  }
  return table.toString();
}

function pairTable({ pairs }: JudgeResult): string {
  const table = plainTable([
    "pair",
    "wins",
    "losses",
    "ties",
    "no verdict",
    "win share",
    "95 % interval",
    "p (sign test)",
    "order decided",
  ]);
  for (const { system, against, counts, wins, stats } of pairs) {
    const bias = stats.flatMap(({ orderBias }) => (orderBias === undefined ? [] : [`${orderBias.toFixed(0)} %`]));
    table.push([
      `${system} / ${against}`,
      String(counts.a),
      String(counts.b),
      String(counts.tie),
      String(counts.missing),
      wins ? points(wins.value) : "",
      wins ? shareRange(wins) : "",
      wins ? pText(wins.p) : "",
      bias.join(", "),
    ]);
  }
  return table.toString();
}

function askedTable({ systems, pairs }: JudgeResult): string {
  const table = plainTable([
    "questions",
    "judge",
    "asked",
    "kept",
    "verdicts",
    "unparseable",
    "refused",
    "failed",
    "tokens",
    "cost",
  ]);
  const rows = [
    ...systems.map(({ name, stats }) => ({ name, stats })),
    ...pairs.map(({ system, against, stats }) => ({ name: `${system} / ${against}`, stats })),
  ];
  for (const { name, stats } of rows) {
    for (const one of stats) {
      const { refused = 0, ...failures } = one.failures;
      const failed = Object.values(failures).reduce((sum, count) => sum + count, 0) + one.notAsked;
      table.push([
        name,
        one.judge,
        String(one.asked),
        String(one.reused),
        String(one.answered),
        String(one.unparseable),
        String(refused),
        String(failed),
        String(one.promptTokens + one.completionTokens),
        one.cost === undefined ? "" : one.cost.toFixed(4),
      ]);
    }
  }
  return table.toString();
}
