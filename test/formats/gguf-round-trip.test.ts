import { readFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readGgufHeader } from "../../src/formats/gguf-reader.js";
import {
  metadataArray,
  metadataNumber,
  metadataString,
  type GgufMetadata,
  type GgufScalar,
  type GgufScalarType,
  type GgufValue,
} from "../../src/formats/gguf-value.js";
import { writeGguf } from "../../src/formats/gguf-writer.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { gaussian, tensor } from "../support/tiny-model.js";

const folder = temporaryFolder();

/** A value of each scalar type, at an end of its range where it has one. */
const extremes: Readonly<Record<GgufScalarType, readonly GgufScalar[]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65535],
  int16: [-32768, 32767],
  uint32: [0, 4294967295],
  int32: [-2147483648, 2147483647],
  float32: [-1.5, 3.4028234663852886e38, Number.POSITIVE_INFINITY],
  bool: [true, false],
  string: ["", "plain", "Ġ, 漢字, 🧪 and a\nline", "\ufeffmark"],
  uint64: [0n, 18446744073709551615n],
  int64: [-9223372036854775808n, 9223372036854775807n],
  float64: [Math.PI, 5e-324, Number.NEGATIVE_INFINITY],
};
const scalarTypes = Object.keys(extremes) as GgufScalarType[];

async function roundTrip(metadata: GgufMetadata, name = "round.gguf"): Promise<GgufMetadata> {
  const path = join(folder.path, name);
  await writeGguf(path, metadata, [], { overwrite: true });
  return (await readGgufHeader(path)).metadata;
}

describe("metadata written and read again", () => {
  it.each(scalarTypes)("%s keeps type and value, alone and in arrays", async (type) => {
    const values = extremes[type];
    const metadata = new Map<string, GgufValue>([
      ...values.map((value, i): [string, GgufValue] => [`one.${i}`, { type, value }]),
      ["all", { type: "array", itemType: type, value: values }],
      ["none", { type: "array", itemType: type, value: [] }],
    ]);
    const read = await roundTrip(metadata);
    expect(read).toEqual(metadata);
    expect([...read.keys()]).toEqual([...metadata.keys()]);
  });

  it("any metadata comes back, and writing it again gives the same bytes", async () => {
    const first = join(folder.path, "first.gguf");
    const again = join(folder.path, "again.gguf");
    await fc.assert(
      fc.asyncProperty(metadataArbitrary(), async (metadata) => {
        await writeGguf(first, metadata, [], { overwrite: true });
        const { metadata: read } = await readGgufHeader(first);
        expect([...read]).toEqual([...metadata]);
        await writeGguf(again, read, [], { overwrite: true });
        expect((await readFile(again)).equals(await readFile(first))).toBe(true);
      }),
      { numRuns: 60, seed: 3 },
    );
  });

  it("is found by key only in the type that is asked for", async () => {
    const read = await roundTrip(
      new Map<string, GgufValue>([
        ["text", { type: "string", value: "7" }],
        ["number", { type: "int16", value: -7 }],
        ["exact", { type: "uint64", value: 9007199254740991n }],
        ["too large", { type: "uint64", value: 9007199254740992n }],
        ["too small", { type: "int64", value: -9007199254740992n }],
        ["flag", { type: "bool", value: true }],
        ["list", { type: "array", itemType: "uint8", value: [1, 2] }],
      ]),
    );
    expect(metadataString(read, "text")).toBe("7");
    expect(metadataString(read, "number")).toBeUndefined();
    expect(metadataNumber(read, "number")).toBe(-7);
    expect(metadataNumber(read, "exact")).toBe(9007199254740991);
    expect(metadataNumber(read, "too large")).toBeUndefined();
    expect(metadataNumber(read, "too small")).toBeUndefined();
    expect(metadataNumber(read, "text")).toBeUndefined();
    expect(read.get("flag")?.value).toBe(true);
    expect(metadataArray(read, "list")).toEqual([1, 2]);
    expect(metadataArray(read, "text")).toBeUndefined();
    expect(metadataString(read, "absent")).toBeUndefined();
  });
});

describe("tensors written and read again", () => {
  it("keep name, shape, type, order and bytes", async () => {
    const path = join(folder.path, "tensors.gguf");
    const tensors = [
      tensor("scalar-like", [1], gaussian(1), 1),
      tensor("matrix", [3, 5], gaussian(2), 1),
      tensor("four", [2, 3, 2, 2], gaussian(3), 1),
    ];
    await writeGguf(path, new Map(), tensors);
    const header = await readGgufHeader(path);
    const bytes = await readFile(path);
    expect(header).toMatchObject({ path, fileSize: bytes.length, version: 3, alignment: 32 });
    expect(header.tensors.map(({ name, dims, type }) => [name, dims, type.name])).toEqual([
      ["scalar-like", [1], "F32"],
      ["matrix", [3, 5], "F32"],
      ["four", [2, 3, 2, 2], "F32"],
    ]);
    for (const [i, { offset, byteLength }] of header.tensors.entries()) {
      const written = Buffer.concat([...(tensors[i]!.data() as Iterable<Uint8Array>)]);
      expect(bytes.subarray(offset, offset + byteLength).equals(written)).toBe(true);
    }
  });
});

function metadataArbitrary(): fc.Arbitrary<GgufMetadata> {
  const value = fc.oneof(
    ...scalarTypes.map((type) => scalarArbitrary(type).map((item): GgufValue => ({ type, value: item }))),
    ...scalarTypes.map((itemType) =>
      fc
        .array(scalarArbitrary(itemType), { maxLength: 5 })
        .map((items): GgufValue => ({ type: "array", itemType, value: items })),
    ),
  );
  // general.alignment has rules of its own.
  const key = fc
    .string({ unit: "grapheme", minLength: 1, maxLength: 20 })
    .filter((name) => name !== "general.alignment");
  return fc
    .uniqueArray(fc.tuple(key, value), { selector: ([name]) => name, maxLength: 20 })
    .map((entries) => new Map(entries));
}

function scalarArbitrary(type: GgufScalarType): fc.Arbitrary<GgufScalar> {
  switch (type) {
    case "uint8":
      return fc.integer({ min: 0, max: 255 });
    case "int8":
      return fc.integer({ min: -128, max: 127 });
    case "uint16":
      return fc.integer({ min: 0, max: 65535 });
    case "int16":
      return fc.integer({ min: -32768, max: 32767 });
    case "uint32":
      return fc.integer({ min: 0, max: 4294967295 });
    case "int32":
      return fc.integer();
    case "float32":
      return fc.float();
    case "bool":
      return fc.boolean();
    case "string":
      return fc.string({ unit: "grapheme" });
    case "uint64":
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    case "int64":
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case "float64":
      return fc.double();
  }
}
