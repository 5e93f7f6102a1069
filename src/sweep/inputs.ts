import type { HashedAdapter } from "../adapter/adapter.js";
import type { PeftAdapter } from "../adapter/load-peft-adapter.js";
import { openAdapter } from "../adapter/open-adapter.js";
import { resolveModelPath } from "../engine/resolve-model.js";
import { loadBaseInputs, type BaseInputs } from "./base-inputs.js";
import { parseBoundaries } from "./boundaries.js";
import { paperBoundary } from "./rules.js";
import type { SweepConfig } from "./config.js";

export type { Part, PromptedSample } from "./base-inputs.js";

/** Everything a sweep reads before the engine starts, checked. */
export interface SweepInputs extends BaseInputs {
  /** As the engine loads it. */
  readonly adapter: HashedAdapter;
  /** What it was converted from, where it came as a PEFT folder. */
  readonly peft: PeftAdapter | undefined;
  /** Removes the temporary file of a converted adapter. */
  readonly close: () => Promise<void>;
  readonly boundaries: readonly number[];
}

/**
 * Reads and checks all that a sweep is given; no native code runs. Close it afterwards.
 * @throws a BoundaryError that names the first thing that is wrong.
 */
export async function loadInputs(config: SweepConfig): Promise<SweepInputs> {
  const base = await loadBaseInputs(config);
  const { model, samples } = base;
  const boundaries = parseBoundaries(
    config.boundaries ?? defaultBoundaries(config, model.layerCount),
    model.layerCount,
  );
  // Last, because it may leave a temporary file that only the caller can remove.
  const { adapter, peft, close } = await openAdapter(await resolveModelPath(config.adapter), model);
  const isConfirmed = config.folds !== undefined || samples.some(({ part }) => part === "holdout");
  return {
    ...base,
    adapter,
    peft,
    close,
    boundaries,
    notes: [
      ...base.notes,
      ...(isConfirmed ? [] : ["There is no holdout: the scores of the chosen K are in-sample and flatter it."]),
      ...(peft?.findings ?? []).map(({ message }) => message),
    ],
  };
}

/** For [B]'s fixed choice only that choice is tried; the samples confirm it. */
function defaultBoundaries({ rule }: SweepConfig, layerCount: number): string {
  return rule === "paper" ? [...new Set([0, paperBoundary(layerCount), layerCount])].join(",") : "all";
}
