import { SampleError, UsageError } from "../errors.js";
import { sampleContent } from "./content.js";
import type { Sample } from "./sample.js";
import { shuffle } from "./shuffle.js";

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
 * Splits by a seeded shuffle; each part keeps the order of the file. round(N * fraction) samples go to the holdout, at
 * least one to each part when fraction > 0 and N >= 2. Samples of the same content stay together, and as these cannot be
 * divided the holdout can come out smaller.
 * Throws {@link UsageError} for a fraction or seed out of range, {@link SampleError} when nothing distinct is left for the holdout.
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
  if (fraction === 0 || samples.length < 2) return { selection: [...samples], holdout: [] };
  const target = Math.min(Math.max(Math.round(samples.length * fraction), 1), samples.length - 1);
  const drawn = new Set<Sample>();
  for (const group of shuffle(seed, groupsOfSameContent(samples, contentOf))) {
    if (drawn.size + group.length > target) continue;
    for (const sample of group) drawn.add(sample);
  }
  if (drawn.size === 0) {
    throw new SampleError(
      { path: "" },
      {
        what: "the samples cannot be split into a selection and a holdout",
        actual: "too many samples of the same content",
        expected: "samples that differ",
        fix: "Take the repeated samples out.",
      },
    );
  }
  return {
    selection: samples.filter((sample) => !drawn.has(sample)),
    holdout: samples.filter((sample) => drawn.has(sample)),
  };
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

/** Lists of samples with equal content, in order of first appearance. */
function groupsOfSameContent(
  samples: readonly Sample[],
  contentOf: (sample: Sample) => string,
): readonly (readonly Sample[])[] {
  const groups = new Map<string, Sample[]>();
  for (const sample of samples) {
    const content = contentOf(sample);
    const group = groups.get(content);
    if (group === undefined) groups.set(content, [sample]);
    else group.push(sample);
  }
  return [...groups.values()];
}

/** The part of the samples that chooses K, or the part that only confirms it. */
export type Part = "selection" | "holdout";
