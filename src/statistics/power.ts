import { differenceStandardError, kindOf, momentsOf } from "./difference.js";
import { eachOnce, type Columns } from "./columns.js";
import { normalQuantile } from "./distributions.js";

/** Two-sided level and power of the difference that samples could have shown. */
const [LEVEL, POWER] = [0.05, 0.8] as const;
/** Halvings of [0, 1]: to 1e-9 points. */
const HALVINGS = 40;

/**
 * The smallest true difference, in points, that a two-sided test at 5 % would have found with a probability of 80 % on as many samples that
 * spread as these do. For zeros and ones by the share of samples that differ (a difference needs at least as many), else by the standard
 * error of the difference; where no sample differs, as if all that could have differed had gone one way by the whole range.
 * @returns undefined where nothing can be said: a corpus metric without spread.
 *
 * Source: Connor, Sample Size for Testing Differences in Proportions for the Paired-Sample Design (1987), formula of Miettinen (1968).
 */
export function smallestDetectable(a: Columns, b: Columns): number | undefined {
  const once = eachOnce(a.samples);
  const error = differenceStandardError(a, b, once);
  const kind = kindOf(a, b);
  if (kind !== "binary" && error > 1e-12) return Math.min(100, (levelQuantile() + powerQuantile()) * error);
  if (kind === "corpus") return undefined;
  const discordant = kind === "binary" ? momentsOf(a, b, once).changed / a.samples : 0;
  // Exact McNemar asks for one sample more than the score test, as Edwards' correction for continuity says (1948).
  const spare = kind === "binary" ? 1 / a.samples : 0;
  return 100 * detectableShare(discordant, a.samples, spare);
}

/** The difference of two paired proportions, 0-1, where that share of the samples differs. */
function detectableShare(discordant: number, samples: number, spare: number): number {
  let [low, high] = [0, 1];
  for (let halving = 0; halving < HALVINGS; halving++) {
    const difference = (low + high) / 2;
    const differing = Math.max(discordant, difference);
    const needed = levelQuantile() * Math.sqrt(differing) + powerQuantile() * Math.sqrt(differing - difference ** 2);
    if (Math.sqrt(samples) * (difference - spare) < needed) low = difference;
    else high = difference;
  }
  return high;
}

function levelQuantile(): number {
  return normalQuantile(1 - LEVEL / 2);
}

function powerQuantile(): number {
  return normalQuantile(POWER);
}
