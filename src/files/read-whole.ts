import { constants } from "node:buffer";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { FileError, fileError } from "../errors.js";
import { withFileSource } from "../files/file-source.js";

/** Largest configuration, list of masks or prompt that is read, in bytes: the largest that people have are a tenth of it. */
export const CONFIG_BYTES = 4 << 20;

/** Largest file of text, in bytes: what one string can hold. */
export const TEXT_BYTES = constants.MAX_STRING_LENGTH;

/** Largest file that is read as bytes, 2 GiB: what one call of the system reads. */
export const LARGEST_BYTES = 2 ** 31 - 1;

/**
 * All bytes of a plain file, at most as many as it had when it was opened: one that grows meanwhile is read up to there. A pipe that the
 * shell made, as in `--data <(zcat file)`, is read to its end.
 * @param limit in bytes.
 * @throws FileError when it cannot be read, is larger than the limit, or is not a plain file: a device or a pipe may have no end.
 */
export async function readWhole(path: string, limit: number): Promise<Buffer> {
  if (await isShellPipe(path)) return readPipe(path, limit);
  return withFileSource(path, (source) => {
    if (source.size > limit) throw tooLarge(path, source.size, limit);
    return source.readAll();
  });
}

/** {@link readWhole} as text in UTF-8; malformed bytes become U+FFFD. */
export async function readWholeText(path: string, limit: number = TEXT_BYTES): Promise<string> {
  return (await readWhole(path, limit)).toString("utf8");
}

/** {@link readWholeText} of a file that need not be there. */
export async function readOptionalText(path: string, limit?: number): Promise<string | undefined> {
  return readWholeText(path, limit).catch((cause: unknown) => {
    if (isMissing(cause)) return undefined;
    throw cause;
  });
}

/** Whether an error of this room says that there is no such file. */
export function isMissing(error: unknown): boolean {
  const cause = error instanceof FileError ? error.cause : undefined;
  return cause instanceof Error && "code" in cause && cause.code === "ENOENT";
}

async function isShellPipe(path: string): Promise<boolean> {
  if (!/^\/(?:dev\/|proc\/self\/)(?:fd\/\d+|stdin)$/.test(path)) return false;
  return stat(path).then(
    (kind) => kind.isFIFO(),
    () => false,
  );
}

async function readPipe(path: string, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limit) throw tooLarge(path, size, limit);
      chunks.push(chunk);
    }
  } catch (cause) {
    throw cause instanceof FileError ? cause : fileError(path, "read", cause);
  }
  return Buffer.concat(chunks);
}

function tooLarge(path: string, size: number, limit: number): FileError {
  return new FileError(path, {
    what: `${path} is too large to read whole`,
    actual: `${size.toLocaleString("en-US")} bytes`,
    expected: `at most ${limit.toLocaleString("en-US")}`,
    fix: "Check that it is the file you meant; of data, give a part.",
  });
}
