import { at } from "../assert.js";
import { BoundaryError, UsageError } from "../errors.js";
import type { Score } from "../metrics/metric.js";
import type { Weights } from "../statistics/columns.js";
import { comparePaired, type CompareOptions, type PairedComparison } from "../statistics/paired.js";
import { shuffle } from "../statistics/random.js";
import { chooseBoundary, assertSettings, evidenceOf, type Choice, type ChoiceInput } from "./choose.js";
import type { Evidence } from "./evidence.js";
import { applyRule } from "./rules.js";
import { scoreOf } from "./scores.js";

/** How to cut the samples, by the seed, and how to compare with the full adapter. */
export interface CrossValidationOptions extends CompareOptions {
  /** From 2 to the number of samples (of clusters, where there are any). */
  readonly folds: number;
  /** A key for each sample in their order; samples of equal keys, such as equal contents, go to the same fold. */
  readonly clusters?: readonly string[];
}

/** What one fold chose, on the samples of all others. */
export interface Fold {
  readonly boundary: number;
  /** Number of samples held out. */
  readonly samples: number;
}

/** The out-of-fold answers of the choice in one metric, against the full adapter on the same samples. */
export interface CrossValidatedMetric {
  readonly metric: string;
  /** The choice's out-of-fold answers as a score, in the order of the samples. */
  readonly pooled: Score;
  /** 0-100. */
  readonly chosen: number;
  readonly full: number;
  readonly chosenMinusFull: PairedComparison;
}

/** What nested cross-validation says of a rule on these samples. */
export interface CrossValidation {
  readonly folds: readonly Fold[];
  /** A metric each, in the order of the candidates' scores. */
  readonly metrics: readonly CrossValidatedMetric[];
  /** The choice on all samples: what is kept. */
  readonly final: Choice;
  readonly method: string;
}

/**
 * Nested cross-validation over answers that exist already, for few samples: instead of keeping a holdout apart, each fold's samples are
 * judged by the K that the rule chooses on all others, and the folds' samples are pooled. The pooled score belongs to the rule, on samples
 * fewer by one fold, rather than to the final K. Any two folds share most of the samples that chose for them, so the interval and tests,
 * which take samples as independent, are approximate: in simulation, where nothing is better, up to twice as many intervals as the nominal
 * 2.5 % lie above 0 (eval/results/simulation.md).
 * @throws what {@link chooseBoundary} does; UsageError for a number of folds or a seed out of range, BoundaryError when keys and samples
 * do not belong together.
 *
 * Source: Stone, Cross-Validatory Choice and Assessment of Statistical Predictions (1974), the assessment of a choice.
 */
export function crossValidate(input: ChoiceInput, options: CrossValidationOptions): CrossValidation {
  assertSettings(input);
  const evidence = evidenceOf(input);
  const samples = evidence.weights.total;
  const foldOf = assignFolds(samples, options);
  const outOfFold: number[] = Array.from({ length: samples }, () => evidence.full);
  const folds = Array.from({ length: options.folds }, (_, fold): Fold => {
    const at = applyRule(evidence.weighted(without(foldOf, fold)), input).chosen;
    const held = foldOf.flatMap((one, sample) => (one === fold ? [sample] : []));
    for (const sample of held) outOfFold[sample] = at;
    return { boundary: evidence.boundary(at), samples: held.length };
  });
  const metrics = [...input.full.scores.keys()].map((metric): CrossValidatedMetric => {
    const chosen = pooled(evidence, outOfFold, metric);
    const full = scoreOf(input.full, metric);
    const chosenMinusFull = comparePaired(chosen, full, options);
    return { metric, pooled: chosen, chosen: chosen.value, full: full.value, chosenMinusFull };
  });
  const method = `nested cross-validation, ${options.folds} folds; the interval is approximate, as folds share training samples`;
  return { folds, metrics, final: chooseBoundary(input), method };
}

/**
 * A fold for each sample: clusters in shuffled order, each to the smallest fold so far, so that folds are as even as clusters allow.
 * Throws as {@link crossValidate}.
 */
export function assignFolds(samples: number, { folds, seed, clusters }: CrossValidationOptions): number[] {
  if (clusters && clusters.length !== samples) {
    throw new BoundaryError({
      what: "cluster keys and samples do not belong together",
      actual: `${clusters.length} keys for ${samples} samples`,
      expected: "one for each",
    });
  }
  const members = new Map<string, number[]>();
  for (let sample = 0; sample < samples; sample++) {
    const key = clusters?.[sample] ?? String(sample);
    members.set(key, [...(members.get(key) ?? []), sample]);
  }
  if (!Number.isInteger(folds) || folds < 2 || folds > members.size) {
    throw new UsageError({
      what: "the number of folds is wrong",
      actual: String(folds),
      expected: `a whole number from 2 to ${members.size}, the number of different samples`,
    });
  }
  const sizes = Array.from({ length: folds }, () => 0);
  const foldOf = Array.from({ length: samples }, () => 0);
  for (const cluster of shuffle(seed, [...members.values()])) {
    const smallest = sizes.indexOf(Math.min(...sizes));
    sizes[smallest] = at(sizes, smallest) + cluster.length;
    for (const sample of cluster) foldOf[sample] = smallest;
  }
  return foldOf;
}

function without(foldOf: readonly number[], fold: number): Weights {
  const counts = Float64Array.from(foldOf, (one) => (one === fold ? 0 : 1));
  return { counts, total: counts.reduce((sum, count) => sum + count, 0) };
}

/** The score of samples that were each answered by another candidate. */
function pooled(evidence: Evidence, answeredBy: readonly number[], metric: string): Score {
  const scores = answeredBy.map((candidate) => scoreOf(evidence.candidate(candidate), metric));
  const statistics = scores.map((own, sample) => at(own.statistics, sample));
  const perSample = scores.map((own, sample) => at(own.perSample, sample));
  const sums = at(statistics, 0).map((_, i) => statistics.reduce((sum, row) => sum + at(row, i), 0));
  const full = scoreOf(evidence.candidate(evidence.full), metric);
  return { ...full, statistics, perSample, value: full.corpusValue(sums, statistics.length) };
}
