import type { HiddenStates } from "../layer-reader.js";
import type { HiddenRequest } from "../layer-reader.js";
import type { ContextShape } from "../layer-passes.js";
import { batchesOf } from "./batches.js";
import type { DirectContext, LoadedAdapter } from "./direct-context.js";
import type { DirectModel } from "./direct-model.js";
import { HiddenTap } from "./hidden-tap.js";
import { allocate, release, type NativeArray } from "./native-array.js";

/** A prompt's hidden states in native memory: [layers + 2, positions, embedding length], and the logits at these positions. */
export interface NativeStates {
  readonly states: NativeArray<Float32Array>;
  /** Valid until the next call. */
  readonly logits: readonly Float32Array[];
}

/** Reads hidden states under one mask. */
export class HiddenReader {
  private constructor(
    private readonly model: DirectModel,
    private readonly context: DirectContext,
    private readonly tap: HiddenTap,
  ) {}

  static open(model: DirectModel, shape: ContextShape, adapters: readonly LoadedAdapter[]): HiddenReader {
    const tap = new HiddenTap(model.library, model.layerCount, model.embeddingLength);
    const context = model.openContext({ ...shape, sequences: 1 }, tap);
    context.setAdapters(adapters);
    return new HiddenReader(model, context, tap);
  }

  /**
   * One pass over the tokens.
   * @param positions ascending, each within the tokens.
   * @param use sees the states before they are gone.
   */
  read<T>(tokens: readonly number[], positions: readonly number[], use: (read: NativeStates) => T): T {
    const { library, layerCount, embeddingLength } = this.model;
    const states = allocate(library, Float32Array, (layerCount + 2) * positions.length * embeddingLength);
    const rowBytes = embeddingLength * Float32Array.BYTES_PER_ELEMENT;
    const logits: Float32Array[] = [];
    try {
      this.context.clear();
      // What stands behind the last position that is asked for cannot change it.
      const length = (positions.at(-1) ?? -1) + 1;
      for (const { from, to } of batchesOf(length, this.context.shape.batchSize)) {
        const inside = positions.filter((position) => position >= from && position < to);
        const first = positions.findIndex((position) => position >= from);
        const evaluate = (): Float32Array[] =>
          this.context.decode(
            tokens.slice(from, to).map((token, i) => {
              return { token, position: from + i, sequence: 0, output: inside.includes(from + i) };
            }),
          );
        const destination = (state: number, i: number): bigint =>
          states.address + BigInt((state * positions.length + first + i) * rowBytes);
        const rows = inside.map((position) => position - from);
        // The context's own rows are overwritten by the next batch.
        const found = rows.length === 0 ? [] : this.tap.collect({ count: to - from, rows, destination }, evaluate);
        if (rows.length === 0) evaluate();
        logits.push(...(to === length ? found : found.map((row) => Float32Array.from(row))));
      }
      return use({ states, logits });
    } finally {
      release(library, states);
    }
  }

  close(): void {
    this.context.close();
  }
}

/** Hidden states of prompts at chosen positions, one pass each. */
export function readHiddenStates(model: DirectModel, { pieces, context, prompts }: HiddenRequest): HiddenStates[] {
  const reader = HiddenReader.open(model, context, model.adaptersOf(pieces, "plain"));
  try {
    return prompts.map(({ id, tokens, positions }) => {
      const values = reader.read(tokens, positions, ({ states }) => Float32Array.from(states.values));
      return { id, states: model.layerCount + 2, positions: positions.length, length: model.embeddingLength, values };
    });
  } finally {
    reader.close();
  }
}
