import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readBaseModel, withSha256, type HashedBaseModel } from "../../../src/adapter/base-model.js";
import { loadGgufAdapter } from "../../../src/adapter/load-gguf-adapter.js";
import type { Engine } from "../../../src/engine/engine.js";
import { openEngine } from "../../../src/engine/process-engine.js";
import { seededGenerator } from "../../../src/samples/shuffle.js";
import { uniformInt } from "../../../src/statistics/random.js";
import { adapterEffects } from "../../../src/sweep/effects/adapter-effects.js";
import { effectSentences } from "../../../src/sweep/effects/effect-words.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { unusualArchitectures, writeUnusualModel } from "../../support/tiny-architectures.js";
import { ENGINE_START_MS } from "../../support/sweep-fixture.js";
import { writeUpdates, type Update } from "../../support/random-updates.js";

const folder = temporaryFolder();
const oracle = ["gemma2", "gemma3", "llama", "phi", "phi3", "qwen2", "qwen3"];
const SUBSETS = 3;
const CONTEXT = { sequences: 1, contextSize: 256, batchSize: 512, cacheType: "F16", flashAttention: "auto" } as const;

describe.each([...oracle, ...unusualArchitectures])("which modules of a %s adapter act", (architecture) => {
  let engine: Engine | undefined;
  let model: HashedBaseModel;

  beforeAll(async () => {
    const unusual = unusualArchitectures.find((name) => name === architecture);
    const path = unusual
      ? await writeUnusualModel(folder.path, unusual)
      : fileURLToPath(new URL(`../../oracle/fixtures/${architecture}/base.gguf`, import.meta.url));
    model = await withSha256(await readBaseModel(path));
    engine = await openEngine({ modelPath: path, gpu: "off", gpuLayers: 0, threads: 1 });
  }, ENGINE_START_MS);
  afterAll(() => engine?.close());

  it(
    "names exactly those that do nothing, and those whose B is zero as such",
    async () => {
      if (!engine) throw new Error("no engine");
      const names = adaptable(model);
      const acting = await actingModules(engine, model, names);
      const generator = seededGenerator(names.length);
      for (let subset = 0; subset < SUBSETS; subset++) {
        const updates = randomUpdates(names, (most) => uniformInt(generator, 0, most));
        const path = join(folder.path, `${architecture}-${subset}.gguf`);
        await writeUpdates(path, model, updates, 100 + subset);
        const effects = await adapterEffects(engine, await loadGgufAdapter(path), model);
        const found = effects.withoutEffect.flatMap(({ module, layers, cause }) =>
          layers.length === 0 ? [`${module} ${cause}`] : layers.map((layer) => `${module} of ${layer} ${cause}`),
        );
        const expected = updates.flatMap(({ name, strength }) => {
          if (strength === 0) return [`${wordsOf(name)} zero-b`];
          return acting.has(name) ? [] : [`${wordsOf(name)} not-applied`];
        });
        expect(found.sort()).toEqual(expected.sort());
        expect(effects.modules).toBe(updates.length);
      }
    },
    ENGINE_START_MS,
  );
});

describe("what is said of kinds without an effect", () => {
  it("gives the number of modules, the cause, and the layers where only some have none", () => {
    const place = { llamaCpp: "v0.5.0", architecture: "deepseek2" };
    const layers = [0, 1, 2];
    const withoutEffect = [
      { module: "attn_q_a", modules: 27, of: 27, layers, cause: "not-applied" },
      { module: "attn_k", modules: 3, of: 30, layers, cause: "not-applied" },
      { module: "output", modules: 1, of: 1, layers: [], cause: "zero-b" },
      { module: "ffn_up", modules: 3, of: 3, layers, cause: "zero-a" },
    ] as const;
    expect(effectSentences({ withoutEffect }, place)).toEqual([
      "attn_q_a (27 modules) has no effect: llama.cpp v0.5.0 does not apply LoRA there on deepseek2",
      "attn_k has no effect in 3 of 30 modules (layers 0-2): llama.cpp v0.5.0 does not apply LoRA there on deepseek2",
      "output (1 module) has no effect: its B is all zero, as before training",
      "ffn_up (3 modules) has no effect: its A is all zero",
    ]);
  });
});

/** The plain matrices that an adapter may change. */
function adaptable({ shapes, tiedEmbedding }: HashedBaseModel): string[] {
  const isMatrix = (dims: readonly number[]): boolean => dims.length === 2 && dims.every((dim) => dim > 1);
  return [...shapes].flatMap(([name, dims]) => {
    const isOutside = name === "token_embd.weight" || name === "output.weight";
    const isOne = isMatrix(dims) && (isOutside ? !tiedEmbedding : /^blk\.\d+\..+\.weight$/.test(name));
    return isOne && !name.includes("norm") ? [name] : [];
  });
}

/** The truth: each module by itself, with a large update, on another prompt. */
async function actingModules(
  engine: Engine,
  model: HashedBaseModel,
  names: readonly string[],
): Promise<ReadonlySet<string>> {
  const tokens = Array.from({ length: 24 }, (_, i) => 40 + ((i * 37) % 120));
  const base = await engine.nextTokenLogits({ pieces: [], context: CONTEXT, tokens });
  const acting = new Set<string>();
  for (const [i, name] of names.entries()) {
    const path = join(folder.path, `${model.architecture}-${name}.gguf`);
    await writeUpdates(path, model, [{ name, rank: 2, strength: 3 }], i);
    const logits = await engine.nextTokenLogits({ pieces: [{ path, scale: 1 }], context: CONTEXT, tokens });
    if (logits.some((logit, token) => logit !== base[token])) acting.add(name);
  }
  return acting;
}

/** Some kinds in some layers, with updates of any size down to what real ones never have. */
function randomUpdates(names: readonly string[], upTo: (most: number) => number): Update[] {
  const kinds = [...new Set(names.map(kindOf))].filter(() => upTo(2) > 0);
  const chosen = kinds.length > 0 ? kinds : names.map(kindOf).slice(0, 1);
  const rankOf = new Map(chosen.map((kind) => [kind, 1 + upTo(2)]));
  const isZero = new Set(chosen.filter(() => upTo(5) === 0));
  return names.flatMap((name) => {
    const rank = rankOf.get(kindOf(name));
    if (rank === undefined || upTo(3) === 0) return [];
    return [{ name, rank, strength: isZero.has(kindOf(name)) || upTo(9) === 0 ? 0 : 10 ** -upTo(7) }];
  });
}

function kindOf(name: string): string {
  return name.replace(/^blk\.\d+\./, "");
}

function wordsOf(name: string): string {
  const block = /^blk\.(\d+)\.(.+)\.weight$/.exec(name);
  return block ? `${block[2] ?? ""} of ${block[1] ?? ""}` : name.replace(/\.weight$/, "");
}
