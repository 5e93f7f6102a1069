import { z } from "zod";
import { sweepConfigSchema, type SweepConfig } from "../sweep/config.js";

/** Every setting of a comparison. Those that it shares with a sweep mean the same there. */
export const compareConfigSchema = sweepConfigSchema
  .omit({ boundaries: true, rule: true, margin: true, floor: true, folds: true, holdout: true, out: true })
  .omit({ redis: true, mixed: true, fullHash: true })
  .extend({
    model: sweepConfigSchema.shape.model.optional().describe(sweepConfigSchema.shape.model.description ?? ""),
    data: sweepConfigSchema.shape.data.optional().describe("samples that every system answers"),
    adapter: sweepConfigSchema.shape.adapter.optional().describe("LoRA adapter that `full` and K=... stand for"),
    task: sweepConfigSchema.shape.task
      .unwrap()
      .optional()
      .describe("what is asked of the model (default: qa; of finished runs, the first one's)"),
    against: z
      .array(z.string().min(1))
      .min(1)
      .describe("what to compare: base, full, K=20, another adapter, or runs/first#chosen; repeatable"),
    out: z.string().min(1).optional().describe("folder that keeps the answers, so that the same command resumes"),
    failIf: z.array(z.string().min(1)).default([]).describe('exit with 1 when it holds: "em < full - 1.0"; repeatable'),
    show: z.number().int().min(0).default(3).describe("most changed samples shown side by side"),
  });

/** The resolved settings of a comparison. */
export type CompareConfig = z.output<typeof compareConfigSchema>;

/** The sweep whose machinery answers the samples: all of them, nothing chosen. */
export function asSweep(config: CompareConfig, inputs: Pick<SweepConfig, "model" | "data" | "adapter">): SweepConfig {
  const { against, failIf, show, ...shared } = config;
  return {
    ...shared,
    ...inputs,
    out: config.out ?? "",
    boundaries: "0",
    rule: "best",
    margin: 1,
    holdout: 0,
  };
}
