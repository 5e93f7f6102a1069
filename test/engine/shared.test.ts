import { describe, expect, it } from "vitest";
import type { Generation } from "../../src/engine/engine.js";
import type { ContextShape } from "../../src/engine/layer-passes.js";
import { openEngine } from "../../src/engine/process-engine.js";
import { LAYERS, openLayerwiseModels, rightKinds, type LayerwiseModel } from "../support/layerwise-models.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeTinyAdapter, writeTinyModel } from "../support/tiny-model.js";

const context: ContextShape = {
  sequences: 3,
  contextSize: 768,
  batchSize: 128,
  cacheType: "F16",
  flashAttention: "auto",
};
const settings = { context, maxTokens: 24, stop: ["q"] };
const ALONE = 0;

/** Prompts with a common beginning; shorter than a tile, longer than a batch, and beyond one and two of attention's blocks of 256 cells. */
const texts = [1, 6, 13, 22, 44].map((times) => "What is it? ".repeat(times)).concat("Where?");

interface Opened extends LayerwiseModel {
  readonly tokens: readonly (readonly number[])[];
}

describe("boundaries that share their lower layers", () => {
  const folder = temporaryFolder();
  // Attention over many cells is cut into a part for each thread; with F32 nothing is decoded in company.
  const modelOf = openLayerwiseModels(folder, (type) => (type === "F32" ? 1 : 2));
  const openedOf = async (architecture: string, type: string): Promise<Opened> => {
    const model = modelOf(architecture, type);
    return { ...model, tokens: await model.engine.tokenize(texts) };
  };

  const facts = ({ id, text, tokens, stopReason, promptTokens }: Generation): unknown => {
    return { id, text, tokens, stopReason, promptTokens };
  };
  /** Every prompt under every boundary, each by itself, with the pieces as they are. */
  const plainAnswers = async ({ engine, tokens, boundaries }: Opened): Promise<Map<string, unknown>> => {
    const answers = new Map<string, unknown>();
    for (const { boundary, pieces } of boundaries) {
      const plain = pieces.map(({ path, scale }) => ({ path, scale }));
      for (const [i, ids] of tokens.entries()) {
        const prompts = [{ id: String(i), tokens: ids }];
        const alone = { ...settings, context: { ...context, sequences: 1 }, invariantTokens: ALONE };
        const [answer] = await engine.generate({ ...alone, pieces: plain, prompts });
        if (answer) answers.set(`${boundary} ${i}`, facts(answer));
      }
    }
    return answers;
  };
  const sharedAnswers = async (
    { engine, tokens, full, boundaries }: Opened,
    invariantTokens: number,
  ): Promise<Map<string, unknown>> => {
    const answers = new Map<string, unknown>();
    const prompts = tokens.map((ids, i) => ({ id: String(i), tokens: ids }));
    await engine.generateShared({ ...settings, full, boundaries, prompts, invariantTokens }, (shared) => {
      answers.set(`${shared.boundary} ${shared.generation.id}`, facts(shared.generation));
    });
    return answers;
  };
  const sorted = (answers: Map<string, unknown>): unknown => Object.fromEntries([...answers].sort());

  it.each(rightKinds)(
    "give the answers of single runs, token for token: $architecture $type",
    async ({ architecture, type }) => {
      const one = await openedOf(architecture, type);
      const { invariantTokens, sharedLayers, reasons } = await one.engine.shortcuts({
        full: one.full,
        boundary: one.boundaries[2] ?? { boundary: 0, pieces: [] },
        context,
        tokens: one.tokens[2] ?? [],
      });
      expect([sharedLayers, reasons.filter((reason) => reason.startsWith("lower"))]).toEqual([true, []]);
      const plain = await plainAnswers(one);
      expect(plain.size).toBe(texts.length * (LAYERS + 1));
      expect(sorted(await sharedAnswers(one, invariantTokens))).toEqual(sorted(plain));
      // The boundaries must differ for that to mean anything.
      expect(new Set([...plain.values()].map((answer) => JSON.stringify(answer))).size).toBeGreaterThan(texts.length);
    },
  );

  it("take decode steps in company where a type's kernels allow it, and the trial tells", async () => {
    const shortcutsOf = async (type: string): Promise<number> => {
      const { engine, full, tokens } = await openedOf("llama", type);
      return (await engine.shortcuts({ full, context, tokens: tokens[2] ?? [] })).invariantTokens;
    };
    // F32 weights are multiplied by another kernel in company than alone; quantised ones are not.
    expect(await shortcutsOf("F32")).toBe(0);
    expect([0, context.contextSize]).toContain(await shortcutsOf("Q8_0"));
  });

  it("save the layers below them and try the full adapter's answer", async () => {
    const one = await openedOf("llama", "Q8_0");
    const before = await one.engine.work();
    await sharedAnswers(one, 256);
    const after = await one.engine.work();
    expect(after?.saved.sharedLayers).toBeGreaterThan(before?.saved.sharedLayers ?? 0);
    expect(after?.saved.commonPrefix).toBeGreaterThan(before?.saved.commonPrefix ?? 0);
    expect(after?.drafts.tried).toBeGreaterThan(before?.drafts.tried ?? 0);
  });

  it("are refused where layers are not known to be alike", async () => {
    const options = { architecture: "gemma" as const, layers: LAYERS };
    const modelPath = await writeTinyModel(folder.path, "gemma.gguf", options);
    const path = await writeTinyAdapter(folder.path, "gemma-lora.gguf", options);
    const pieces = [{ path, scale: 1, paddedPath: path }];
    const engine = await openEngine({ modelPath, gpu: "off", gpuLayers: 0, threads: 1 });
    try {
      const [tokens = []] = await engine.tokenize(["What is it? ".repeat(8)]);
      const { sharedLayers, reasons } = await engine.shortcuts({
        full: pieces,
        boundary: { boundary: 2, pieces: [] },
        context,
        tokens,
      });
      expect(sharedLayers).toBe(false);
      expect(reasons.join()).toContain("not known to be exact for gemma models");
    } finally {
      await engine.close();
    }
  });
});
