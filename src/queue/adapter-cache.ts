import { join } from "node:path";
import type { HashedAdapter } from "../adapter/adapter.js";
import type { BaseModel } from "../adapter/base-model.js";
import { assertFits } from "../adapter/fit.js";
import { loadGgufAdapter } from "../adapter/load-gguf-adapter.js";
import { writePiece, type Piece, type ScaledPiece } from "../adapter/pieces.js";
import { QueueError } from "../errors.js";
import { ensureFolder } from "../formats/atomic-file.js";
import { sha256File } from "../formats/file-source.js";
import type { ContentStore } from "./content-store.js";
import type { JobPiece } from "./messages.js";

/** A worker's adapters and the pieces cut from them, in a folder by hash. */
export class AdapterCache {
  private readonly adapters = new Map<string, Promise<HashedAdapter>>();
  private readonly pieces = new Map<string, Promise<Piece>>();

  constructor(
    private readonly folder: string,
    private readonly model: BaseModel,
    private readonly store: ContentStore,
  ) {}

  /**
   * The pieces of an adapter, cut here from a copy whose hash is checked: so an owner who allows an adapter allows these bytes.
   * @throws MissingContentError; QueueError when a piece comes out otherwise than where it was asked for; AdapterError when it does not fit the model.
   */
  async piecesOf(sha256: string, wanted: readonly JobPiece[]): Promise<Piece[]> {
    const adapter = await once(this.adapters, sha256, () => this.fetch(sha256));
    const pieces: Piece[] = [];
    for (const { padded, ...one } of wanted) {
      const { sha256: expected } = one;
      const known = await once(this.pieces, expected, () => this.cut(adapter, one));
      if (padded && known.paddedPath === undefined) throw otherPiece(expected, "no padded form");
      pieces.push(padded ? known : { path: known.path, modules: known.modules });
    }
    return pieces;
  }

  private async cut(
    adapter: HashedAdapter,
    { sha256: expected, modules, times }: Omit<JobPiece, "padded">,
  ): Promise<Piece> {
    const named = new Set(modules);
    const own = adapter.modules.filter(({ name }) => named.has(name));
    const folder = join(this.folder, "pieces");
    await ensureFolder(folder);
    const piece = await writePiece(adapter, own, folder, times);
    const found = await sha256File(piece.path);
    if (found !== expected) throw otherPiece(expected, found);
    return piece;
  }

  private async fetch(sha256: string): Promise<HashedAdapter> {
    const path = await this.store.fetchFile(sha256, join(this.folder, "adapters"));
    const adapter = { ...(await loadGgufAdapter(path)), sha256 };
    assertFits(adapter, this.model);
    return adapter;
  }
}

/** What is known under a key, made where it is not; what fails is made again the next time. */
function once<T>(known: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const found = known.get(key);
  if (found) return found;
  const made = make();
  known.set(key, made);
  made.catch(() => known.delete(key));
  return made;
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
