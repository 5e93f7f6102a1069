import type { Adapter, AdapterModule } from "./adapter.js";
import { moduleBytes } from "./adapter.js";

/** A scale for each module that is kept, by the name of its base tensor; a module that is absent is dropped. */
export type Mask = ReadonlyMap<string, number>;

/** One mask under evaluation. */
export interface Candidate {
  /** K where boundaries are tried; otherwise a number by which candidates of one run are told apart, rising with what they keep. The smallest of `boundaries`. */
  readonly number: number;
  /** All boundaries asked for that keep the same tensors, ascending. */
  readonly boundaries: readonly number[];
  /** What it is called: `K=12`, `layers 3-7`. */
  readonly name: string;
  /** What it keeps, in words; of boundaries the name says it. */
  readonly keeps?: string;
  readonly mask: Mask;
  readonly keptModules: number;
  /** Bytes of tensor data that are kept. */
  readonly bytes: number;
}

/**
 * The mask of boundary K: scale 1 in layers 0..K-1, dropped above. An adapter of the token embedding is kept if and only if
 * layer 0 is, one of the output head if and only if layer L-1 is.
 */
export function boundaryMask(modules: readonly AdapterModule[], layerCount: number, boundary: number): Mask {
  return maskOf(modules, layerCount, (layer) => (layer < boundary ? 1 : 0));
}

/**
 * The mask that gives each module the scale of its layer, 0 for dropped; adapters of embedding and head go with the first and last layer.
 * @param scaleOf the module is given too, for masks that tell modules of a layer apart.
 */
export function maskOf(
  modules: readonly AdapterModule[],
  layerCount: number,
  scaleOf: (layer: number, module: AdapterModule) => number,
): Mask {
  return new Map(
    modules.flatMap((module) => {
      const scale = scaleOf(layerSlot(module, layerCount), module);
      return scale === 0 ? [] : [[module.name, scale] as const];
    }),
  );
}

/** The mask that keeps these layers whole; adapters of embedding and head go with the first and last layer. @param layers 0..L-1. */
export function layersMask(modules: readonly AdapterModule[], layerCount: number, layers: Iterable<number>): Mask {
  const kept = new Set(layers);
  return maskOf(modules, layerCount, (layer) => (kept.has(layer) ? 1 : 0));
}

/** The layer whose fate a module shares. */
export function layerSlot(module: AdapterModule, layerCount: number): number {
  if (module.layer !== undefined) return module.layer;
  return module.place === "embedding" ? 0 : layerCount - 1;
}

/** A mask with its name and number. */
export interface NumberedMask {
  readonly number: number;
  readonly name: string;
  readonly keeps?: string;
  readonly mask: Mask;
}

/** The distinct candidates among these boundaries, by ascending K: boundaries that keep the same tensors are one candidate. */
export function boundaryCandidates(adapter: Adapter, layerCount: number, boundaries: readonly number[]): Candidate[] {
  const ascending = [...new Set(boundaries)].sort((a, b) => a - b);
  return maskCandidates(
    adapter,
    ascending.map((boundary) => {
      return {
        number: boundary,
        name: boundaryName(boundary),
        mask: boundaryMask(adapter.modules, layerCount, boundary),
      };
    }),
  );
}

/** What boundary K is called. */
export function boundaryName(boundary: number): string {
  return `K=${boundary}`;
}

/** The distinct candidates among these masks, in their order: of equal masks the first one gives its name. @param masks by ascending number. */
export function maskCandidates(adapter: Adapter, masks: readonly NumberedMask[]): Candidate[] {
  const byKey = new Map<string, NumberedMask[]>();
  for (const numbered of masks) {
    const key = maskKey(numbered.mask);
    byKey.set(key, [...(byKey.get(key) ?? []), numbered]);
  }
  return [...byKey.values()].flatMap((same) => {
    const [first] = same;
    if (!first) return [];
    const kept = adapter.modules.filter((module) => first.mask.has(module.name));
    return [
      {
        number: first.number,
        boundaries: same.map(({ number }) => number),
        name: first.name,
        ...(first.keeps === undefined ? {} : { keeps: first.keeps }),
        mask: first.mask,
        keptModules: kept.length,
        bytes: kept.reduce((sum, module) => sum + moduleBytes(module), 0),
      },
    ];
  });
}

/** Equal for masks that keep the same modules at the same scales. */
export function maskKey(mask: Mask): string {
  return [...mask]
    .map(([name, scale]) => `${name}=${scale}`)
    .sort()
    .join(";");
}
