import { at } from "../assert.js";
import type { AdapterModule, Place } from "./adapter.js";
import type { FactorLayout } from "./update-norm.js";

/** An update B A of a weight: a matrix [outputs, inputs], or one for each expert. For the token embedding, inputs are the vocabulary. */
export interface UpdateShape {
  readonly inputs: number;
  readonly outputs: number;
  readonly experts: number | undefined;
}

/** Which dimension of A and of B, in ggml's order, runs over the ranks. llama.cpp looks up rows of the embedding's A by token, so its ranks come first. */
export function rankDimension(place: Place): { readonly a: 0 | 1; readonly b: 0 } {
  return { a: place === "embedding" ? 0 : 1, b: 0 };
}

/** Whether these are the dimensions of an A and a B that can be multiplied: of one rank, and of experts for as many in both. */
export function halvesFit(place: Place, a: readonly number[], b: readonly number[]): boolean {
  const ranks = rankDimension(place);
  if (a.length !== b.length || a[ranks.a] !== b[ranks.b]) return false;
  return a.length === 2 || (place === "block" && a.length === 3 && a[2] === b[2]);
}

/** The size of a module's update. */
export function updateShape({ place, experts, a, b }: AdapterModule): UpdateShape {
  const ranks = rankDimension(place);
  return { inputs: at(a.dims, 1 - ranks.a), outputs: at(b.dims, 1 - ranks.b), experts };
}

/** How the numbers of a module's pair lie in the file. */
export function factorLayout({ rank, place, experts }: AdapterModule): FactorLayout {
  return { rank, rowsAreInputs: rankDimension(place).a === 0, experts };
}
