import { rmSync } from "node:fs";

/** Files and folders that nobody needs once this process is gone. */
const unfinished = new Set<string>();

/**
 * Removes a file or folder should the process exit before `finished` is called for it, as on a second Ctrl-C.
 * A process that is killed removes nothing.
 */
export function removeOnExit(path: string): { finished: () => void } {
  if (unfinished.size === 0) process.once("exit", removeAll);
  unfinished.add(path);
  return {
    finished: () => {
      unfinished.delete(path);
      if (unfinished.size === 0) process.off("exit", removeAll);
    },
  };
}

function removeAll(): void {
  for (const path of unfinished) {
    try {
      rmSync(path, { recursive: true, force: true });
    } catch {
      // It stays, as after a kill.
    }
  }
}
