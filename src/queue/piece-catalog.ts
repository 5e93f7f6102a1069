import { loadGgufAdapter } from "../adapter/load-gguf-adapter.js";
import type { ScaledPiece } from "../adapter/pieces.js";
import { sha256File } from "../files/file-source.js";
import type { RequestedPiece } from "./answer-request.js";
import type { JobPiece } from "./messages.js";

/** What the files of an adapter's pieces hold, told without their paths. */
export class PieceCatalog {
  private readonly known = new Map<string, Promise<Omit<JobPiece, "padded">>>();

  /** The pieces of a mask: their paths name their content, so each file is read once. */
  async asked(pieces: readonly ScaledPiece[]): Promise<RequestedPiece[]> {
    return Promise.all(
      pieces.map(async ({ path, scale, paddedPath, times = 1 }) => {
        const found = this.known.get(path) ?? read(path);
        this.known.set(path, found);
        const piece = { ...(await found), ...(times === 1 ? {} : { times }), padded: paddedPath !== undefined };
        return { piece, scale };
      }),
    );
  }
}

async function read(path: string): Promise<Omit<JobPiece, "padded">> {
  const { modules } = await loadGgufAdapter(path);
  return { sha256: await sha256File(path), modules: modules.map(({ name }) => name) };
}
