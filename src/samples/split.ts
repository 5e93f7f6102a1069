import { defined } from "../assert.js";
import { SampleError, UsageError } from "../errors.js";
import { digest } from "../files/digest.js";
import { sampleContent } from "./content.js";
import type { Sample } from "./sample.js";
import { assertSeed } from "./shuffle.js";

/** The part that chooses the boundary and the part that only confirms it; never the same samples. */
export interface Split {
  readonly selection: readonly Sample[];
  readonly holdout: readonly Sample[];
}

/** How to split. */
export interface SplitOptions {
  /** Share of the samples that goes to the holdout, from 0 to below 1. */
  readonly fraction: number;
  /** A whole number from 0 to 2^32 - 1. */
  readonly seed: number;
  /** What makes two samples the same, such as their rendered prompt; by default their variables. */
  readonly contentOf?: (sample: Sample) => string;
}

/**
 * Splits by a hash of each sample's content and the seed, so that a sample is in the same part whatever other samples there are; each part
 * keeps the order of the file. About N * fraction samples go to the holdout, at least one to each part when fraction > 0 and two of them differ.
 * Samples of the same content stay together.
 * Throws {@link UsageError} for a fraction or seed out of range, {@link SampleError} when all samples are the same.
 */
export function splitSamples(samples: readonly Sample[], options: SplitOptions): Split {
  const { fraction, seed, contentOf = sampleContent } = options;
  if (!(fraction >= 0 && fraction < 1)) {
    throw new UsageError({
      what: "the holdout's share is wrong",
      actual: String(fraction),
      expected: "a number from 0 to below 1",
    });
  }
  assertSeed(seed);
  if (fraction === 0 || samples.length < 2) return { selection: [...samples], holdout: [] };
  const places = new Map(samples.map((sample) => [sample, placeOf(seed, contentOf(sample))]));
  const ascending = [...new Set(places.values())].sort((a, b) => a - b);
  const [first, last] = [ascending[0], ascending.at(-1)];
  if (first === undefined || last === undefined || first === last) {
    throw new SampleError(
      { path: "" },
      {
        what: "the samples cannot be split into a selection and a holdout",
        actual: "all of them have the same content",
        expected: "samples that differ",
        fix: "Take the repeated samples out.",
      },
    );
  }
  // Of a handful of samples all may fall on one side.
  const isHeldOut = (sample: Sample): boolean => {
    const place = defined(places.get(sample), "the place of a sample");
    return place !== last && (place < fraction || place === first);
  };
  return { selection: samples.filter((sample) => !isHeldOut(sample)), holdout: samples.filter(isHeldOut) };
}

/** A number from 0 to below 1 that depends on a seed and a text alone, evenly spread over texts: 48 bits of their SHA-256. */
function placeOf(seed: number, content: string): number {
  return Number.parseInt(digest(`${seed}\0${content}`).slice(0, 12), 16) / 2 ** 48;
}

/**
 * Throws {@link SampleError} when a sample of the holdout is one of the selection: the same content, under the same id or
 * another. An id that two files use for different samples is no fault.
 */
export function assertDisjoint(
  selection: readonly Sample[],
  holdout: readonly Sample[],
  contentOf: (sample: Sample) => string = sampleContent,
): void {
  const selected = new Map(selection.map((sample) => [contentOf(sample), sample.id]));
  for (const sample of holdout) {
    const other = selected.get(contentOf(sample));
    if (other === undefined) continue;
    throw new SampleError(
      { path: "", sampleId: sample.id },
      {
        what: "selection and holdout are never the same samples, but share one",
        actual:
          other === sample.id
            ? `the sample ${sample.id} in both`
            : `the sample ${other} of the selection again as ${sample.id} in the holdout`,
        expected: "samples that are in one part only",
        fix: "Take it out of one of the two files, or let one file be split.",
      },
    );
  }
}

/** The part of the samples that chooses K, or the part that only confirms it. */
export type Part = "selection" | "holdout";
