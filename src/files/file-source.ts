import { open, stat, type FileHandle } from "node:fs/promises";
import { createHash } from "node:crypto";
import { readSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { fileError, FileError, FormatError, InputChangedError } from "../errors.js";
import { assertStillWritten, stampOf, type FileStamp } from "./file-stamp.js";

/** Bytes read at once: large enough that calls cost little, small enough to stay in a core's own cache (1 MiB takes four times as long). */
const STREAM_BYTES = 1 << 17;

/** Bytes after which streams let the event loop turn: about 10 ms of reading. */
const BYTES_A_TURN = 1 << 25;

/** Over all streams: an adapter has thousands of small ones. */
let bytesSinceTurn = 0;

/** Buffers that no stream uses now: one for each of thousands of tensors would keep the garbage collector busy. */
const idleBuffers: Buffer[] = [];

/** A file opened for reading at any offset. `size` is in bytes, as it was when the file was opened. */
export class FileSource {
  private constructor(
    readonly path: string,
    readonly size: number,
    /** The file's as it was when it was opened. */
    readonly stamp: FileStamp,
    private readonly handle: FileHandle,
  ) {}

  /** @throws FileError when the file is missing, unreadable or not a plain file. */
  static async open(path: string): Promise<FileSource> {
    let handle: FileHandle | undefined;
    try {
      // Opening a pipe would wait for its writer, so what it is comes first.
      const kind = await stat(path);
      if (kind.isDirectory()) throw Object.assign(new Error("is a directory"), { code: "EISDIR" });
      if (!kind.isFile())
        throw new FileError(path, {
          what: `${path} is not a plain file`,
          actual: kind.isFIFO() ? "a pipe" : kind.isSocket() ? "a socket" : "a device",
          expected: "a file on a disk",
        });
      handle = await open(path, "r");
      const stats = await handle.stat({ bigint: true });
      return new FileSource(path, Number(stats.size), stampOf(path, stats), handle);
    } catch (cause) {
      await handle?.close();
      throw cause instanceof FileError ? cause : fileError(path, "read", cause);
    }
  }

  /**
   * Reads exactly `length` bytes from `offset`.
   * @throws FormatError when the file ends before that, InputChangedError when it was written or replaced since it was opened.
   */
  async read(offset: number, length: number): Promise<Buffer> {
    const bytes = await this.readInto(Buffer.allocUnsafe(length), offset);
    assertStillWritten(this.stamp);
    return bytes;
  }

  /** All bytes that the file had when it was opened; it may have grown since, as a journal does. @throws FormatError when it is shorter now. */
  readAll(): Promise<Buffer> {
    return this.readInto(Buffer.allocUnsafe(this.size), 0);
  }

  private async readInto(buffer: Buffer, offset: number): Promise<Buffer> {
    const length = buffer.byteLength;
    let done = 0;
    while (done < length) {
      const { bytesRead } = await this.handle
        .read(buffer, done, length - done, offset + done)
        .catch((cause: unknown) => {
          throw fileError(this.path, "read", cause);
        });
      if (bytesRead === 0) {
        throw new FormatError(this.path, {
          what: `${this.path} ends early`,
          actual: `${offset + done} bytes`,
          expected: `at least ${offset + length} bytes`,
          fix: "The file is probably an incomplete download or copy: fetch it again.",
        });
      }
      done += bytesRead;
    }
    return buffer;
  }

  /**
   * Streams `length` bytes from `offset` in pieces of at most 128 KiB. Each piece lies in the same memory as the one before, and that
   * memory goes to the next stream: use a piece before asking for another, and copy what is to stay.
   * @throws InputChangedError, behind the last piece, when the file was written or replaced since it was opened.
   */
  async *stream(offset: number, length: number): AsyncGenerator<Buffer> {
    const buffer = idleBuffers.pop() ?? Buffer.allocUnsafeSlow(STREAM_BYTES);
    try {
      for (let done = 0; done < length; done += buffer.byteLength) {
        const part = buffer.subarray(0, Math.min(buffer.byteLength, length - done));
        // A synchronous read of cached data takes a quarter of the time that the way through the thread pool and back does.
        const bytesRead = this.readNow(part, offset + done);
        yield bytesRead === part.byteLength ? part : await this.readInto(part, offset + done);
        // Without a turn of the event loop now and then, no signal would be heard until the end.
        bytesSinceTurn += part.byteLength;
        if (bytesSinceTurn > BYTES_A_TURN) {
          bytesSinceTurn = 0;
          await setImmediate();
        }
      }
      assertStillWritten(this.stamp);
    } finally {
      idleBuffers.push(buffer);
    }
  }

  private readNow(buffer: Buffer, offset: number): number {
    try {
      return readSync(this.handle.fd, buffer, 0, buffer.byteLength, offset);
    } catch (cause) {
      throw fileError(this.path, "read", cause);
    }
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}

/**
 * Opens `path`, hands it to `use`, and closes it whatever happens.
 * @throws InputChangedError in place of what `use` throws when the file was written or replaced meanwhile.
 */
export async function withFileSource<T>(path: string, use: (source: FileSource) => Promise<T>): Promise<T> {
  const source = await FileSource.open(path);
  try {
    return await use(source);
  } catch (error) {
    // What a half-written file is blamed for is not its fault.
    if (!(error instanceof InputChangedError)) assertStillWritten(source.stamp);
    throw error;
  } finally {
    await source.close();
  }
}

/** {@link FileSource.stream} of a file that is opened for it and closed behind it. */
export async function* streamFile(path: string, offset: number, length: number): AsyncGenerator<Buffer> {
  const source = await FileSource.open(path);
  try {
    yield* source.stream(offset, length);
  } finally {
    await source.close();
  }
}

/** Opens each of `paths` once, hands over what finds the open file of a path, and closes them whatever happens. */
export async function withFileSources<T>(
  paths: Iterable<string>,
  use: (sourceOf: (path: string) => FileSource) => Promise<T>,
): Promise<T> {
  const sources = new Map<string, FileSource>();
  try {
    for (const path of new Set(paths)) sources.set(path, await FileSource.open(path));
    return await use((path) => {
      const source = sources.get(path);
      if (!source) throw new RangeError(`${path} was not opened`);
      return source;
    });
  } finally {
    for (const source of sources.values()) await source.close();
  }
}

/** Files from this size on are hashed by a thread of their own, beside what else is being done with them. */
const OWN_THREAD_BYTES = 32 << 20;

/** What that thread runs: plain CommonJS, so that it needs no file of its own. */
const HASHING = `
const { workerData: { path, step }, parentPort } = require("node:worker_threads");
const { openSync, readSync } = require("node:fs");
const hash = require("node:crypto").createHash("sha256");
const file = openSync(path, "r");
const buffer = Buffer.allocUnsafeSlow(step);
for (let read; (read = readSync(file, buffer, 0, step, null)) > 0; ) hash.update(buffer.subarray(0, read));
parentPort.postMessage(hash.digest("hex"));
`;

/** SHA-256 of a whole file, lower-case hex. */
export async function sha256File(path: string): Promise<string> {
  return withFileSource(path, async (source) => {
    if (source.size >= OWN_THREAD_BYTES) return hashInThread(path);
    const hash = createHash("sha256");
    for await (const chunk of source.stream(0, source.size)) hash.update(chunk);
    return hash.digest("hex");
  });
}

function hashInThread(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(HASHING, { eval: true, execArgv: [], workerData: { path, step: STREAM_BYTES } });
    worker.once("message", (digest) => {
      resolve(String(digest));
    });
    worker.once("error", (cause) => {
      reject(fileError(path, "read", cause));
    });
  });
}
