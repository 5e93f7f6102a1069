import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { metricByName } from "../../src/metrics/registry.js";
import { parseConfig, type SweepConfig } from "../../src/sweep/config.js";
import { sampleLines, type SweepFixture } from "./sweep-fixture.js";

/** A row of `outputs.jsonl`. */
export interface OutputRow {
  readonly boundary: number;
  readonly sampleId: string;
  readonly part: "selection" | "holdout";
  readonly output: string;
  readonly tokens: readonly number[];
}

/** The configuration of a sweep over the fixture that any machine repeats, with a metric in which random outputs score. */
export function tinySweep(fixture: SweepFixture, out: string, more: Readonly<Record<string, unknown>>): SweepConfig {
  const fixed = { gpu: "off", threads: 1, maxTokens: 6, sequences: 3, metric: "contains-plain" };
  return parseConfig(more, { ...fixture, ...fixed, out });
}

/** What a run wrote into its `outputs.jsonl`. */
export async function outputsOf(folder: string): Promise<OutputRow[]> {
  return rowsOf(join(folder, "outputs.jsonl"));
}

/** The rows of a JSONL file. */
export async function rowsOf<T>(path: string): Promise<T[]> {
  const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as T);
}

/** A row of the fixture's data by its id. */
export function fixtureRow(id: string): { readonly answers: readonly string[]; readonly kind: string } {
  const rows = sampleLines(Number(id.slice(1)) + 1).trimEnd();
  return JSON.parse(rows.split("\n").at(-1) ?? "") as { answers: string[]; kind: string };
}

/** A metric's value (0-1) of each answer to a part, as `outputs.jsonl` has them: by boundary, then by sample. */
export function valuesOf(
  outputs: readonly OutputRow[],
  part: OutputRow["part"],
  name: string,
): Map<number, Map<string, number>> {
  const metric = metricByName(name, { rules: "squad" });
  const values = new Map<number, Map<string, number>>();
  for (const { boundary, sampleId, output } of outputs.filter((row) => row.part === part)) {
    const own = values.get(boundary) ?? new Map<string, number>();
    values.set(boundary, own);
    own.set(sampleId, metric.sampleValue(metric.statistics(output, fixtureRow(sampleId).answers)));
  }
  return values;
}

/** 0-100. */
export function meanOf(values: Iterable<number>): number {
  const all = [...values];
  return (100 * all.reduce((sum, value) => sum + value, 0)) / all.length;
}
