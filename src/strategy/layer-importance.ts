import { at } from "../assert.js";
import type { HiddenStates } from "../engine/layer-reader.js";
import { isConstant, linearCka, unbiasedCka, type Rows } from "./cka.js";

/** Samples that CKA is not computed below: of fewer, hundreds of features make any two layers look alike. */
export const FEWEST_FOR_CKA = 16;

/**
 * The token at which CKA reads the layers:
 * - `published`: the last one before the end token of prompt, response, line break and end token, as the published script reads it: mostly
 *   the line break, the same token in every sample;
 * - `response-end`: the last one of prompt and reference;
 * - `prompt-end`: the last one of the prompt, with a chat template the same in every sample.
 *
 * Source: `train_tokenize_function` and `extract_representations_from_autoregressive_model` in `select_layers_decoder.py` of
 * c2d-usp/Layer-wise-LoRA-with-CKA: the script makes the end token its padding, masks all padding, and reads the last token that is left.
 */
export const ckaPositions = ["published", "response-end", "prompt-end"] as const;
export type CkaPosition = (typeof ckaPositions)[number];

/** What rankings by importance are called, each with its position. */
export const ckaRankings = {
  cka: "published",
  "cka-response-end": "response-end",
  "cka-prompt-end": "prompt-end",
} as const satisfies Readonly<Record<string, CkaPosition>>;
export type CkaRanking = keyof typeof ckaRankings;

export function isCkaRanking(name: string): name is CkaRanking {
  return Object.hasOwn(ckaRankings, name);
}

/** How much a layer changes what goes through it at one token of each sample: 1 - CKA of its input and its output. */
export interface LayerImportance {
  readonly layer: number;
  /**
   * As the published code computes it: plain CKA, and the last layer's output after the final norm, as transformers hands it out in
   * `hidden_states[-1]`. Layers are ranked by it. Null where the layer's input is the same in every sample: there is nothing to compare then,
   * and the published code's value is 1 whatever the layer does.
   */
  readonly plain: number | null;
  /** With the unbiased estimate, and the last layer's output before the norm; null likewise. */
  readonly unbiased: number | null;
}

/**
 * [C]: layer importance.
 * @param states one position each, of the same model.
 *
 * Source: Layer-wise LoRA fine-tuning: a similarity metric approach, section 3; `main` in `select_layers_decoder.py` of
 * c2d-usp/Layer-wise-LoRA-with-CKA.
 * @throws BoundaryError for fewer than four samples.
 */
export function layerImportances(states: readonly HiddenStates[]): LayerImportance[] {
  const layers = at(states, 0).states - 2;
  return Array.from({ length: layers }, (_, layer) => {
    const [input, output] = [rowsAt(states, layer), rowsAt(states, layer + 1)];
    if (isConstant(input) || isConstant(output)) return { layer, plain: null, unbiased: null };
    const handedOut = layer === layers - 1 ? rowsAt(states, layers + 1) : output;
    return { layer, plain: 1 - linearCka(input, handedOut), unbiased: 1 - unbiasedCka(input, output) };
  });
}

/** Layers that have an importance, from the most important, as the published code takes them: of equal ones the lower. */
export function rankedLayers(importances: readonly LayerImportance[]): number[] {
  return importances
    .flatMap(({ layer, plain }) => (plain === null ? [] : [{ layer, plain }]))
    .sort((a, b) => b.plain - a.plain || a.layer - b.layer)
    .map(({ layer }) => layer);
}

/** What a person is told where layers have no importance; nothing where all have one. */
export function importanceNotes(importances: readonly LayerImportance[], position: CkaPosition): string[] {
  const without = importances.filter(({ plain }) => plain === null).map(({ layer }) => layer);
  if (without.length === 0) return [];
  const layers = without.length === 1 ? `Layer ${without.join()} has` : `Layers ${without.join(", ")} have`;
  return [
    `${layers} no importance: CKA (${position}) reads the same token in every sample, so the input does not vary and there is nothing to compare. The published script gives such a layer 1, the highest there is.`,
  ];
}

function rowsAt(states: readonly HiddenStates[], state: number): Rows {
  const { length } = at(states, 0);
  const values = new Float32Array(states.length * length);
  for (const [i, one] of states.entries()) {
    const from = state * one.positions * length;
    values.set(one.values.subarray(from, from + length), i * length);
  }
  return { samples: states.length, length, values };
}
