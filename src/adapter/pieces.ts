import { createHash } from "node:crypto";
import { join } from "node:path";
import { ensureFolder, exists } from "../formats/atomic-file.js";
import type { Adapter, AdapterModule, HashedAdapter } from "./adapter.js";
import type { Mask } from "./mask.js";
import { canBePadded, paddingOf, writePadded } from "./padded-piece.js";
import { writeModules } from "./write-adapter.js";

/** A part of an adapter in a file of its own. The engine loads each once; a mask names the pieces it keeps. */
export interface Piece {
  readonly path: string;
  /** Names of the base tensors that it adapts. */
  readonly modules: readonly string[];
  /** The same update padded to {@link paddingOf}, where there is one: `path` itself when its rank needs no padding. */
  readonly paddedPath?: string;
}

/** A piece with the scale at which a mask keeps it. */
export interface ScaledPiece {
  readonly path: string;
  readonly scale: number;
  /** For batches whose rows must not depend on each other: see {@link paddingOf}. Only where the scale is 1. */
  readonly paddedPath?: string;
}

/**
 * Splits the modules into the fewest groups from which every one of these masks can be put together: two modules share a group
 * exactly when each mask gives both the same scale and both have the same rank. For all boundaries of an adapter that is mostly one group
 * a layer.
 */
export function partition(modules: readonly AdapterModule[], masks: readonly Mask[]): AdapterModule[][] {
  const groups = new Map<string, AdapterModule[]>();
  for (const module of modules) {
    const scales = masks.map((mask) => mask.get(module.name) ?? 0);
    if (scales.every((scale) => scale === 0)) continue;
    const key = [...scales, `rank ${module.rank}`].join(",");
    const group = groups.get(key);
    if (group) group.push(module);
    else groups.set(key, [module]);
  }
  return [...groups.values()];
}

/**
 * Writes the pieces that these masks need into `folder`. File names carry a hash of their content, because the engine's cache
 * of adapters goes by path alone; pieces that are there already are kept.
 */
export async function writePieces(adapter: HashedAdapter, masks: readonly Mask[], folder: string): Promise<Piece[]> {
  const pieces: Piece[] = [];
  for (const group of partition(adapter.modules, masks)) pieces.push(await writePiece(adapter, group, folder));
  return pieces;
}

/** {@link writePieces} for the one piece that has these modules: equal bytes for equal adapters and modules, whatever machine writes them. */
export async function writePiece(
  adapter: HashedAdapter,
  modules: readonly AdapterModule[],
  folder: string,
): Promise<Piece> {
  await ensureFolder(folder);
  const names = modules.map((module) => module.name);
  const digest = createHash("sha256").update(adapter.sha256).update(JSON.stringify(names)).digest("hex");
  const path = join(folder, `piece-${digest.slice(0, 24)}.gguf`);
  if (!(await exists(path))) await writeModules(adapter, modules, path, adapter.metadata, { overwrite: true });
  return { path, modules: names, ...(await paddedPiece(adapter, modules, path)) };
}

async function paddedPiece(
  adapter: Adapter,
  modules: readonly AdapterModule[],
  path: string,
): Promise<{ paddedPath: string } | undefined> {
  const rank = modules[0]?.rank ?? 0;
  if (!canBePadded(modules, adapter.alpha)) return undefined;
  if (paddingOf(adapter.alpha, rank)?.rank === rank) return { paddedPath: path };
  const paddedPath = path.replace(/\.gguf$/, "-padded.gguf");
  if (!(await exists(paddedPath))) await writePadded(adapter, modules, paddedPath, adapter.metadata);
  return { paddedPath };
}

/** The pieces that together are this mask. @throws RangeError when the pieces were not cut for it. */
export function piecesOf(mask: Mask, pieces: readonly Piece[]): ScaledPiece[] {
  return pieces.flatMap(({ path, modules, paddedPath }) => {
    const scales = new Set(modules.map((name) => mask.get(name) ?? 0));
    const [scale = 0] = scales;
    if (scales.size > 1) throw new RangeError(`piece ${path} mixes modules of different scale`);
    if (scale === 0) return [];
    return [{ path, scale, ...(scale === 1 && paddedPath !== undefined ? { paddedPath } : {}) }];
  });
}
