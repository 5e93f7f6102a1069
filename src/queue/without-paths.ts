import { homedir, tmpdir } from "node:os";
import { basename } from "node:path";

/** An absolute path as messages hold it: POSIX, Windows or UNC, to the next blank, quote or bracket. */
const ABSOLUTE = /(?<![\w.)\]}/-])(?:[A-Za-z]:[\\/]|\\\\|~?\/)[^\s"'`<>|()[\]{},;]+/g;

/**
 * A message without where things lie on this machine: of each path only the last part stays.
 * @param known paths that may have blanks in them, files or folders.
 */
export function withoutPaths(message: string, known: readonly string[]): string {
  const roots = [...known, homedir(), tmpdir(), process.cwd()].filter((path) => path.length > 1);
  const longestFirst = roots.sort((a, b) => b.length - a.length);
  const bare = message.replaceAll("file://", "");
  const cut = longestFirst.reduce((rest, path) => rest.replaceAll(path, `/${basename(path)}`), bare);
  return cut.replace(ABSOLUTE, (path) => {
    const end = /[.:!?]+$/.exec(path)?.[0] ?? "";
    const name = path.slice(0, path.length - end.length).replace(/[\\/]+$/, "");
    return `${name.split(/[\\/]/).at(-1) ?? ""}${end}`;
  });
}
