import type { chooseBoundary, evidenceOf } from "../../src/choice/choose.js";
import type { crossValidate } from "../../src/choice/cross-validate.js";
import type { applyRule, ruleNames } from "../../src/choice/rules.js";
import type { inSampleEstimate } from "../../src/choice/winners-curse.js";
import type { differenceInterval, DifferenceOptions } from "../../src/statistics/difference.js";
import type { normalQuantile } from "../../src/statistics/distributions.js";
import type { Interval, scoreInterval, ScoreIntervalOptions } from "../../src/statistics/interval.js";
import type { wilsonEnds } from "../../src/statistics/proportions.js";
import type { seededGenerator } from "../../src/statistics/random.js";
import type { eachResample } from "../../src/statistics/resample.js";

/** The functions under test. */
export interface Product {
  readonly applyRule: typeof applyRule;
  readonly chooseBoundary: typeof chooseBoundary;
  readonly crossValidate: typeof crossValidate;
  readonly differenceInterval: typeof differenceInterval;
  readonly eachResample: typeof eachResample;
  readonly evidenceOf: typeof evidenceOf;
  readonly inSampleEstimate: typeof inSampleEstimate;
  readonly normalQuantile: typeof normalQuantile;
  readonly ruleNames: typeof ruleNames;
  readonly scoreInterval: typeof scoreInterval;
  readonly seededGenerator: typeof seededGenerator;
  readonly wilsonEnds: typeof wilsonEnds;
}

export interface Alike {
  readonly shared: number;
  readonly step: number;
}
export interface Size {
  readonly sweeps: number;
  readonly samples: number;
  readonly seed: number;
}
export interface Trials {
  readonly trials: number;
  readonly samples: number;
  readonly seed: number;
  readonly resamples?: number;
}
export interface ErrorSummary {
  readonly mean: number;
  readonly rootMeanSquare: number;
}
export interface Pick {
  readonly rule: string;
  readonly peak: number;
  readonly full: number;
  readonly meanBoundary: number;
  readonly worth: number;
  readonly worst: number;
}

export const LAYERS: number;
export const USUAL: Alike;
export const NEARLY_EQUAL: Alike;
export function flat(rate: number): number[];
export function peaked(gain: number): number[];

export function falseImprovements(
  product: Product,
  options: Size & { readonly rate?: number; readonly alike?: Alike },
): { readonly selection: number; readonly holdout: number };
export function falseAcceptances(
  product: Product,
  options: Size & { readonly drop?: number; readonly partial?: boolean; readonly alike?: Alike },
): number;
export function trimming(
  product: Product,
  options: Size & { readonly margins: readonly number[]; readonly alike?: Alike },
): { readonly trimmed: number; readonly meanBoundary: number }[];
export function picks(
  product: Product,
  options: Size & { readonly gain?: number; readonly alike?: Alike },
): readonly Pick[];
export function winnersCurse(
  product: Product,
  options: Size & {
    readonly rule?: "best" | "one-se";
    readonly rates?: readonly number[];
    readonly resamples?: number;
  },
): { readonly apparent: ErrorSummary; readonly optimism: ErrorSummary; readonly leaveOneOut: ErrorSummary };
export function confirmations(
  product: Product,
  options: Size & { readonly rates: readonly number[]; readonly folds?: number },
): { readonly split: number; readonly crossValidated: number };
export function coverageOfShare(
  product: Product,
  options: {
    readonly samples: number;
    readonly seed: number;
    readonly rates: readonly number[];
    readonly method: NonNullable<ScoreIntervalOptions["method"]> | "wilson";
    readonly resamples?: number;
  },
): number[];
export function coverageOfDifference(
  product: Product,
  options: Trials & {
    readonly rate: number;
    readonly gain?: number;
    readonly partial?: boolean;
    readonly alike?: Alike;
    readonly methods: readonly NonNullable<DifferenceOptions["method"]>[];
    readonly cache: Map<string, Interval>;
  },
): Readonly<Record<string, number>>;
export function coverageOfMean(
  product: Product,
  options: Trials & {
    readonly rate: number;
    readonly methods: readonly NonNullable<ScoreIntervalOptions["method"]>[];
  },
): Readonly<Record<string, number>>;
export function exactCoverageOfDifference(
  product: Product,
  options: {
    readonly samples: number;
    readonly discordant: number;
    readonly difference: number;
    readonly cache: Map<string, Interval>;
  },
): number;
