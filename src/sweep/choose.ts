import { scoreOf, type CandidateScores } from "./scores.js";

/** Scores closer than this (on the 0-100 scale) are equal: the order of summation moves the last digits. */
const TIE = 1e-9;

/**
 * The rule `best`: the candidate with the highest score in the primary metric on the selection part; of equal ones, the smallest K.
 * @param scored by ascending K, at least one.
 */
export function chooseBest(scored: readonly CandidateScores[], metric: string): CandidateScores {
  const [first, ...others] = scored;
  if (!first) throw new RangeError("nothing to choose from");
  return others.reduce((best, next) => {
    return scoreOf(next, metric).value > scoreOf(best, metric).value + TIE ? next : best;
  }, first);
}
