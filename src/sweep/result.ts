import { z } from "zod";

/** Raised whenever a field changes its meaning or goes away. */
export const RESULT_SCHEMA_VERSION = 1;

const paired = z.strictObject({
  difference: z.number(),
  low: z.number(),
  high: z.number(),
  better: z.number().int(),
  worse: z.number().int(),
  same: z.number().int(),
});

const scoreEntry = z.strictObject({
  /** 0-100. */
  value: z.number(),
  /** 95 % interval over the samples, percentile bootstrap, 0-100. */
  low: z.number(),
  high: z.number(),
  n: z.number().int(),
  signature: z.string(),
});

const partScores = z.strictObject({
  answers: z.strictObject({
    count: z.number().int(),
    meanTokens: z.number(),
    cutAtLimit: z.number().int(),
    empty: z.number().int(),
  }),
  scores: z.record(z.string(), scoreEntry),
});

const candidate = z.strictObject({
  boundary: z.number().int(),
  boundaries: z.array(z.number().int()),
  keptModules: z.number().int(),
  bytes: z.number().int(),
  selection: partScores.optional(),
  holdout: partScores.optional(),
});

const speed = z.strictObject({
  boundary: z.number().int(),
  part: z.enum(["selection", "holdout"]),
  prefillTokensPerSecond: z.number(),
  decodeTokensPerSecond: z.number(),
});

/** `result.json`: everything about a finished sweep. Equal for equal runs, but for `timings`. Keys are sorted in the file. */
export const sweepResultSchema = z.strictObject({
  schemaVersion: z.literal(RESULT_SCHEMA_VERSION),
  tool: z.strictObject({ name: z.literal("boundary"), version: z.string() }),
  command: z.string(),
  config: z.record(z.string(), z.unknown()),
  engine: z.strictObject({
    backend: z.string(),
    devices: z.array(z.string()),
    gpuLayers: z.number().int(),
    threads: z.number().int(),
    llamaCpp: z.string(),
    nodeLlamaCpp: z.string(),
  }),
  generation: z.strictObject({
    maxTokens: z.number().int(),
    stop: z.array(z.string()),
    template: z.enum(["chat", "raw"]),
    sequences: z.number().int(),
    contextSize: z.number().int(),
    batchSize: z.number().int(),
    cacheType: z.string(),
    flashAttention: z.string(),
    key: z.string(),
  }),
  model: z.strictObject({
    path: z.string(),
    sha256: z.string(),
    name: z.string().optional(),
    architecture: z.string(),
    layers: z.number().int(),
    bytes: z.number().int(),
  }),
  adapter: z.strictObject({
    path: z.string(),
    sha256: z.string(),
    alpha: z.number(),
    ranks: z.array(z.number().int()),
    modules: z.number().int(),
    coverage: z.array(z.number().int()),
    bytes: z.number().int(),
  }),
  data: z.strictObject({
    path: z.string(),
    sha256: z.string(),
    format: z.string(),
    holdoutPath: z.string().optional(),
    holdoutSha256: z.string().optional(),
    promptSha256: z.string(),
    selection: z.array(z.string()),
    holdout: z.array(z.string()),
    skipped: z.array(z.strictObject({ id: z.string(), part: z.string(), promptTokens: z.number().int() })),
  }),
  metric: z.string(),
  candidates: z.array(candidate),
  choice: z.strictObject({ rule: z.literal("best"), boundary: z.number().int(), layers: z.number().int() }),
  confirmation: z.strictObject({
    part: z.enum(["selection", "holdout"]),
    samples: z.number().int(),
    method: z.string(),
    comparisons: z.array(
      z.strictObject({
        metric: z.string(),
        chosen: z.number(),
        full: z.number(),
        base: z.number(),
        chosenMinusFull: paired,
        chosenMinusBase: paired,
      }),
    ),
  }),
  verdict: z.strictObject({
    kind: z.enum(["trim", "keep-everything", "adapter-does-not-help"]),
    sentences: z.array(z.string()),
  }),
  notes: z.array(z.string()),
  trimmed: z
    .strictObject({
      file: z.string(),
      sha256: z.string(),
      bytes: z.number().int(),
      /** Folder with the same in PEFT's form, where the adapter came in that form. */
      peft: z.string().optional(),
    })
    .nullable(),
  timings: z.strictObject({
    wallSeconds: z.number(),
    answersGenerated: z.number().int(),
    answersReused: z.number().int(),
    /** Peak resident memory of the engine's process and of this one. */
    enginePeakBytes: z.number().int(),
    ownPeakBytes: z.number().int(),
    speeds: z.array(speed),
  }),
});

/** The result of a sweep, as `result.json` holds it. */
export type SweepResult = z.output<typeof sweepResultSchema>;
