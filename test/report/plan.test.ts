import { describe, expect, it } from "vitest";
import type { CostEstimate } from "../../src/sweep/estimate.js";
import { planLines, planReport } from "../../src/report/plan.js";
import { adapterWith, moduleAt } from "../adapter/modules.js";
import { engineInfo, inputsWith, planWith } from "../support/planned-sweep.js";

const cost: CostEstimate = {
  candidates: 5,
  answers: 39,
  weighed: 0,
  prefillTokens: 120,
  decodeTokensAtMost: 312,
  seconds: 61.2,
  cacheBytes: 12_400_000,
};
const inputs = inputsWith();
const plan = planWith(inputs, { sequences: 2, maxTokens: 8 });

describe("the lines of a plan", () => {
  it("say what goes in, what is asked and under which boundaries", () => {
    expect(planLines(plan, inputs)).toEqual([
      "model     tiny (llama, 4 layers)",
      "adapter   4 modules in 4 of 4 layers, alpha 8",
      "data      v.jsonl: jsonl",
      "samples   6 choose K, 3 confirm it",
      "task      qa, primary metric contains, raw template, at most 8 tokens an answer",
      "K         0 to 4",
      "context   2 sequences of 256 tokens",
    ]);
  });

  it("tell of boundaries that are one candidate, of skipped samples, and of a holdout's file", () => {
    const partial = {
      ...inputs,
      model: { ...inputs.model, name: undefined },
      adapter: adapterWith([moduleAt(1), moduleAt(3)]),
      holdoutData: { ...inputs.data, path: "h.json", format: "squad2.0" as const },
    };
    const tokens = inputs.samples.map((_, i) => Array.from({ length: i === 5 ? 99 : 3 }, (_unused, at) => at));
    const lines = planLines(planWith(partial, { contextSize: 60, onOverflow: "skip" }, tokens), partial);
    expect(lines).toContain("model     base.gguf (llama, 4 layers)");
    expect(lines).toContain("adapter   2 modules in 2 of 4 layers, alpha 8");
    expect(lines).toContain("data      v.jsonl: jsonl; holdout h.json: squad2.0");
    expect(lines).toContain("samples   5 choose K, 3 confirm it, 1 skipped (prompt longer than the context)");
    expect(lines).toContain("K         0, 2, 4 (2 more keep the same tensors as one of these)");
  });
});

describe("the report of a plan", () => {
  it("adds engine, cost, time and notes", () => {
    const noted = { ...inputs, notes: ["There is no holdout."] };
    const report = planReport({ plan, inputs: noted, cost, engine: engineInfo }, { json: false });
    expect(report.split("\n").slice(0, 7)).toEqual(planLines(plan, inputs));
    expect(report.split("\n").slice(7)).toEqual([
      "engine    llama.cpp b1, cpu, 1 thread",
      "shortcuts none is tried here",
      "cost      39 answers, 120 prompt tokens, at most 312 generated; key/value cache 12 MB",
      "time      about 62 s, from a few samples under three of the masks",
      "note      There is no holdout.",
    ]);
    const idle = { module: "attn_q_a", modules: 2, of: 2, layers: [0, 1], cause: "not-applied" } as const;
    const said = (effects: NonNullable<typeof noted.effects>): string =>
      planReport({ plan, inputs: { ...inputs, effects }, cost, engine: engineInfo }, { json: false });
    expect(said({ withoutEffect: [], modules: 4, prompts: 9 })).toContain(
      "modules   every kind has an effect (tried with 9 short prompts)",
    );
    expect(said({ withoutEffect: [idle], modules: 4, prompts: 0 })).toContain(
      "modules   attn_q_a: no effect, see the notes (known from an earlier run, costs nothing now)",
    );
    const gpu = { ...engineInfo, backend: "vulkan" as const, gpuLayers: 5 };
    expect(planReport({ plan, inputs, cost, engine: gpu }, { json: false })).toContain(
      "engine    llama.cpp b1, vulkan, 1 thread, 5 layers on the GPU",
    );
  });

  it.each([
    [0.2, "1 s"],
    [89.5, "90 s"],
    [90, "2 min"],
    [5399, "90 min"],
    [5400, "1.5 h"],
    [36_000, "10.0 h"],
  ])("tells %f seconds as %s", (seconds, words) => {
    const report = planReport({ plan, inputs, cost: { ...cost, seconds }, engine: engineInfo }, { json: false });
    expect(report).toContain(`time      about ${words}, `);
  });

  it("is one JSON document on demand, with sorted keys", () => {
    const text = planReport({ plan, inputs, cost, engine: engineInfo }, { json: true });
    const parsed = JSON.parse(text) as Record<string, unknown>;
    expect(Object.keys(parsed)).toEqual(Object.keys(parsed).sort());
    expect(parsed).toMatchObject({
      cost,
      engine: engineInfo,
      format: "jsonl",
      metric: "contains",
      selection: ["s0", "s1", "s2", "s3", "s4", "s5"],
      holdout: ["h0", "h1", "h2"],
      skipped: [],
    });
    expect(parsed["boundaries"]).toContainEqual({ boundary: 2, boundaries: [2], bytes: 128, keptModules: 2 });
  });
});
