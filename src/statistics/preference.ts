import { clopperPearsonEnds } from "./exact-binomial.js";
import { exactMcNemar } from "./paired-tests.js";

/** How often the first of two answers is preferred, ties left out: 0-100 with its 95 % interval. */
export interface PreferenceShare {
  readonly value: number;
  readonly low: number;
  readonly high: number;
  /** Two-sided p of the exact sign test, that either is as likely to be preferred: below 0.05 if and only if the interval leaves 50 out. */
  readonly p: number;
}

const LEVEL = 0.95;

/**
 * The exact interval of a preference (Clopper-Pearson) and the test that it inverts, the sign test.
 * @returns undefined without a preference.
 */
export function preferenceShare(wins: number, losses: number): PreferenceShare | undefined {
  const decided = wins + losses;
  if (decided === 0) return undefined;
  const { low, high } = clopperPearsonEnds(wins, decided, LEVEL);
  return { value: (100 * wins) / decided, low: 100 * low, high: 100 * high, p: exactMcNemar(wins, losses) };
}
