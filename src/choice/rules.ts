import { defined } from "../assert.js";
import { Registry } from "../registry.js";
import type { Evidence } from "./evidence.js";

/** A second metric that a candidate must not lose in. */
export interface Floor {
  readonly metric: string;
  /** Least difference to the full adapter in points: -1 is at most one point below it. */
  readonly points: number;
}

/** A rule with all it needs besides the scores. */
export interface RuleSettings {
  /** One of {@link ruleNames}. */
  readonly rule: string;
  /** The primary metric's name. */
  readonly metric: string;
  /** Whether each candidate keeps all that the one before it keeps; true by default. */
  readonly isNested?: boolean;
  /** L. */
  readonly layerCount: number;
  /** `no-worse`: the loss in points that would still be accepted. */
  readonly margin: number;
  readonly floors: readonly Floor[];
}

/** A candidate that a floor excludes. */
export interface Exclusion {
  readonly boundary: number;
  readonly metric: string;
  /** To the full adapter, in points. */
  readonly difference: number;
  readonly floor: number;
}

/** One candidate that a rule compared with another, in the order of the comparisons. Scores 0-100, differences in points. */
export interface RuleStep {
  readonly boundary: number;
  readonly score: number;
  /** K of the candidate that it was compared with: the best (`one-se`) or the full adapter (`no-worse`). */
  readonly against: number;
  readonly difference: number;
  /** What had to reach `limit`: the difference itself, or the lower end of its 95 % interval (`no-worse`). */
  readonly low: number;
  readonly limit: number;
  readonly passed: boolean;
}

/** What a rule decided. */
export interface Ruling {
  /** Place of the chosen candidate in the evidence. */
  readonly chosen: number;
  /** Place of the candidate with the best score of those that the floors leave. */
  readonly best: number;
  readonly excluded: readonly Exclusion[];
  readonly steps: readonly RuleStep[];
}

/** How a rule decides. */
export interface Rule {
  /** Its name, as `rule` and `--rule` take it. */
  readonly name: string;
  /**
   * Chooses among the candidates that the floors leave. Called again for every fold and resample, so it must be a pure function.
   * @param eligible places in the evidence, by ascending K; the full adapter's is always among them.
   * @param best of those, the place of the highest score in the primary metric; of equal ones the smallest K.
   */
  readonly choose: (
    evidence: Evidence,
    eligible: readonly number[],
    settings: RuleSettings,
    best: number,
  ) => { readonly chosen: number; readonly steps?: readonly RuleStep[] };
  /** Whether it measures the others by the full adapter, which then answers too; true by default. */
  readonly needsFull?: boolean;
  /** Why, in a sentence for a reader; by default that it is the rule's choice, with its score. @param name of the chosen: `K=12`. */
  readonly sentence?: (name: string, evidence: Evidence, ruling: Ruling, settings: RuleSettings) => string;
}

/** Differences closer than this (in points) are equal: the order of summation moves the last digits. */
const TIE = 1e-9;

/**
 * Applies a rule. Candidates that a floor excludes are not chosen; the full adapter always can be.
 * - `best`: the highest score; of equal ones the smallest K.
 * - `one-se`: the smallest K whose score is at most one standard error below the best one. After Breiman, Friedman, Olshen and Stone,
 *   Classification and Regression Trees (1984), section 3.4.3, but with the standard error of the difference to the best, paired over the
 *   samples: theirs, of the best score alone, does not shrink where candidates answer alike, and gives more of the score away.
 * - `no-worse`: from the full adapter downwards, as long as the lower end of the paired 95 % interval of the difference to it stays above
 *   -margin; the smallest K so reached. Stopping at the first failure keeps the error of the whole descent at that of its first step
 *   (fixed-sequence testing: Maurer, Hothorn and Lehmacher 1995), 2.5 %. Floors exclude without ending the descent.
 *   Where candidates do not keep more and more of the same there is no such line: each is tested by itself at 2.5 % / their number
 *   (Bonferroni), and of those that pass the one with the fewest bytes is chosen; of equal ones that with the highest score.
 * - `paper`: without looking at a score, K = {@link paperBoundary}, or the nearest one evaluated.
 */
export function applyRule(evidence: Evidence, settings: RuleSettings): Ruling {
  const { eligible, excluded } = withinFloors(evidence, settings.floors);
  const best = bestOf(evidence, eligible, settings.metric);
  const { chosen, steps = [] } = ruleByName(settings.rule).choose(evidence, eligible, settings, best);
  if (!eligible.includes(chosen)) {
    throw new RangeError(`the rule ${settings.rule} chose ${chosen}, which is not one of ${eligible.join(", ")}`);
  }
  return { chosen, best, excluded, steps };
}

const rules = new Registry<Rule>(
  "rule",
  (
    [
      { name: "best", needsFull: false, choose: (_evidence, _eligible, _settings, best) => ({ chosen: best }) },
      { name: "one-se", needsFull: false, choose: oneStandardError },
      {
        name: "no-worse",
        choose: (evidence, eligible, settings) =>
          (settings.isNested === false ? noWorseApart : noWorse)(evidence, eligible, settings),
      },
      {
        name: "paper",
        needsFull: false,
        choose: (evidence, eligible, { layerCount }) => ({
          chosen: nearest(evidence, eligible, paperBoundary(layerCount)),
        }),
      },
    ] satisfies Rule[]
  ).map((rule) => [rule.name, rule]),
);

/** Names of the rules: those of boundary itself, then those registered. */
export function ruleNames(): readonly string[] {
  return rules.names;
}

/** Adds a rule, which is from then on taken by its name as `rule`. @throws UsageError for a name that is taken or cannot stand in a flag. */
export function registerRule(rule: Rule): void {
  rules.register(rule.name, rule);
}

/** Whether the full adapter has to answer whatever is tried. @throws UsageError for an unknown rule. */
export function needsFull(rule: string): boolean {
  return ruleByName(rule).needsFull ?? true;
}

/** @throws UsageError for an unknown name, with the nearest. */
export function ruleByName(name: string): Rule {
  return rules.get(name);
}

/**
 * K where the paper's experiments put the boundary: 15 of 32 layers keep the adapter, scaled to other depths.
 *
 * Source: Not All LoRA Parameters Are Essential (arXiv 2503.23360).
 */
export function paperBoundary(layerCount: number): number {
  return Math.round((15 * layerCount) / 32);
}

function withinFloors(
  evidence: Evidence,
  floors: readonly Floor[],
): { readonly eligible: readonly number[]; readonly excluded: readonly Exclusion[] } {
  const excluded: Exclusion[] = [];
  const full = floors.map(({ metric }) => evidence.value(evidence.full, metric));
  const eligible = evidence.candidates.map((_, at) => at);
  if (floors.length === 0) return { eligible, excluded };
  const kept = eligible.filter((at) => {
    if (at === evidence.full) return true;
    const failed = floors.flatMap(({ metric, points }, i): Exclusion[] => {
      const difference = evidence.value(at, metric) - defined(full[i], "the score of the full adapter");
      return difference >= points - TIE ? [] : [{ boundary: evidence.boundary(at), metric, difference, floor: points }];
    });
    excluded.push(...failed);
    return failed.length === 0;
  });
  return { eligible: kept, excluded };
}

function bestOf(evidence: Evidence, eligible: readonly number[], metric: string): number {
  let [best, highest] = [evidence.full, Number.NEGATIVE_INFINITY];
  for (const at of eligible) {
    const value = evidence.value(at, metric);
    if (value > highest + TIE) [best, highest] = [at, value];
  }
  return best;
}

function oneStandardError(
  evidence: Evidence,
  eligible: readonly number[],
  { metric }: RuleSettings,
  best: number,
): Pick<Ruling, "chosen" | "steps"> {
  const highest = evidence.value(best, metric);
  const steps: RuleStep[] = [];
  for (const at of eligible) {
    if (at === best) break;
    const score = evidence.value(at, metric);
    const difference = score - highest;
    const limit = -evidence.differenceError(at, best, metric);
    const passed = difference >= limit - TIE;
    const [boundary, against] = [evidence.boundary(at), evidence.boundary(best)];
    steps.push({ boundary, score, against, difference, low: difference, limit, passed });
    if (passed) return { chosen: at, steps };
  }
  return { chosen: best, steps };
}

function noWorse(
  evidence: Evidence,
  eligible: readonly number[],
  { metric, margin }: RuleSettings,
): Pick<Ruling, "chosen" | "steps"> {
  const steps: RuleStep[] = [];
  const allowed = new Set(eligible);
  const against = evidence.boundary(evidence.full);
  const reference = evidence.value(evidence.full, metric);
  let chosen = evidence.full;
  for (let at = evidence.full - 1; at >= 0; at--) {
    const score = evidence.value(at, metric);
    const low = evidence.differenceLow(at, evidence.full, metric);
    const passed = low > -margin;
    const boundary = evidence.boundary(at);
    steps.push({ boundary, score, against, difference: score - reference, low, limit: -margin, passed });
    if (!passed) break;
    if (allowed.has(at)) chosen = at;
  }
  return { chosen, steps };
}

/** {@link applyRule}, `no-worse` among candidates of which none is part of another. */
function noWorseApart(
  evidence: Evidence,
  eligible: readonly number[],
  { metric, margin }: RuleSettings,
): Pick<Ruling, "chosen" | "steps"> {
  const against = evidence.boundary(evidence.full);
  const reference = evidence.value(evidence.full, metric);
  const level = 1 - 0.05 / Math.max(1, evidence.full);
  const steps: RuleStep[] = [];
  let chosen = evidence.full;
  for (let at = evidence.full - 1; at >= 0; at--) {
    const score = evidence.value(at, metric);
    const low = evidence.differenceLow(at, evidence.full, metric, level);
    const passed = low > -margin;
    const boundary = evidence.boundary(at);
    steps.push({ boundary, score, against, difference: score - reference, low, limit: -margin, passed });
    if (passed && eligible.includes(at) && isBetter(evidence, at, chosen, metric)) chosen = at;
  }
  return { chosen, steps };
}

/** Fewer bytes, or as many and a higher score; of equals the one met later, which is the smaller number. */
function isBetter(evidence: Evidence, at: number, than: number, metric: string): boolean {
  const [own, other] = [evidence.candidate(at).candidate.bytes, evidence.candidate(than).candidate.bytes];
  return own < other || (own === other && evidence.value(at, metric) >= evidence.value(than, metric) - TIE);
}

/** The eligible candidate that stands for this boundary, or for the one nearest to it; of two as near, the smaller. */
function nearest(evidence: Evidence, eligible: readonly number[], boundary: number): number {
  const distance = (at: number): number => {
    return Math.min(...evidence.candidate(at).candidate.boundaries.map((one) => Math.abs(one - boundary)));
  };
  return eligible.reduce((found, at) => (distance(at) < distance(found) ? at : found), eligible[0] ?? evidence.full);
}
