import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { loadGgufAdapter } from "../../src/adapter/load-gguf-adapter.js";
import { factorGrams, updateNorm, updateSpectralNorm } from "../../src/adapter/update-norm.js";
import { layerSizes, updateSizes, type UpdateSize } from "../../src/adapter/update-size.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeTinyAdapter, writeTinyModel } from "../support/tiny-model.js";

/** b (outputs x rank) times a (rank x inputs). */
function product(a: Float32Array, b: Float32Array, rank: number): number[][] {
  const [inputs, outputs] = [a.length / rank, b.length / rank];
  return Array.from({ length: outputs }, (_, row) =>
    Array.from({ length: inputs }, (__, column) => {
      return Array.from({ length: rank }, (___, i) => (b[row * rank + i] ?? 0) * (a[i * inputs + column] ?? 0)).reduce(
        (sum, value) => sum + value,
        0,
      );
    }),
  );
}

describe("the norms of an update", () => {
  const floats = (length: number): fc.Arbitrary<Float32Array> =>
    fc
      .array(fc.integer({ min: -200, max: 200 }), { minLength: length, maxLength: length })
      .map((values) => Float32Array.from(values, (value) => value / 100));

  it("are those of the product, which is never formed", () => {
    fc.assert(
      fc.property(floats(3 * 5), floats(7 * 3), fc.double({ min: 0.1, max: 4, noNaN: true }), (a, b, scale) => {
        const grams = factorGrams(a, b, { rank: 3 });
        const whole = product(a, b, 3);
        const squares = whole.flat().reduce((sum, value) => sum + value ** 2, 0);
        expect(updateNorm(grams, scale)).toBeCloseTo(scale * Math.sqrt(squares), 4);
        // No vector is stretched by more, and the spectral norm is at most the Frobenius norm and at least a rank-th part of it.
        const spectral = updateSpectralNorm(grams, scale);
        const bound = updateNorm(grams, scale);
        expect(spectral).toBeLessThanOrEqual(bound * (1 + 1e-7));
        expect(spectral * Math.sqrt(3)).toBeGreaterThanOrEqual(bound * (1 - 1e-6) - 1e-9);
        for (const direction of whole) {
          const length = Math.hypot(...direction);
          if (length < 1e-6) continue;
          const stretched = Math.hypot(
            ...whole.map((row) => row.reduce((sum, value, i) => sum + value * (direction[i] ?? 0), 0)),
          );
          expect((scale * stretched) / length).toBeLessThanOrEqual(spectral * (1 + 1e-5) + 1e-9);
        }
      }),
    );
  });

  it("do not depend on how A lies in its tensor, and of experts are the root of the squares and the strongest", () => {
    const a = Float32Array.from([1, 2, 3, 4, 5, 6]);
    const b = Float32Array.from([1, -1, 2, 0]);
    const plain = factorGrams(a, b, { rank: 2 });
    // The same A with a row for each of its three inputs, as the token embedding's lies in a GGUF file.
    const byInput = factorGrams(Float32Array.from([1, 4, 2, 5, 3, 6]), b, { rank: 2, rowsAreInputs: true });
    expect(byInput).toEqual(plain);
    const two = factorGrams(Float32Array.from([...a, ...a]), Float32Array.from([...b, ...b.map((x) => 3 * x)]), {
      rank: 2,
      experts: 2,
    });
    expect(updateNorm(two, 1)).toBeCloseTo(updateNorm(plain, 1) * Math.sqrt(1 + 9), 9);
    expect(updateSpectralNorm(two, 1)).toBeCloseTo(3 * updateSpectralNorm(plain, 1), 9);
  });

  it("of a product of rank one are one and the same", () => {
    const grams = factorGrams(Float32Array.from([3, 4]), Float32Array.from([2, 0, 0]), { rank: 1 });
    expect([updateNorm(grams, 0.5), updateSpectralNorm(grams, 0.5)]).toEqual([5, 5]);
    expect(updateSpectralNorm(factorGrams(new Float32Array(4), new Float32Array(4), { rank: 2 }), 1)).toBe(0);
  });
});

describe("update sizes of a file", () => {
  const folder = temporaryFolder();
  let sizes: UpdateSize[];
  beforeAll(async () => {
    const model = await writeTinyModel(folder.path, "base.gguf", { architecture: "llama", type: "Q8_0" });
    const adapter = await writeTinyAdapter(folder.path, "lora.gguf", { architecture: "llama" });
    sizes = await updateSizes(await loadGgufAdapter(adapter), model);
  });

  it("has each module beside its weight", () => {
    expect(sizes.length).toBeGreaterThan(0);
    for (const { frobenius, spectral, weight } of sizes) {
      expect(spectral).toBeGreaterThan(0);
      expect(spectral).toBeLessThanOrEqual(frobenius * (1 + 1e-9));
      expect(weight).toBeGreaterThan(0);
    }
    expect(layerSizes(sizes).every(({ frobenius }) => frobenius > 0 && frobenius < 100)).toBe(true);
  });

  it("says which weight is missing", async () => {
    const other = await writeTinyModel(folder.path, "shallow.gguf", { architecture: "llama", layers: 1 });
    const adapter = await loadGgufAdapter(join(folder.path, "lora.gguf"));
    await expect(updateSizes(adapter, other)).rejects.toThrow(/no such weight in the model/);
  });
});
