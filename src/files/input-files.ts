import { InputChangedError } from "../errors.js";
import { sha256File } from "../files/file-source.js";
import { isSameStamp, stampNow, type FileStamp, type HashedStamp } from "./file-stamp.js";

/** Hashes what a file holds: SHA-256, lower-case hex. */
type ContentHash = (path: string) => Promise<string>;

/**
 * Hashes a file whose header was read before.
 * @param stamp taken when the header was read.
 * @param hash of a file's content: of all of it, or of what stands for it.
 * @throws InputChangedError when header and hash are not of the same content; FileError when the file cannot be read.
 */
export async function hashStamped(stamp: FileStamp, hash: ContentHash = sha256File): Promise<HashedStamp> {
  const sha256 = await hash(stamp.path);
  const now = stampNow(stamp.path);
  if (!isSameStamp(stamp, now)) {
    throw new InputChangedError(stamp.path, {
      what: now
        ? `${stamp.path} changed while it was being opened`
        : `${stamp.path} was removed while it was being opened`,
      fix: "Run the same command again once nothing writes to that file.",
    });
  }
  return { ...stamp, sha256 };
}

/** The files that a result names by their hash: what they held when they were hashed, and whether they still do. */
export class InputFiles {
  private readonly files: Map<string, HashedStamp>;
  private looking: Promise<void> | undefined;

  /** @param hash that gave the files' hashes. */
  constructor(
    files: readonly HashedStamp[],
    private readonly hash: ContentHash = sha256File,
  ) {
    this.files = new Map(files.map((file) => [file.path, file]));
  }

  /** Looks after these files too. */
  add(files: readonly HashedStamp[]): void {
    for (const file of files) this.files.set(file.path, file);
  }

  /** Whether no file was touched since it was looked at last: some microseconds a file. */
  areUntouched(): boolean {
    for (const file of this.files.values()) if (!isSameStamp(file, stampNow(file.path))) return false;
    return true;
  }

  /**
   * Looks whether each file still holds what was hashed: by its stamp, and by its hash where the stamp moved.
   * @throws InputChangedError for the first that does not.
   */
  async assertUnchanged(): Promise<void> {
    if (this.looking) return this.looking;
    if (this.areUntouched()) return;
    this.looking = this.hashTouched().finally(() => {
      this.looking = undefined;
    });
    return this.looking;
  }

  /**
   * Writes something that is made of the files.
   * @param undo removes what was written, where the files turn out to have changed.
   * @throws InputChangedError when one changed before or meanwhile; whatever `write` throws.
   */
  async writeFrom<T>(write: () => Promise<T>, undo: () => Promise<void>): Promise<T> {
    await this.assertUnchanged();
    const written = await write();
    await this.assertUnchanged().catch(async (error: unknown) => {
      await undo();
      throw error;
    });
    return written;
  }

  private async hashTouched(): Promise<void> {
    for (const known of this.files.values()) {
      const now = stampNow(known.path);
      if (isSameStamp(known, now)) continue;
      if (!now) throw changed(known, "no such file");
      const { sha256 } = await hashStamped(now, this.hash);
      if (sha256 !== known.sha256) throw changed(known, `SHA-256 ${sha256.slice(0, 12)}...`);
      this.files.set(known.path, { ...now, sha256 });
    }
  }
}

function changed({ path, sha256 }: HashedStamp, actual: string): InputChangedError {
  return new InputChangedError(path, {
    what: `${path} changed while it was in use`,
    actual,
    expected: `SHA-256 ${sha256.slice(0, 12)}... as at the start`,
    fix: "No answer given after the change was kept. Put the file back and run the same command again to go on, or choose another --out for the new file.",
  });
}
