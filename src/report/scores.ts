import type { OutputScores, ReportedScore } from "../compare/score-outputs.js";
import { plainTable } from "./table.js";

/** Scores for a terminal: a row for each metric with its interval and signature, then a table for the groups. */
export function scoresReport({ scores, groups }: OutputScores): string {
  const table = plainTable(["metric", "score", "95 % interval", "n", "signature"]);
  for (const score of scores) {
    table.push([score.label, score.value.toFixed(2), interval(score), String(score.n), score.signature]);
  }
  const methods = [...new Set(scores.map((score) => score.interval))];
  const parts = [table.toString(), `Intervals: ${methods.join("; ")}.`];
  if (Object.keys(groups).length > 0) parts.push("", groupTable(scores, groups));
  return parts.join("\n");
}

function groupTable(scores: readonly ReportedScore[], groups: OutputScores["groups"]): string {
  const table = plainTable(["group", "n", ...scores.map(({ label }) => label)]);
  for (const [group, own] of Object.entries(groups)) {
    table.push([
      group,
      String(own[0]?.n ?? 0),
      ...own.map((score) => `${score.value.toFixed(2)} (${interval(score)})`),
    ]);
  }
  return table.toString();
}

function interval({ low, high }: ReportedScore): string {
  return `${low.toFixed(1)} to ${high.toFixed(1)}`;
}
