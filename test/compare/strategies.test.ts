import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { loadGgufAdapter } from "../../src/adapter/load-gguf-adapter.js";
import { strategiesResultSchema, type StrategiesResult } from "../../src/compare/strategies-result.js";
import { compareStrategies } from "../../src/compare/strategies.js";
import { UsageError } from "../../src/errors.js";
import { strategiesReport } from "../../src/report/strategies.js";
import { parseConfig, type SweepConfig } from "../../src/sweep/config.js";
import { sweep } from "../../src/sweep/sweep.js";
import { failureOf } from "../support/failure.js";
import { ENGINE_START_MS, writeSweepFixture, type SweepFixture } from "../support/sweep-fixture.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const folder = temporaryFolder();
let fixture: SweepFixture;
let result: StrategiesResult;
const asked = ["prefix", "window:2", "top:1-3:nll", "greedy", "scale:0.5"];

function configFor(name: string, more: Record<string, unknown> = {}): SweepConfig {
  const fixed = { gpu: "off", threads: 1, maxTokens: 6, metric: "contains-plain", rule: "best" };
  return parseConfig({ ...fixture, out: join(folder.path, name), ...fixed, ...more });
}

beforeAll(async () => {
  fixture = await writeSweepFixture(folder.path, { samples: 36 });
  result = await compareStrategies(configFor("all"), asked, { sweeps: 3 });
}, ENGINE_START_MS);

describe("strategies under one budget", () => {
  it("each choose on the selection and answer a final part of other samples", async () => {
    expect(result.rows.map(({ strategy }) => strategy)).toEqual(asked);
    expect(result.left).toEqual([]);
    expect([result.selectionSamples, result.finalSamples]).toEqual([17, 19]);
    for (const { spent, masks, samples } of result.rows) {
      expect(spent.ranking + spent.answers).toBeLessThan(1.3 * result.budget);
      expect(masks).toBeGreaterThan(3);
      expect(samples).toBeGreaterThan(0);
    }
    const written: unknown = JSON.parse(await readFile(join(folder.path, "all", "strategies.json"), "utf8"));
    expect(strategiesResultSchema.parse(written)).toEqual(result);
  });

  it("give what a sweep of the same strategy gives where the budget allows all samples", async () => {
    const own = result.rows.find(({ strategy }) => strategy === "window:2");
    const alone = await sweep(configFor("window", { strategy: "window:2" }));
    const chosen = alone.candidates.find(({ boundary }) => boundary === alone.choice.boundary);
    expect(own).toMatchObject({ chosen: chosen?.name, bytes: chosen?.bytes, samples: 17 });
    expect(own?.final.value).toBe(chosen?.holdout?.scores["contains-plain"]?.value);
    expect(own?.selection).toBeCloseTo(chosen?.selection?.scores["contains-plain"]?.value ?? Number.NaN, 9);
    const full = alone.candidates.find(({ name }) => name === "full");
    expect(result.full.value).toBe(full?.holdout?.scores["contains-plain"]?.value);
  });

  it("leave the trimmed adapters of what they chose", async () => {
    for (const { trimmed, keptModules } of result.rows) {
      if (trimmed === undefined) expect(keptModules).toBe(0);
      else expect((await loadGgufAdapter(join(folder.path, "all", trimmed))).modules).toHaveLength(keptModules);
    }
  });

  it("answer nothing twice when the same call runs again", async () => {
    const journal = join(folder.path, "all", "journal.jsonl");
    const { size } = await stat(journal);
    expect(await compareStrategies(configFor("all"), asked, { sweeps: 3 })).toEqual(result);
    expect((await stat(journal)).size).toBe(size);
  });

  it("take fewer samples under a smaller budget, and leave out what it does not allow", async () => {
    const small = await compareStrategies(configFor("small"), ["prefix", "greedy", "window:2"], { sweeps: 0.55 });
    expect(small.budget).toBeLessThan(result.budget);
    expect(small.rows.map(({ samples }) => samples).every((samples) => samples < 18)).toBe(true);
    expect(small.left.map(({ strategy }) => strategy)).toContain("greedy");
    expect(strategiesReport(small)).toMatch(/greedy: left out, .* layer-tokens/);
  });

  it("need samples that none of them has seen, and strategies that can be read", async () => {
    const without = () => compareStrategies(configFor("none", { holdout: 0 }), ["prefix"], { sweeps: 1 });
    expect((await failureOf(UsageError, without)).message).toContain("that none of them has seen");
    const unknown = () => compareStrategies(configFor("none"), ["prefx"], { sweeps: 1 });
    expect((await failureOf(UsageError, unknown)).message).toContain("Did you mean prefix?");
  });
});
