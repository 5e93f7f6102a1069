import { unsafeUniformIntDistribution } from "pure-rand/distribution/UnsafeUniformIntDistribution";
import type { RandomGenerator } from "../samples/shuffle.js";

export { seededGenerator, shuffle } from "../samples/shuffle.js";

/** A whole number from `first` to `last`, both included, each equally likely; advances the generator. */
export function uniformInt(generator: RandomGenerator, first: number, last: number): number {
  return unsafeUniformIntDistribution(first, last, generator);
}
