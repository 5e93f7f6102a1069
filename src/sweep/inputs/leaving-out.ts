import { UsageError } from "../../errors.js";
import type { SweepConfig } from "../config.js";
import type { PromptedSample } from "./base-inputs.js";

/**
 * Checks that what is to be left out can be left out.
 * @throws UsageError where the samples that choose K would also judge it: both the folds and the correction for having been picked repeat the
 * choice among all candidates on parts of the samples, and so need all answers.
 */
export function assertCanLeaveOut(
  config: Pick<SweepConfig, "race" | "screen" | "folds" | "turns">,
  samples: readonly Pick<PromptedSample, "part">[],
): void {
  if (config.race && config.turns === "all") {
    throw new UsageError({
      what: "--race and --turns all exclude each other",
      expected: "samples that do not depend on each other: a race predicts the rest from blocks of them",
      fix: "Leave --race out.",
    });
  }
  const isConfirmed = samples.some(({ part }) => part === "holdout");
  const flag = config.race ? "--race" : "--screen";
  if ((!config.race && config.screen === undefined) || (config.folds === undefined && isConfirmed)) return;
  throw new UsageError({
    what: config.folds === undefined ? `${flag} needs a holdout` : `${flag} and --folds exclude each other`,
    actual: config.folds === undefined ? "no holdout" : `--folds ${config.folds}`,
    expected:
      "samples that chose nothing: without them the choice is repeated on parts of its own samples, which needs every answer",
    fix: `Leave ${flag} out, or use a --holdout.`,
  });
}
