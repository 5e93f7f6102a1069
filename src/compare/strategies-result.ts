import { z } from "zod";
import { pairedSchema } from "../run/result.js";

const scored = z.strictObject({ value: z.number(), low: z.number(), high: z.number(), method: z.string() });

const row = z.strictObject({
  /** As it was written. */
  strategy: z.string(),
  /** Name of the mask that its rule chose on its samples, and what that keeps. */
  chosen: z.string(),
  keeps: z.string(),
  keptModules: z.number().int(),
  bytes: z.number().int(),
  /** Masks that were tried, on so many samples of the selection. */
  masks: z.number().int(),
  samples: z.number().int(),
  /** Primary metric of the chosen mask on those samples, 0-100: flattered by the choice. */
  selection: z.number(),
  /** On the final part, which no strategy has seen. */
  final: scored,
  finalMinusFull: pairedSchema,
  /** Layers times tokens: of ranking layers, and of all answers to the selection, as if each were computed by itself. */
  spent: z.strictObject({ ranking: z.number().int(), answers: z.number().int() }),
  /** Layers from the most useful, where it ranked them. */
  ranking: z.array(z.number().int()).optional(),
  /** File of the trimmed adapter in the folder; absent where nothing is kept. */
  trimmed: z.string().optional(),
});

/** `strategies.json`: several strategies under one budget, each on a final part that none of them has seen. */
export const strategiesResultSchema = z.strictObject({
  schemaVersion: z.literal(1),
  tool: z.strictObject({ name: z.literal("boundary"), version: z.string() }),
  config: z.record(z.string(), z.unknown()),
  model: z.strictObject({ sha256: z.string(), layers: z.number().int() }),
  adapter: z.strictObject({ sha256: z.string(), modules: z.number().int(), bytes: z.number().int() }),
  metric: z.string(),
  label: z.string(),
  rule: z.string(),
  /** Layers times tokens that each strategy may spend. */
  budget: z.number().int(),
  selectionSamples: z.number().int(),
  finalSamples: z.number().int(),
  /** On the final part. */
  base: scored,
  full: scored,
  rows: z.array(row),
  /** Strategies that the budget does not allow, or that cannot be used here. */
  left: z.array(z.strictObject({ strategy: z.string(), reason: z.string() })),
  notes: z.array(z.string()),
});

export type StrategiesResult = z.output<typeof strategiesResultSchema>;
export type StrategyRow = StrategiesResult["rows"][number];
