/**
 * The public API of lora-boundary: what is exported here is kept from version to version, everything else is internal.
 *
 * `sweep` does the whole job; the rest are its parts for those who build their own.
 */
export { probe, planProbe, type ProbeHooks, type ProbeResult } from "./probe/probe.js";
export type { ProbePlan, ProbeSettings } from "./probe/lay-out.js";
export type { LayerCard, CardRow } from "./probe/card.js";
export { advise, planAdvice, type Advice, type AdviseHooks } from "./probe/advise.js";
export { adviseConfigSchema, type AdviseConfig } from "./probe/advise-config.js";
export type { CardSettings } from "./probe/card-plan.js";
export { sweep, planOnly, type SweepHooks, type SweepProgress } from "./sweep/sweep.js";
export { resolveConfig, type SweepConfig, type SweepSettings } from "./sweep/config.js";
export { sweepResultSchema, RESULT_SCHEMA_VERSION, type SweepResult } from "./run/result.js";

export { loadAdapter, type EitherAdapter } from "./adapter/either-form.js";
export { openAdapter, type OpenedAdapter } from "./adapter/open-adapter.js";
export { loadGgufAdapter } from "./adapter/load-gguf-adapter.js";
export type { PeftAdapter, PeftModule } from "./adapter/peft-adapter.js";
export { inspectAdapter, type Inspection } from "./adapter/inspect.js";
export { writePeftAsGguf } from "./adapter/peft-to-gguf.js";
export { writeGgufAsPeft } from "./adapter/gguf-to-peft.js";
export { convertAdapter, type AdapterForm } from "./adapter/convert-adapter.js";
export { selectModules, type KeepRules } from "./adapter/select-modules.js";
export { readBaseModel, type BaseModel } from "./adapter/base-model.js";
export { assertFits } from "./adapter/fit.js";
export { boundaryCandidates, boundaryMask, layersMask, maskOf, type Candidate, type Mask } from "./adapter/mask.js";
export { trimPeftAdapter } from "./adapter/trim-peft.js";
export { trimAdapter, type Provenance, type TrimReport } from "./adapter/trim.js";
export type { Adapter, AdapterModule } from "./adapter/adapter.js";

export { mergeAdapter, type MergeReport, type MergeRequest } from "./merge/merge-adapter.js";
export type { MergedTensor } from "./merge/merge-model.js";

export { keepIdleEngines, openEngine } from "./engine/process-engine.js";
export type {
  Engine,
  EngineInfo,
  EngineOptions,
  Generation,
  GenerateRequest,
  Likelihood,
  LikelihoodRequest,
} from "./engine/engine.js";
export { contextShape, type ContextShape } from "./engine/layer-passes.js";
export { serve, type Listening, type ServeHooks } from "./server/serve.js";
export type { ServeSettings } from "./server/settings.js";
export { runWorker, type WorkerSettings } from "./queue/worker.js";
export { RedisAddress } from "./queue/redis-address.js";

export { loadSamples } from "./samples/load.js";
export { loadPredictions, type LoadedPredictions, type Prediction } from "./samples/predictions.js";
export { splitSamples } from "./samples/split.js";
export type { LoadedSamples, LoadOptions, Sample, SampleFormat, SampleKind } from "./samples/sample.js";
export { meanMetric, score, type MeanMetricParts, type Metric, type Score } from "./metrics/metric.js";
export { rougeScores, type RougeScore, type RougeType } from "./metrics/rouge.js";
export { metricByName, metricNames, metricsByList, registerMetric } from "./metrics/registry.js";
export { registerTask, taskByName, taskNames, type Task, type TaskParts } from "./tasks/task.js";
export { chooseBoundary, type Choice, type ChoiceInput } from "./choice/choose.js";
export { crossValidate, type CrossValidation } from "./choice/cross-validate.js";
export { inSampleEstimate, type InSampleEstimate } from "./choice/winners-curse.js";
export { registerRule, ruleNames, type Rule, type RuleSettings, type Ruling } from "./choice/rules.js";
export type { Evidence } from "./choice/evidence.js";
export { differenceInterval } from "./statistics/difference.js";
export { scoreInterval, scoreIntervals, type Interval } from "./statistics/interval.js";
export { comparePaired, type PairedComparison } from "./statistics/paired.js";

export { compare } from "./compare/compare.js";
export { compareStrategies, type Budget, type StrategiesHooks } from "./compare/strategies.js";
export { strategiesResultSchema, type StrategiesResult } from "./compare/strategies-result.js";
export {
  parseStrategy,
  registerStrategy,
  strategyForms,
  type NamedMask,
  type OwnStrategy,
  type Strategy,
  type StrategyFacts,
} from "./strategy/strategy.js";
export { compareConfigSchema, type CompareConfig } from "./compare/config.js";
export { comparisonSchema, type ComparisonResult } from "./compare/result.js";
export { scoreOutputs, type OutputScores, type OutputScoring } from "./compare/score-outputs.js";
export { loadRun, type FinishedRun } from "./run/load-run.js";
export { rescore } from "./sweep/rescore.js";
export { writeReport, writeRunsReport, type ReportOptions } from "./report/html/write-report.js";
export { loadReport, type RunReport } from "./report/report-input.js";
export { reportMarkdown } from "./report/markdown.js";
export { reportCsv } from "./report/csv.js";

export { endpointJudge, judgeApiKey, type EndpointJudgeOptions } from "./judge/endpoint.js";
export { localJudge, type LocalJudgeOptions } from "./judge/local.js";
export { JudgeError, type JudgeModel, type JudgeReply } from "./judge/judge-model.js";
export { JudgeCache } from "./judge/cache.js";
export { loadJudgePrompt, judgedTask, type JudgePrompt } from "./judge/judge-prompt.js";
export { judgeScores, type JudgedScores, type JudgeOptions } from "./judge/scores.js";
export { judgePairs, type JudgedPairs } from "./judge/pairs.js";
export { judgeScore, pairedJudgeScores, type JudgeScore } from "./judge/score.js";

export { systemPair, votePairs, type SystemPair, type VotePair, type VotePairs } from "./vote/vote-pairs.js";
export { readVotes, votesPath, type VoteRow, type Votes } from "./vote/vote-file.js";
export { voteResult, type VoteResult, type VoteResultRow } from "./vote/vote-result.js";

export * from "./errors.js";
export { version } from "./version.js";
