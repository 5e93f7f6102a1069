import { statSync, type BigIntStats } from "node:fs";
import { InputChangedError } from "../errors.js";

/** What the file system says of a file without reading it: while a stamp stays the same, so does the content. */
export interface FileStamp {
  readonly path: string;
  /** Device, inode, size and time of the last write. */
  readonly content: string;
  /** Time of the last change of content or attributes, in nanoseconds: a program that sets the time of writing back cannot set this one. */
  readonly changed: bigint;
}

/** A file's stamp with the SHA-256 of what it held then, lower-case hex. */
export interface HashedStamp extends FileStamp {
  readonly sha256: string;
}

export function stampOf(path: string, { dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): FileStamp {
  return { path, content: [dev, ino, size, mtimeNs].join(" "), changed: ctimeNs };
}

/** The stamp of a file as it is now, undefined where none can be reached. Takes some microseconds. */
export function stampNow(path: string): FileStamp | undefined {
  try {
    return stampOf(path, statSync(path, { bigint: true }));
  } catch {
    return undefined;
  }
}

/**
 * What `read` makes of a file, and the file's stamp from before: it stays the file's for as long as that is still in it.
 * @throws whatever `read` throws.
 */
export async function withStamp<T>(
  path: string,
  read: (path: string) => Promise<T>,
): Promise<{ readonly value: T; readonly stamp: FileStamp }> {
  const stamp = stampNow(path);
  const value = await read(path);
  if (!stamp) throw changedWhileRead(path, stampNow(path));
  return { value, stamp };
}

export function isSameStamp(a: FileStamp, b: FileStamp | undefined): boolean {
  return a.content === b?.content && a.changed === b.changed;
}

/** @throws InputChangedError when the file was written or replaced since the stamp was taken. */
export function assertStillWritten(stamp: FileStamp): void {
  const now = stampNow(stamp.path);
  if (now?.content !== stamp.content) throw changedWhileRead(stamp.path, now);
}

export function changedWhileRead(path: string, now: FileStamp | undefined): InputChangedError {
  return new InputChangedError(path, {
    what: now ? `${path} changed while it was being read` : `${path} was removed while it was being read`,
    fix: "Run the same command again once nothing writes to that file.",
  });
}
