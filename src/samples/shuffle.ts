import { unsafeSkipN } from "pure-rand/distribution/UnsafeSkipN";
import { unsafeUniformIntDistribution } from "pure-rand/distribution/UnsafeUniformIntDistribution";
import { xoroshiro128plus } from "pure-rand/generator/XoroShiro";
import type { RandomGenerator } from "pure-rand/types/RandomGenerator";
import { at } from "../assert.js";
import { UsageError } from "../errors.js";

/** A stream of pseudo-random numbers; drawing from it changes it. */
export type { RandomGenerator } from "pure-rand/types/RandomGenerator";

/** Throws {@link UsageError} for a seed that is not a whole number from 0 to 2^32 - 1. */
export function assertSeed(seed: number): void {
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
    throw new UsageError({
      what: "the seed is wrong",
      actual: String(seed),
      expected: "a whole number from 0 to 4294967295",
    });
  }
}

/** xoroshiro128+ started from a seed, the same on every machine; all seeds are different. Throws as {@link assertSeed}. */
export function seededGenerator(seed: number): RandomGenerator {
  assertSeed(seed);
  const generator = xoroshiro128plus(seed);
  // pure-rand puts the bare seed into the state, so the first numbers of neighbouring seeds are alike; 64 draws mix it.
  unsafeSkipN(generator, 64);
  return generator;
}

/** A copy of the items in an order that depends on the seed and their number alone (Fisher-Yates). */
export function shuffle<T>(seed: number, items: readonly T[]): T[] {
  const generator = seededGenerator(seed);
  const order = Uint32Array.from(items.keys());
  for (let last = order.length - 1; last > 0; last--) {
    const place = unsafeUniformIntDistribution(0, last, generator);
    const drawn = at(order, place);
    order[place] = at(order, last);
    order[last] = drawn;
  }
  return Array.from(order, (index) => items[index] as T);
}
