import { chmod, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FileError, UsageError } from "../../src/errors.js";
import { exists, writeFileAtomic, writeTextAtomic } from "../../src/files/atomic-file.js";
import { sha256File, withFileSource } from "../../src/files/file-source.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const folder = temporaryFolder();

async function newFolder(name: string): Promise<string> {
  const path = join(folder.path, name);
  await mkdir(path);
  return path;
}

describe("writing a file atomically", () => {
  it("replaces what was there, and leaves nothing beside it", async () => {
    const where = await newFolder("replace");
    const path = join(where, "file.txt");
    await writeTextAtomic(path, "one");
    await writeTextAtomic(path, "two ✓");
    expect(await readFile(path, "utf8")).toBe("two ✓");
    expect(await readdir(where)).toEqual(["file.txt"]);
  });

  it("shows the old content until the writer is done", async () => {
    const path = join(await newFolder("during"), "file.txt");
    await writeTextAtomic(path, "old");
    await writeFileAtomic(
      path,
      async (handle) => {
        await handle.writeFile("half");
        expect(await readFile(path, "utf8")).toBe("old");
        await handle.writeFile(" and half");
      },
      { overwrite: true },
    );
    expect(await readFile(path, "utf8")).toBe("half and half");
  });

  it("does not touch an existing file without overwrite, and does not call the writer", async () => {
    const path = join(await newFolder("existing"), "file.txt");
    await writeFile(path, "mine");
    let called = false;
    const error = await failureOf(FileError, () =>
      writeFileAtomic(path, () => Promise.resolve(void (called = true)), { overwrite: false }),
    );
    expect(error.message).toBe(`${path} exists already. Choose another --out, or pass --force to replace it.`);
    expect(called).toBe(false);
    expect(await readFile(path, "utf8")).toBe("mine");
  });

  it("keeps the old content and leaves no temporary file when the writer fails", async () => {
    const where = await newFolder("failing");
    const path = join(where, "file.txt");
    await writeFile(path, "mine");
    const cause = new Error("the source went away");
    const error = await failureOf(FileError, () =>
      writeFileAtomic(
        path,
        async (handle) => {
          await handle.writeFile("half");
          throw cause;
        },
        { overwrite: true },
      ),
    );
    expect(error.message).toBe(`cannot write ${path}: found the source went away`);
    expect(error.cause).toBe(cause);
    expect(await readFile(path, "utf8")).toBe("mine");
    expect(await readdir(where)).toEqual(["file.txt"]);
  });

  it("passes a user's error on as it is", async () => {
    const path = join(await newFolder("own"), "file.txt");
    const own = new UsageError({ what: "no" });
    const error = await failureOf(UsageError, () =>
      writeFileAtomic(path, () => Promise.reject(own), { overwrite: true }),
    );
    expect(error).toBe(own);
    expect(await exists(path)).toBe(false);
  });

  it("names the disk when it is full", async () => {
    const path = join(await newFolder("full"), "file.txt");
    const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    const error = await failureOf(FileError, () =>
      writeFileAtomic(path, () => Promise.reject(full), { overwrite: true }),
    );
    expect(error.message).toBe(
      `cannot write ${path}: found no space left on the disk. Free some space, then run the same command again.`,
    );
  });

  it("refuses a missing folder and a target that is a folder", async () => {
    const missing = join(folder.path, "nowhere", "file.txt");
    const error = await failureOf(FileError, () => writeTextAtomic(missing, "x"));
    expect(error.message).toContain("no such file or folder");
    const where = await newFolder("target");
    await mkdir(join(where, "file.txt"));
    const folderError = await failureOf(FileError, () => writeTextAtomic(join(where, "file.txt"), "x"));
    expect(folderError.message).toContain("cannot write");
    expect(await readdir(where)).toEqual(["file.txt"]);
  });

  // The superuser may write into any folder.
  it.skipIf(process.getuid?.() === 0 || process.platform === "win32")("names a read-only folder", async () => {
    const where = await newFolder("read-only");
    await chmod(where, 0o500);
    const error = await failureOf(FileError, () => writeTextAtomic(join(where, "file.txt"), "x"));
    expect(error.message).toContain("permission denied. Check the permissions, or choose another path.");
    await chmod(where, 0o700);
    expect(await readdir(where)).toEqual([]);
  });
});

describe("a file as a source", () => {
  it("streams any range in pieces of at most 128 KiB, two at once too, and hashes the whole", async () => {
    const path = join(folder.path, "source.bin");
    const bytes = Buffer.from(Uint32Array.from({ length: (5 << 15) + 1 }, (_, i) => i * 2654435761).buffer);
    await writeFile(path, bytes);
    await withFileSource(path, async (source) => {
      expect(source.size).toBe(bytes.length);
      const other = source.stream(0, bytes.length);
      let done = 7;
      for await (const piece of source.stream(7, bytes.length - 7)) {
        await other.next();
        expect(piece.equals(bytes.subarray(done, done + (1 << 17)))).toBe(true);
        done += piece.length;
      }
      await other.return(undefined);
      expect(done).toBe(bytes.length);
    });
    expect(await sha256File(path)).toBe(createHash("sha256").update(bytes).digest("hex"));
  });

  it("says where a file ends that should go on", async () => {
    const path = join(folder.path, "ends.bin");
    await writeFile(path, "12345");
    await expect(withFileSource(path, (source) => source.read(3, 4))).rejects.toThrow(
      `${path} ends early: found 5 bytes, expected at least 7 bytes. The file is probably an incomplete download`,
    );
  });

  it("names a file that cannot be hashed", async () => {
    const error = await failureOf(FileError, () => sha256File(join(folder.path, "missing")));
    expect(error.message).toContain("no such file or folder");
  });
});
