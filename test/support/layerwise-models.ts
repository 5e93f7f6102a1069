import { afterAll, beforeAll, it } from "vitest";
import { loadGgufAdapter } from "../../src/adapter/load-gguf-adapter.js";
import { boundaryCandidates } from "../../src/adapter/mask.js";
import { piecesOf, writePieces } from "../../src/adapter/pieces.js";
import type { Engine, SharedRequest } from "../../src/engine/engine.js";
import { openEngine } from "../../src/engine/process-engine.js";
import { hasMatrixUnits, skippedOnMatrixUnits } from "./matrix-units.js";
import { ENGINE_START_MS } from "./sweep-fixture.js";
import { layerwiseArchitectures, writeTinyAdapter, writeTinyModel } from "./tiny-model.js";

/** Layers of each model. */
export const LAYERS = 4;

/** Models whose layers can be run one at a time: every such architecture as F32, and one quantised. */
export const layerwiseKinds = [
  ...layerwiseArchitectures.map((architecture) => ({ architecture, type: "F32" as const })),
  { architecture: "llama" as const, type: "Q8_0" as const },
];

/** Those that llama.cpp computes rightly on this CPU. */
export const rightKinds = layerwiseKinds.filter(({ type }) => type === "F32" || !hasMatrixUnits);

/** A model on an engine, with an adapter at every boundary. */
export interface LayerwiseModel extends Pick<SharedRequest, "full" | "boundaries"> {
  readonly engine: Engine;
}

/**
 * Opens {@link layerwiseKinds} before the tests, and closes them afterwards.
 * @returns what gives an open one.
 */
export function openLayerwiseModels(
  folder: { readonly path: string },
  threadsOf: (type: string) => number,
): (architecture: string, type: string) => LayerwiseModel {
  const opened = new Map<string, LayerwiseModel>();
  if (hasMatrixUnits) it.skip(`quantised models ${skippedOnMatrixUnits}`);
  beforeAll(async () => {
    for (const { architecture, type } of layerwiseKinds) {
      const name = `${architecture}-${type}`;
      const options = { architecture, layers: LAYERS, type };
      const modelPath = await writeTinyModel(folder.path, `${name}.gguf`, options);
      const path = await writeTinyAdapter(folder.path, `${name}-lora.gguf`, { ...options, strength: 0.4 });
      const adapter = { ...(await loadGgufAdapter(path)), sha256: name };
      const candidates = boundaryCandidates(adapter, LAYERS, [0, 1, 2, 3, 4]);
      const masks = candidates.map(({ mask }) => mask);
      const pieces = await writePieces(adapter, masks, folder.path);
      const boundaries = candidates.map(({ number: boundary, mask }) => ({ boundary, pieces: piecesOf(mask, pieces) }));
      const engine = await openEngine({ modelPath, gpu: "off", gpuLayers: 0, threads: threadsOf(type) });
      opened.set(name, { engine, full: boundaries.at(-1)?.pieces ?? [], boundaries });
    }
  }, ENGINE_START_MS);
  afterAll(async () => {
    for (const { engine } of opened.values()) await engine.close();
  });
  return (architecture, type) => {
    const found = opened.get(`${architecture}-${type}`);
    if (!found) throw new Error("not opened");
    return found;
  };
}
