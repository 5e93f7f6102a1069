import { beforeAll, describe, expect, it } from "vitest";
import type { ScaledPiece } from "../../../src/adapter/pieces.js";
import type { Engine } from "../../../src/engine/engine.js";
import type { ContextShape } from "../../../src/engine/layer-passes.js";
import { openEngine } from "../../../src/engine/process-engine.js";
import { openServingEngine } from "../../../src/engine/serving/serving-engine.js";
import {
  greedy,
  type ServedAnswer,
  type ServingEngine,
  type ServingRequest,
} from "../../../src/engine/serving/serving.js";
import { EngineError } from "../../../src/errors.js";
import { logProbabilities } from "../../support/log-probabilities.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { writeTinyAdapter, writeTinyModel } from "../../support/tiny-model.js";

/** Milliseconds; three engines start at once. */
const START_TIMEOUT = 60_000;
const SEQUENCES = 4;
const context: ContextShape = {
  sequences: SEQUENCES,
  contextSize: 1280,
  batchSize: 512,
  cacheType: "F16",
  flashAttention: "auto",
};
const prompts = [
  "What is it?",
  "Where is the boundary layer?",
  "a",
  "Some more words, to make it longer than the others.",
];
/** Longer than a block of 512 tokens, with a byte-level vocabulary. */
const longText = "Once upon a time there was a layer. ".repeat(20);

describe("an engine that answers many requests at once", () => {
  const folder = temporaryFolder();
  const engines = { exact: undefined as ServingEngine | undefined, batched: undefined as ServingEngine | undefined };
  let sweeping: Engine;
  let masks: readonly (readonly ScaledPiece[])[];
  let tokens: number[][];

  const engineOf = (kind: "exact" | "batched"): ServingEngine => {
    const engine = engines[kind];
    if (!engine) throw new Error("the engine is open while tests run");
    return engine;
  };
  const ask = (
    kind: "exact" | "batched",
    request: Partial<ServingRequest> = {},
    options: Parameters<ServingEngine["answer"]>[1] = {},
  ): Promise<ServedAnswer> => {
    const fixed = { pieces: [], tokens: tokens[1] ?? [], maxTokens: 12, maxMs: 60_000, stop: [], sampling: greedy };
    return engineOf(kind).answer({ ...fixed, schema: undefined, logprobs: undefined, ...request }, options);
  };

  beforeAll(async () => {
    const model = await writeTinyModel(folder.path, "base.gguf", { architecture: "llama", contextLength: 2048 });
    const adapter = await writeTinyAdapter(folder.path, "lora.gguf", { architecture: "llama" });
    const other = await writeTinyAdapter(folder.path, "other.gguf", {
      architecture: "llama",
      seed: 7,
      coverage: [0, 1],
    });
    masks = [[], [{ path: adapter, scale: 1 }], [{ path: other, scale: 1 }]];
    const options = { modelPath: model, gpu: "off", gpuLayers: 0, threads: 1 } as const;
    // Two contexts for three masks: one of them always has to make room.
    const open = (exact: boolean): Promise<ServingEngine> =>
      openServingEngine(options, () => ({ context, contexts: 2, exact }));
    [engines.exact, engines.batched, sweeping] = await Promise.all([open(true), open(false), openEngine(options)]);
    tokens = await sweeping.tokenize([...prompts, longText, `${longText}And then?`]);
    return async () => {
      await Promise.all([engines.exact?.close(), engines.batched?.close(), sweeping.close()]);
    };
  }, START_TIMEOUT);

  it("gives, alone or among others of any mask, what a sweep generates", async () => {
    const requests = masks.flatMap((pieces) => tokens.slice(0, 4).map((ids) => ({ pieces, tokens: ids })));
    const swept: number[][] = [];
    for (const { pieces, tokens: ids } of requests) {
      const shape = { ...context, sequences: 1 };
      const [one] = await sweeping.generate({
        pieces,
        context: shape,
        prompts: [{ id: "x", tokens: ids }],
        maxTokens: 12,
        stop: [],
      });
      swept.push([...(one?.tokens ?? [])]);
    }
    expect(new Set(swept.map(String)).size).toBe(swept.length);
    for (const seed of [1, 2]) {
      const order = requests
        .map((request, i) => ({ request, i }))
        .sort((a, b) => ((a.i * 7 + seed) % 12) - ((b.i * 7 + seed) % 12));
      const answers = await Promise.all(order.map(({ request }) => ask("exact", request)));
      order.forEach(({ i }, at) => {
        expect(answers[at]?.tokens).toEqual(swept[i]);
      });
    }
    expect((await engineOf("exact").status()).contexts).toBe(2);
  });

  it("hands on text that together is the answer, and what a sweep makes of the same tokens", async () => {
    for (const [i, pieces] of masks.entries()) {
      const streamed: string[] = [];
      const answer = await ask("exact", { pieces, maxTokens: 60 }, { onDelta: ({ text }) => streamed.push(text) });
      const shape = { ...context, sequences: 1 };
      const prompt = { id: String(i), tokens: tokens[1] ?? [] };
      const [one] = await sweeping.generate({ pieces, context: shape, prompts: [prompt], maxTokens: 60, stop: [] });
      expect(streamed.join("")).toBe(answer.text);
      expect(answer.text).toBe(one?.text);
      expect(streamed.length).toBeGreaterThan(5);
    }
  });

  it("ends at a stop string and at the limit, and says which", async () => {
    const whole = await ask("exact", { maxTokens: 30 });
    expect(whole).toMatchObject({ stopReason: "length", promptTokens: tokens[1]?.length });
    expect(whole.tokens).toHaveLength(30);
    const stop = whole.text.slice(5, 8);
    const cut = await ask("exact", { maxTokens: 30, stop: ["never", stop] });
    expect(cut).toMatchObject({ stopReason: "stop", text: whole.text.slice(0, whole.text.indexOf(stop)) });
    expect(await ask("exact", { maxTokens: 1000, maxMs: 0 })).toMatchObject({ stopReason: "time" });
  });

  it("draws the same answer for the same seed, and another for another", async () => {
    const warm = (seed: number | undefined): Partial<ServingRequest> => ({
      sampling: { ...greedy, temperature: 1.5, seed },
    });
    const [first, again, other] = [
      await ask("exact", warm(5)),
      await ask("exact", warm(5)),
      await ask("exact", warm(6)),
    ];
    expect(again.tokens).toEqual(first.tokens);
    expect(other.tokens).not.toEqual(first.tokens);
    expect((await ask("exact", { sampling: { ...greedy, temperature: 1.5, topK: 1, seed: 9 } })).tokens).toEqual(
      (await ask("exact")).tokens,
    );
  });

  it("takes biases and penalties", async () => {
    const [plain] = (await ask("exact")).tokens;
    if (plain === undefined) throw new Error("there is an answer");
    const banned = await ask("exact", { sampling: { ...greedy, bias: [[plain, -100]] } });
    expect(banned.tokens).not.toContain(plain);
    const penalised = await ask("exact", {
      maxTokens: 60,
      sampling: { ...greedy, presencePenalty: 2, frequencyPenalty: 2 },
    });
    const distinct = (ids: readonly number[]): number => new Set(ids).size;
    expect(distinct(penalised.tokens)).toBeGreaterThan(distinct((await ask("exact", { maxTokens: 60 })).tokens));
  });

  it("tells log-probabilities: those of the plain logits", async () => {
    const pieces = masks[1] ?? [];
    const answer = await ask("exact", {
      pieces,
      maxTokens: 2,
      logprobs: 3,
      sampling: { ...greedy, temperature: 1, seed: 3 },
    });
    const logits = await sweeping.nextTokenLogits({
      pieces,
      context: { ...context, sequences: 1 },
      tokens: tokens[1] ?? [],
    });
    const expected = logProbabilities(logits);
    const [choice] = answer.choices;
    expect(answer.choices).toHaveLength(2);
    expect(choice?.token).toBe(answer.tokens[0]);
    expect(choice?.logprob).toBeCloseTo(expected[choice?.token ?? -1] ?? Number.NaN, 4);
    const best = [...expected.entries()].sort((a, b) => b[1] - a[1]).slice(0, 3);
    expect(choice?.top.map(({ token }) => token)).toEqual(best.map(([token]) => token));
    choice?.top.forEach(({ logprob }, i) => {
      expect(logprob).toBeCloseTo(best[i]?.[1] ?? Number.NaN, 4);
    });
  });

  it("keeps to a JSON schema", async () => {
    const schema = {
      type: "object",
      properties: {
        name: { type: "string", maxLength: 6 },
        kind: { enum: ["a", "b"] },
        counts: { type: "array", items: { type: "integer" }, maxItems: 2 },
      },
    };
    for (const seed of [1, 2]) {
      const answer = await ask("exact", { schema, maxTokens: 200, sampling: { ...greedy, temperature: 1, seed } });
      expect(answer.stopReason).toBe("eog");
      const value = JSON.parse(answer.text) as { name: unknown; kind: unknown; counts: unknown };
      expect(Object.keys(value)).toEqual(["name", "kind", "counts"]);
      expect(value.name).toBeTypeOf("string");
      expect(value.kind).toMatch(/^[ab]$/);
      expect(value.counts).toBeInstanceOf(Array);
    }
  });

  it("stops working on an answer that nobody waits for, in line or under way", async () => {
    const controllers = Array.from({ length: 3 * SEQUENCES }, () => new AbortController());
    const answers = controllers.map(({ signal }) => ask("batched", { maxTokens: 1000 }, { signal }));
    await new Promise((resolve) => setTimeout(resolve, 50));
    controllers.forEach((controller) => {
      controller.abort();
    });
    for (const { stopReason, tokens: made } of await Promise.all(answers)) {
      expect(stopReason).toBe("cancelled");
      expect(made.length).toBeLessThan(1000);
    }
    expect(await engineOf("batched").status()).toMatchObject({ running: 0, waiting: 0 });
    expect((await ask("batched")).stopReason).toBe("length");
  });

  it("reuses a prompt's prefix within a mask, in whole blocks where answers must be exact, and never across masks", async () => {
    const [, , , , first = [], second = []] = tokens;
    const [pieces = [], others = []] = masks.slice(1);
    const fresh = await ask("exact", { pieces, tokens: second });
    expect(fresh.reusedTokens).toBe(0);
    expect((await ask("exact", { pieces, tokens: first })).reusedTokens).toBe(512);
    expect(await ask("exact", { pieces, tokens: second })).toMatchObject({ tokens: fresh.tokens, reusedTokens: 512 });
    expect((await ask("exact", { pieces: others, tokens: second })).reusedTokens).toBe(0);

    await ask("batched", { pieces, tokens: first });
    expect((await ask("batched", { pieces, tokens: second })).reusedTokens).toBe(first.length);
    expect((await ask("batched", { pieces: others, tokens: second })).reusedTokens).toBe(0);
  });

  it("fails one request alone when it cannot be answered", async () => {
    const missing = [{ path: `${folder.path}/missing.gguf`, scale: 1 }];
    const [bad, good] = await Promise.allSettled([ask("exact", { pieces: missing }), ask("exact")]);
    expect(bad.status === "rejected" && bad.reason instanceof EngineError).toBe(true);
    expect(good.status).toBe("fulfilled");
  });
});
