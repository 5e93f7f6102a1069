import type { HashedAdapter } from "../../adapter/adapter.js";
import { coverageNote } from "../../adapter/coverage-note.js";
import type { PeftAdapter } from "../../adapter/peft-adapter.js";
import { openAdapter } from "../../adapter/open-adapter.js";
import { resolveAdapterPath } from "../../engine/resolve-model.js";
import { loadBaseInputs, type BaseInputs } from "./base-inputs.js";
import type { SweepConfig } from "../config.js";
import type { AdapterEffects } from "../../run/without-effect.js";
import { checkStrategy, strategyInputs, type StrategyInputs } from "./strategy-inputs.js";

/** Everything a sweep reads before the engine starts, checked. */
export interface SweepInputs extends BaseInputs, StrategyInputs {
  /** As the engine loads it. */
  readonly adapter: HashedAdapter;
  /** What it was converted from, where it came as a PEFT folder. */
  readonly peft: PeftAdapter | undefined;
  /** Which of its modules act, once an engine was asked. */
  readonly effects?: AdapterEffects;
  /** Removes the temporary file of a converted adapter. */
  readonly close: () => Promise<void>;
}

/**
 * Reads and checks all that a sweep is given; no native code runs. Close it afterwards.
 * @throws a BoundaryError that names the first thing that is wrong.
 */
export async function loadInputs(config: SweepConfig): Promise<SweepInputs> {
  const base = await loadBaseInputs(config);
  const { model, samples } = base;
  const checked = checkStrategy(config, model.layerCount);
  // Last, because it may leave a temporary file that only the caller can remove.
  const { adapter, peft, close } = await openAdapter(await resolveAdapterPath(config.adapter), model);
  base.files.add(adapter.sources);
  const strategy = await strategyInputs(checked, adapter, model.layerCount).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  const isConfirmed = config.folds !== undefined || samples.some(({ part }) => part === "holdout");
  return {
    ...base,
    adapter,
    peft,
    close,
    ...strategy,
    notes: [
      ...base.notes,
      ...(isConfirmed ? [] : ["There is no holdout: the scores of the chosen K are in-sample and flatter it."]),
      ...(peft?.findings.map(({ message }) => message) ?? [coverageNote(adapter.coverage) ?? []].flat()),
    ],
  };
}

/**
 * The same inputs under another strategy, with the boundaries that it takes by itself.
 * @throws as {@link loadInputs} of it.
 */
export async function withStrategy(config: SweepConfig, inputs: SweepInputs, text: string): Promise<SweepInputs> {
  const { layerCount } = inputs.model;
  const checked = checkStrategy({ ...config, boundaries: undefined, strategy: text }, layerCount);
  return { ...inputs, ...(await strategyInputs(checked, inputs.adapter, layerCount)) };
}
