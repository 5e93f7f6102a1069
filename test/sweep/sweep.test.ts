import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { loadGgufAdapter } from "../../src/adapter/load-gguf-adapter.js";
import { readGgufHeader } from "../../src/formats/gguf-reader.js";
import { openEngine } from "../../src/engine/process-engine.js";
import { parseConfig, type SweepConfig } from "../../src/sweep/config.js";
import { sweepResultSchema, type SweepResult } from "../../src/run/result.js";
import { planOnly, sweep } from "../../src/sweep/sweep.js";
import { keepIdleEngines } from "../../src/engine/process-engine.js";
import { ENGINE_START_MS, writeSweepFixture, type SweepFixture } from "../support/sweep-fixture.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeTinyAdapter } from "../support/tiny-model.js";

interface OutputRow {
  boundary: number;
  sampleId: string;
  part: string;
  output: string;
  tokens: number[];
}

const folder = temporaryFolder();
let fixture: SweepFixture;

beforeAll(async () => {
  fixture = await writeSweepFixture(folder.path);
});

function configFor(name: string, more: Record<string, unknown> = {}): SweepConfig {
  const fixed = { gpu: "off", threads: 1, maxTokens: 6, sequences: 3, metric: "contains-plain", rule: "best" };
  return parseConfig({ ...fixture, out: join(folder.path, name), ...fixed, ...more });
}

async function outputsOf(name: string): Promise<OutputRow[]> {
  const lines = (await readFile(join(folder.path, name, "outputs.jsonl"), "utf8")).trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as OutputRow);
}

function withoutTimings(result: SweepResult): Partial<SweepResult> {
  const rest: Partial<SweepResult> = { ...result };
  delete rest.timings;
  return rest;
}

describe("a sweep on a tiny model", () => {
  let result: SweepResult;
  beforeAll(async () => {
    result = await sweep(configFor("whole"));
  }, ENGINE_START_MS);

  it("writes the files that it promises, and nothing else stays", async () => {
    const files = (await readdir(join(folder.path, "whole"))).sort();
    const expected = ["journal.jsonl", "outputs.jsonl", "result.json", "run.json", "samples.jsonl"];
    expect(files).toEqual(result.trimmed ? ["Modelfile", ...expected, "trimmed.gguf"] : expected);
    const written: unknown = JSON.parse(await readFile(join(folder.path, "whole", "result.json"), "utf8"));
    expect(sweepResultSchema.parse(written)).toEqual(result);
  });

  it("has one row for each boundary and selection sample, and the holdout for base, full and chosen only", async () => {
    const rows = await outputsOf("whole");
    const selection = rows.filter(({ part }) => part === "selection");
    const holdout = rows.filter(({ part }) => part === "holdout");
    expect(selection).toHaveLength(5 * 7);
    expect(new Set(holdout.map(({ boundary }) => boundary))).toEqual(new Set([0, 4, result.choice.boundary]));
    expect(Object.keys(rows[0] ?? {})).toEqual(["boundary", "sampleId", "part", "output", "tokens"]);
    const [chosenOn, confirmedOn] = [selection, holdout].map((part) => new Set(part.map(({ sampleId }) => sampleId)));
    expect([...(chosenOn ?? [])].filter((id) => confirmedOn?.has(id))).toEqual([]);
  });

  it("chooses the best on the selection part, the smallest K of equal ones", () => {
    const values = result.candidates.map(({ boundary, selection }) => ({
      boundary,
      value: selection?.scores["contains-plain"]?.value ?? -1,
    }));
    const best = Math.max(...values.map(({ value }) => value));
    expect(result.choice.boundary).toBe(values.find(({ value }) => value === best)?.boundary);
    expect(new Set(values.map(({ value }) => value)).size).toBeGreaterThan(1);
  });

  it("gives the same result file again, timings apart, by another process of the engine", async () => {
    await keepIdleEngines(0);
    const again = await sweep(configFor("again"));
    await keepIdleEngines(4);
    expect(withoutTimings(again)).toEqual(withoutTimings(result));
    expect(again.timings.answersGenerated).toBeGreaterThan(0);
  });

  it("goes on where a larger limit is given: every sample stays in its part, and every answer counts", async () => {
    const few = await sweep(configFor("limit", { limit: 8, sequences: 1 }));
    const all = await sweep(configFor("limit", { sequences: 1 }));
    expect(few.data.selection.length + few.data.holdout.length).toBe(8);
    expect(all.data.selection).toEqual(expect.arrayContaining(few.data.selection));
    expect(all.data.holdout).toEqual(expect.arrayContaining(few.data.holdout));
    expect(all.timings.answersReused).toBeGreaterThanOrEqual(5 * few.data.selection.length);
    expect(all.timings.answersGenerated).toBeLessThan(result.timings.answersGenerated);
    expect(all.candidates.map(({ selection }) => selection?.scores)).toEqual(
      result.candidates.map(({ selection }) => selection?.scores),
    );
  });

  it("resumes a finished run without generating anything", async () => {
    const resumed = await sweep(configFor("whole"));
    expect(resumed.timings.answersGenerated).toBe(0);
    expect(withoutTimings(resumed)).toEqual(withoutTimings(result));
  });

  it("scores a finished run again under another metric without a new run", async () => {
    const plain = await sweep(configFor("whole", { metric: "f1" }));
    expect(plain.metric).toBe("f1");
    await sweep(configFor("whole"));
  });

  it("K=0 equals no adapter and K=L the untouched file, output for output", async () => {
    const rows = (await outputsOf("whole")).filter(({ part }) => part === "selection");
    const engine = await openEngine({ modelPath: fixture.model, gpu: "off", gpuLayers: "auto", threads: 1 });
    try {
      const { plan } = await planOnly(configFor("unused"));
      const context = plan.generation.context;
      for (const [boundary, pieces] of [
        [0, []],
        [4, [{ path: fixture.adapter, scale: 1 }]],
      ] as const) {
        for (let start = 0; start < plan.selection.length; start += context.sequences) {
          const prompts = plan.selection.slice(start, start + context.sequences).map(({ prompt }) => prompt);
          for (const generation of await engine.generate({ pieces, context, prompts, maxTokens: 6, stop: [] })) {
            const row = rows.find(
              (candidate) => candidate.boundary === boundary && candidate.sampleId === generation.id,
            );
            expect(row?.tokens).toEqual(generation.tokens);
          }
        }
      }
    } finally {
      await engine.close();
    }
  });
});

describe("what a sweep exports", () => {
  it("loaded alone gives token for token what the sweep saw", async () => {
    const first = await sweep(configFor("export", { rule: "paper", boundaries: "1-3", holdout: 0 }));
    // Of four layers the paper's 15 of 32 keep two.
    expect(first.choice.boundary).toBe(2);
    const trimmed = join(folder.path, "export", "trimmed.gguf");
    const alone = await sweep(configFor("alone", { adapter: trimmed, boundaries: "full", holdout: 0 }));
    const seen = (await outputsOf("export")).filter(({ boundary }) => boundary === first.choice.boundary);
    expect(seen).toHaveLength(12);
    const ownFull = (await outputsOf("alone")).filter(({ boundary }) => boundary === 4);
    expect(ownFull.map(({ tokens }) => tokens)).toEqual(seen.map(({ tokens }) => tokens));
    const { coverage } = await loadGgufAdapter(trimmed);
    expect(coverage).toEqual(Array.from({ length: first.choice.boundary }, (_, layer) => layer));
    expect(alone.adapter.coverage).toEqual(coverage);
    expect(first.confirmation.part).toBe("selection");
    expect(first.notes.join()).toContain("no holdout");
  });

  it("carries its provenance and really is smaller", async () => {
    const { metadata } = await readGgufHeader(join(folder.path, "export", "trimmed.gguf"));
    const { sha256 } = await loadGgufAdapter(fixture.adapter);
    expect(metadata.get("boundary.source.sha256")?.value).toBe(sha256);
    expect(String(metadata.get("boundary.command")?.value)).toContain("boundary sweep");
    const sizes = await Promise.all(
      [join(folder.path, "export", "trimmed.gguf"), fixture.adapter].map((path) => stat(path)),
    );
    expect(sizes[0]?.size).toBeLessThan(sizes[1]?.size ?? 0);
  });
});

describe("an adapter that trains only some layers", () => {
  it("boundaries that keep the same tensors are one candidate", async () => {
    const adapter = await writeTinyAdapter(folder.path, "some.gguf", { architecture: "llama", coverage: [1] });
    const result = await sweep(configFor("coverage", { adapter }));
    expect(result.candidates.map(({ boundaries }) => boundaries)).toEqual([
      [0, 1],
      [2, 3, 4],
    ]);
    expect((await outputsOf("coverage")).filter(({ part }) => part === "selection")).toHaveLength(2 * 7);
  });
});
