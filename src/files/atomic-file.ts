import { randomBytes } from "node:crypto";
import { access, mkdir, open, rename, stat, unlink, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { BoundaryError, fileError, FileError } from "../errors.js";
import { removeOnExit } from "./unfinished.js";

/**
 * Writes a file so that its path never shows half of it: a temporary file beside it, fsync, rename.
 * @throws FileError when the target exists and `overwrite` is false, or when writing fails; nothing is left behind then.
 */
export async function writeFileAtomic(
  path: string,
  write: (handle: FileHandle) => Promise<void>,
  { overwrite }: { overwrite: boolean },
): Promise<void> {
  if (!overwrite) await assertFree(path);
  const temporary = `${path}.${randomBytes(4).toString("hex")}.tmp`;
  const { finished } = removeOnExit(temporary);
  let handle: FileHandle | undefined;
  try {
    handle = await open(temporary, "wx");
    await write(handle);
    await handle.sync();
    await handle.close();
    handle = undefined;
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await handle?.close().catch(() => undefined);
    await unlink(temporary).catch(() => undefined);
    throw cause instanceof BoundaryError ? cause : fileError(path, "write", cause);
  } finally {
    finished();
  }
}

/** {@link writeFileAtomic} for text that is at hand, replacing what was there. */
export async function writeTextAtomic(path: string, text: string): Promise<void> {
  await writeFileAtomic(path, (handle) => handle.writeFile(text, "utf8"), { overwrite: true });
}

/**
 * Makes a folder and those above it, where they are missing. Node's own recursive mkdir never returns where the system answers ENOENT
 * although the parent exists, as /proc does.
 * @throws FileError when it cannot be made.
 */
export async function ensureFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "EEXIST" && (await stat(path)).isDirectory()) return;
    const parent = dirname(path);
    if (code !== "ENOENT" || parent === path || (await exists(parent))) throw fileError(path, "write", cause);
    await ensureFolder(parent);
    await mkdir(path).catch((again: unknown) => {
      throw fileError(path, "write", again);
    });
  }
}

/** Whether anything is at this path. */
export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** @throws FileError when anything is at this path. */
export async function assertFree(path: string): Promise<void> {
  if (!(await exists(path))) return;
  throw new FileError(path, {
    what: `${path} exists already`,
    fix: "Choose another --out, or pass --force to replace it.",
  });
}

/** A rename is only durable once its folder is; some file systems cannot sync folders, which is no failure of the write. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, "r").catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}
