import { readFileSync } from "node:fs";
import type { RougeScore, RougeType } from "../../src/metrics/rouge.js";
import { jsonLines } from "./mt-fixture.js";

type ByStemmer<Value> = Readonly<Record<"no" | "yes", Value>>;

/** What rouge_score gives for a prediction; each score is [precision, recall, fmeasure]. */
export interface RougeRow {
  readonly kind: "rouge";
  readonly prediction: string;
  readonly references: readonly string[];
  readonly scores: ByStemmer<Readonly<Record<RougeType, readonly [number, number, number]>>>;
  /** Of the prediction. */
  readonly tokens: ByStemmer<readonly string[]>;
}

/** What lm-eval's task gsm8k makes of a response. */
export interface Gsm8kRow {
  readonly kind: "gsm8k";
  readonly response: string;
  readonly reference: string;
  readonly strict: string;
  readonly flexible: string;
  readonly strictMatch: number;
  readonly flexibleMatch: number;
}

/** NLTK's stem of each word. */
export interface PorterRow {
  readonly kind: "porter";
  readonly stems: Readonly<Record<string, string>>;
}

const rows = jsonLines(readFileSync(new URL("fixtures/text.jsonl", import.meta.url), "utf8")) as readonly (
  RougeRow | Gsm8kRow | PorterRow
)[];

/** Rows of fixtures/text.jsonl; see make_text_fixture.py. */
export const rougeRows: readonly RougeRow[] = rows.filter((row) => row.kind === "rouge");
export const gsm8kRows: readonly Gsm8kRow[] = rows.filter((row) => row.kind === "gsm8k");
export const porterRows: readonly PorterRow[] = rows.filter((row) => row.kind === "porter");

/** A score in the order of rouge_score's tuple. */
export function asTuple({ precision, recall, fmeasure }: RougeScore): readonly [number, number, number] {
  return [precision, recall, fmeasure];
}
