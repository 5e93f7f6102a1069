import { describe, expect, it } from "vitest";
import { UsageError } from "../../src/errors.js";
import { seededGenerator, shuffle, uniformInt } from "../../src/statistics/random.js";

describe("seededGenerator and uniformInt", () => {
  it("gives the same numbers for a seed, others for the next", () => {
    const draw = (seed: number): readonly number[] => {
      const generator = seededGenerator(seed);
      return Array.from({ length: 20 }, () => uniformInt(generator, 0, 999));
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  it("reaches both ends and nothing beyond, evenly", () => {
    const generator = seededGenerator(1);
    const counts = new Map<number, number>();
    for (let draw = 0; draw < 6000; draw++) {
      const value = uniformInt(generator, 1, 6);
      counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual([1, 2, 3, 4, 5, 6]);
    // 1000 expected, standard deviation 29.
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  it("draws differently first for neighbouring seeds", () => {
    const firsts = Array.from({ length: 64 }, (_, seed) => uniformInt(seededGenerator(seed), 0, 999_999));
    expect(new Set(firsts).size).toBe(64);
    const steps = firsts.slice(1).map((value, index) => value - firsts[index]!);
    expect(new Set(steps).size).toBe(63);
  });

  it("refuses seeds that are not whole numbers from 0 to 2^32 - 1", () => {
    for (const seed of [-1, 0.5, Number.NaN, 2 ** 32]) expect(() => seededGenerator(seed)).toThrow(UsageError);
    expect(() => seededGenerator(2 ** 32 - 1)).not.toThrow();
  });
});

describe("shuffle", () => {
  it("keeps every item and leaves its input alone", () => {
    const items = Object.freeze(["a", "b", "c", "d", "e"]);
    const shuffled = shuffle(9, items);
    expect([...shuffled].sort()).toEqual(items);
    expect(shuffle(9, items)).toEqual(shuffled);
    expect(shuffle(1, [])).toEqual([]);
  });

  it("reaches every order about equally often", () => {
    const counts = new Map<string, number>();
    for (let seed = 0; seed < 6000; seed++) {
      const order = shuffle(seed, ["a", "b", "c"]).join("");
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});
