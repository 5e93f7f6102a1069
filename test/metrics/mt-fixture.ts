import { readFileSync } from "node:fs";
import { expect } from "vitest";
import type { BleuOptions } from "../../src/metrics/bleu.js";
import type { ChrfOptions } from "../../src/metrics/chrf.js";

/** What sacreBLEU gives for a row under some options; values 0-100. See make_mt_fixture.py. */
export interface SacrebleuValues<Options> {
  readonly options: Options;
  /** A list for each hypothesis. */
  readonly statistics: readonly (readonly number[])[];
  readonly corpus: number;
  readonly sentences: readonly number[];
  /** Without the version. */
  readonly signature: string;
}

/** A small random corpus; `references` has a list for each hypothesis. */
export interface MtRow {
  readonly hypotheses: readonly string[];
  readonly references: readonly (readonly string[])[];
  readonly bleu: SacrebleuValues<BleuOptions> & { readonly tokens: readonly string[] };
  readonly chrf: SacrebleuValues<ChrfOptions>;
}

/** The rows of fixtures/mt.jsonl. */
export function mtFixture(): readonly MtRow[] {
  return jsonLines(readFileSync(new URL("fixtures/mt.jsonl", import.meta.url), "utf8")) as readonly MtRow[];
}

/** The values of a text in JSON lines. */
export function jsonLines(text: string): readonly unknown[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as unknown);
}

/** Expects two values to agree to 1e-9 of the larger. */
export function expectAgreement(actual: number | undefined, expected: number | undefined, where = ""): void {
  const [left = Number.NaN, right = Number.NaN] = [actual, expected];
  if (Math.abs(left - right) <= 1e-9 * Math.max(Math.abs(left), Math.abs(right))) return;
  expect(actual, where).toBe(expected);
}

/** Processor time that some work takes, in milliseconds: unlike the time of the clock it does not grow when others use the machine. */
export function cpuMilliseconds(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
