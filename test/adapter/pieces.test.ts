import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { loadGgufAdapter } from "../../src/adapter/load-gguf-adapter.js";
import { boundaryCandidates, boundaryMask, maskKey, type Mask } from "../../src/adapter/mask.js";
import { partition, piecesOf, writePieces, type Piece } from "../../src/adapter/pieces.js";
import { FileError } from "../../src/errors.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeTinyAdapter } from "../support/tiny-model.js";
import { moduleAt } from "./modules.js";

const folder = temporaryFolder();
const modules = [0, 1, 2, 3].flatMap((layer) => [moduleAt(layer), moduleAt(layer, "ffn_up")]);

/** Any masks over the modules, with scales besides 0 and 1; an explicit 0 means the same as an absent module. */
const masksArbitrary: fc.Arbitrary<Mask[]> = fc.array(
  fc
    .array(fc.constantFrom(undefined, 0, 0.25, 1), { minLength: modules.length, maxLength: modules.length })
    .map((scales) => {
      const kept = modules.flatMap(({ name }, i) => {
        const scale = scales[i];
        return scale === undefined ? [] : [[name, scale] as const];
      });
      return new Map(kept);
    }),
  { maxLength: 5 },
);

const effective = (mask: Mask): Mask => new Map([...mask].filter(([, scale]) => scale !== 0));

describe("the partition for some masks", () => {
  it("is disjoint, holds what any mask keeps, and puts every mask together exactly", () => {
    fc.assert(
      fc.property(masksArbitrary, (masks) => {
        const groups = partition(modules, masks);
        const names = groups.flat().map(({ name }) => name);
        expect(new Set(names).size).toBe(names.length);
        const wanted = new Set(masks.flatMap((mask) => [...effective(mask).keys()]));
        expect(new Set(names)).toEqual(wanted);
        const pieces = groups.map((group, i): Piece => ({ path: String(i), modules: group.map(({ name }) => name) }));
        for (const mask of masks) {
          const built = piecesOf(mask, pieces).flatMap(({ path, scale }) =>
            pieces[Number(path)]!.modules.map((name) => [name, scale] as const),
          );
          expect(maskKey(new Map(built))).toBe(maskKey(effective(mask)));
        }
      }),
      { numRuns: 300 },
    );
  });

  it("has no two groups that every mask treats alike", () => {
    fc.assert(
      fc.property(masksArbitrary, (masks) => {
        const scales = partition(modules, masks).map((group) =>
          masks.map((mask) => mask.get(group[0]!.name) ?? 0).join(),
        );
        expect(new Set(scales).size).toBe(scales.length);
      }),
    );
  });

  it("is one group a layer for all boundaries, and one for the full adapter alone", () => {
    const masks = [0, 1, 2, 3, 4].map((boundary) => boundaryMask(modules, 4, boundary));
    expect(partition(modules, masks).map((group) => group.map(({ layer }) => layer))).toEqual([
      [0, 0],
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
    expect(partition(modules, masks.slice(4))).toEqual([modules]);
    expect(partition(modules, masks.slice(0, 1))).toEqual([]);
  });

  it("refuses a mask that it was not cut for", () => {
    const pieces = [{ path: "whole.gguf", modules: modules.map(({ name }) => name) }];
    expect(() => piecesOf(boundaryMask(modules, 4, 2), pieces)).toThrow(RangeError);
    expect(() => piecesOf(boundaryMask(modules, 4, 2), pieces)).toThrow("piece whole.gguf mixes modules");
  });
});

describe("pieces on disk", () => {
  it("are adapters of their own that together hold every module once", async () => {
    const adapter = await loadGgufAdapter(await writeTinyAdapter(folder.path, "lora.gguf", { architecture: "llama" }));
    const masks = boundaryCandidates(adapter, 4, [0, 1, 2, 3, 4]).map(({ mask }) => mask);
    const pieces = await writePieces(adapter, masks, join(folder.path, "new", "pieces"));
    const loaded = await Promise.all(pieces.map(({ path }) => loadGgufAdapter(path)));
    expect(loaded.map(({ coverage }) => coverage)).toEqual([[0], [1], [2], [3]]);
    expect(loaded.map(({ alpha, architecture }) => [alpha, architecture])).toEqual(Array(4).fill([8, "llama"]));
    expect(loaded.flatMap((piece) => piece.modules.map(({ name }) => name)).sort()).toEqual(
      adapter.modules.map(({ name }) => name).sort(),
    );
    expect(loaded.map((piece) => piece.modules.map(({ name }) => name))).toEqual(pieces.map((piece) => piece.modules));
  });

  it("are kept when they are there, and named after the adapter's content", async () => {
    const where = join(folder.path, "again");
    const one = await loadGgufAdapter(await writeTinyAdapter(folder.path, "one.gguf", { architecture: "llama" }));
    const mask = boundaryMask(one.modules, 4, 4);
    const [first] = await writePieces(one, [mask], where);
    const { mtimeNs } = await stat(first!.path, { bigint: true });
    expect(await writePieces(one, [mask], where)).toEqual([first]);
    expect((await stat(first!.path, { bigint: true })).mtimeNs).toBe(mtimeNs);
    const other = await loadGgufAdapter(
      await writeTinyAdapter(folder.path, "two.gguf", { architecture: "llama", seed: 9 }),
    );
    const [second] = await writePieces(other, [mask], where);
    expect(second?.path).not.toBe(first?.path);
    expect(await readdir(where)).toHaveLength(4);
  });

  it("say where they cannot be written", async () => {
    const adapter = await loadGgufAdapter(await writeTinyAdapter(folder.path, "lora.gguf", { architecture: "llama" }));
    const occupied = join(folder.path, "a-file");
    await writeFile(occupied, "");
    const error = await failureOf(FileError, () => writePieces(adapter, [], occupied));
    expect(error.message).toContain(`cannot write ${occupied}: found something that exists already`);
  });
});
