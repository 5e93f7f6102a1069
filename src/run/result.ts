import { z } from "zod";
import { engineInfoSchema } from "../engine/engine-info-schema.js";
import { sampleFormats } from "../samples/sample.js";
import { dropReasons } from "../choice/race-track.js";
import { effectCauses } from "./without-effect.js";

/** Raised whenever a field changes its meaning or goes away. */
export const RESULT_SCHEMA_VERSION = 2;

/** A paired difference in points: see {@link PairedDifference}. */
export const pairedSchema = z.strictObject({
  difference: z.number(),
  low: z.number(),
  high: z.number(),
  method: z.string(),
  better: z.number().int(),
  worse: z.number().int(),
  same: z.number().int(),
  p: z.strictObject({
    /** Of the test that decides: below 0.05 if and only if low to high leaves out 0. Absent in results of earlier versions. */
    value: z.number().optional(),
    bootstrap: z.number(),
    randomization: z.number(),
    mcnemar: z.number().optional(),
  }),
  effect: z.strictObject({ standardized: z.number().optional(), oddsRatio: z.number().optional() }),
  smallestDetectable: z.number().optional(),
});

/** What answers look like: see {@link AnswerFacts}. */
export const answersSchema = z.strictObject({
  count: z.number().int(),
  meanTokens: z.number(),
  cutAtLimit: z.number().int(),
  empty: z.number().int(),
  looping: z.number().int(),
});

const scoreEntry = z.strictObject({
  /** 0-100. */
  value: z.number(),
  /** 95 % interval over the samples, 0-100; `method` says how it was found. */
  low: z.number(),
  high: z.number(),
  method: z.string(),
  n: z.number().int(),
  signature: z.string(),
});

const partScores = z.strictObject({
  answers: answersSchema,
  scores: z.record(z.string(), scoreEntry),
  /** By group and metric; empty where no grouping was asked for. */
  groups: z.record(z.string(), z.record(z.string(), z.strictObject({ value: z.number(), n: z.number().int() }))),
});

const candidate = z.strictObject({
  boundary: z.number().int(),
  boundaries: z.array(z.number().int()),
  /** What it is called and what it keeps, in words; absent for boundaries, whose number says both. */
  name: z.string().optional(),
  keeps: z.string().optional(),
  keptModules: z.number().int(),
  bytes: z.number().int(),
  selection: partScores.optional(),
  holdout: partScores.optional(),
});

/** Boundaries that left before they had answered the whole selection: see {@link Drop}. They have no scores. */
const raceSchema = z.strictObject({
  method: z.string(),
  /** Probability with which one prediction may fail. */
  error: z.number(),
  /** Samples of each block, in the order in which they were answered. */
  blocks: z.array(z.number().int()),
  answers: z.number().int(),
  allAnswers: z.number().int(),
  layerTokens: z.number().int(),
  /** Estimated from the answers that there are. */
  allLayerTokens: z.number().int(),
  dropped: z.array(
    z.strictObject({
      boundary: z.number().int(),
      reason: z.enum(dropReasons),
      samples: z.number().int(),
      against: z.number().int(),
      reach: z.number().optional(),
      limit: z.number().optional(),
    }),
  ),
});

/** Boundaries of which nothing was generated, for how improbable they find the references: see {@link Screening}. */
const screenSchema = z.strictObject({
  method: z.string(),
  samples: z.number().int(),
  layerTokens: z.number().int(),
  /** By ascending K: mean probability of the references, 0-1, and the share of the best one's that it is at most. */
  candidates: z.array(
    z.strictObject({
      boundary: z.number().int(),
      probability: z.number(),
      atMost: z.number(),
      passed: z.boolean(),
    }),
  ),
  /** Share that must be within reach. */
  limit: z.number(),
});

/** Which masks were tried, where they are no boundaries. */
const strategySchema = z.strictObject({
  /** As it was written. */
  name: z.string(),
  /** Whether each mask keeps all that the one before it keeps. */
  nested: z.boolean(),
  /** Layers from the most useful, and what they were ranked by. */
  ranking: z
    .strictObject({
      by: z.string(),
      layers: z.array(z.number().int()),
      /**
       * In the order of `layers`; the higher the more useful. Of `random` and `greedy` there are none; layers at the end of the order that could
       * not be measured have none.
       */
      values: z.array(z.number()),
      /** Samples that were looked at, 0 where none was. */
      samples: z.number().int(),
      layerTokens: z.number().int(),
    })
    .optional(),
});

/** One prompt at a time, each computed whole; 0 where nothing was generated. */
const speed = z.strictObject({
  boundary: z.number().int(),
  prefillTokensPerSecond: z.number(),
  decodeTokensPerSecond: z.number(),
});

const workSchema = z.strictObject({
  prefill: z.strictObject({ base: z.number(), adapter: z.number() }),
  decode: z.record(z.string(), z.strictObject({ base: z.number(), adapter: z.number(), calls: z.number() })),
  saved: z.strictObject({ sharedLayers: z.number(), commonPrefix: z.number() }),
  drafts: z.strictObject({ tried: z.number(), taken: z.number() }),
});

/** `result.json`: everything about a finished sweep. Equal for equal runs, but for `timings`. Keys are sorted in the file. */
export const sweepResultSchema = z.strictObject({
  schemaVersion: z.literal(RESULT_SCHEMA_VERSION),
  tool: z.strictObject({ name: z.literal("boundary"), version: z.string() }),
  command: z.string(),
  config: z.record(z.string(), z.unknown()),
  engine: engineInfoSchema.omit({ vocabulary: true }),
  generation: z.strictObject({
    maxTokens: z.number().int(),
    stop: z.array(z.string()),
    template: z.enum(["chat", "raw"]),
    /** How thoughts begin in the model's chat template, such as `<think>`: they are not scored. Absent in results of before 0.2. */
    thoughts: z.array(z.string()).optional(),
    /** Samples at once; where `batchedCells` is, it decides nothing but the time. */
    sequences: z.number().int(),
    /** Answers shared decode steps up to so many tokens of prompt and answer, within which company changes nothing; absent where it may. */
    batchedCells: z.number().int().optional(),
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
    /** Kinds of module that change nothing: see {@link WithoutEffect}. Absent where all act. */
    withoutEffect: z
      .array(
        z.strictObject({
          module: z.string(),
          modules: z.number().int(),
          of: z.number().int(),
          layers: z.array(z.number().int()),
          cause: z.enum(effectCauses),
        }),
      )
      .optional(),
  }),
  data: z.strictObject({
    path: z.string(),
    sha256: z.string(),
    format: z.enum(sampleFormats),
    targetLanguage: z.string().optional(),
    holdoutPath: z.string().optional(),
    holdoutSha256: z.string().optional(),
    promptSha256: z.string(),
    selection: z.array(z.string()),
    holdout: z.array(z.string()),
    skipped: z.array(z.strictObject({ id: z.string(), part: z.string(), promptTokens: z.number().int() })),
  }),
  metric: z.string(),
  strategy: strategySchema.optional(),
  /** Of a sweep with --race. */
  race: raceSchema.optional(),
  /** Of a sweep with --screen. */
  screen: screenSchema.optional(),
  /** Headings of the metrics by name. */
  labels: z.record(z.string(), z.string()),
  candidates: z.array(candidate),
  choice: z.strictObject({
    rule: z.string().min(1),
    /** Points that K may lose against full; of the rule no-worse. */
    margin: z.number().optional(),
    floors: z.array(z.strictObject({ metric: z.string(), points: z.number() })),
    boundary: z.number().int(),
    layers: z.number().int(),
    /** K of the highest score that the floors leave. */
    bestBoundary: z.number().int(),
    reasons: z.array(z.string()),
    excluded: z.array(
      z.strictObject({ boundary: z.number().int(), metric: z.string(), difference: z.number(), floor: z.number() }),
    ),
    steps: z.array(
      z.strictObject({
        boundary: z.number().int(),
        score: z.number(),
        against: z.number().int(),
        difference: z.number(),
        low: z.number(),
        limit: z.number(),
        passed: z.boolean(),
      }),
    ),
  }),
  confirmation: z.strictObject({
    part: z.enum(["selection", "holdout", "folds"]),
    samples: z.number().int(),
    comparisons: z.array(
      z.strictObject({
        metric: z.string(),
        label: z.string(),
        chosen: z.number(),
        full: z.number(),
        base: z.number(),
        chosenMinusFull: pairedSchema,
        chosenMinusBase: pairedSchema,
      }),
    ),
    /** K that each fold's other samples chose; of cross-validation. */
    foldBoundaries: z.array(z.number().int()).optional(),
    /** Where the samples that chose K also judge it: the primary metric's gain over full, corrected for having been picked. */
    corrected: z.strictObject({ difference: z.number(), optimism: z.number(), method: z.string() }).optional(),
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
    /** Layers times tokens that the engine computed for answers of boundaries that share layers, and drafts of all answers. */
    work: workSchema.optional(),
  }),
});

/** The result of a sweep, as `result.json` holds it. */
export type SweepResult = z.output<typeof sweepResultSchema>;
