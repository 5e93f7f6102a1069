import { at } from "../assert.js";
import { differenceStandardError, kindOf, momentsOf } from "./difference.js";
import { eachOnce, type Columns } from "./columns.js";
import { binomialFrom, normalQuantile } from "./distributions.js";

/** Two-sided level and power of the difference that samples could have shown. */
const [LEVEL, POWER] = [0.05, 0.8] as const;
/** Halvings of [0, 1]: to 1e-4 points. */
const HALVINGS = 20;
/** Standard deviations of the number of samples that differ beyond which numbers are left out: less than 1e-6 of all. */
const REACH = 5;

/**
 * The smallest true difference, in points, that the test which decides ({@link analyticDifference}) would have found at 5 %, two-sided, with a
 * probability of 80 % on as many samples that spread as these do. For zeros and ones that is exact McNemar's power, by the share of samples
 * that differ (a difference needs at least as many); else by the standard error of the difference; where no sample differs, as if all that
 * could have differed had gone one way by the whole range.
 * @returns undefined where nothing can be said: a corpus metric without spread.
 *
 * Source: Connor, Sample Size for Testing Differences in Proportions for the Paired-Sample Design (1987), the unconditional power.
 */
export function smallestDetectable(a: Columns, b: Columns): number | undefined {
  const once = eachOnce(a.samples);
  const error = differenceStandardError(a, b, once);
  const kind = kindOf(a, b);
  if (kind !== "binary" && error > 1e-12) {
    return Math.min(100 * a.range, (normalQuantile(1 - LEVEL / 2) + normalQuantile(POWER)) * error);
  }
  if (kind === "corpus") return undefined;
  const discordant = kind === "binary" ? momentsOf(a, b, once).changed / a.samples : 0;
  return 100 * detectableShare(discordant, a.samples);
}

/** The difference of two paired proportions, 0-1, where that share of the samples differs; 1 where none can be found. */
function detectableShare(discordant: number, samples: number): number {
  const needed = neededWins(samples);
  let [low, high] = [0, 1];
  for (let halving = 0; halving < HALVINGS; halving++) {
    const difference = (low + high) / 2;
    if (power(Math.max(discordant, difference), difference, samples, needed) < POWER) low = difference;
    else high = difference;
  }
  return high;
}

/** How often exact McNemar rejects where that share of the samples differs, and more of them are better by that share of all. */
function power(discordant: number, difference: number, samples: number, needed: readonly number[]): number {
  const [middle, spread] = [samples * discordant, Math.sqrt(samples * discordant * (1 - discordant))];
  const first = Math.max(1, Math.floor(middle - REACH * spread - 1));
  const last = Math.min(samples, Math.ceil(middle + REACH * spread + 1));
  const better = (discordant + difference) / (2 * discordant);
  let found = 0;
  for (let differ = first; differ <= last; differ++) {
    const wins = at(needed, differ);
    const probability = binomialFrom(differ, samples, discordant) - binomialFrom(differ + 1, samples, discordant);
    found += probability * (binomialFrom(wins, differ, better) + binomialFrom(wins, differ, 1 - better));
  }
  return found;
}

/** For each number of samples that differ, how many of them must be better before exact McNemar rejects; one more than all where none would do. */
function neededWins(samples: number): number[] {
  const needed = [1];
  for (let differ = 1; differ <= samples; differ++) {
    // From one number to the next it grows by 1 or not at all.
    const before = at(needed, differ - 1);
    needed.push(2 * binomialFrom(before, differ, 0.5) < LEVEL ? before : before + 1);
  }
  return needed;
}
