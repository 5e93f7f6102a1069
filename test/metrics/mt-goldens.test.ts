import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bleuFromStatistics, bleuMetric, type BleuOptions, type BleuSmoothing } from "../../src/metrics/bleu.js";
import { bleuTokenizers, type BleuTokenizer } from "../../src/metrics/bleu-tokenizers.js";
import { chrfMetric } from "../../src/metrics/chrf.js";
import { score, type Metric } from "../../src/metrics/metric.js";
import { workbench } from "../support/workbench.js";
import { expectAgreement, jsonLines } from "./mt-fixture.js";

interface TokenizeRow {
  readonly text: string;
  readonly bleu_tokens: Readonly<Record<BleuTokenizer, readonly string[]>>;
}

interface BleuEntry {
  readonly tokenize: BleuTokenizer;
  readonly lowercase: boolean;
  readonly sys_len: number;
  readonly ref_len: number;
  readonly bp: number;
  readonly counts: readonly number[];
  readonly totals: readonly number[];
  readonly scores: readonly {
    readonly smooth_method: BleuSmoothing;
    readonly smooth_value: number | null;
    readonly effective_order: boolean;
    readonly score: number;
    readonly signature: string;
    readonly precisions?: readonly number[];
  }[];
}

interface ChrfEntry {
  readonly name: string;
  readonly char_order: number;
  readonly word_order: number;
  readonly beta: number;
  readonly lowercase: boolean;
  readonly whitespace: boolean;
  readonly eps_smoothing: boolean;
  readonly score: number;
  readonly signature: string;
  readonly statistics: readonly number[];
}

interface Entries {
  readonly id: string;
  readonly bleu: readonly BleuEntry[];
  readonly chrf: readonly ChrfEntry[];
}

type SentenceRow = Entries & { readonly hypothesis: string; readonly references: readonly string[] };
type CorpusRow = Entries & {
  readonly hypotheses: readonly string[];
  readonly references: readonly (readonly (string | null)[])[];
};

const missing = workbench === undefined;

describe("values of sacreBLEU (needs the workbench beside the project)", () => {
  it.skipIf(missing)("tokenize.jsonl: every row, every tokenizer", () => {
    const rows = golden("tokenize.jsonl") as readonly TokenizeRow[];
    expect(rows.length).toBeGreaterThan(200);
    for (const { text, bleu_tokens } of rows) {
      const tokens = Object.entries(bleuTokenizers).map(([name, tokenize]) => [name, tokenize(text)]);
      expect(Object.fromEntries(tokens)).toEqual(bleu_tokens);
    }
  });

  it.skipIf(missing)("mt_sentence.jsonl: every row, every option", () => {
    const rows = golden("mt_sentence.jsonl") as readonly SentenceRow[];
    expect(rows).toHaveLength(120);
    for (const row of rows) expectValues(row, [row.hypothesis], [row.references]);
  });

  it.skipIf(missing)("mt_corpus.jsonl: every row, every option", () => {
    const rows = golden("mt_corpus.jsonl") as readonly CorpusRow[];
    expect(rows).toHaveLength(24);
    for (const row of rows) {
      const references = row.hypotheses.map((_, index) =>
        row.references.map((stream) => stream[index]).filter((reference) => typeof reference === "string"),
      );
      expectValues(row, row.hypotheses, references);
    }
  });
});

function expectValues(
  { id, bleu, chrf }: Entries,
  hypotheses: readonly string[],
  references: readonly (readonly string[])[],
): void {
  expect(bleu.length * chrf.length).toBeGreaterThan(0);
  for (const entry of bleu) expectBleu(id, entry, hypotheses, references);
  for (const entry of chrf) expectChrf(id, entry, hypotheses, references);
}

function expectBleu(
  id: string,
  entry: BleuEntry,
  hypotheses: readonly string[],
  references: readonly (readonly string[])[],
): void {
  const shared = { tokenizer: entry.tokenize, lowercase: entry.lowercase };
  const { statistics, signature } = score(
    bleuMetric({ ...shared, smoothing: "exp", effectiveOrder: false }),
    hypotheses,
    references,
  );
  const sums = columnSums(statistics);
  expect(sums, id).toEqual([entry.sys_len, entry.ref_len, ...entry.counts, ...entry.totals]);
  for (const golden of entry.scores) {
    const options: BleuOptions = {
      ...shared,
      smoothing: golden.smooth_method,
      effectiveOrder: golden.effective_order,
      ...(golden.smooth_value === null ? {} : { smoothValue: golden.smooth_value }),
    };
    const metric = bleuMetric(options);
    const where = `${id} ${golden.signature}`;
    expect(signatureOf(metric, signature), where).toBe(unversioned(golden.signature));
    expectAgreement(metric.corpusValue(sums, hypotheses.length), golden.score, where);
    if (golden.effective_order && hypotheses.length === 1) {
      expectAgreement(100 * metric.sampleValue(sums), golden.score, where);
    }
    const { bp, precisions } = bleuFromStatistics(sums, options);
    expectAgreement(bp, entry.bp, where);
    for (const [order, expected] of (golden.precisions ?? []).entries()) {
      expectAgreement(precisions[order], expected, where);
    }
  }
}

function expectChrf(
  id: string,
  entry: ChrfEntry,
  hypotheses: readonly string[],
  references: readonly (readonly string[])[],
): void {
  const metric = chrfMetric({
    characterOrder: entry.char_order,
    wordOrder: entry.word_order,
    beta: entry.beta,
    lowercase: entry.lowercase,
    whitespace: entry.whitespace,
    epsSmoothing: entry.eps_smoothing,
  });
  const actual = score(metric, hypotheses, references);
  const where = `${id} ${entry.name} ${entry.signature}`;
  expect(unversioned(actual.signature), where).toBe(unversioned(entry.signature));
  expect(metric.label.split(" ")[0], where).toBe(entry.name);
  expect(columnSums(actual.statistics), where).toEqual(entry.statistics);
  expectAgreement(actual.value, entry.score, where);
  if (hypotheses.length === 1) expectAgreement(100 * (actual.perSample[0] ?? Number.NaN), entry.score, where);
}

/** The signature, without the version, of a metric on the same samples as another one's. */
function signatureOf(metric: Metric, other: string): string {
  const [nrefs] = other.split("|");
  return [nrefs, ...metric.signatureParts.map((part) => part.join(":"))].join("|");
}

function columnSums(rows: readonly (readonly number[])[]): number[] {
  return (rows[0] ?? []).map((_, column) => rows.reduce((sum, row) => sum + (row[column] ?? Number.NaN), 0));
}

function unversioned(signature: string): string {
  return signature.replace(/\|version:[^|]*$/, "");
}

function golden(file: string): readonly unknown[] {
  return jsonLines(readFileSync(join(workbench ?? "", "goldens", file), "utf8"));
}
