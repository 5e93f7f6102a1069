import { describe, expect, it } from "vitest";
import type { LikelihoodRequest } from "../../src/engine/engine.js";
import type { ContextShape } from "../../src/engine/layer-passes.js";
import { LAYERS, openLayerwiseModels, rightKinds, type LayerwiseModel } from "../support/layerwise-models.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const context: ContextShape = {
  sequences: 3,
  contextSize: 1024,
  batchSize: 128,
  cacheType: "F16",
  flashAttention: "auto",
};

/** Turns of one conversation, each with all before it; then texts that have nothing in common. References begin, end and go on across batches. */
const exchanges = Array.from(
  { length: 6 },
  (_, i) => `Q${i}: What about it? ${"x".repeat(40 + 9 * i)}\nA: It is ${i}.\n`,
);
const conversation = exchanges.map((_, turn) =>
  exchanges
    .slice(0, turn + 1)
    .join("")
    .replace(/It is \d\.\n$/, ""),
);
const texts = [...conversation, "Where?", "y".repeat(300)];
const references = [
  "No.",
  "Yes, and then it goes on for a while: " + "z".repeat(150),
  "A",
  "Maybe so.",
  "b c",
  "d",
  "Here.",
  "e",
];

interface Opened extends LayerwiseModel {
  readonly prompts: LikelihoodRequest["prompts"];
}

describe("likelihoods of boundaries that share layers", () => {
  const modelOf = openLayerwiseModels(temporaryFolder(), () => 2);
  const openedOf = async (architecture: string, type: string): Promise<Opened> => {
    const model = modelOf(architecture, type);
    const [tokens, continuations] = [await model.engine.tokenize(texts), await model.engine.tokenize(references)];
    const prompts = tokens.map((own, i) => ({ id: `s${i}`, tokens: own, continuation: continuations[i] ?? [] }));
    return { ...model, prompts };
  };

  /** Each text under each boundary in a context of its own: nothing can be kept of another. */
  const alone = async ({ engine, prompts, boundaries }: Opened): Promise<Map<string, number>> => {
    const found = new Map<string, number>();
    for (const { boundary, pieces } of boundaries) {
      for (const prompt of prompts) {
        const [likelihood] = await engine.logLikelihoods({ pieces, context, prompts: [prompt] });
        if (likelihood) found.set(`${boundary} ${likelihood.id}`, likelihood.logProbability);
      }
    }
    return found;
  };
  const sorted = (found: Map<string, number>): unknown => Object.fromEntries([...found].sort());

  it.each(rightKinds)(
    "are those of single passes, bit for bit: $architecture $type",
    async ({ architecture, type }) => {
      const one = await openedOf(architecture, type);
      const { engine, prompts, full, boundaries } = one;
      const single = await alone(one);
      expect(new Set(single.values()).size).toBeGreaterThan(prompts.length * LAYERS);
      const shared = new Map<string, number>();
      await engine.logLikelihoodsShared({ full, boundaries, context, prompts }, ({ boundary, likelihood }) => {
        expect(likelihood.tokens).toBe(prompts.find(({ id }) => id === likelihood.id)?.continuation.length);
        shared.set(`${boundary} ${likelihood.id}`, likelihood.logProbability);
      });
      expect(sorted(shared)).toEqual(sorted(single));
      const together = new Map<string, number>();
      for (const { boundary, pieces } of boundaries) {
        for (const { id, logProbability } of await engine.logLikelihoods({ pieces, context, prompts })) {
          together.set(`${boundary} ${id}`, logProbability);
        }
      }
      expect(sorted(together)).toEqual(sorted(single));
    },
  );

  it("compute the beginning of a conversation once, and the layers below a boundary once", async () => {
    const { engine, full, boundaries, ...opened } = await openedOf("llama", "Q8_0");
    const prompts = opened.prompts.slice(0, conversation.length);
    const before = await engine.work();
    const whole = { ...context, batchSize: 512 };
    await engine.logLikelihoodsShared({ full, boundaries, context: whole, prompts }, () => undefined);
    const after = await engine.work();
    if (!before || !after) throw new Error("nothing was counted");
    const done = (name: "base" | "adapter"): number => after.prefill[name] - before.prefill[name];
    const saved = (name: "sharedLayers" | "commonPrefix"): number => after.saved[name] - before.saved[name];
    const counted = prompts.reduce((sum, { tokens, continuation }) => sum + tokens.length + continuation.length - 1, 0);
    expect(done("base") + done("adapter") + saved("sharedLayers") + saved("commonPrefix")).toBe(
      counted * LAYERS * boundaries.length,
    );
    // Of 4 layers under 5 boundaries 4 + 4 + 3 + 2 + 1 are left.
    expect((done("base") + done("adapter") + saved("commonPrefix")) / counted).toBe(14);
    expect(saved("commonPrefix") / (14 * counted)).toBeGreaterThan(0.3);
  });

  it("are 0 of no tokens, as in single passes", async () => {
    const { engine, full, boundaries, prompts } = await openedOf("llama", "F32");
    const some = prompts.slice(0, 3).map((prompt, i) => (i === 1 ? { ...prompt, continuation: [] } : prompt));
    const shared = new Map<string, number>();
    await engine.logLikelihoodsShared({ full, boundaries, context, prompts: some }, ({ boundary, likelihood }) => {
      shared.set(`${boundary} ${likelihood.id}`, likelihood.logProbability);
    });
    expect(boundaries.map(({ boundary }) => shared.get(`${boundary} s1`))).toEqual(boundaries.map(() => 0));
    expect(sorted(shared)).toEqual(sorted(await alone({ engine, full, boundaries, prompts: some })));
  });
});
