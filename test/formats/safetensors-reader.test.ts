import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FileError, FormatError } from "../../src/errors.js";
import { readSafetensorsHeader } from "../../src/formats/safetensors-reader.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { rawEntry, rawSafetensors } from "./raw-safetensors.js";

const folder = temporaryFolder();

async function fileOf(bytes: Buffer): Promise<string> {
  const path = join(folder.path, "adapter.safetensors");
  await writeFile(path, bytes);
  return path;
}

const one = (dtype: unknown, shape: unknown, offsets: unknown): string => `{${rawEntry("t", dtype, shape, offsets)}}`;
const two = (first: number[], second: number[]): string =>
  `{${rawEntry("a", "U8", [first[1]! - first[0]!], first)},${rawEntry("b", "U8", [second[1]! - second[0]!], second)}}`;

describe("a sound header", () => {
  it("gives metadata, and tensors in its own order with offsets from the start of the file", async () => {
    const json = `{${rawEntry("b", "F32", [2, 1], [4, 12])},"__metadata__":{"format":"pt"},${rawEntry("10", "BF16", [2], [0, 4])}}  `;
    const path = await fileOf(rawSafetensors(json, 12));
    expect(await readSafetensorsHeader(path)).toEqual({
      path,
      fileSize: 8 + json.length + 12,
      metadata: new Map([["format", "pt"]]),
      tensors: [
        { name: "b", dtype: "F32", shape: [2, 1], offset: 8 + json.length + 4, byteLength: 8, path },
        { name: "10", dtype: "BF16", shape: [2], offset: 8 + json.length, byteLength: 4, path },
      ],
    });
  });

  it.each([
    ["no tensors", "{}", 0, []],
    ["a scalar", one("F64", [], [0, 8]), 8, [[]]],
    ["an empty tensor", one("F32", [0, 4], [0, 0]), 0, [[0, 4]]],
    [
      "empty tensors between others",
      `{${rawEntry("e", "F16", [0], [2, 2])},${two([0, 2], [2, 3]).slice(1)}`,
      3,
      [[0], [2], [1]],
    ],
    ["half bytes that add up", one("F4", [6], [0, 3]), 3, [[6]]],
    [
      "fields of a later release",
      '{"t":{"new":[{"x":null}],"dtype":"U8","shape":[1],"data_offsets":[0,1],"n":-1.5e3}}',
      1,
      [[1]],
    ],
    ["names that objects have already", `{${rawEntry("__proto__", "U8", [1], [0, 1])}}`, 1, [[1]]],
    ["white space", `{ \n"t"\t:\r{"dtype" : "U8","shape":[ ],"data_offsets":[0 , 1] }\n}\n`, 1, [[]]],
  ])("may have %s", async (_what, json, dataBytes, shapes) => {
    const { tensors } = await readSafetensorsHeader(await fileOf(rawSafetensors(json, dataBytes)));
    expect(tensors.map(({ shape }) => shape)).toEqual(shapes);
  });

  it("may spell names with escapes", async () => {
    const json =
      '{"__metadata__":{"\\u00e9\\n":"\\ud83e\\uddea"},"l\\u0061":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}';
    const { metadata, tensors } = await readSafetensorsHeader(await fileOf(rawSafetensors(json)));
    expect([...metadata]).toEqual([["é\n", "🧪"]]);
    expect(tensors[0]?.name).toBe("la");
  });
});

const BIG = Number.MAX_SAFE_INTEGER;
const damaged: [what: string, bytes: Buffer, ...words: string[]][] = [
  ["an empty file", Buffer.alloc(0), "is not a safetensors file", "an empty file"],
  ["seven bytes", Buffer.alloc(7), "7 bytes", "8 bytes of header length first"],
  ["a header length past the end", rawSafetensors("{}", 0, 3), "length cannot be right", "3 bytes", "at most 2"],
  ["a header length of 2^64 - 1", rawSafetensors("{}", 0, 2n ** 64n - 1n), "18446744073709551615", "at most 2"],
  ["no header", rawSafetensors(""), "is not a safetensors file", 'expected "{"'],
  ["another format", Buffer.from("another text, as long as one"), "truncated", "Check that the file is complete"],
  ["a Git LFS pointer", Buffer.from("version https://git-lfs.github.com"), "is a Git LFS pointer", "git lfs pull"],
  ["white space first", rawSafetensors(" {}"), 'starts with " {}"'],
  ["a byte order mark", rawSafetensors("\ufeff{}"), "starts with"],
  ["an array", rawSafetensors("[]"), 'starts with "[]"'],
  ["no UTF-8", rawSafetensors(Buffer.from([0x7b, 0xff, 0x7d])), "not valid UTF-8"],
  ["JSON that ends early", rawSafetensors('{"t"'), "found its end", 'expected ":"'],
  ["text behind the JSON", rawSafetensors("{}x"), "found x, expected its end"],
  ["a trailing comma", rawSafetensors('{"__metadata__":{},}'), "expected a string"],
  ["a string without end", rawSafetensors('{"t'), "a string does not end"],
  ["a control character", rawSafetensors('{"a\nb":{}}'), "control character"],
  ["an unknown escape", rawSafetensors('{"\\x":{}}'), "an escape that JSON does not know"],
  ["half a character", rawSafetensors('{"\\ud800":{}}'), "surrogate pair"],
  [
    "a tensor twice",
    rawSafetensors(`{${rawEntry("t", "U8", [0], [0, 0])},${rawEntry("t", "U8", [0], [0, 0])}}`),
    "key t occurs twice",
  ],
  [
    "a tensor twice by escape",
    rawSafetensors('{"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\\u0074":{}}'),
    "occurs twice",
  ],
  ["a field twice", rawSafetensors('{"t":{"dtype":"U8","dtype":"U8"}}'), "key dtype occurs twice"],
  ["metadata twice", rawSafetensors('{"__metadata__":{},"__metadata__":{}}'), "occurs twice"],
  ["metadata that is no string", rawSafetensors('{"__metadata__":{"r":8}}'), "found 8", "expected a string"],
  ["metadata that is no object", rawSafetensors('{"__metadata__":null}'), "found null"],
  ["a tensor without name", rawSafetensors(`{${rawEntry("", "U8", [0], [0, 0])}}`), "without a name"],
  ["a tensor that is no object", rawSafetensors('{"t":[]}'), "found []"],
  [
    "a missing field",
    rawSafetensors('{"t":{"dtype":"U8","shape":[0]}}'),
    "tensor t: an incomplete entry",
    "two data_offsets",
  ],
  ["three offsets", rawSafetensors(one("U8", [0], [0, 0, 0])), "an incomplete entry"],
  ["an unknown dtype", rawSafetensors(one("F128", [1], [0, 16]), 16), "unknown dtype", "found F128"],
  ["a dtype that objects have", rawSafetensors(one("toString", [1], [0, 16]), 16), "unknown dtype"],
  ["a negative size", rawSafetensors(one("U8", [-1], [0, 1]), 1), "found -1", "a whole number from 0"],
  ["a fraction", rawSafetensors(one("U8", [1.5], [0, 1]), 1), "found 1.5"],
  ["an exponent", rawSafetensors('{"t":{"dtype":"U8","shape":[1e3],"data_offsets":[0,1000]}}', 1000), "found 1e3"],
  ["a size in words", rawSafetensors(one("U8", ["1"], [0, 1]), 1), "a whole number from 0"],
  ["2^53", rawSafetensors(one("U8", [BIG + 1], [0, 1]), 1), "found 9007199254740992"],
  ["a product above 2^53", rawSafetensors(one("U8", [2 ** 31, 2 ** 31], [0, 1]), 1), "impossible shape"],
  ["a product above 2^53 in bits", rawSafetensors(one("F64", [BIG], [0, BIG]), 1), "impossible shape"],
  ["half a byte", rawSafetensors(one("F4", [3], [0, 2]), 2), "impossible shape"],
  ["65 dimensions", rawSafetensors(one("U8", Array(65).fill(1), [0, 1]), 1), "too many dimensions"],
  ["offsets that go back", rawSafetensors(one("U8", [1], [1, 0]), 1), "do not fit the shape", "1 to 0"],
  ["offsets of another size", rawSafetensors(one("F32", [2], [0, 4]), 4), "found 0 to 4", "8 bytes for F32 [2]"],
  ["a gap at the start", rawSafetensors(one("U8", [1], [1, 2]), 2), "a gap before its data", "offset 1", "offset 0"],
  ["a gap", rawSafetensors(two([0, 1], [2, 3]), 3), "tensor b: there is a gap"],
  ["an overlap", rawSafetensors(two([0, 2], [1, 3]), 3), "tensor b: its data overlaps"],
  ["the same bytes twice", rawSafetensors(two([0, 2], [0, 2]), 2), "overlaps"],
  ["data past the end", rawSafetensors(one("U8", [9], [0, 9]), 8), "is truncated: the data of tensor t"],
  ["bytes left over", rawSafetensors(one("U8", [9], [0, 9]), 10), "bytes that belong to no tensor"],
  ["values nested too deep", rawSafetensors(`{"t":{"x":${"[".repeat(50)}`), "deeper than 16 levels"],
];

describe("a file that is not sound is refused:", () => {
  it.each(damaged)("%s", async (_what, bytes, ...words) => {
    const path = await fileOf(bytes);
    const error = await failureOf(FormatError, () => readSafetensorsHeader(path));
    expect(error.path).toBe(path);
    for (const word of [path, ...words]) expect(error.message).toContain(word);
  });

  it("a name can neither write to the terminal nor flood it", async () => {
    const name = `\u001b[31m\u202e${"n".repeat(5000)}`;
    const path = await fileOf(rawSafetensors(`{${rawEntry(name, "F128", [0], [0, 0])}}`));
    const { message } = await failureOf(FormatError, () => readSafetensorsHeader(path));
    expect(message).not.toMatch(/\p{C}/u);
    expect(message).toContain("\\u{1b}[31m\\u{202e}nnn");
    expect(message.length).toBeLessThan(500);
  });

  it("a folder, or nothing at all", async () => {
    await mkdir(join(folder.path, "folder"));
    await failureOf(FileError, () => readSafetensorsHeader(join(folder.path, "folder")));
    await failureOf(FileError, () => readSafetensorsHeader(join(folder.path, "nothing")));
  });
});
