import { digest } from "../files/digest.js";
import { SampleError } from "../errors.js";
import { readWhole, TEXT_BYTES } from "../files/read-whole.js";
import { assertNotBinary } from "./other-files.js";

/** A file of text, read whole. */
export interface TextFile {
  readonly path: string;
  /** Without a byte order mark. */
  readonly text: string;
  /** Whether the bytes begin with the byte order mark of UTF-8. */
  readonly hasByteOrderMark: boolean;
  /** Of the file's bytes, in hexadecimal. */
  readonly sha256: string;
}

/**
 * Reads a text file in UTF-8; `expected` says what it should hold, for messages.
 * Throws FileError when it cannot be read or is too long to hold, {@link SampleError} when it is not UTF-8.
 */
export async function readTextFile(path: string, expected = "JSON or JSONL"): Promise<TextFile> {
  const bytes = await readWhole(path, TEXT_BYTES);
  const hasByteOrderMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  return { path, text: decodeText(path, bytes, expected), hasByteOrderMark, sha256: digest(bytes) };
}

/**
 * The lines of a text. Only "\n" and "\r\n" end a line, as `wc -l` and editors count; form feeds, U+0085, U+2028 and a lone
 * "\r" are part of it. The end of the last line begins no further one.
 */
export function linesOf(text: string): readonly string[] {
  const lines = text.split("\n").map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line));
  return text === "" || text.endsWith("\n") ? lines.slice(0, -1) : lines;
}

function decodeText(path: string, bytes: Uint8Array, expected: string): string {
  assertNotBinary(path, bytes, expected);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new SampleError(
      { path },
      {
        what: `${path} is not a text file in UTF-8`,
        expected: `${expected} in UTF-8`,
        fix: "Unpack it if it is compressed; convert it if it is in another encoding.",
        cause,
      },
    );
  }
}
