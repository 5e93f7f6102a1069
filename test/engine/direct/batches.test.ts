import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { batchesOf, cutsOf, keptTokens } from "../../../src/engine/direct/batches.js";

const lengths = fc.integer({ min: 1, max: 700 });
const sizes = fc.constantFrom(32, 100, 512);
const kernel = (rows: number): string => (rows === 1 ? "one" : rows < 64 ? "some" : "tiles");

describe("the batches of a prompt", () => {
  it("hold every row once, in order, none longer than a batch", () => {
    fc.assert(
      fc.property(lengths, sizes, (length, size) => {
        const rows = batchesOf(length, size).flatMap(({ from, to }) => {
          expect(to - from).toBeLessThanOrEqual(size);
          return Array.from({ length: to - from }, (_, i) => from + i);
        });
        expect(rows).toEqual(Array.from({ length }, (_, i) => i));
      }),
    );
  });

  it("without those that are kept end where they end whole", () => {
    fc.assert(
      fc.property(lengths, sizes, fc.nat(699), (length, size, some) => {
        const kept = Math.min(some, length - 1);
        const cuts = cutsOf(length, kept, size);
        expect(cuts[0]?.from).toBe(kept);
        expect(cuts.at(-1)?.to).toBe(length);
        const ends = batchesOf(length, size).map(({ to }) => to);
        expect(cuts.every(({ to }) => ends.includes(to))).toBe(true);
      }),
    );
  });
});

describe("tokens that need not be evaluated again", () => {
  it("are common to both prompts, leave one, and change the kernel of no row", () => {
    fc.assert(
      fc.property(lengths, lengths, fc.nat(700), sizes, (first, second, common, size) => {
        const prompt = (length: number, own: number): number[] =>
          Array.from({ length }, (_, i) => (i < common ? i : 10_000 + own));
        const before = prompt(first, 1);
        const tokens = prompt(second, 2);
        const kept = keptTokens(before, tokens, size);
        expect(kept).toBeLessThan(second);
        expect(tokens.slice(0, kept)).toEqual(before.slice(0, kept));
        const kernels = (length: number): Map<number, string> =>
          new Map(batchesOf(length, size).map(({ from, to }) => [from, kernel(to - from)]));
        for (const { from, to } of cutsOf(second, kept, size)) {
          const start = from - (from % size);
          expect(kernel(to - from)).toBe(kernels(second).get(start));
          if (from > start) expect(kernels(first).get(start)).toBe(kernels(second).get(start));
        }
      }),
      { numRuns: 500 },
    );
  });

  it("are the whole common beginning of two long prompts", () => {
    const tokens = (own: number): number[] => [...Array(39).keys(), ...new Array<number>(200).fill(1000 + own)];
    expect(keptTokens(tokens(1), tokens(2), 512)).toBe(39);
    expect(keptTokens([], tokens(2), 512)).toBe(0);
    expect(keptTokens(tokens(1), tokens(1), 512)).toBe(239 - 64);
  });
});
