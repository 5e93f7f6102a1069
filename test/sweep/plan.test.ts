import { describe, expect, it } from "vitest";
import { MemoryError, SampleError, UsageError } from "../../src/errors.js";
import { UNBOUNDED, isBatchInvariant } from "../../src/engine/engine.js";
import { cutWaves, hash, layOutSweep, type SweepPlan } from "../../src/sweep/plan.js";
import { noShortcuts } from "../../src/sweep/shortcuts.js";
import { failureOf } from "../support/failure.js";
import { configWith, engineInfo, inputsWith, LAYERS, planWith, tokensFor } from "../support/planned-sweep.js";

/** Keys of one candidate's waves over the selection, wave by wave. */
function keysOf(plan: SweepPlan, boundary = 2): string[][] {
  const candidate = plan.candidates.find((one) => one.number === boundary)!;
  return cutWaves(plan, candidate, plan.selection).map(({ keys }) => [...keys]);
}

describe("a plan", () => {
  it("holds candidates, both parts, and what generation needs", () => {
    const plan = planWith(inputsWith({ selection: 6, holdout: 3 }), { sequences: 4, maxTokens: 8 });
    expect(plan.candidates.map(({ number: boundary }) => boundary)).toEqual([0, 1, 2, 3, 4]);
    expect([plan.base.number, plan.base.mask.size]).toEqual([0, 0]);
    expect([plan.full.number, plan.full.mask.size]).toEqual([LAYERS, LAYERS]);
    expect(plan.selection.map(({ prompt }) => prompt.id)).toEqual(["s0", "s1", "s2", "s3", "s4", "s5"]);
    expect(plan.holdout.map(({ prompt, sample }) => [prompt.id, sample.id])).toEqual([
      ["h0", "h0"],
      ["h1", "h1"],
      ["h2", "h2"],
    ]);
    expect(plan.generation).toEqual({
      maxTokens: 8,
      stop: ["\n"],
      context: { sequences: 4, contextSize: 256, batchSize: 512, cacheType: "F16", flashAttention: "auto" },
      invariantTokens: UNBOUNDED,
    });
    expect(plan.skipped).toEqual([]);
  });

  it("confirms beside base and full even when they were not asked for", () => {
    const plan = planWith({ ...inputsWith(), boundaries: [1, 3] });
    expect(plan.candidates.map(({ number: boundary }) => boundary)).toEqual([1, 3]);
    expect([plan.base.number, plan.full.number]).toEqual([0, 4]);
  });

  it("has no more sequences than a part has samples, and a context for the longest prompt and its answer", () => {
    const inputs = inputsWith({ selection: 3, holdout: 1 });
    const long = tokensFor(inputs).map((_, i) => Array.from({ length: i === 1 ? 300 : 2 }, (_unused, at) => at));
    const plan = planWith(inputs, { sequences: 8, maxTokens: 8 }, long);
    expect(plan.generation.context).toMatchObject({ sequences: 3, contextSize: 512 });
    // 300 + 211 + 1 fill two steps of 256 exactly; one more needs a third.
    const contextOf = (maxTokens: number): number =>
      planWith(inputs, { maxTokens }, long).generation.context.contextSize;
    expect([contextOf(211), contextOf(212)]).toEqual([512, 768]);
    expect(planWith(inputs, { contextSize: 400 }, long).generation.context.contextSize).toBe(400);
  });
});

describe("prompts that do not fit", () => {
  const inputs = inputsWith({ selection: 3, holdout: 1 });
  const tokens = [4, 50, 60, 4].map((length) => Array.from({ length }, (_, at) => at));
  const settings = { contextSize: 41, maxTokens: 8 };

  it("are an error that names the first sample, the sizes and the way out", async () => {
    const error = await failureOf(SampleError, () => planWith(inputs, settings, tokens));
    expect(error.message).toBe(
      "the prompt of sample s1 does not fit the context: found 50 tokens, and 1 more, " +
        "expected at most 32 (a context of 40 less 8 for the answer). " +
        "Pass a larger --context-size, or --on-overflow skip to leave such samples out.",
    );
    expect(error).toMatchObject({ path: "v.jsonl", sampleId: "s1", exitCode: 1 });
  });

  it("are left out and listed with --on-overflow skip", () => {
    const plan = planWith(inputs, { ...settings, onOverflow: "skip" }, tokens);
    expect(plan.selection.map(({ prompt }) => prompt.id)).toEqual(["s0"]);
    expect(plan.holdout.map(({ prompt }) => prompt.id)).toEqual(["h0"]);
    expect(plan.skipped).toEqual([
      { id: "s1", part: "selection", promptTokens: 50 },
      { id: "s2", part: "selection", promptTokens: 60 },
    ]);
  });

  it("fit up to the last token, within what the model was trained for", () => {
    const exact = [32, 4, 4, 4].map((length) => Array.from({ length }, (_, at) => at));
    expect(planWith(inputs, settings, exact).skipped).toEqual([]);
    const trained = [513, 4, 4, 4].map((length) => Array.from({ length: length - 8 }, (_, at) => at));
    expect(() => planWith(inputs, { maxTokens: 8 }, trained)).toThrow("expected at most 504");
  });

  it("must leave a sample for the selection", async () => {
    const none = tokens.map((_, i) => Array.from({ length: i === 3 ? 4 : 99 }, (_unused, at) => at));
    const error = await failureOf(SampleError, () => planWith(inputs, { ...settings, onOverflow: "skip" }, none));
    expect(error.message).toContain("no sample is left for the selection");
  });

  it("in a context that has no room for an answer are a matter of the settings", async () => {
    const error = await failureOf(UsageError, () => planWith(inputs, { contextSize: 8, maxTokens: 8 }, tokens));
    expect(error.message).toContain("the context is too small for any answer: found 7 tokens with --max-tokens 8");
    expect(error.exitCode).toBe(2);
  });
});

it("a context that memory cannot hold is refused with both sizes and the way out", async () => {
  const inputs = inputsWith();
  const huge = { ...inputs, model: { ...inputs.model, cacheBytesPerToken: 2 ** 50 } };
  const error = await failureOf(MemoryError, () => planWith(huge, { sequences: 2 }));
  expect(error.requiredBytes).toBe(2 ** 50 * 2 * 256);
  expect(error.availableBytes).toBeGreaterThan(0);
  expect(error.message).toMatch(
    /not enough memory for the context: found [\d.]+ GiB available, expected [\d.]+ GiB for/,
  );
  expect(error.message).toContain("2 sequences of 256 tokens");
  const fits = {
    ...inputs,
    model: { ...inputs.model, cacheBytesPerToken: Math.floor(error.availableBytes / 256 / 1.5) },
  };
  expect(() => planWith(fits, { sequences: 2 })).toThrow("Pass --sequences 1.");
});

describe("waves", () => {
  it("are cut in order, as many samples as there are sequences", () => {
    const plan = planWith(inputsWith({ selection: 5 }), { sequences: 2 });
    const waves = cutWaves(plan, plan.full, plan.selection);
    expect(waves.map(({ samples }) => samples.map(({ prompt }) => prompt.id))).toEqual([
      ["s0", "s1"],
      ["s2", "s3"],
      ["s4"],
    ]);
    expect(waves.every(({ candidate }) => candidate === plan.full)).toBe(true);
    expect(cutWaves(plan, plan.full, [])).toEqual([]);
  });

  it("are the same whenever they are cut, with a key for every answer", () => {
    const once = planWith();
    const again = planWith(inputsWith());
    expect(keysOf(again)).toEqual(keysOf(once));
    const all = once.candidates.flatMap((candidate) =>
      [once.selection, once.holdout].flatMap((part) => cutWaves(once, candidate, part).flatMap(({ keys }) => keys)),
    );
    expect(all).toHaveLength(5 * 9);
    expect(new Set(all).size).toBe(all.length);
    expect(all.every((key) => /^[0-9a-f]{64}$/.test(key))).toBe(true);
  });

  it("change their own keys alone when a prompt in them changes", () => {
    const inputs = inputsWith();
    const tokens = tokensFor(inputs);
    const changed = tokens.map((ids, i) => (i === 2 ? [...ids.slice(0, -1), 999] : ids));
    const [before, after] = [
      keysOf(planWith(inputs, { sequences: 2 }, tokens)),
      keysOf(planWith(inputs, { sequences: 2 }, changed)),
    ];
    expect([after[0], after[2]]).toEqual([before[0], before[2]]);
    // The neighbour in the wave has a new key too: batches are part of what an answer is.
    expect(after[1]?.filter((key) => before[1]?.includes(key))).toEqual([]);
  });

  const inputs = inputsWith();
  const settings = { sequences: 2, maxTokens: 8 };
  const reference = planWith(inputs, settings);
  const none = noShortcuts("none is tried here");
  const exact = { invariantTokens: 256, sharedLayers: false, reasons: [] };

  it("do not depend on how many go at once where company changes nothing", () => {
    const one = planWith(inputs, { sequences: 1, maxTokens: 8 }, undefined, exact);
    const many = planWith(inputs, { maxTokens: 8 }, undefined, exact);
    expect(many.generation.context.sequences).toBeGreaterThan(one.generation.context.sequences);
    expect([one, many].map(({ generation }) => isBatchInvariant(generation))).toEqual([true, true]);
    expect(keysOf(many).flat()).toEqual(keysOf(one).flat());
    const fixed = planWith(inputs, { maxTokens: 8, fixedBatch: true }, undefined, exact);
    expect([fixed.generation.invariantTokens, fixed.generation.context.sequences]).toEqual([0, 1]);
  });
  it("do not depend on how long a context is", () => {
    expect(keysOf(planWith(inputs, { ...settings, contextSize: 300 }))).toEqual(keysOf(reference));
  });
  const others: [what: string, plan: SweepPlan][] = [
    ["another model", planWith({ ...inputs, model: { ...inputs.model, sha256: "other" } }, settings)],
    ["another adapter", planWith({ ...inputs, adapter: { ...inputs.adapter, sha256: "other" } }, settings)],
    ["more tokens", planWith(inputs, { ...settings, maxTokens: 9 })],
    [
      "the other set of rope factors",
      planWith({ ...inputs, model: { ...inputs.model, shortContextSize: 290 } }, { ...settings, contextSize: 300 }),
    ],
    ["other stop strings", planWith({ ...inputs, stop: ["x"] }, settings)],
    ["more sequences", planWith(inputs, { ...settings, sequences: 3 })],
    [
      "other threads",
      layOutSweep(configWith(settings), inputs, { ...engineInfo, threads: 2 }, tokensFor(inputs)).withShortcuts(none),
    ],
    [
      "another llama.cpp",
      layOutSweep(configWith(settings), inputs, { ...engineInfo, llamaCpp: "b2" }, tokensFor(inputs)).withShortcuts(
        none,
      ),
    ],
    [
      "a GPU",
      layOutSweep(configWith(settings), inputs, { ...engineInfo, devices: ["gpu"] }, tokensFor(inputs)).withShortcuts(
        none,
      ),
    ],
  ];
  it.each(others)("have other keys with %s", (_what, plan) => {
    const before = keysOf(reference).flat();
    expect(
      keysOf(plan)
        .flat()
        .filter((key) => before.includes(key)),
    ).toEqual([]);
  });

  it("have other keys under another mask, and the same where only paths and seeds differ", () => {
    expect(keysOf(reference, 3)).not.toEqual(keysOf(reference, 2));
    expect(keysOf(planWith(inputs, { ...settings, seed: 5, model: "elsewhere.gguf", metric: "em" }))).toEqual(
      keysOf(reference),
    );
    const fewer = planWith({ ...inputs, boundaries: [2] }, settings);
    expect(keysOf(fewer)).toEqual(keysOf(reference));
  });

  it("hash values by their JSON", () => {
    expect(hash("a")).toBe("ac8d8342bbb2362d13f0a559a3621bb407011368895164b628a54f7fc33fc43c");
    expect(hash(["a"])).not.toBe(hash("a"));
  });
});
