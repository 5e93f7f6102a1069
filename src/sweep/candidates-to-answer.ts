import { maskKey, type Candidate } from "../adapter/mask.js";
import { needsFull } from "../choice/rules.js";
import type { SweepConfig } from "./config.js";
import type { SweepPlan } from "./plan.js";

/**
 * The candidates that answer the selection part: those asked for, and the full adapter where the rule, a floor, folds or a missing
 * holdout measures the others by it, or a race or screening that no drop may leave without it.
 */
export function triedCandidates(
  config: Pick<SweepConfig, "rule" | "folds"> & Partial<Pick<SweepConfig, "race" | "screen">>,
  floors: readonly unknown[],
  plan: SweepPlan,
): Candidate[] {
  const includesFull =
    needsFull(config.rule) ||
    floors.length > 0 ||
    config.folds !== undefined ||
    plan.holdout.length === 0 ||
    config.race === true ||
    config.screen !== undefined;
  return distinct([...plan.candidates, ...(includesFull ? [plan.full] : [])]);
}

/** How many candidates answer each part. On the holdout at most, since chosen may be base or full. */
export function answeringCandidates(
  plan: SweepPlan,
  tried: readonly Candidate[],
): { readonly selection: number; readonly holdout: number } {
  if (plan.holdout.length > 0) return { selection: tried.length, holdout: 3 };
  return { selection: distinct([...tried, plan.base, plan.full]).length, holdout: 0 };
}

/** The first of those that keep the same tensors, from the smallest boundary up. */
export function distinct(candidates: readonly Candidate[]): Candidate[] {
  const seen = new Set<string>();
  const first = candidates.filter(({ mask }) => {
    const key = maskKey(mask);
    return seen.has(key) ? false : Boolean(seen.add(key));
  });
  return first.sort((a, b) => a.number - b.number);
}
