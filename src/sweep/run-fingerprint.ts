import type { Engine } from "../engine/engine.js";
import type { RunFingerprint } from "../run/run-folder.js";
import { redactedConfig, type SweepConfig } from "./config.js";
import type { SweepInputs } from "./inputs/inputs.js";
import { decidingSettings, hash, type SweepPlan } from "./plan.js";

/** Settings that only say where inputs lie (their content counts) or how answers are scored (the same answers can be scored again). */
const NOT_IDENTITY = new Set([
  "sequences",
  ...["adapter", "data", "model", "prompt", "references"],
  ...[
    "confirm",
    "extract",
    "floor",
    "group-by",
    "import",
    "margin",
    "metric",
    "metrics",
    "qa-script",
    "rule",
    "strip-thoughts",
  ],
  // Fewer answers or more, but each of them the same.
  ...["limit", "race", "screen"],
]);

/** What makes a folder's answers those of this call. */
export function runFingerprint(
  config: SweepConfig,
  inputs: SweepInputs,
  plan: SweepPlan,
  engine: Engine,
): RunFingerprint {
  const settings = Object.entries(redactedConfig(config)).filter(([name]) => !NOT_IDENTITY.has(name));
  return {
    ...Object.fromEntries(settings.map(([name, value]) => [name, String(value)])),
    adapter: inputs.adapter.sha256,
    data: inputs.data.sha256,
    engine: JSON.stringify(engine.info),
    generation: JSON.stringify(decidingSettings(plan.generation, inputs.model)),
    holdout: inputs.holdoutData?.sha256 ?? String(config.holdout),
    model: inputs.model.sha256,
    prompt: hash(inputs.askedBy),
  };
}
