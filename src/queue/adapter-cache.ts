import { rename, rm } from "node:fs/promises";
import type { HashedAdapter } from "../adapter/adapter.js";
import type { BaseModel } from "../adapter/base-model.js";
import { assertFits } from "../adapter/fit.js";
import { loadGgufAdapter } from "../adapter/load-gguf-adapter.js";
import { writePiece, type Piece, type ScaledPiece } from "../adapter/pieces.js";
import { QueueError } from "../errors.js";
import { exists } from "../files/atomic-file.js";
import { sha256File } from "../files/file-source.js";
import type { CacheFolder } from "./cache-folder.js";
import type { ContentStore } from "./content-store.js";
import type { Job, JobPiece } from "./messages.js";

/** Adapters and pieces that are known to be in the folder as they should be: beyond these they are looked at again. */
const MOST_ADAPTERS = 16;
const MOST_PIECES = 4096;
/** A padded piece takes up to so many times the bytes of the plain one, and both are kept. */
const PIECE_FACTOR = 5;

/** A worker's adapters and the pieces cut from them, in a folder by hash. */
export class AdapterCache {
  private readonly adapters = new Map<string, HashedAdapter>();
  private readonly pieces = new Map<string, Piece>();

  constructor(
    private readonly folder: CacheFolder,
    private readonly model: BaseModel,
    private readonly store: ContentStore,
  ) {}

  /**
   * The pieces of a job's adapter, cut here from a copy whose hash is checked: so an owner who allows an adapter allows these bytes. They are
   * kept until the next call.
   * @throws MissingContentError; QueueError when a piece comes out otherwise than where it was asked for, or there is no room; AdapterError when
   * the adapter does not fit the model.
   */
  async piecesOf({ adapter: sha256, adapterBytes, pieces: wanted }: Job): Promise<Piece[]> {
    this.folder.releaseAll();
    const adapter = await this.adapter(sha256, adapterBytes);
    const pieces: Piece[] = [];
    for (const { padded, ...one } of wanted) {
      const known = await this.piece(adapter, adapterBytes, one);
      if (padded && known.paddedPath === undefined) throw otherPiece(one.sha256, "no padded form");
      pieces.push(padded ? known : { path: known.path, modules: known.modules });
    }
    return pieces;
  }

  /** Shows other workers on this machine what is in use. */
  async markInUse(): Promise<void> {
    await this.folder.markHeld();
  }

  private async adapter(sha256: string, bytes: number): Promise<HashedAdapter> {
    const path = this.folder.path("adapters", sha256);
    const isThere = await this.folder.hold(path);
    const known = this.adapters.get(sha256);
    if (known && isThere) return known;
    if (!isThere || (await sha256File(path)) !== sha256) {
      await this.folder.makeRoom(bytes);
      await this.store.fetchFile(sha256, bytes, path);
    }
    const adapter = { ...(await loadGgufAdapter(path)), sha256 };
    assertFits(adapter, this.model);
    keep(this.adapters, sha256, adapter, MOST_ADAPTERS);
    return adapter;
  }

  private async piece(adapter: HashedAdapter, adapterBytes: number, wanted: Omit<JobPiece, "padded">): Promise<Piece> {
    const known = this.pieces.get(wanted.sha256);
    if (known && (await this.isThere(known))) return known;
    const share = wanted.modules.length / Math.max(1, adapter.modules.length);
    await this.folder.makeRoom(Math.ceil(PIECE_FACTOR * Math.min(1, share) * adapterBytes));
    const piece = await this.cut(adapter, wanted);
    await this.isThere(piece);
    keep(this.pieces, wanted.sha256, piece, MOST_PIECES);
    return piece;
  }

  private async isThere({ path, paddedPath = path }: Piece): Promise<boolean> {
    const [plain, padded] = [await this.folder.hold(path), await this.folder.hold(paddedPath)];
    return plain && padded;
  }

  /** Cuts a piece in a folder of its own: only what has the right hash comes into the cache, under that hash. */
  private async cut(
    adapter: HashedAdapter,
    { sha256: expected, modules, times }: Omit<JobPiece, "padded">,
  ): Promise<Piece> {
    const named = new Set(modules);
    const own = adapter.modules.filter(({ name }) => named.has(name));
    const scratch = await this.folder.scratch();
    try {
      const made = await writePiece(adapter, own, scratch, times);
      const found = await sha256File(made.path);
      if (found !== expected) throw otherPiece(expected, found);
      const path = this.folder.path("pieces", expected);
      const paddedPath = made.paddedPath === made.path ? path : this.folder.path("pieces", expected, "-padded.gguf");
      if (made.paddedPath !== undefined && made.paddedPath !== made.path) await settle(made.paddedPath, paddedPath);
      await settle(made.path, path);
      return { path, modules: made.modules, ...(made.paddedPath === undefined ? {} : { paddedPath }) };
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }
}

/** Moves a file to where it is to stay, unless the same is there: another worker may be reading it. */
async function settle(from: string, to: string): Promise<void> {
  if ((await exists(to)) && (await sha256File(to)) === (await sha256File(from))) return;
  await rename(from, to);
}

/** Adds to what is known; beyond so many the first is forgotten. */
function keep<T>(known: Map<string, T>, key: string, value: T, most: number): void {
  known.delete(key);
  known.set(key, value);
  const [first] = known.keys();
  if (known.size > most && first !== undefined) known.delete(first);
}

/** A mask of a job with this machine's files. @throws QueueError for a piece that the job does not list. */
export function scaledPieces(mask: readonly (readonly [number, number])[], pieces: readonly Piece[]): ScaledPiece[] {
  return mask.map(([at, scale]) => {
    const piece = pieces[at];
    if (!piece) throw new QueueError({ what: "a job names a piece that it does not list", actual: String(at) });
    const { path, paddedPath } = piece;
    return { path, scale, ...(scale === 1 && paddedPath !== undefined ? { paddedPath } : {}) };
  });
}

function otherPiece(expected: string, actual: string): QueueError {
  return new QueueError({
    what: "a piece of the adapter comes out otherwise on this worker",
    actual,
    expected,
    fix: "All machines must run the same release of boundary.",
  });
}
