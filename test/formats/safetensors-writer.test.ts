import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FileError } from "../../src/errors.js";
import type { SafetensorsDtype } from "../../src/formats/safetensors-dtype.js";
import { readSafetensorsHeader } from "../../src/formats/safetensors-reader.js";
import { writeSafetensors, type SafetensorsTensorToWrite } from "../../src/formats/safetensors-writer.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const folder = temporaryFolder();
const overwrite = { overwrite: true };
const sizes = { U8: 1, BF16: 2, F16: 2, F32: 4, I64: 8 } as const;

function tensor(name: string, dtype: keyof typeof sizes, shape: number[], fill = 1): SafetensorsTensorToWrite {
  const byteLength = shape.reduce((product, size) => product * size, sizes[dtype]);
  return { name, dtype, shape, byteLength, data: () => [new Uint8Array(byteLength).fill(fill)] };
}

describe("a file written", () => {
  it("has the bytes of the format", async () => {
    const path = join(folder.path, "bytes.safetensors");
    await writeSafetensors(
      path,
      [tensor("b", "U8", [3], 7), tensor("1", "BF16", [1, 1], 9)],
      new Map([["format", "pt"]]),
      overwrite,
    );
    const json =
      '{"__metadata__":{"format":"pt"},"b":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},' +
      '"1":{"dtype":"BF16","shape":[1,1],"data_offsets":[3,5]}}';
    const padded = json.padEnd(Math.ceil(json.length / 8) * 8);
    const length = Buffer.alloc(8);
    length.writeUInt32LE(padded.length);
    expect(await readFile(path)).toEqual(Buffer.concat([length, Buffer.from(padded), Buffer.from([7, 7, 7, 9, 9])]));
  });

  it("reads as it was meant, whatever names, shapes and metadata", async () => {
    const path = join(folder.path, "round.safetensors");
    const name = fc.string({ minLength: 1, unit: "binary" });
    const one = fc.record({
      name,
      dtype: fc.constantFrom<keyof typeof sizes>("U8", "BF16", "F16", "F32", "I64"),
      shape: fc.array(fc.nat({ max: 4 }), { maxLength: 3 }),
      fill: fc.nat({ max: 255 }),
    });
    const many = fc.uniqueArray(one, { selector: (row) => row.name, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(
        many,
        fc.array(fc.tuple(name, fc.string({ unit: "binary" })), { maxLength: 3 }),
        async (rows, pairs) => {
          const metadata = new Map(pairs);
          const tensors = rows.map((row) => tensor(row.name, row.dtype, row.shape, row.fill));
          await writeSafetensors(path, tensors, metadata, overwrite);
          const header = await readSafetensorsHeader(path);
          const bytes = await readFile(path);
          expect(header.metadata).toEqual(metadata);
          expect(header.tensors).toHaveLength(rows.length);
          for (const [i, read] of header.tensors.entries()) {
            expect(read).toMatchObject({ name: rows[i]!.name, dtype: rows[i]!.dtype, shape: rows[i]!.shape });
            const data = bytes.subarray(read.offset, read.offset + read.byteLength);
            expect(data.every((byte) => byte === rows[i]!.fill)).toBe(true);
          }
          expect(header.tensors.length === 0 || Math.min(...header.tensors.map(({ offset }) => offset)) % 8 === 0).toBe(
            true,
          );
        },
      ),
      { numRuns: 100, seed: 4 },
    );
  });

  it("takes its data from streams, piece by piece", async () => {
    const path = join(folder.path, "stream.safetensors");
    async function* data(): AsyncGenerator<Uint8Array> {
      yield Uint8Array.of(1, 2);
      yield await Promise.resolve(Uint8Array.of(3, 4));
    }
    await writeSafetensors(path, [{ ...tensor("t", "F32", [1]), data }], new Map(), overwrite);
    expect([...(await readFile(path)).subarray(-4)]).toEqual([1, 2, 3, 4]);
  });
});

describe("nothing is written", () => {
  const bad: [what: string, tensors: SafetensorsTensorToWrite[], metadata: [string, string][], word: string][] = [
    ["for a name twice", [tensor("t", "U8", [1]), tensor("t", "U8", [1])], [], '"t" is taken'],
    ["for an empty name", [tensor("", "U8", [1])], [], '"" is taken'],
    ["for the reserved name", [tensor("__metadata__", "U8", [1])], [], "is taken"],
    ["for half a character", [tensor("\ud800", "U8", [1])], [], "surrogate"],
    ["for half a character in metadata", [], [["k", "\udfff"]], "surrogate"],
    ["for a wrong byteLength", [{ ...tensor("t", "F32", [2]), byteLength: 4 }], [], "4 bytes announced for F32 [2]"],
    ["for a negative size", [{ ...tensor("t", "F32", [1]), shape: [-1], byteLength: -4 }], [], "-4 bytes announced"],
    [
      "for an unknown dtype",
      [{ ...tensor("t", "F32", [1]), dtype: "F99" as SafetensorsDtype }],
      [],
      "announced for F99",
    ],
  ];
  it.each(bad)("%s", async (_what, tensors, metadata, word) => {
    const path = join(folder.path, "none.safetensors");
    await expect(writeSafetensors(path, tensors, new Map(metadata), overwrite)).rejects.toThrow(word);
    expect(await readdir(folder.path)).not.toContain("none.safetensors");
  });

  it("when the data is shorter than announced", async () => {
    const path = join(folder.path, "none.safetensors");
    const short = { ...tensor("t", "U8", [4]), data: () => [new Uint8Array(3)] };
    const error = await failureOf(FileError, () => writeSafetensors(path, [short], new Map(), overwrite));
    expect(error.message).toContain("tensor t: 3 bytes of data, 4 announced");
    expect((await readdir(folder.path)).filter((name) => name.startsWith("none"))).toEqual([]);
  });

  it("over an existing file without overwrite", async () => {
    const path = join(folder.path, "mine.safetensors");
    await writeSafetensors(path, [], new Map(), { overwrite: false });
    await failureOf(FileError, () => writeSafetensors(path, [tensor("t", "U8", [1])], new Map(), { overwrite: false }));
    expect((await readSafetensorsHeader(path)).tensors).toEqual([]);
  });
});
