import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FileError, FormatError } from "../../src/errors.js";
import { readGgufHeader } from "../../src/formats/gguf-reader.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { entry, rawGguf, text, u32, u64, type RawTensor } from "./raw-gguf.js";

const folder = temporaryFolder();

async function refusal(bytes: Buffer | string): Promise<FormatError> {
  const path = join(folder.path, "damaged.gguf");
  await writeFile(path, bytes);
  const error = await failureOf(FormatError, () => readGgufHeader(path));
  expect(error.path).toBe(path);
  expect(error.exitCode).toBe(1);
  expect(error.message).toContain(path);
  return error;
}

const withTensors = (...tensors: RawTensor[]): Buffer => rawGguf({ tensors, data: 4096 });
const t = (fields: Partial<RawTensor> = {}): RawTensor => ({ name: "t", dims: [8], type: 0, offset: 0, ...fields });
const alignment = (type: number, value: Buffer): Buffer =>
  rawGguf({ entries: [entry("general.alignment", type, value)] });
const HUGE = 2n ** 63n;

describe("a file that is not a sound GGUF is refused:", () => {
  const cases: [what: string, bytes: Buffer | string, ...words: (string | RegExp)[]][] = [
    ["another format", "PK\u0003\u0004 something else", "is not a GGUF file", '"PK', 'expected "GGUF"', "Give a model"],
    ["an empty file", "", "is not a GGUF file", "an empty file"],
    ["three bytes", "GGU", "is not a GGUF file", '"GGU"'],
    ["the magic alone", "GGUF", "truncated: it ends inside its header", "found 4 bytes", "fetch it again"],
    ["version 1", rawGguf({ version: 1 }), "version that cannot be read", "found version 1", "version 2 or 3"],
    ["version 4", rawGguf({ version: 4 }), "found version 4"],
    ["big endian", rawGguf({ version: 0x03000000 }), "big-endian", "little endian", "Convert the model again"],
    ["a huge tensor count", rawGguf({ tensorCount: HUGE }), "number of tensors", String(HUGE), "at most 0"],
    ["a huge entry count", rawGguf({ entryCount: HUGE }), "number of metadata entries", String(HUGE), "at most"],
    ["a huge string", rawGguf({ entries: [entry("k", 8, u64(HUGE))] }), "length of the value of k", String(HUGE)],
    ["a huge key", rawGguf({ entries: [u64(HUGE), u64(0)] }), "length of metadata key 0", String(HUGE)],
    ["a huge array", rawGguf({ entries: [entry("k", 9, u32(4), u64(HUGE))] }), "length of the array k", String(HUGE)],
    [
      "an array that the file has no room for",
      rawGguf({ entries: [entry("k", 9, u32(12), u64(100))] }),
      "length of the array k",
      "found 100",
      /the file has only \d+ bytes left/,
    ],
    ["an unknown value type", rawGguf({ entries: [entry("k", 13, u64(0))] }), "metadata key k", "type 13", "0 to 12"],
    [
      "a nested array",
      rawGguf({ entries: [entry("k", 9, u32(9), u64(0))] }),
      "metadata key k",
      "an array inside an array",
    ],
    [
      "a duplicate key",
      rawGguf({ entries: [entry("k", 4, u32(1)), entry("k", 8, text("1"))] }),
      "the metadata key k occurs twice",
    ],
    ["an empty key", rawGguf({ entries: [entry("", 4, u32(1))] }), "an empty metadata key"],
    ["an invalid key", rawGguf({ entries: [entry(Buffer.from([0xff]), 4, u32(1))] }), "not valid UTF-8"],
    ["a duplicate tensor", withTensors(t(), t({ offset: 32 })), "the tensor name t occurs twice"],
    ["a tensor without name", withTensors(t({ name: "" }), t({ name: "", offset: 32 })), "an empty tensor name"],
    ["a long tensor name", withTensors(t({ name: "n".repeat(64) })), "name is too long", "64 bytes", "at most 63"],
    ["five dimensions", withTensors(t({ dims: [1, 1, 1, 1, 1] })), "too many dimensions", "found 5", "at most 4"],
    ["a dimension of 0", withTensors(t({ dims: [4, 0] })), "impossible shape", "dimension 1 = 0"],
    ["a huge shape", withTensors(t({ dims: [2n ** 32n, 2n ** 32n] })), "impossible shape", "below 2^53"],
    ["an unknown tensor type", withTensors(t({ type: 4 })), "tensor t", "unknown tensor type", "found 4"],
    ["a row that is no multiple", withTensors(t({ type: 8, dims: [33] })), "rows do not fit", "33", "multiple of 32"],
    [
      "a wrong offset",
      withTensors(t(), t({ name: "u", offset: 64 })),
      "tensor u",
      "wrong data offset",
      "found 64",
      "32",
    ],
    ["data beyond the end", withTensors(t({ dims: [4096] })), "truncated", "data of tensor t", "at least"],
    ["alignment 0", alignment(4, u32(0)), "general.alignment", "uint32 0", "power of two"],
    ["alignment 48", alignment(4, u32(48)), "general.alignment", "uint32 48"],
    ["alignment above 1 GiB", alignment(4, u32(2 ** 31)), "general.alignment", "uint32 2147483648"],
    ["alignment of another type", alignment(10, u64(32)), "general.alignment", "uint64 32", "stored as uint32"],
    ["alignment in words", alignment(8, text("32")), "general.alignment", "string 32"],
  ];
  it.each(cases)("%s", async (_what, bytes, ...words) => {
    const { message } = await refusal(bytes);
    for (const word of words)
      if (typeof word === "string") expect(message).toContain(word);
      else expect(message).toMatch(word);
  });
});

describe("a truncated model", () => {
  it("is refused wherever it was cut", async () => {
    const whole = await readFile(await writeTinyModel(folder.path, "whole.gguf", { architecture: "llama", layers: 1 }));
    const path = join(folder.path, "whole.gguf");
    const { tensors } = await readGgufHeader(path);
    const dataStart = tensors[0]!.offset;
    // Every cut in the first 600 bytes, then sparser ones, and around the beginning of the data and the end.
    const cuts = [
      ...Array.from({ length: 600 }, (_, i) => i),
      ...Array.from({ length: 60 }, (_, i) => 600 + Math.floor(((whole.length - 700) * i) / 60)),
      ...[-33, -1, 0, 1].map((near) => dataStart + near),
      whole.length - 1,
    ];
    for (const cut of cuts) {
      const error = await refusal(whole.subarray(0, cut));
      if (cut > dataStart)
        expect(error.message).toMatch(/truncated: the data of tensor .* found \d+ bytes, expected at least/);
    }
  });
});

describe("a path that cannot be read", () => {
  it("is named, with the reason and what to do", async () => {
    const missing = join(folder.path, "missing.gguf");
    const error = await failureOf(FileError, () => readGgufHeader(missing));
    expect(error.message).toBe(`cannot read ${missing}: found no such file or folder. Check the path.`);
    expect(error.exitCode).toBe(1);
    expect(error.cause).toMatchObject({ code: "ENOENT" });
    const folderError = await failureOf(FileError, () => readGgufHeader(folder.path));
    expect(folderError.message).toContain("found a folder. Give the path of a file.");
  });
});
