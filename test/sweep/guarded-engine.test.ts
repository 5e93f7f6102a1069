import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import type { Engine } from "../../src/engine/engine.js";
import { InputChangedError } from "../../src/errors.js";
import { withStamp } from "../../src/files/file-stamp.js";
import { hashStamped, InputFiles } from "../../src/files/input-files.js";
import { guardedEngine, openUnchanged } from "../../src/sweep/guarded-engine.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const folder = temporaryFolder();
let path = "";
let files: InputFiles;

beforeEach(async () => {
  path = join(folder.path, "model.gguf");
  await writeFile(path, "the weights");
  const { stamp } = await withStamp(path, (one) => Promise.resolve(one));
  files = new InputFiles([await hashStamped(stamp)]);
});

const change = (): Promise<void> => writeFile(path, "THE weights", { flag: "r+" });

describe("an engine that is opened while its model changes", () => {
  it("is closed again: it would keep the process alive", async () => {
    let isClosed = false;
    const close = (): Promise<void> => {
      isClosed = true;
      return Promise.resolve();
    };
    const error = await failureOf(InputChangedError, () =>
      openUnchanged(files, async () => {
        await change();
        return { close };
      }),
    );
    expect([error.path, isClosed]).toEqual([path, true]);
  });

  it("stays open where nothing changed", async () => {
    const engine = { close: () => Promise.reject(new Error("closed")) };
    expect(await openUnchanged(files, () => Promise.resolve(engine))).toBe(engine);
  });
});

describe("a guarded engine", () => {
  it("hands over events and results until a file changes, and none after it", async () => {
    const seen: string[] = [];
    const engine = guardedEngine(
      {
        generate: async (_: unknown, onGeneration: (generation: { id: string }) => void) => {
          onGeneration({ id: "before" });
          await change();
          onGeneration({ id: "after" });
          return ["before", "after"];
        },
      } as unknown as Engine,
      files,
    );
    const asked = { pieces: [], prompts: [] } as unknown as Parameters<Engine["generate"]>[0];
    await failureOf(InputChangedError, () => engine.generate(asked, ({ id }) => seen.push(id)));
    expect(seen).toEqual(["before"]);
  });

  it("blames the change for what a call throws after it", async () => {
    const tokenize = async (): Promise<never> => {
      await change();
      throw new Error("SIGBUS");
    };
    const engine = guardedEngine({ tokenize } as unknown as Engine, files);
    await failureOf(InputChangedError, () => engine.tokenize([]));
  });
});
