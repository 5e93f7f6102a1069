import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { extractFlexible, extractStrict, gsm8kMetric, normalizeNumber } from "../../src/metrics/gsm8k.js";
import { score } from "../../src/metrics/metric.js";
import { porterStem } from "../../src/metrics/porter-stemmer.js";
import { rougeTokens } from "../../src/metrics/rouge-tokens.js";
import { rougeMetric, rougeScores, rougeTypes, type RougeScore, type RougeType } from "../../src/metrics/rouge.js";
import { workbench } from "../support/workbench.js";
import { expectAgreement, jsonLines } from "./mt-fixture.js";

type RougeGolden = Readonly<Record<"no_stemmer" | "stemmer", Readonly<Record<RougeType, RougeScore>>>> & {
  readonly id: string;
  readonly prediction: string;
  readonly references: readonly string[];
};

interface TokenizeGolden {
  readonly text: string;
  readonly rouge_tokens: readonly string[];
  readonly rouge_tokens_stemmed: readonly string[];
}

interface Gsm8kGolden {
  readonly gold_answer: string;
  readonly response: string;
  readonly gold_normalized: string;
  readonly strict_extracted: string;
  readonly strict_normalized: string;
  readonly strict_match: number;
  readonly flexible_extracted: string;
  readonly flexible_normalized: string;
  readonly flexible_match: number;
}

type SummaryGolden = Readonly<Record<string, unknown>>;

const missing = workbench === undefined;
const stemmers = [
  ["no_stemmer", false],
  ["stemmer", true],
] as const;

describe("values of rouge_score, NLTK and lm-evaluation-harness (needs the workbench beside the project)", () => {
  it.skipIf(missing)("rouge.jsonl: every row, every type, without and with the stemmer", () => {
    const rows = golden("rouge.jsonl") as readonly RougeGolden[];
    expect(rows).toHaveLength(200);
    for (const row of rows) {
      for (const [key, stemmer] of stemmers) {
        const actual = rougeScores(row.prediction, row.references, { stemmer });
        for (const type of rougeTypes) {
          const where = `${row.id} ${type} ${key}`;
          expectAgreement(actual[type].precision, row[key][type].precision, where);
          expectAgreement(actual[type].recall, row[key][type].recall, where);
          expectAgreement(actual[type].fmeasure, row[key][type].fmeasure, where);
        }
      }
    }
  });

  it.skipIf(missing)("porter_stem.jsonl: every row", () => {
    const rows = golden("porter_stem.jsonl") as readonly { readonly token: string; readonly stem: string }[];
    expect(rows).toHaveLength(1500);
    expect(rows.map(({ token }) => ({ token, stem: porterStem(token) }))).toEqual(rows);
  });

  it.skipIf(missing)("tokenize.jsonl: ROUGE's tokens of every row, without and with the stemmer", () => {
    const rows = golden("tokenize.jsonl") as readonly TokenizeGolden[];
    expect(rows.length).toBeGreaterThan(200);
    for (const row of rows) {
      expect(rougeTokens(row.text, false).tokens).toEqual(row.rouge_tokens);
      expect(rougeTokens(row.text, true).tokens).toEqual(row.rouge_tokens_stemmed);
    }
  });

  it.skipIf(missing)("gsm8k.jsonl: every row, extracted and normalised strings too", () => {
    const rows = golden("gsm8k.jsonl") as readonly Gsm8kGolden[];
    expect(rows).toHaveLength(150);
    for (const row of rows) {
      const [strict, flexible] = [extractStrict(row.response), extractFlexible(row.response)];
      expect([strict, flexible]).toEqual([row.strict_extracted, row.flexible_extracted]);
      expect([row.gold_answer, strict, flexible].map(normalizeNumber)).toEqual([
        row.gold_normalized,
        row.strict_normalized,
        row.flexible_normalized,
      ]);
      expect(gsm8kMetric("strict").statistics(row.response, [row.gold_answer])).toEqual([row.strict_match]);
      expect(gsm8kMetric("flexible").statistics(row.response, [row.gold_answer])).toEqual([row.flexible_match]);
    }
  });

  it.skipIf(missing)("summary.jsonl: the scores of whole files", () => {
    const rouge = golden("rouge.jsonl") as readonly RougeGolden[];
    for (const [key, stemmer] of stemmers) {
      const means = summary("rouge.jsonl", `, ${key}`);
      for (const type of rougeTypes) {
        const predictions = rouge.map((row) => row.prediction);
        const references = rouge.map((row) => row.references);
        const { value } = score(rougeMetric({ type, stemmer }), predictions, references);
        expectAgreement(value, 100 * Number(means[type]), `${type} ${key}`);
      }
    }
    const gsm8k = golden("gsm8k.jsonl") as readonly Gsm8kGolden[];
    const responses = gsm8k.map((row) => row.response);
    const answers = gsm8k.map((row) => [row.gold_answer]);
    const means = summary("gsm8k.jsonl", "lm-eval");
    expectAgreement(score(gsm8kMetric("strict"), responses, answers).value, 100 * Number(means["strict_match"]));
    expectAgreement(score(gsm8kMetric("flexible"), responses, answers).value, 100 * Number(means["flexible_match"]));
  });
});

function golden(file: string): readonly unknown[] {
  return jsonLines(readFileSync(join(workbench ?? "", "goldens", file), "utf8"));
}

function summary(file: string, implementation: string): SummaryGolden {
  const rows = golden("summary.jsonl") as readonly SummaryGolden[];
  const row = rows.find((one) => one["file"] === file && String(one["implementation"]).includes(implementation));
  if (row === undefined) throw new Error(`no summary of ${file} by ${implementation}`);
  return row;
}
