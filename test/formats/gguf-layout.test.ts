import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FileError } from "../../src/errors.js";
import { exists } from "../../src/files/atomic-file.js";
import { ggmlType } from "../../src/formats/ggml-types.js";
import { readGgufHeader, roundUp } from "../../src/formats/gguf-reader.js";
import type { GgufValue } from "../../src/formats/gguf-value.js";
import { writeGguf } from "../../src/formats/gguf-writer.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { gaussian, tensor, uint32 } from "../support/tiny-model.js";
import { entry, rawGguf, text } from "./raw-gguf.js";

const folder = temporaryFolder();

describe("alignment", () => {
  it.each([8, 32, 64, 4096])("of %i bytes places every tensor on a multiple, with zeros between", async (alignment) => {
    const path = join(folder.path, `aligned-${alignment}.gguf`);
    const tensors = [1, 3, 17].map((size, i) => tensor(`t${i}`, [size], gaussian(i + 1), 1));
    await writeGguf(path, new Map([["general.alignment", uint32(alignment)]]), tensors);
    const header = await readGgufHeader(path);
    const bytes = await readFile(path);
    expect(header.alignment).toBe(alignment);
    expect(bytes.length % alignment).toBe(0);
    expect(header.tensors.map(({ offset }) => offset % alignment)).toEqual([0, 0, 0]);
    const [first, second] = header.tensors;
    expect(second!.offset - first!.offset).toBe(roundUp(4, alignment));
    const gap = bytes.subarray(first!.offset + first!.byteLength, second!.offset);
    expect(gap.every((byte) => byte === 0)).toBe(true);
  });

  it("may end without the padding of the last tensor, as other writers leave it out", async () => {
    const path = join(folder.path, "unpadded.gguf");
    const bytes = rawGguf({ tensors: [{ name: "t", dims: [3], type: 0, offset: 0 }], data: 12 });
    await writeFile(path, bytes);
    const { tensors } = await readGgufHeader(path);
    expect(tensors[0]).toMatchObject({ offset: bytes.length - 12, byteLength: 12 });
  });

  it("rounds up to the next multiple", () => {
    expect([0, 1, 31, 32, 33].map((value) => roundUp(value, 32))).toEqual([0, 32, 32, 32, 64]);
  });
});

describe("versions and sizes", () => {
  it("reads version 2", async () => {
    const path = join(folder.path, "v2.gguf");
    await writeFile(path, rawGguf({ version: 2, entries: [entry("k", 8, text("v"))] }));
    const { version, metadata } = await readGgufHeader(path);
    expect(version).toBe(2);
    expect(metadata.get("k")).toEqual({ type: "string", value: "v" });
  });

  it("reads a header that is larger than its first read of 1 MiB", async () => {
    const path = join(folder.path, "large.gguf");
    const words = Array.from({ length: 150_000 }, (_, i) => `token-${i}`);
    const metadata = new Map<string, GgufValue>([
      ["tokens", { type: "array", itemType: "string", value: words }],
      ["behind", uint32(7)],
    ]);
    await writeGguf(path, metadata, [tensor("t", [4], gaussian(1), 1)]);
    const header = await readGgufHeader(path);
    expect(header.fileSize).toBeGreaterThan(2 << 20);
    expect(header.metadata.get("tokens")?.value).toEqual(words);
    expect(header.metadata.get("behind")).toEqual(uint32(7));
    expect(header.tensors[0]?.offset).toBe(header.fileSize - 32);
  });

  it("counts the bytes of block types by their blocks", async () => {
    const path = join(folder.path, "blocks.gguf");
    const tensors = [
      { name: "q8", dims: [64, 2], type: 8, offset: 0 },
      { name: "q4k", dims: [256, 3], type: 12, offset: 160 },
      { name: "bf16", dims: [5], type: 30, offset: 160 + 448 },
    ];
    await writeFile(path, rawGguf({ tensors, data: 160 + 448 + 10 }));
    const header = await readGgufHeader(path);
    expect(header.tensors.map(({ byteLength }) => byteLength)).toEqual([4 * 34, 3 * 144, 10]);
  });

  it("turns invalid UTF-8 in a string value into U+FFFD: vocabularies in the wild have it", async () => {
    const path = join(folder.path, "utf8.gguf");
    await writeFile(path, rawGguf({ entries: [entry("k", 8, text(Buffer.from([0x61, 0xff])))] }));
    expect((await readGgufHeader(path)).metadata.get("k")?.value).toBe("a\ufffd");
  });
});

describe("the writer", () => {
  it("refuses data of another length than announced, and leaves nothing behind", async () => {
    const path = join(folder.path, "short.gguf");
    const short = { name: "t", dims: [2], type: ggmlType(0)!, byteLength: 8, data: () => [new Uint8Array(7)] };
    const error = await failureOf(FileError, () => writeGguf(path, new Map(), [short]));
    expect(error.message).toContain("tensor t: 7 bytes of data, 8 announced");
    expect(error.path).toBe(path);
    expect(await exists(path)).toBe(false);
  });

  it("does not replace a file unless it is told to", async () => {
    const path = join(folder.path, "kept.gguf");
    await writeFile(path, "mine");
    const error = await failureOf(FileError, () => writeGguf(path, new Map(), []));
    expect(error.message).toContain("exists already");
    expect(await readFile(path, "utf8")).toBe("mine");
    await writeGguf(path, new Map(), [], { overwrite: true });
    expect((await readGgufHeader(path)).tensors).toEqual([]);
  });
});
