import { spawnSync } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { FileError, RunFolderError } from "../../src/errors.js";
import { exists } from "../../src/files/atomic-file.js";
import { RunFolder, type RunFingerprint } from "../../src/run/run-folder.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const folder = temporaryFolder();
const identity = { model: "m".repeat(64), seed: "0" };
let path: string;
let count = 0;

beforeEach(() => {
  path = join(folder.path, "runs", String(count++));
});

const take = (who: RunFingerprint = identity, fresh = false): Promise<RunFolder> =>
  RunFolder.take(path, who, { fresh });

/** A run that began and ended in the folder. */
async function earlierRun(): Promise<void> {
  const run = await take();
  await writeFile(run.file("journal"), "rows\n");
  await writeFile(run.file("samples"), "samples");
  await writeFile(run.file("trimmed"), "trimmed");
  await run.release();
}

describe("the folder of a run", () => {
  it("is made with its parents, and says whose it is", async () => {
    const run = await take();
    expect(JSON.parse(await readFile(join(path, "run.json"), "utf8"))).toEqual(identity);
    expect(run.file("journal")).toBe(join(path, "journal.jsonl"));
    expect(await readFile(join(path, ".lock"), "utf8")).toBe(String(process.pid));
    await run.release();
    expect(await readdir(path)).toEqual(["run.json"]);
  });

  it("is resumed by the same run, with all that is in it", async () => {
    await earlierRun();
    await writeFile(join(path, "notes.txt"), "mine");
    const run = await take({ seed: "0", model: identity.model });
    expect(await readFile(run.file("journal"), "utf8")).toBe("rows\n");
    await run.release();
    expect((await readdir(path)).sort()).toEqual([
      ...["journal.jsonl", "notes.txt", "run.json", "samples.jsonl", "trimmed.gguf"],
    ]);
  });

  it("loses its pieces and its lock when it is released", async () => {
    const run = await take();
    await mkdir(run.file("pieces"));
    await writeFile(join(run.file("pieces"), "piece.gguf"), "");
    await run.release();
    expect(await readdir(path)).toEqual(["run.json"]);
  });

  it("is refused to another run, which is told what differs", async () => {
    await earlierRun();
    const error = await failureOf(RunFolderError, () => take({ ...identity, seed: "1", system: "x" }));
    expect(error.message).toContain(
      `${path} holds another run: found seed 0, system nothing, expected seed 1, system x`,
    );
    expect(error.message).toContain("Choose another --out, or pass --fresh to delete that run and start over.");
    expect(error).toMatchObject({ path, exitCode: 2 });
    const long = await failureOf(RunFolderError, () => take({ ...identity, model: "n".repeat(64) }));
    expect(long.message).toContain("found model mmmmmmmmmmmm..., expected model nnnnnnnnnnnn...");
    const fewer = await failureOf(RunFolderError, () => take({ model: identity.model }));
    expect(fewer.message).toContain("found seed 0, expected seed nothing");
    expect(await readFile(join(path, "journal.jsonl"), "utf8")).toBe("rows\n");
    expect(await exists(join(path, ".lock"))).toBe(false);
  });

  it("is refused when its run.json is damaged, and --fresh mends that", async () => {
    await earlierRun();
    await writeFile(join(path, "run.json"), "{");
    const error = await failureOf(RunFolderError, () => take());
    expect(error.message).toContain("run.json is damaged. Pass --fresh to start over, or choose another --out.");
    await (await take(identity, true)).release();
    expect(await readdir(path)).toEqual(["run.json"]);
  });
});

describe("--fresh", () => {
  it("removes the earlier run, whatever it was, and nothing else", async () => {
    await earlierRun();
    await writeFile(join(path, "notes.txt"), "mine");
    const other = { ...identity, seed: "7" };
    await (await take(other, true)).release();
    expect((await readdir(path)).sort()).toEqual(["notes.txt", "run.json"]);
    expect(JSON.parse(await readFile(join(path, "run.json"), "utf8"))).toEqual(other);
  });

  it.each([false, true])("touches nothing in a folder that is not a run's (fresh: %s)", async (fresh) => {
    await mkdir(path, { recursive: true });
    await writeFile(join(path, "trimmed.gguf"), "mine");
    await writeFile(join(path, "photo.jpg"), "mine");
    const error = await failureOf(RunFolderError, () => take(identity, fresh));
    expect(error.message).toContain(`${path} is not empty and not the folder of a run: found `);
    expect(error.message).toContain("photo.jpg");
    expect(error.message).toContain("trimmed.gguf");
    expect(error.exitCode).toBe(2);
    expect((await readdir(path)).sort()).toEqual(["photo.jpg", "trimmed.gguf"]);
  });
});

describe("the lock", () => {
  const lockedBy = async (pid: string): Promise<void> => {
    await mkdir(path, { recursive: true });
    await writeFile(join(path, ".lock"), pid);
  };

  it("of a process that is alive is respected, also with --fresh", async () => {
    await lockedBy(String(process.ppid));
    for (const fresh of [false, true]) {
      const error = await failureOf(RunFolderError, () => take(identity, fresh));
      expect(error.message).toContain(`another process works in ${path}: found process ${process.ppid}`);
      expect(error.message).toContain(`Wait for it to end, or choose another --out.`);
      expect(error.message).toContain(`delete ${join(path, ".lock")}`);
    }
    expect(await readdir(path)).toEqual([".lock"]);
  });

  it("of a process that is gone is taken over", async () => {
    const { pid } = spawnSync(process.execPath, ["-e", ""]);
    await lockedBy(String(pid));
    const run = await take();
    expect(await readFile(join(path, ".lock"), "utf8")).toBe(String(process.pid));
    await run.release();
  });

  it.each(["", "nonsense", "-1", "0"])("with the content %j belongs to nobody and is taken over", async (content) => {
    await lockedBy(content);
    await (await take()).release();
    expect(await readdir(path)).toEqual(["run.json"]);
  });
});

it("a path that cannot be a folder is an error that names it", async () => {
  await mkdir(join(folder.path, "runs"), { recursive: true });
  await writeFile(path, "a file");
  const error = await failureOf(FileError, () => take());
  expect(error.message).toContain(path);
  expect(await readFile(path, "utf8")).toBe("a file");
});
