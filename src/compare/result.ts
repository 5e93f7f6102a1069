import { z } from "zod";
import { answersSchema, pairedSchema } from "../run/result.js";

/** Raised whenever a field changes its meaning or goes away. */
export const COMPARISON_SCHEMA_VERSION = 1;

const scores = z.record(
  z.string(),
  z.strictObject({ value: z.number(), low: z.number(), high: z.number(), n: z.number().int(), signature: z.string() }),
);

const system = z.strictObject({
  name: z.string(),
  adapterBytes: z.number().int().optional(),
  answers: answersSchema,
  scores,
  groups: z.record(z.string(), z.record(z.string(), z.strictObject({ value: z.number(), n: z.number().int() }))),
  /** Against the first system, by metric; absent for the first. */
  against: z.record(z.string(), pairedSchema).optional(),
  /** Of the samples whose score in the error metric fell below the first system's. */
  errors: z
    .strictObject({
      metric: z.string(),
      fell: z.number().int(),
      containsOther: z.number().int(),
      containedInOther: z.number().int(),
      oneContainsOther: z.number().int(),
      bothRight: z.number().int(),
    })
    .optional(),
});

/** What `boundary compare --json` prints. Scores 0-100. */
export const comparisonSchema = z.strictObject({
  schemaVersion: z.literal(COMPARISON_SCHEMA_VERSION),
  tool: z.strictObject({ name: z.literal("boundary"), version: z.string() }),
  config: z.record(z.string(), z.unknown()),
  /** Metric that orders the changed samples. */
  metric: z.string(),
  labels: z.record(z.string(), z.string()),
  samples: z.number().int(),
  systems: z.array(system),
  changed: z.array(
    z.strictObject({
      sampleId: z.string(),
      references: z.array(z.string()),
      answers: z.record(z.string(), z.string()),
      values: z.record(z.string(), z.number()),
    }),
  ),
  failures: z.array(z.strictObject({ condition: z.string() })),
  notes: z.array(z.string()),
});

/** The outcome of a comparison. */
export type ComparisonResult = z.output<typeof comparisonSchema>;
