import { open, readdir, rm, unlink } from "node:fs/promises";
import { join, resolve } from "node:path";
import { z } from "zod";
import { fileError, RunFolderError } from "../errors.js";
import { CONFIG_BYTES, readWholeText } from "../files/read-whole.js";
import { ensureFolder, exists, writeTextAtomic } from "../files/atomic-file.js";

/** What makes two runs the same run: each field by name, so that a difference can be told. */
export type RunFingerprint = Readonly<Record<string, string>>;

const identitySchema = z.record(z.string(), z.string());

/** Files that a run writes into its folder. */
const FILES = {
  identity: "run.json",
  journal: "journal.jsonl",
  likelihoods: "likelihoods.jsonl",
  result: "result.json",
  outputs: "outputs.jsonl",
  samples: "samples.jsonl",
  trimmed: "trimmed.gguf",
  trimmedPeft: "trimmed-peft",
  modelfile: "Modelfile",
  report: "report.html",
  strategies: "strategies.json",
  judge: "judge.json",
  judgeCache: "judge.jsonl",
  votes: "votes.jsonl",
  pieces: ".pieces",
  lock: ".lock",
} as const;

/** The folder of one run, locked for this process. */
export class RunFolder {
  private constructor(
    readonly path: string,
    private readonly lock: string,
  ) {}

  /**
   * Takes a folder for a run: makes it where it is missing, resumes it where the same run began in it.
   * @throws RunFolderError when it holds something else or another process works in it; FileError when it cannot be written.
   */
  static async take(path: string, identity: RunFingerprint, { fresh }: { fresh: boolean }): Promise<RunFolder> {
    await ensureFolder(path);
    const lock = resolve(path, FILES.lock);
    await takeLock(lock, path);
    const folder = new RunFolder(path, lock);
    try {
      await folder.claim(identity, fresh);
      // A killed run leaves its pieces, and nothing says what the adapter held when they were cut.
      await rm(folder.file("pieces"), { recursive: true, force: true });
      return folder;
    } catch (error) {
      await folder.release();
      throw error;
    }
  }

  file(name: keyof typeof FILES): string {
    return join(this.path, FILES[name]);
  }

  /** Gives the folder free and removes what only the run itself needed. */
  async release(): Promise<void> {
    await rm(this.file("pieces"), { recursive: true, force: true });
    await unlink(this.lock).catch(() => undefined);
    heldLocks.delete(this.lock);
  }

  /** Removes what the earlier run left. Its identity stays until the new one replaces it: the folder is that of a run all the time. */
  private async clear(): Promise<void> {
    const kept: readonly string[] = [FILES.lock, FILES.identity];
    for (const name of Object.values(FILES)) {
      if (!kept.includes(name)) await rm(join(this.path, name), { recursive: true, force: true });
    }
  }

  private async claim(identity: RunFingerprint, fresh: boolean): Promise<void> {
    const isRun = await exists(this.file("identity"));
    if (isRun && !fresh) {
      const known = await readIdentity(this.file("identity"));
      const differing = Object.keys({ ...known, ...identity }).filter((name) => known[name] !== identity[name]);
      if (differing.length > 0) throw otherRunError(this.path, differing, known, identity);
      return;
    }
    if (isRun) await this.clear();
    else await this.assertEmpty();
    await writeTextAtomic(this.file("identity"), `${JSON.stringify(identity, null, 2)}\n`);
  }

  /** Without an identity nothing in the folder is a run's, whatever its name: a `trimmed.gguf` may be the user's own. */
  private async assertEmpty(): Promise<void> {
    const foreign = (await readdir(this.path)).filter((name) => name !== FILES.lock && !name.endsWith(".tmp"));
    if (foreign.length > 0) throw foreignError(this.path, foreign);
  }
}

async function readIdentity(path: string): Promise<RunFingerprint> {
  const text = await readWholeText(path, CONFIG_BYTES);
  try {
    return identitySchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new RunFolderError(path, {
      what: `${path} is damaged`,
      fix: "Pass --fresh to start over, or choose another --out.",
      cause,
    });
  }
}

/** A lock file with the process id; one whose process is gone is taken over. */
async function takeLock(lock: string, folder: string): Promise<void> {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      const handle = await open(lock, "wx");
      await handle.writeFile(String(process.pid));
      await handle.close();
      heldLocks.add(lock);
      return;
    } catch (cause) {
      if (!(cause instanceof Error && "code" in cause && cause.code === "EEXIST"))
        throw fileError(lock, "write", cause);
      const owner = Number(await readWholeText(lock, CONFIG_BYTES).catch(() => ""));
      if (isRunning(owner, lock)) {
        throw new RunFolderError(folder, {
          what: `another process works in ${folder}`,
          actual: `process ${owner}`,
          fix: `Wait for it to end, or choose another --out. If no sweep runs there, delete ${lock}.`,
        });
      }
      await unlink(lock).catch(() => undefined);
    }
  }
  throw new RunFolderError(folder, {
    what: `cannot lock ${folder}`,
    fix: "Another process keeps taking it: choose another --out.",
  });
}

/** Locks that this process holds: in a container, process ids come again, so a lock with our own id may also be an old one. */
const heldLocks = new Set<string>();

function isRunning(pid: number, lock: string): boolean {
  if (pid === process.pid) return heldLocks.has(lock);
  if (!Number.isInteger(pid) || pid < 1) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return cause instanceof Error && "code" in cause && cause.code === "EPERM";
  }
}

function foreignError(path: string, foreign: readonly string[]): RunFolderError {
  return new RunFolderError(path, {
    what: `${path} is not empty and not the folder of a run`,
    actual: foreign.slice(0, 3).join(", ") + (foreign.length > 3 ? ", ..." : ""),
    expected: "a new or empty folder, or that of the same run",
    fix: "Choose another --out.",
  });
}

function otherRunError(
  path: string,
  differing: readonly string[],
  known: RunFingerprint,
  wanted: RunFingerprint,
): RunFolderError {
  const short = (value: string | undefined): string =>
    value === undefined ? "nothing" : value.length > 40 ? `${value.slice(0, 12)}...` : value;
  return new RunFolderError(path, {
    what: `${path} holds another run`,
    actual: differing.map((name) => `${name} ${short(known[name])}`).join(", "),
    expected: differing.map((name) => `${name} ${short(wanted[name])}`).join(", "),
    fix: "Choose another --out, or pass --fresh to delete that run and start over.",
  });
}
