import { randomBytes } from "node:crypto";
import { readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { QueueError } from "../errors.js";
import { ensureFolder } from "../files/atomic-file.js";

/** Files that were used so lately, in milliseconds, may be in use by another worker on this machine: they stay. */
const IN_USE_MS = 120_000;
/** Between two looks at what the folder holds, and between two marks on files in use, in milliseconds. */
const LOOK_MS = 60_000;
const MARK_MS = 30_000;
/** Between two tries to make room, in milliseconds. */
const PAUSE_MS = 5_000;

interface CachedFile {
  readonly path: string;
  readonly bytes: number;
  /** When it was used last, in milliseconds since 1970. */
  readonly used: number;
}

/** A folder of files by hash that takes at most so many bytes: what was not used for longest goes first, what a job uses never. */
export class CacheFolder {
  private readonly held = new Set<string>();
  /** Bytes in the folder as of the last look, and those added since. */
  private bytes = 0;
  private looked = -Infinity;
  private marked = -Infinity;

  constructor(
    private readonly folder: string,
    /** Bytes. */
    readonly limit: number,
  ) {}

  /** The path of a file that has this hash. @param sha256 64 hexadecimal digits, which lead nowhere else. */
  path(kind: "adapters" | "pieces", sha256: string, ending = ".gguf"): string {
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw new RangeError(`not a SHA-256: ${sha256}`);
    return join(this.folder, kind, `${sha256}${ending}`);
  }

  /** An empty folder of its own for files whose hash is to be checked. */
  async scratch(): Promise<string> {
    const path = join(this.folder, "pieces", `cut-${randomBytes(6).toString("hex")}`);
    await ensureFolder(path);
    return path;
  }

  /** Keeps a file until {@link releaseAll}. @returns whether it is there. */
  async hold(path: string): Promise<boolean> {
    this.held.add(path);
    return mark(path);
  }

  releaseAll(): void {
    this.held.clear();
  }

  /** Shows other workers that what is held is in use. */
  async markHeld(): Promise<void> {
    if (performance.now() - this.marked < MARK_MS) return;
    this.marked = performance.now();
    for (const path of this.held) await mark(path);
  }

  /**
   * Makes room for so many more bytes; waits where files were used by others a moment ago.
   * @throws QueueError when there is none.
   */
  async makeRoom(wanted: number): Promise<void> {
    const started = performance.now();
    while (!(await this.hasRoom(wanted))) {
      if (wanted > this.limit || performance.now() - started > IN_USE_MS) throw this.full(wanted);
      await sleep(PAUSE_MS);
    }
    this.bytes += wanted;
  }

  private async hasRoom(wanted: number): Promise<boolean> {
    if (this.bytes + wanted <= this.limit && performance.now() - this.looked < LOOK_MS) return true;
    const files = await this.files();
    this.looked = performance.now();
    this.bytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
    const removable = files.filter(({ path, used }) => !this.held.has(path) && Date.now() - used > IN_USE_MS);
    for (const { path, bytes } of removable.sort((a, b) => a.used - b.used)) {
      if (this.bytes + wanted <= this.limit) break;
      await rm(path, { force: true });
      this.bytes -= bytes;
    }
    return this.bytes + wanted <= this.limit;
  }

  private async files(): Promise<CachedFile[]> {
    const found: CachedFile[] = [];
    for (const kind of ["adapters", "pieces"]) {
      const folder = join(this.folder, kind);
      const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
      for (const entry of entries) {
        const path = join(entry.parentPath, entry.name);
        const facts = entry.isFile() ? await stat(path).catch(() => undefined) : undefined;
        if (facts) found.push({ path, bytes: facts.size, used: facts.mtimeMs });
      }
    }
    return found;
  }

  private full(wanted: number): QueueError {
    const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;
    return new QueueError({
      what: "the worker's cache has no room for this adapter and its pieces",
      actual: `${gigabytes(this.bytes)} in use, ${gigabytes(wanted)} wanted`,
      expected: `at most ${gigabytes(this.limit)}`,
      fix: "Start the worker with a larger --cache-size.",
    });
  }
}

/** Writes down that a file was used now. @returns whether it is there. */
function mark(path: string): Promise<boolean> {
  const now = new Date();
  return utimes(path, now, now).then(
    () => true,
    () => false,
  );
}
