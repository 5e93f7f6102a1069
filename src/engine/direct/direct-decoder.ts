import { setImmediate } from "node:timers/promises";
import { at } from "../../assert.js";
import type { DecodeStep, WaveDecoder } from "../wave.js";
import { TILE_ROWS } from "./batches.js";
import type { DirectContext, LoadedAdapter } from "./direct-context.js";

/** A mask's adapters: as prompts are evaluated under it, and as answers are. */
export interface MaskAdapters {
  readonly plain: readonly LoadedAdapter[];
  /** Padded, so that a row does not depend on those beside it: see paddingOf. */
  readonly padded: readonly LoadedAdapter[];
}

/** Evaluates waves by calling llama.cpp directly. Between calls this thread turns once, so that finished answers leave the process. */
export class DirectDecoder implements WaveDecoder {
  readonly rowsOfSequence = TILE_ROWS - 1;
  readonly rowsOfStep: number;
  private form: keyof MaskAdapters | undefined;
  private onRows: (rows: number, sequences: number) => void = () => undefined;

  constructor(
    private readonly context: DirectContext,
    private adapters: MaskAdapters,
  ) {
    this.rowsOfStep = context.shape.batchSize;
  }

  /**
   * Changes the mask; what is remembered must have been computed under it, or be forgotten first.
   * @param onRows is told the rows of each step, and of how many sequences they are.
   */
  use(adapters: MaskAdapters, onRows: (rows: number, sequences: number) => void): void {
    this.adapters = adapters;
    this.form = undefined;
    this.onRows = onRows;
  }

  async prefill(sequence: number, tokens: readonly number[]): Promise<number> {
    this.inForm("plain");
    const token = mostProbable(this.context.prefill(tokens, sequence));
    await setImmediate();
    return token;
  }

  async step(steps: readonly DecodeStep[], apart: boolean): Promise<number[][]> {
    this.inForm("padded");
    const batch = steps.flatMap(({ tokens, position, sequence }) => {
      return tokens.map((token, i) => ({ token, position: position + i, sequence, output: true }));
    });
    const rows = apart ? this.context.decodeApart(batch) : this.context.decode(batch);
    this.onRows(rows.length, steps.length);
    const next = rows.map(mostProbable);
    await setImmediate();
    let at = 0;
    return steps.map(({ tokens }) => next.slice(at, (at += tokens.length)));
  }

  forget(sequence: number, from: number): void {
    this.context.forget(sequence, from);
  }

  move(from: number, to: number): void {
    this.context.restore(to, [this.context.state(from)]);
    this.context.forget(from, 0);
  }

  async clear(): Promise<void> {
    this.context.clear();
    return Promise.resolve();
  }

  private inForm(form: keyof MaskAdapters): void {
    if (this.form === form) return;
    this.context.setAdapters(this.adapters[form]);
    this.form = form;
  }
}

/** The token with the highest logit; of equal ones the lowest id, as llama.cpp's greedy sampler takes it. */
export function mostProbable(logits: Float32Array): number {
  let best = 0;
  let highest = at(logits, 0);
  for (let token = 1; token < logits.length; token++) {
    const logit = at(logits, token);
    if (logit > highest) {
      highest = logit;
      best = token;
    }
  }
  return best;
}
