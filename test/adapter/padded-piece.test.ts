import { readFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { loadGgufAdapter } from "../../src/adapter/load-gguf-adapter.js";
import { canBePadded, paddingOf, writePadded } from "../../src/adapter/padded-piece.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeTinyAdapter } from "../support/tiny-model.js";
import { adapterOf } from "./files.js";

const folder = temporaryFolder();

async function matrix(path: string, offset: number, byteLength: number): Promise<number[]> {
  const bytes = (await readFile(path)).subarray(offset, offset + byteLength);
  return [...new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + byteLength))];
}

describe("the padding of a rank", () => {
  it("is no multiple of four, and keeps the scale that llama.cpp computes to the last bit of a float", () => {
    const alphas = fc.float({ min: Math.fround(2 ** -10), max: 4096, noNaN: true });
    let lacking = 0;
    fc.assert(
      fc.property(alphas, fc.integer({ min: 1, max: 512 }), (alpha, rank) => {
        const padding = paddingOf(alpha, rank);
        if (!padding) lacking += 1;
        else {
          expect(padding.rank % 4).not.toBe(0);
          expect(padding.rank).toBeGreaterThanOrEqual(rank);
          expect(Math.fround(Math.fround(padding.alpha) / padding.rank)).toBe(Math.fround(Math.fround(alpha) / rank));
        }
      }),
      { numRuns: 2000, seed: 1 },
    );
    expect(lacking).toBeLessThan(20);
  });

  it("is a single rank for the usual ones, and none where the rank is no multiple of four", () => {
    for (const rank of [4, 8, 16, 32, 64, 128, 256]) {
      for (const alpha of [1, 8, 16, 32, rank / 2, rank, 2 * rank]) expect(paddingOf(alpha, rank)?.rank).toBe(rank + 1);
    }
    expect(paddingOf(20, 10)).toEqual({ rank: 10, alpha: 20 });
  });
});

describe("a padded piece", () => {
  it("has a row of zeros behind A and a zero behind each row of B, and all that was there", async () => {
    const adapter = await loadGgufAdapter(
      await writeTinyAdapter(folder.path, "lora.gguf", { architecture: "llama", layers: 1, rank: 4 }),
    );
    expect(canBePadded(adapter.modules, adapter.alpha)).toBe(true);
    const path = join(folder.path, "padded.gguf");
    await writePadded(adapter, adapter.modules, path, adapter.metadata);
    const padded = await loadGgufAdapter(path);
    expect(padded.modules.map(({ name, rank }) => [name, rank])).toEqual(adapter.modules.map(({ name }) => [name, 5]));
    for (const [i, { a, b }] of adapter.modules.entries()) {
      const wide = padded.modules[i]!;
      const inputs = a.dims[0]!;
      const outputs = b.dims[1]!;
      const oldA = await matrix(adapter.path, a.offset, a.byteLength);
      const oldB = await matrix(adapter.path, b.offset, b.byteLength);
      const newA = await matrix(path, wide.a.offset, wide.a.byteLength);
      const newB = await matrix(path, wide.b.offset, wide.b.byteLength);
      expect(newA).toEqual([...oldA, ...new Array<number>(inputs).fill(0)]);
      const rows = Array.from({ length: outputs }, (_, row) => [...oldB.slice(4 * row, 4 * row + 4), 0]);
      expect(newB).toEqual(rows.flat());
    }
  });

  it("of the token embedding has a zero behind each token of A, and of experts the zeros of each expert", async () => {
    const shapes = {
      "token_embd.weight.lora_a": [4, 7],
      "token_embd.weight.lora_b": [4, 5],
      "blk.0.ffn_up_exps.weight.lora_a": [6, 4, 3],
      "blk.0.ffn_up_exps.weight.lora_b": [4, 5, 3],
    };
    const adapter = await adapterOf(folder.path, shapes);
    const path = join(folder.path, "padded-others.gguf");
    await writePadded(adapter, adapter.modules, path, adapter.metadata);
    const padded = await loadGgufAdapter(path);
    expect(padded.modules.flatMap(({ a, b }) => [a.dims, b.dims])).toEqual([
      [5, 7],
      [5, 5],
      [6, 5, 3],
      [5, 5, 3],
    ]);
    /** Runs of so many numbers, each with so many zeros behind it. */
    const withZeros = (values: readonly number[], run: number, zeros: number): number[] =>
      Array.from({ length: values.length / run }, (_, i) => [
        ...values.slice(i * run, (i + 1) * run),
        ...new Array<number>(zeros).fill(0),
      ]).flat();
    for (const [i, runs] of [
      [0, { a: [4, 1], b: [4, 1] }],
      [1, { a: [6 * 4, 6], b: [4, 1] }],
    ] as const) {
      for (const half of ["a", "b"] as const) {
        const [old, wide] = [adapter.modules[i]![half], padded.modules[i]![half]];
        const values = await matrix(adapter.path, old.offset, old.byteLength);
        const [run = 0, zeros = 0] = runs[half];
        expect(await matrix(path, wide.offset, wide.byteLength)).toEqual(withZeros(values, run, zeros));
      }
    }
  });

  it("is refused where ranks differ", async () => {
    const four = await loadGgufAdapter(
      await writeTinyAdapter(folder.path, "four.gguf", { architecture: "llama", layers: 1, rank: 4 }),
    );
    const eight = await loadGgufAdapter(
      await writeTinyAdapter(folder.path, "eight.gguf", { architecture: "llama", layers: 1, rank: 8 }),
    );
    const mixed = [four.modules[0]!, eight.modules[1]!];
    expect(canBePadded(mixed, 8)).toBe(false);
    await expect(writePadded(four, mixed, join(folder.path, "no.gguf"), four.metadata)).rejects.toThrow(RangeError);
  });
});
