import { parsedJson } from "../parsed-json.js";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { createGunzip, gunzipSync } from "node:zlib";
import { SampleError, messageOf } from "../errors.js";
import { digest } from "../files/digest.js";
import { sha256File, withFileSource, type FileSource } from "../files/file-source.js";
import { readWhole, TEXT_BYTES } from "../files/read-whole.js";
import { assertNotBinary } from "./other-files.js";
import { isRecord } from "./place.js";

/** A file of text. */
export interface TextFile {
  readonly path: string;
  /** Without a byte order mark. */
  readonly text: string;
  /** Whether the bytes begin with the byte order mark of UTF-8. */
  readonly hasByteOrderMark: boolean;
  /** Of the file's bytes, in hexadecimal. */
  readonly sha256: string;
  /** Whether the text is all of the file. */
  readonly isWhole: boolean;
}

/** Smaller files are read whole, whatever is wanted of them; packed ones may be a hundred times as large when they are unpacked. */
const SMALL_BYTES = 16 << 20;

/**
 * Reads a text file in UTF-8, or in UTF-16 with a byte order mark, also one packed with gzip.
 * @param expected what it should hold, for messages.
 * @param mostLines so many lines are wanted of a large file of one row a line; any other is read whole.
 * @throws FileError when it cannot be read or is too long to hold, {@link SampleError} when it is no text.
 */
export async function readTextFile(
  path: string,
  expected = "JSON or JSONL",
  mostLines = Number.POSITIVE_INFINITY,
): Promise<TextFile> {
  if (mostLines < Number.POSITIVE_INFINITY && ((await sizeOf(path)) > SMALL_BYTES || isGzip(await headOf(path)))) {
    const first = await firstLines(path, expected, mostLines);
    if (first !== undefined) return { path, ...first, sha256: await sha256File(path) };
  }
  const bytes = await readWhole(path, TEXT_BYTES);
  return { path, ...decoded(path, unpacked(path, bytes), expected), sha256: digest(bytes), isWhole: true };
}

/** The first bytes of a plain file; none of a pipe, which can be read once. */
export async function headOf(path: string): Promise<Buffer> {
  const size = await sizeOf(path);
  return size === 0 ? Buffer.alloc(0) : withFileSource(path, (source) => source.read(0, Math.min(size, 16)));
}

/** The first lines of a file whose lines are its rows; undefined for another, which has to be read whole. */
async function firstLines(
  path: string,
  expected: string,
  mostLines: number,
): Promise<Pick<TextFile, "text" | "hasByteOrderMark" | "isWhole"> | undefined> {
  return withFileSource(path, async (source) => {
    const head = await source.read(0, 4);
    const pieces = Readable.from(copies(source));
    const bytes = isGzip(head) ? pieces.pipe(createGunzip()) : pieces;
    let decoder: TextDecoder | undefined;
    let hasByteOrderMark = false;
    const texts: string[] = [];
    let lines = 0;
    try {
      for await (const piece of bytes as AsyncIterable<Buffer>) {
        if (!decoder) {
          assertNotBinary(path, piece, expected);
          hasByteOrderMark = isMarkedUtf8(piece);
          decoder = new TextDecoder(encodingOf(piece), { fatal: true });
        }
        const text = decoder.decode(piece, { stream: true });
        if (texts.length === 0 && !isOneRowALine(path, text)) return undefined;
        texts.push(text);
        lines += text.split("\n").length - 1;
        if (lines <= mostLines) continue;
        return { text: cutAtLine(texts.join(""), mostLines), hasByteOrderMark, isWhole: false };
      }
    } catch (cause) {
      throw cause instanceof SampleError ? cause : notText(path, expected, cause);
    }
    return { text: texts.join(""), hasByteOrderMark, isWhole: true };
  });
}

async function* copies(source: FileSource): AsyncGenerator<Buffer> {
  for await (const piece of source.stream(0, source.size)) yield Buffer.from(piece);
}

/** A table is known by its name; anything else by a first line that is an object of its own. */
function isOneRowALine(path: string, text: string): boolean {
  if (/\.(csv|tsv)(\.gz)?$/i.test(path)) return true;
  const start = text.trimStart();
  const end = start.indexOf("\n");
  if (!start.startsWith("{") || end < 0) return false;
  const row = parsedJson(start.slice(0, end));
  return isRecord(row) && !Array.isArray(row["data"]);
}

function cutAtLine(text: string, lines: number): string {
  let at = -1;
  for (let i = 0; i < lines; i++) at = text.indexOf("\n", at + 1);
  return text.slice(0, at + 1);
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    (stats) => (stats.isFile() ? stats.size : 0),
    () => 0,
  );
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

function unpacked(path: string, bytes: Buffer): Buffer {
  if (!isGzip(bytes)) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: TEXT_BYTES });
  } catch (cause) {
    throw new SampleError(
      { path },
      {
        what: `${path} is packed with gzip and cannot be unpacked`,
        actual: messageOf(cause),
        fix: "Fetch it again, or unpack it and give a part.",
        cause,
      },
    );
  }
}

/**
 * The lines of a text. Only "\n" and "\r\n" end a line, as `wc -l` and editors count; form feeds, U+0085, U+2028 and a lone
 * "\r" are part of it. The end of the last line begins no further one.
 */
export function linesOf(text: string): readonly string[] {
  const lines = text.split("\n").map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line));
  return text === "" || text.endsWith("\n") ? lines.slice(0, -1) : lines;
}

function decoded(path: string, bytes: Uint8Array, expected: string): Pick<TextFile, "text" | "hasByteOrderMark"> {
  assertNotBinary(path, bytes, expected);
  try {
    const text = new TextDecoder(encodingOf(bytes), { fatal: true }).decode(bytes);
    return { text, hasByteOrderMark: isMarkedUtf8(bytes) };
  } catch (cause) {
    throw notText(path, expected, cause);
  }
}

function isMarkedUtf8(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}

/** UTF-8, unless a byte order mark says otherwise. */
function encodingOf(bytes: Uint8Array): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
  return bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : "utf-8";
}

function notText(path: string, expected: string, cause: unknown): SampleError {
  return new SampleError(
    { path },
    {
      what: `${path} is not a text file in UTF-8`,
      expected: `${expected} in UTF-8, or in UTF-16 with a byte order mark`,
      fix: "Convert it if it is in another encoding.",
      cause,
    },
  );
}
