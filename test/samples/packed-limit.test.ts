import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { readTextFile } from "../../src/samples/text-file.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const folder = temporaryFolder();

it("of a small packed file no more is unpacked than the lines that are wanted", async () => {
  const row = `${JSON.stringify({ prompt: "a ".repeat(500), completion: "b" })}\n`;
  const path = join(folder.path, "packed.jsonl.gz");
  await writeFile(path, gzipSync(row.repeat(2000)));
  const { text, isWhole } = await readTextFile(path, "JSONL", 3);
  expect([text, isWhole]).toEqual([row.repeat(3), false]);
  expect((await readTextFile(path, "JSONL", 2000)).isWhole).toBe(true);
});
