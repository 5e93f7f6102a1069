import { beforeAll, describe, expect, it } from "vitest";
import { boundaryCandidates } from "../../src/adapter/mask.js";
import { loadGgufAdapter } from "../../src/adapter/load-gguf-adapter.js";
import { piecesOf, writePieces, type ScaledPiece } from "../../src/adapter/pieces.js";
import { trimAdapter } from "../../src/adapter/trim.js";
import type { Engine } from "../../src/engine/engine.js";
import type { ContextShape } from "../../src/engine/layer-passes.js";
import { openEngine } from "../../src/engine/process-engine.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { tinyArchitectures, writeTinyAdapter, writeTinyModel } from "../support/tiny-model.js";

const LAYERS = 4;
const context: ContextShape = {
  sequences: 4,
  contextSize: 256,
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

describe.each(tinyArchitectures)("masks on a tiny %s model", (architecture) => {
  const folder = temporaryFolder();
  let engine: Engine;
  let adapterPath: string;
  let tokens: number[][];

  beforeAll(async () => {
    const model = await writeTinyModel(folder.path, "base.gguf", { architecture, layers: LAYERS });
    adapterPath = await writeTinyAdapter(folder.path, "lora.gguf", { architecture, layers: LAYERS });
    engine = await openEngine({ modelPath: model, gpu: "off", gpuLayers: 0, threads: 1 });
    tokens = await engine.tokenize(prompts);
    return () => engine.close();
  });

  const logits = (pieces: readonly ScaledPiece[]): Promise<Float32Array> =>
    engine.nextTokenLogits({ pieces, context, tokens: tokens[1] ?? [] });
  const answers = async (pieces: readonly ScaledPiece[]): Promise<number[][]> => {
    const request = {
      pieces,
      context,
      prompts: tokens.map((ids, i) => ({ id: String(i), tokens: ids })),
      maxTokens: 8,
      stop: [],
    };
    const generations = await engine.generate(request);
    return generations.sort((a, b) => Number(a.id) - Number(b.id)).map((generation) => [...generation.tokens]);
  };

  it("pieces together are the whole file, and none of them is the base", async () => {
    const adapter = await loadGgufAdapter(adapterPath);
    const candidates = boundaryCandidates(adapter, LAYERS, [0, 1, 2, 3, 4]);
    const pieces = await writePieces(
      adapter,
      candidates.map(({ mask }) => mask),
      `${folder.path}/pieces`,
    );
    expect(pieces).toHaveLength(LAYERS);
    const whole = [{ path: adapterPath, scale: 1 }];
    const [base, full] = [candidates[0], candidates.at(-1)];
    if (!base || !full) throw new Error("there are five candidates");
    expect(await logits(piecesOf(full.mask, pieces))).toEqual(await logits(whole));
    expect(await answers(piecesOf(full.mask, pieces))).toEqual(await answers(whole));
    expect(piecesOf(base.mask, pieces)).toEqual([]);
    expect(await logits([])).not.toEqual(await logits(whole));
  });

  it("every trimmed file, loaded alone, gives the logits and tokens of its boundary", async () => {
    const adapter = await loadGgufAdapter(adapterPath);
    const candidates = boundaryCandidates(adapter, LAYERS, [1, 2, 3, 4]);
    const pieces = await writePieces(
      adapter,
      candidates.map(({ mask }) => mask),
      `${folder.path}/pieces`,
    );
    const seen = new Set<string>();
    for (const { number: boundary, mask } of candidates) {
      const path = `${folder.path}/trimmed-${boundary}.gguf`;
      await trimAdapter(
        adapter,
        mask,
        path,
        { sourceSha256: adapter.sha256, boundary, command: "test" },
        { overwrite: true },
      );
      const alone = [{ path, scale: 1 }];
      const masked = piecesOf(mask, pieces);
      expect(await logits(alone)).toEqual(await logits(masked));
      expect(await answers(alone)).toEqual(await answers(masked));
      seen.add(JSON.stringify([...(await logits(masked))]));
    }
    expect(seen.size).toBe(candidates.length);
  });

  it("a prompt's first token and logits do not depend on its neighbours", async () => {
    const pieces = [{ path: adapterPath, scale: 1 }];
    const together = await answers(pieces);
    for (const [i, ids] of tokens.entries()) {
      const [alone] = await engine.generate({
        pieces,
        context,
        prompts: [{ id: "x", tokens: ids }],
        maxTokens: 1,
        stop: [],
      });
      expect(alone?.tokens[0]).toBe(together[i]?.[0]);
    }
  });

  it("the same wave twice gives the same tokens", async () => {
    const pieces = [{ path: adapterPath, scale: 1 }];
    expect(await answers(pieces)).toEqual(await answers(pieces));
  });
});
