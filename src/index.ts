/**
 * The public API of lora-boundary.
 *
 * `sweep` does the whole job; the rest are its parts for those who build their own.
 */
export { sweep, planOnly, type SweepHooks, type SweepProgress } from "./sweep/sweep.js";
export { resolveConfig, type SweepConfig, type SweepSettings } from "./sweep/config.js";
export { sweepResultSchema, RESULT_SCHEMA_VERSION, type SweepResult } from "./sweep/result.js";

export { loadGgufAdapter } from "./adapter/load-gguf-adapter.js";
export { readBaseModel, type BaseModel } from "./adapter/base-model.js";
export { assertFits } from "./adapter/fit.js";
export { boundaryCandidates, boundaryMask, type Candidate, type Mask } from "./adapter/mask.js";
export { trimAdapter, type Provenance, type TrimReport } from "./adapter/trim.js";
export type { Adapter, AdapterModule } from "./adapter/adapter.js";

export { openEngine } from "./engine/process-engine.js";
export type { Engine, EngineInfo, EngineOptions, Generation, GenerateRequest } from "./engine/engine.js";

export { loadSamples } from "./samples/load.js";
export { splitSamples } from "./samples/split.js";
export type { LoadedSamples, Sample } from "./samples/sample.js";
export { score, type Metric, type Score } from "./metrics/metric.js";
export { metricByName, metricNames } from "./metrics/registry.js";
export { meanInterval, pairedDifference } from "./statistics/bootstrap.js";

export * from "./errors.js";
export { version } from "./version.js";
