import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileError } from "../errors.js";
import { removeOnExit } from "./unfinished.js";

/**
 * Makes a folder for the time of a job and removes it with all that is in it, whatever happens.
 * @param purpose part of its name: `boundary-PURPOSE-XXXXXX`.
 * @throws FileError when it cannot be made.
 */
export async function withTemporaryFolder<T>(purpose: string, use: (folder: string) => Promise<T>): Promise<T> {
  const { path, remove } = await makeTemporaryFolder(purpose);
  try {
    return await use(path);
  } finally {
    await remove();
  }
}

/** A folder that stays until it is removed, or until the process ends. @throws FileError when it cannot be made. */
export async function makeTemporaryFolder(
  purpose: string,
): Promise<{ readonly path: string; readonly remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), `boundary-${purpose}-`)).catch((cause: unknown) => {
    throw fileError(tmpdir(), "write", cause);
  });
  const { finished } = removeOnExit(path);
  return {
    path,
    remove: async () => {
      finished();
      await rm(path, { recursive: true, force: true });
    },
  };
}
