import type { PassRequest } from "../layer-passes.js";
import { batchesOf } from "./batches.js";
import type { DirectModel } from "./direct-model.js";
import type { TensorObserver } from "./graph-watch.js";

/** A prompt of a request. */
export type PassPrompt = PassRequest["prompts"][number];

/**
 * Evaluates every token of the prompts as an output, each prompt by itself.
 * @param tap looks at the graphs.
 * @param batch is to call `evaluate` for each batch of a prompt.
 */
export function passOver(
  model: DirectModel,
  { pieces, context: shape, prompts }: PassRequest,
  tap: TensorObserver,
  batch: (rows: number, evaluate: () => unknown, prompt: PassPrompt) => void,
): void {
  const context = model.openContext({ ...shape, sequences: 1 }, tap);
  try {
    context.setAdapters(model.adaptersOf(pieces, "plain"));
    for (const prompt of prompts) {
      context.clear();
      for (const { from, to } of batchesOf(prompt.tokens.length, shape.batchSize)) {
        const tokens = prompt.tokens.slice(from, to).map((token, i) => {
          return { token, position: from + i, sequence: 0, output: true };
        });
        batch(tokens.length, () => context.decode(tokens), prompt);
      }
    }
  } finally {
    context.close();
  }
}
