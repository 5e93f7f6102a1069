import { createHash } from "node:crypto";
import { join } from "node:path";
import { at } from "../assert.js";
import { ensureFolder, exists } from "../files/atomic-file.js";
import type { Adapter, AdapterModule, HashedAdapter } from "./adapter.js";
import { loadGgufAdapter } from "./load-gguf-adapter.js";
import type { Mask } from "./mask.js";
import { canBePadded, paddingOf, writePadded } from "./padded-piece.js";
import { writeModules } from "./write-adapter.js";

/** An update in a file of its own. */
interface PieceFile {
  readonly path: string;
  /** The adapter that it was cut from, as the user gave it: what a message names. */
  readonly givenPath?: string;
  /** The same update padded to {@link paddingOf}, where there is one: `path` itself when its rank needs no padding. */
  readonly paddedPath?: string;
}

/** A part of an adapter in a file of its own. The engine loads each once; a mask names the pieces it keeps. */
export interface Piece extends PieceFile {
  /** Names of the base tensors that it adapts. */
  readonly modules: readonly string[];
  /** The same modules with a mask's scale multiplied into them, for each scale other than 1 that was asked for. */
  readonly scaled?: ReadonlyMap<number, PieceFile>;
}

/** A piece with the scale at which a mask keeps it. */
export interface ScaledPiece {
  readonly path: string;
  /** See {@link PieceFile}. */
  readonly givenPath?: string;
  readonly scale: number;
  /** For batches whose rows must not depend on each other: see {@link paddingOf}. Only where the scale is 1. */
  readonly paddedPath?: string;
  /** What is multiplied into the file's modules already, 1 where it is not said. */
  readonly times?: number;
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
  await ensureFolder(folder);
  const pieces: Piece[] = [];
  for (const group of partition(adapter.modules, masks)) {
    const piece = await writePiece(adapter, group, folder);
    const scaled = await scaledPieces(adapter, group, folder, masks);
    pieces.push({ ...piece, ...(scaled.size > 0 ? { scaled } : {}) });
  }
  return pieces;
}

/**
 * {@link writePieces} for the one piece that has these modules: equal bytes for equal adapters, modules and scales, whatever machine writes them.
 * @param folder one that is there.
 * @param factor a scale that is multiplied into the modules.
 */
export async function writePiece(
  adapter: HashedAdapter,
  modules: readonly AdapterModule[],
  folder: string,
  factor = 1,
): Promise<Piece> {
  const names = modules.map((module) => module.name);
  const digest = createHash("sha256").update(adapter.sha256).update(JSON.stringify(names)).digest("hex");
  const path = join(folder, `piece-${digest.slice(0, 24)}${factor === 1 ? "" : `-times-${factor}`}.gguf`);
  const scales = factor === 1 ? {} : { scales: new Map(names.map((name) => [name, factor])) };
  if (!(await exists(path)))
    await writeModules(adapter, modules, path, adapter.metadata, { overwrite: true, ...scales });
  const { givenPath } = adapter;
  if (factor === 1) return { path, givenPath, modules: names, ...(await paddedPiece(adapter, modules, path)) };
  const written = await loadGgufAdapter(path);
  return { path, givenPath, modules: names, ...(await paddedPiece(written, written.modules, path)) };
}

async function scaledPieces(
  adapter: HashedAdapter,
  group: readonly AdapterModule[],
  folder: string,
  masks: readonly Mask[],
): Promise<ReadonlyMap<number, PieceFile>> {
  const { name } = at(group, 0);
  const scales = new Set(masks.map((mask) => mask.get(name) ?? 0));
  const scaled = new Map<number, PieceFile>();
  for (const scale of [...scales].filter((wanted) => wanted !== 0 && wanted !== 1)) {
    scaled.set(scale, await writePiece(adapter, group, folder, scale));
  }
  return scaled;
}

async function paddedPiece(
  adapter: Adapter,
  modules: readonly AdapterModule[],
  path: string,
): Promise<{ paddedPath: string } | undefined> {
  const { rank } = at(modules, 0);
  if (!canBePadded(modules, adapter.alpha)) return undefined;
  if (paddingOf(adapter.alpha, rank)?.rank === rank) return { paddedPath: path };
  const paddedPath = path.replace(/\.gguf$/, "-padded.gguf");
  if (!(await exists(paddedPath))) await writePadded(adapter, modules, paddedPath, adapter.metadata);
  return { paddedPath };
}

/** The pieces that together are this mask. @throws RangeError when the pieces were not cut for it. */
export function piecesOf(mask: Mask, pieces: readonly Piece[]): ScaledPiece[] {
  return pieces.flatMap(({ path, givenPath, modules, paddedPath, scaled }) => {
    const scales = new Set(modules.map((name) => mask.get(name) ?? 0));
    const [scale = 0] = scales;
    if (scales.size > 1) throw new RangeError(`piece ${path} mixes modules of different scale`);
    if (scale === 0) return [];
    const given = givenPath === undefined ? {} : { givenPath };
    const scaledPiece = scaled?.get(scale);
    if (scaledPiece) {
      const padded = scaledPiece.paddedPath === undefined ? {} : { paddedPath: scaledPiece.paddedPath };
      return [{ path: scaledPiece.path, ...given, ...padded, scale: 1, times: scale }];
    }
    return [{ path, ...given, scale, ...(scale === 1 && paddedPath !== undefined ? { paddedPath } : {}) }];
  });
}
