import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { score, type Metric } from "../../src/metrics/metric.js";
import type { QaRules } from "../../src/metrics/qa.js";
import { metricByName } from "../../src/metrics/registry.js";
import { normalizeAnswer } from "../../src/metrics/normalize.js";
import { workbench } from "../support/workbench.js";

interface SquadRow {
  readonly prediction: string;
  readonly references: readonly string[];
  readonly exact_match: number;
  readonly f1: number;
  readonly exact_match_v2: number;
  readonly f1_v2: number;
  readonly normalized_prediction: string;
  readonly normalized_references: readonly string[];
}

interface HotpotRow {
  readonly prediction: string;
  readonly answer: string;
  readonly exact_match: number;
  readonly f1: number;
  readonly normalized_prediction: string;
  readonly normalized_answer: string;
}

interface ContainsRow {
  readonly prediction: string;
  readonly references: readonly string[];
  readonly contains_token: number;
  readonly contains_plain: number;
  readonly normalized_prediction: string;
  readonly normalized_references: readonly string[];
}

interface SummaryRow {
  readonly file: string;
  readonly implementation: string;
  readonly [figure: string]: unknown;
}

const perSample = (metric: Metric, prediction: string, references: readonly string[]): number =>
  metric.sampleValue(metric.statistics(prediction, references));

const missing = workbench === undefined;

describe("values of the official implementations (needs the workbench beside the project)", () => {
  it.skipIf(missing)("squad.jsonl: every row, v1.1 and v2.0", () => {
    const rows = golden("squad.jsonl");
    expect(rows).toHaveLength(220);
    for (const row of rows) {
      const { prediction, references } = row;
      expect(values(prediction, references, "squad")).toEqual({ em: row.exact_match, f1: row.f1 });
      expect(values(prediction, references, "squad2")).toEqual({ em: row.exact_match_v2, f1: row.f1_v2 });
      expect(normalizeAnswer(prediction)).toBe(row.normalized_prediction);
      expect(references.map(normalizeAnswer)).toEqual(row.normalized_references);
    }
  });

  it.skipIf(missing)("hotpot.jsonl: every row", () => {
    const rows = golden("hotpot.jsonl");
    expect(rows).toHaveLength(200);
    for (const row of rows) {
      expect(values(row.prediction, [row.answer], "hotpotqa")).toEqual({ em: row.exact_match, f1: row.f1 });
      expect(normalizeAnswer(row.prediction)).toBe(row.normalized_prediction);
      expect(normalizeAnswer(row.answer)).toBe(row.normalized_answer);
    }
  });

  it.skipIf(missing)("contains.jsonl: every row", () => {
    const rows = golden("contains.jsonl");
    expect(rows).toHaveLength(100);
    for (const row of rows) {
      const { prediction, references } = row;
      expect(perSample(metricByName("contains", { rules: "squad" }), prediction, references)).toBe(row.contains_token);
      expect(perSample(metricByName("contains-plain", { rules: "squad" }), prediction, references)).toBe(
        row.contains_plain,
      );
      expect(normalizeAnswer(prediction)).toBe(row.normalized_prediction);
      expect(references.map(normalizeAnswer)).toEqual(row.normalized_references);
    }
  });

  it.skipIf(missing)("summary.jsonl: the scores of whole files", () => {
    const squad = golden("squad.jsonl");
    const hotpot = golden("hotpot.jsonl").map((row) => ({ ...row, references: [row.answer] }));
    const contains = golden("contains.jsonl");

    const v1 = summary("squad.jsonl", "evaluate-v1.1.py");
    expect(fileScore("em", "squad", squad)).toBe(v1["exact_match"]);
    expect(fileScore("f1", "squad", squad)).toBe(v1["f1"]);
    const v2 = summary("squad.jsonl", "evaluate-v2.0.py");
    expect(fileScore("em", "squad2", squad)).toBeCloseTo(Number(v2["exact_match"]), 11);
    expect(fileScore("f1", "squad2", squad)).toBeCloseTo(Number(v2["f1"]), 11);
    const official = summary("hotpot.jsonl", "hotpot_evaluate_v1.py");
    expect(fileScore("em", "hotpotqa", hotpot)).toBeCloseTo(100 * Number(official["em"]), 11);
    expect(fileScore("f1", "hotpotqa", hotpot)).toBeCloseTo(100 * Number(official["f1"]), 11);
    const definition = summary("contains.jsonl", "definition");
    expect(fileScore("contains", "squad", contains)).toBeCloseTo(100 * Number(definition["contains_token"]), 11);
    expect(fileScore("contains-plain", "squad", contains)).toBeCloseTo(100 * Number(definition["contains_plain"]), 11);
  });
});

function golden(file: "squad.jsonl"): readonly SquadRow[];
function golden(file: "hotpot.jsonl"): readonly HotpotRow[];
function golden(file: "contains.jsonl"): readonly ContainsRow[];
function golden(file: "summary.jsonl"): readonly SummaryRow[];
function golden(file: string): readonly unknown[] {
  const text = readFileSync(join(workbench ?? "", "goldens", file), "utf8");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as unknown);
}

function values(prediction: string, references: readonly string[], rules: QaRules): { em: number; f1: number } {
  return {
    em: perSample(metricByName("em", { rules }), prediction, references),
    f1: perSample(metricByName("f1", { rules }), prediction, references),
  };
}

function fileScore(
  metric: string,
  rules: QaRules,
  rows: readonly { readonly prediction: string; readonly references: readonly string[] }[],
): number {
  const predictions = rows.map((row) => row.prediction);
  const references = rows.map((row) => row.references);
  return score(metricByName(metric, { rules }), predictions, references).value;
}

function summary(file: string, implementation: string): SummaryRow {
  const rows = golden("summary.jsonl");
  const row = rows.find((candidate) => candidate.file === file && candidate.implementation.includes(implementation));
  if (row === undefined) throw new Error(`no summary of ${file} by ${implementation}`);
  return row;
}
