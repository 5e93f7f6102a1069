import { AdapterError, FileError, FormatError } from "../../src/errors.js";
import { HeaderCutError } from "../../src/formats/gguf-cursor.js";
import { parseGgufHeader } from "../../src/formats/gguf-reader.js";
import { parseSafetensorsIndex } from "../../src/formats/safetensors-folder.js";
import { parseSafetensorsHeader, safetensorsHeaderLength } from "../../src/formats/safetensors-reader.js";

/** What became of all cases; `slowest` in milliseconds. */
export const seen = { cases: 0, sound: 0, refused: 0, slowest: 0 };

/** Reads a whole file that is at hand, header first. */
export type Parser = (bytes: Buffer) => unknown;
export const parsers = {
  gguf: (bytes: Buffer) => parseGgufHeader(bytes, "fuzz.gguf", bytes.length),
  safetensors: (bytes: Buffer) => {
    const length = safetensorsHeaderLength(bytes.subarray(0, 8), "fuzz.safetensors", bytes.length);
    return parseSafetensorsHeader(bytes.subarray(8, 8 + length), "fuzz.safetensors", bytes.length);
  },
  index: (bytes: Buffer) => parseSafetensorsIndex(bytes, "fuzz.index.json"),
} satisfies Record<string, Parser>;

const isOurs = (error: unknown): error is Error =>
  error instanceof FormatError || error instanceof FileError || error instanceof AdapterError;

/** Ends well or in an error of ours, soon and with a short message; anything else fails the test. */
export async function attempt(work: () => unknown): Promise<boolean> {
  const start = performance.now();
  let sound = true;
  try {
    await work();
  } catch (error) {
    // Out of a whole file, readGgufHeader makes a FormatError of this one.
    if (!isOurs(error) && !(error instanceof HeaderCutError)) throw error;
    if (error.message.length > 2000) throw new Error("a message that floods the terminal", { cause: error });
    sound = false;
  }
  seen.cases++;
  seen[sound ? "sound" : "refused"]++;
  seen.slowest = Math.max(seen.slowest, performance.now() - start);
  return sound;
}
