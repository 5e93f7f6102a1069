import { setImmediate } from "node:timers/promises";
import type { SharedLikelihood, SharedLikelihoodRequest } from "../engine.js";
import { ContinuationSum } from "../likelihood.js";
import type { DirectModel } from "./direct-model.js";
import type { SharedPasses, TextPass } from "./shared-passes.js";

/** A prompt's pass, and what it found so far. */
interface WeighedPass {
  readonly prompt: SharedLikelihoodRequest["prompts"][number];
  readonly pass: TextPass;
}

/**
 * Weighs continuations under several boundaries of one adapter: all of them once through the full adapter, then each boundary from its layer on.
 * @param onLikelihood called as soon as one is known.
 */
export async function weighShared(
  passes: SharedPasses,
  model: DirectModel,
  { full, boundaries, prompts }: SharedLikelihoodRequest,
  onLikelihood: (shared: SharedLikelihood) => void,
): Promise<void> {
  const { layerCount } = model;
  const asked = new Set(boundaries.map(({ boundary }) => boundary));
  const inner = [...asked].filter((boundary) => boundary > 0 && boundary < layerCount).sort((a, b) => b - a);
  const tell = async (boundary: number, sum: ContinuationSum): Promise<void> => {
    onLikelihood({ boundary, likelihood: sum.likelihood });
    // This thread turns once, so that the likelihood leaves the process.
    await setImmediate();
  };
  const weighed: WeighedPass[] = [];
  try {
    passes.begin(model.adaptersOf(full, "plain"), layerCount);
    for (const prompt of prompts) {
      const sum = new ContinuationSum(prompt);
      weighed.push({ prompt, pass: passes.whole(sum.text, inner, sum.add) });
      if (asked.has(layerCount)) await tell(layerCount, sum);
    }
    for (const boundary of inner) {
      for (const { prompt, pass } of weighed) {
        const sum = new ContinuationSum(prompt);
        passes.above(boundary, pass, sum.add);
        await tell(boundary, sum);
      }
    }
  } finally {
    for (const { pass } of weighed) passes.release(pass.hidden);
  }
  if (!asked.has(0)) return;
  passes.begin([], 0);
  for (const prompt of prompts) {
    const sum = new ContinuationSum(prompt);
    passes.whole(sum.text, [], sum.add);
    await tell(0, sum);
  }
}
