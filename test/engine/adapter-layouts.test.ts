import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { boundaryCandidates, boundaryMask } from "../../src/adapter/mask.js";
import { loadGgufAdapter } from "../../src/adapter/load-gguf-adapter.js";
import { piecesOf, writePieces, type ScaledPiece } from "../../src/adapter/pieces.js";
import { trimAdapter } from "../../src/adapter/trim.js";
import type { Engine } from "../../src/engine/engine.js";
import type { ContextShape } from "../../src/engine/layer-passes.js";
import { openEngine } from "../../src/engine/process-engine.js";
import { hasMatrixUnits, skippedOnMatrixUnits } from "../support/matrix-units.js";
import { openNodeModel } from "../support/node-llama-cpp.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeTinyAdapter, writeTinyModel, type TinyAdapterOptions } from "../support/tiny-model.js";

const LAYERS = 2;
const SEQUENCES = 16;
const context: ContextShape = {
  sequences: SEQUENCES,
  contextSize: 128,
  batchSize: 64,
  cacheType: "F16",
  flashAttention: "auto",
};
/** Every decode step by itself. */
const ALONE = 0;
const texts = Array.from({ length: SEQUENCES }, (_, i) => `${i}: What is it${" and where".repeat(i % 5)}?`);

type Kind = readonly [name: string, options: Omit<TinyAdapterOptions, "architecture" | "layers">];

/** Adapters of all layers, of the embedding and of the head; ranks with and without padding, alike and mixed. */
const outside: readonly Kind[] = [
  ...[1, 3, 4, 8, 16].map((rank): Kind => [`rank ${rank}`, { rank, embeddingRank: rank, headRank: rank }]),
  ["three ranks", { rank: 4, embeddingRank: 8, headRank: 3 }],
  ["an alpha that is no power of two", { rank: 12, embeddingRank: 12, headRank: 12, alpha: 7 }],
  ["F16", { rank: 4, embeddingRank: 4, headRank: 4, adapterType: "F16" }],
  ["BF16", { rank: 8, embeddingRank: 8, headRank: 8, adapterType: "BF16" }],
  ["Q8_0", { rank: 8, embeddingRank: 8, headRank: 8, adapterType: "Q8_0" }],
];
const experts: readonly Kind[] = [
  ...[3, 4].map((rank): Kind => [`rank ${rank}`, { rank, experts: 4 }]),
  ["rank 8 with an embedding of rank 4", { rank: 8, embeddingRank: 4, experts: 4 }],
  ["F16", { rank: 4, experts: 4, adapterType: "F16" }],
];

describe.skipIf(hasMatrixUnits).each([
  ["embedding and head", undefined, outside],
  ["experts", 4, experts],
] as const)(`adapters of %s ${skippedOnMatrixUnits}`, (_, expertCount, kinds) => {
  const folder = temporaryFolder();

  it("answer alike as pieces and as files, alone and in batches, called directly and through node-llama-cpp", async () => {
    const model = { architecture: "llama", layers: LAYERS, type: "Q8_0" } as const;
    const withExperts = expertCount === undefined ? model : { ...model, experts: expertCount };
    const modelPath = await writeTinyModel(folder.path, "base.gguf", withExperts);
    const options = { modelPath, gpu: "off", gpuLayers: 0, threads: 1 } as const;
    const [direct, node] = await Promise.all([openEngine(options), openNodeModel(modelPath)]);
    try {
      const prompts = (await direct.tokenize(texts)).map((tokens, i) => ({ id: String(i), tokens }));
      const answers = async (engine: Engine, pieces: readonly ScaledPiece[], cells: number): Promise<unknown> => {
        const request = { pieces, context, prompts, maxTokens: 6, stop: [], invariantTokens: cells };
        const generations = await engine.generate(request);
        return generations.sort((a, b) => Number(a.id) - Number(b.id)).map(({ tokens }) => tokens);
      };
      for (const [name, shape] of kinds) {
        const path = await writeTinyAdapter(folder.path, `${name}.gguf`, { ...model, ...shape });
        const adapter = await loadGgufAdapter(path);
        const candidates = boundaryCandidates(adapter, LAYERS, [0, 1, 2]);
        const masks = candidates.map(({ mask }) => mask);
        const pieces = await writePieces(adapter, masks, join(folder.path, "pieces"));
        const [full, boundary] = [LAYERS, 1].map((one) => ({
          boundary: one,
          pieces: piecesOf(boundaryMask(adapter.modules, LAYERS, one), pieces),
        }));
        if (!full || !boundary) throw new Error("two were asked for");
        const trial = { full: full.pieces, boundary, context, tokens: prompts[4]?.tokens ?? [] };
        const { invariantTokens, sharedLayers } = await direct.shortcuts(trial);
        expect([invariantTokens, sharedLayers], name).toEqual([
          shape.adapterType === "Q8_0" ? ALONE : context.contextSize,
          expertCount === undefined,
        ]);
        const seen = new Set<string>();
        for (const { number: kept, mask } of candidates) {
          const about = `${name}, K=${kept}`;
          const masked = piecesOf(mask, pieces);
          const expected = await answers(direct, masked, ALONE);
          expect(await answers(direct, masked, invariantTokens), `${about}: in batches`).toEqual(expected);
          if (mask.size === adapter.modules.length) {
            const whole = [{ path, scale: 1 }];
            const request = { pieces: whole, context, prompts, maxTokens: 6, stop: [] };
            expect(await node.answers(request), `${about}: through node-llama-cpp`).toEqual(expected);
          } else if (mask.size > 0) {
            const trimmed = join(folder.path, `${adapter.sha256}-${kept}.gguf`);
            const provenance = { sourceSha256: adapter.sha256, boundary: kept, command: "test" };
            await trimAdapter(adapter, mask, trimmed, provenance, { overwrite: false });
            expect(await answers(direct, [{ path: trimmed, scale: 1 }], ALONE), `${about}: trimmed`).toEqual(expected);
          }
          seen.add(JSON.stringify(expected));
        }
        expect(seen.size, name).toBe(candidates.length);
      }
    } finally {
      await Promise.all([direct.close(), node.close()]);
    }
  });
});
