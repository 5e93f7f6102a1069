import { reading } from "../../src/engine/layer-reader.js";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readBaseModel, withSha256, type HashedBaseModel } from "../../src/adapter/base-model.js";
import type { Engine } from "../../src/engine/engine.js";
import type { ContextShape } from "../../src/engine/layer-passes.js";
import { openEngine } from "../../src/engine/process-engine.js";
import {
  ckaPositions,
  importanceNotes,
  layerImportances,
  rankedLayers,
  type CkaPosition,
} from "../../src/strategy/layer-importance.js";
import { ckaPrompts, type CkaPrompt } from "../../src/sweep/cka-prompts.js";

interface Published {
  /** The script's own, with `{instruction}`. */
  readonly prompt: string;
  readonly samples: readonly { readonly instruction: string; readonly output: string }[];
  readonly tokens: readonly (readonly number[])[];
  readonly positions: readonly number[];
  readonly cka: readonly number[];
  readonly order: readonly number[];
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
/** By test/oracle/cka_positions.py. */
const published = JSON.parse(readFileSync(here("fixtures/cka-published.json"), "utf8")) as Published;

describe("CKA as the published script reads it", () => {
  let engine: Engine;
  let model: HashedBaseModel;
  const samples = published.samples.map(({ instruction, output }, i) => ({
    part: "selection" as const,
    sample: { id: `s${i}`, variables: { instruction }, references: [output] },
    text: published.prompt.replace("{instruction}", instruction),
  }));

  beforeAll(async () => {
    model = await withSha256(await readBaseModel(here("../oracle/fixtures/llama/base.gguf")));
    engine = await openEngine({ modelPath: model.path, gpu: "off", gpuLayers: 0, threads: 1 });
  });
  afterAll(() => engine.close());

  async function readAt(position: CkaPosition): Promise<CkaPrompt[]> {
    const tokens = await engine.tokenize(samples.map(({ text }) => text));
    const planned = samples.map(({ part, sample }, i) => ({
      part,
      sample,
      prompt: { id: sample.id, tokens: tokens[i] ?? [] },
    }));
    return ckaPrompts(engine, { samples, template: "raw", model }, planned, position);
  }

  const context: ContextShape = {
    sequences: 1,
    contextSize: 256,
    batchSize: 256,
    cacheType: "F32",
    flashAttention: "off",
  };

  it("reads the same tokens up to the same place: the line break behind the response", async () => {
    const prompts = await readAt("published");
    expect(prompts.map(({ tokens }) => tokens)).toEqual(published.tokens.map((tokens) => tokens.slice(0, -1)));
    expect(prompts.map(({ positions }) => positions)).toEqual(published.positions.map((position) => [position]));
  });

  it("gives the script's importances and order, but none to layer 0, which takes in the same everywhere", async () => {
    const states = await reading(engine, "hiddenStates").hiddenStates({
      pieces: [],
      context,
      prompts: await readAt("published"),
    });
    const importances = layerImportances(states);
    expect(published.cka[0]).toBeLessThan(1e-6);
    expect(importances[0]).toEqual({ layer: 0, plain: null, unbiased: null });
    for (const { layer, plain } of importances.slice(1)) expect(plain).toBeCloseTo(1 - (published.cka[layer] ?? 0), 4);
    expect(rankedLayers(importances)).toEqual(published.order.filter((layer) => layer !== 0));
    expect(importanceNotes(importances, "published")).toEqual([expect.stringContaining("Layer 0 has no importance")]);
  });

  it("is another token than the last one of the response, or of the prompt", async () => {
    const [script, response, prompt] = await Promise.all(ckaPositions.map(readAt));
    const lastOf = (prompts: readonly CkaPrompt[] = []): Set<number | undefined> =>
      new Set(prompts.map(({ tokens }) => tokens.at(-1)));
    expect([lastOf(script).size, lastOf(prompt).size]).toEqual([1, 1]);
    expect(lastOf(response).size).toBeGreaterThan(1);
    expect(lastOf(response)).not.toContain([...lastOf(script)][0]);
    const states = await reading(engine, "hiddenStates").hiddenStates({ pieces: [], context, prompts: response ?? [] });
    const importances = layerImportances(states);
    expect(importances[0]?.plain).toBeGreaterThan(0);
    expect(importances[0]?.plain).toBeLessThan(0.999);
    expect(importanceNotes(importances, "response-end")).toEqual([]);
  });
});
