import { basename, extname } from "node:path";
import { shellWord } from "../files/shell-word.js";

/** A command that a user can run to turn a file into one that is read, and the file it writes into the current folder. */
export interface Conversion {
  readonly command: string;
  readonly output: string;
}

/** A one-line program of Python, for files that its libraries read. @param program with `i` and `o` for the two paths. */
export function pythonConversion(path: string, program: string): Conversion {
  const output = outputName(path, "");
  return {
    output,
    command: `python3 -c "import sys;i,o=sys.argv[1:];${program}" ${shellWord(path)} ${shellWord(output)}`,
  };
}

/** A JSONL file in the current folder, called otherwise than the file itself. */
function outputName(path: string, suffix: string): string {
  const stem = basename(path, extname(path)) + suffix;
  return `${stem}.jsonl` === basename(path) ? `${stem}-rows.jsonl` : `${stem}.jsonl`;
}
