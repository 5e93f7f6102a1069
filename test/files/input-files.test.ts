import { appendFile, link, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { InputChangedError } from "../../src/errors.js";
import { FileSource, sha256File, withFileSource } from "../../src/files/file-source.js";
import { stampNow, withStamp } from "../../src/files/file-stamp.js";
import { hashStamped, InputFiles } from "../../src/files/input-files.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const folder = temporaryFolder();
let path = "";
beforeEach(async () => {
  path = join(folder.path, "model.gguf");
  await rm(path, { force: true });
  await writeFile(path, "the weights");
});

async function lookedAfter(): Promise<InputFiles> {
  const { stamp } = await withStamp(path, (one) => readFile(one));
  return new InputFiles([await hashStamped(stamp)]);
}

async function writeInPlace(text: string): Promise<void> {
  await writeFile(path, text, { flag: "r+" });
}

describe("files that a result rests on", () => {
  it("are unchanged while nobody writes to them", async () => {
    const files = await lookedAfter();
    await files.assertUnchanged();
    expect(files.areUntouched()).toBe(true);
  });

  it.each<[string, () => Promise<void>]>([
    ["are written in place", () => writeInPlace("THE weights")],
    [
      "are written in place with their time set back",
      async () => {
        const { atime, mtime } = await import("node:fs").then(({ statSync }) => statSync(path));
        await writeInPlace("THE weights");
        await utimes(path, atime, mtime);
      },
    ],
    ["grow", () => appendFile(path, "!")],
    ["are cut short", () => writeFile(path, "the")],
    [
      "are replaced",
      async () => {
        await writeFile(`${path}.new`, "the WEIGHTS");
        await rename(`${path}.new`, path);
      },
    ],
  ])("are an error with both hashes when they %s", async (_, change) => {
    const files = await lookedAfter();
    const before = await sha256File(path);
    await change();
    const { message } = await failureOf(InputChangedError, () => files.assertUnchanged());
    expect(message).toContain(`${path} changed while it was in use`);
    expect(message).toContain(before.slice(0, 12));
    expect(message).toContain((await sha256File(path)).slice(0, 12));
    await failureOf(InputChangedError, () => files.assertUnchanged());
  });

  it("are an error when they are removed", async () => {
    const files = await lookedAfter();
    await rm(path);
    expect((await failureOf(InputChangedError, () => files.assertUnchanged())).message).toContain("no such file");
  });

  it.each<[string, () => Promise<void>]>([
    ["touched", () => utimes(path, 1, 1)],
    ["linked", () => link(path, `${path}.link`)],
    ["written with the same bytes", () => writeInPlace("the weights")],
    [
      "replaced by a copy",
      async () => {
        await writeFile(`${path}.copy`, "the weights");
        await rename(`${path}.copy`, path);
      },
    ],
  ])("may be %s: the hash decides, once", async (_, change) => {
    const files = await lookedAfter();
    await change();
    expect(files.areUntouched()).toBe(false);
    await Promise.all([files.assertUnchanged(), files.assertUnchanged()]);
    expect(files.areUntouched()).toBe(true);
  });

  it("are hashed for the header that was read, or not at all", async () => {
    const { stamp } = await withStamp(path, (one) => readFile(one));
    await writeInPlace("THE weights");
    const { message } = await failureOf(InputChangedError, () => hashStamped(stamp));
    expect(message).toContain("changed while it was being opened");
  });

  it("leave nothing behind that was made of a changed file", async () => {
    const files = await lookedAfter();
    const made = join(folder.path, "trimmed.gguf");
    const cut = async (): Promise<void> => {
      await writeFile(made, await readFile(path));
      await writeInPlace("THE weights");
    };
    await failureOf(InputChangedError, () => files.writeFrom(cut, () => rm(made)));
    expect(stampNow(made)).toBeUndefined();
    let isWritten = false;
    const again = (): Promise<void> => {
      isWritten = true;
      return Promise.resolve();
    };
    await failureOf(InputChangedError, () => files.writeFrom(again, () => Promise.resolve()));
    expect(isWritten).toBe(false);
  });
});

describe("reading a file", () => {
  it("fails when it was written since it was opened", async () => {
    const source = await FileSource.open(path);
    expect((await source.read(4, 7)).toString()).toBe("weights");
    await writeInPlace("THE weights");
    try {
      await failureOf(InputChangedError, () => source.read(4, 7));
    } finally {
      await source.close();
    }
  });

  it("fails behind the last piece of a stream when the file was written meanwhile", async () => {
    const source = await FileSource.open(path);
    const read = async (): Promise<void> => {
      for await (const piece of source.stream(0, source.size)) {
        expect(piece.toString()).toBe("the weights");
        await writeInPlace("THE weights");
      }
    };
    try {
      expect((await failureOf(InputChangedError, read)).message).toBe(
        `${path} changed while it was being read. Run the same command again once nothing writes to that file.`,
      );
    } finally {
      await source.close();
    }
  });

  it("blames the change, not what a half-written file looked like", async () => {
    const parse = (): Promise<never> =>
      withFileSource(path, async () => {
        await writeFile(path, "");
        throw new SyntaxError("ends early");
      });
    await failureOf(InputChangedError, parse);
    const sound = (): Promise<never> => withFileSource(path, () => Promise.reject(new SyntaxError("ends early")));
    await expect(sound()).rejects.toThrow("ends early");
  });
});
