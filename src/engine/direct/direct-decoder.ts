import { setImmediate } from "node:timers/promises";
import type { DecodeStep, WaveDecoder } from "../wave.js";
import type { DirectContext } from "./direct-context.js";

/** Evaluates waves by calling llama.cpp directly. Between calls this thread turns once, so that finished answers leave the process. */
export class DirectDecoder implements WaveDecoder {
  constructor(private readonly context: DirectContext) {}

  async prefill(sequence: number, tokens: readonly number[]): Promise<number> {
    const token = mostProbable(this.context.prefill(tokens, sequence));
    await setImmediate();
    return token;
  }

  async step(steps: readonly DecodeStep[]): Promise<number[]> {
    const rows = this.context.decode(steps.map((step) => ({ ...step, output: true })));
    const next = rows.map(mostProbable);
    await setImmediate();
    return next;
  }

  async clear(): Promise<void> {
    this.context.clear();
    return Promise.resolve();
  }
}

/** The token with the highest logit; of equal ones the lowest id, as llama.cpp's greedy sampler takes it. */
export function mostProbable(logits: Float32Array): number {
  let best = 0;
  let highest = logits[0] ?? Number.NEGATIVE_INFINITY;
  for (let token = 1; token < logits.length; token++) {
    const logit = logits[token] ?? Number.NEGATIVE_INFINITY;
    if (logit > highest) {
      highest = logit;
      best = token;
    }
  }
  return best;
}
