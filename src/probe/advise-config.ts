import { z } from "zod";
import { UsageError } from "../errors.js";
import { ckaRankings, type CkaRanking } from "../strategy/layer-importance.js";
import { sweepConfigSchema } from "../sweep/config.js";

/** What the layers of the next training run are chosen for. */
export const objectives = ["quality", "cost", "inference"] as const;
export type Objective = (typeof objectives)[number];

/** What layers are measured by: [C]'s importance or [P]'s projected residual norm. */
export const yardsticks = [...(Object.keys(ckaRankings) as CkaRanking[]), "card"] as const;
export type Yardstick = (typeof yardsticks)[number];

/** Share of the layers where the user does not say. */
const SHARE = "50%";

/** Settings of advice: those of a sweep that say what the base model is asked, and how to choose. */
export const adviseConfigSchema = sweepConfigSchema
  .omit({ adapter: true, out: true, boundaries: true })
  .omit({ redis: true, mixed: true, fullHash: true })
  .extend({
    adapter: z
      .string()
      .min(1)
      .optional()
      .describe("adapter whose modules, rank and alpha the next run is to have (GGUF file or PEFT folder); not needed"),
    objective: z
      .enum(objectives)
      .default("quality")
      .describe(
        "quality: the highest scores; cost: most score for the time of a training step; inference: the bottom layers",
      ),
    by: z
      .enum(yardsticks)
      .default("cka")
      .describe(
        "cka: layer importance at the published script's token, one pass; cka-response-end, cka-prompt-end: at the last token of the reference or of the prompt; card: projected residual norm, many passes (--plan says how many)",
      ),
    layersShare: z
      .union([z.string(), z.number()])
      .optional()
      .describe(`share of the layers to adapt, such as 50% or 0.5 (default: ${SHARE})`),
    top: z.number().int().positive().optional().describe("number of layers to adapt, instead of a share"),
    directions: z.number().int().min(2).default(8).describe("random directions of each layer for --by card"),
  });

/** The resolved settings of advice. */
export type AdviseConfig = z.output<typeof adviseConfigSchema>;

/**
 * How many layers are to be adapted, at least one.
 * @throws UsageError where both ways of saying so are given, or what is said is no share or more than there are.
 */
export function layersWanted(
  { top, layersShare }: Pick<AdviseConfig, "top" | "layersShare">,
  layerCount: number,
): number {
  if (top !== undefined && layersShare !== undefined) {
    throw new UsageError({ what: "--top and --layers-share exclude each other", fix: "Leave one of the two out." });
  }
  if (top !== undefined) {
    if (top <= layerCount) return top;
    throw new UsageError({
      what: "--top is more than the model has",
      actual: String(top),
      expected: `at most ${layerCount} layers`,
    });
  }
  const text = String(layersShare ?? SHARE).trim();
  const share = /^(\d+\.?\d*|\.\d+)%$/.test(text) ? Number(text.slice(0, -1)) / 100 : Number(text);
  if (text === "" || !(share > 0 && share <= 1)) {
    throw new UsageError({
      what: "--layers-share cannot be read",
      actual: JSON.stringify(text),
      expected: "more than 0 and at most all: 50% or 0.5",
    });
  }
  return Math.max(1, Math.round(share * layerCount));
}
