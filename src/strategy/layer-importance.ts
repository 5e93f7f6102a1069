import type { HiddenStates } from "../engine/engine.js";
import { linearCka, unbiasedCka, type Rows } from "./cka.js";

/** Samples that CKA is not computed below: of fewer, hundreds of features make any two layers look alike. */
export const FEWEST_FOR_CKA = 16;

/** How much a layer changes what goes through it, at the last token of the prompts: 1 - CKA of its input and its output. */
export interface LayerImportance {
  readonly layer: number;
  /**
   * As the published code has it: plain CKA, and the last layer's output after the final norm, as transformers hands it out in
   * `hidden_states[-1]`. Layers are ranked by it.
   */
  readonly published: number;
  /** With the unbiased estimate, and the last layer's output before the norm. */
  readonly unbiased: number;
}

/**
 * [C]: layer importance.
 * @param states one position each, of the same model.
 *
 * Source: Layer-wise LoRA fine-tuning: a similarity metric approach, section 3; `select_layers_decoder.py` of
 * c2d-usp/Layer-wise-LoRA-with-CKA. There the last token is that of prompt and response together, here that of the prompt.
 * @throws BoundaryError for fewer than four samples.
 */
export function layerImportances(states: readonly HiddenStates[]): LayerImportance[] {
  const layers = (states[0]?.states ?? 0) - 2;
  return Array.from({ length: layers }, (_, layer) => {
    const [input, output] = [rowsAt(states, layer), rowsAt(states, layer + 1)];
    const handedOut = layer === layers - 1 ? rowsAt(states, layers + 1) : output;
    return { layer, published: 1 - linearCka(input, handedOut), unbiased: 1 - unbiasedCka(input, output) };
  });
}

/** Layers from the most important, as the published code takes them: of equal ones the lower. */
export function rankedLayers(importances: readonly LayerImportance[]): number[] {
  return [...importances].sort((a, b) => b.published - a.published || a.layer - b.layer).map(({ layer }) => layer);
}

function rowsAt(states: readonly HiddenStates[], state: number): Rows {
  const length = states[0]?.length ?? 0;
  const values = new Float32Array(states.length * length);
  for (const [i, one] of states.entries()) {
    const from = state * one.positions * length;
    values.set(one.values.subarray(from, from + length), i * length);
  }
  return { samples: states.length, length, values };
}
