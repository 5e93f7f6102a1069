import type { Adapter, AdapterModule } from "./adapter.js";
import { moduleBytes } from "./adapter.js";

/** A scale for each module that is kept, by the name of its base tensor; a module that is absent is dropped. */
export type Mask = ReadonlyMap<string, number>;

/** One mask under evaluation. */
export interface Candidate {
  /** The smallest of `boundaries`: it stands for all of them. */
  readonly boundary: number;
  /** All boundaries asked for that keep the same tensors, ascending. */
  readonly boundaries: readonly number[];
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
  const kept = modules.filter((module) => layerSlot(module, layerCount) < boundary);
  return new Map(kept.map((module) => [module.name, 1]));
}

/** The layer whose fate a module shares. */
function layerSlot(module: AdapterModule, layerCount: number): number {
  if (module.layer !== undefined) return module.layer;
  return module.place === "embedding" ? 0 : layerCount - 1;
}

/** The distinct candidates among these boundaries, by ascending K: boundaries that keep the same tensors are one candidate. */
export function boundaryCandidates(adapter: Adapter, layerCount: number, boundaries: readonly number[]): Candidate[] {
  const byKey = new Map<string, { boundaries: number[]; mask: Mask }>();
  for (const boundary of [...new Set(boundaries)].sort((a, b) => a - b)) {
    const mask = boundaryMask(adapter.modules, layerCount, boundary);
    const key = maskKey(mask);
    const known = byKey.get(key);
    if (known) known.boundaries.push(boundary);
    else byKey.set(key, { boundaries: [boundary], mask });
  }
  return [...byKey.values()].map(({ boundaries: same, mask }) => {
    const kept = adapter.modules.filter((module) => mask.has(module.name));
    return {
      boundary: same[0] ?? 0,
      boundaries: same,
      mask,
      keptModules: kept.length,
      bytes: kept.reduce((sum, module) => sum + moduleBytes(module), 0),
    };
  });
}

/** Equal for masks that keep the same modules at the same scales. */
export function maskKey(mask: Mask): string {
  return [...mask]
    .map(([name, scale]) => `${name}=${scale}`)
    .sort()
    .join(";");
}
