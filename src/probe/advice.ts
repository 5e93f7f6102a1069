import { at } from "../assert.js";
import type { Objective } from "./advise-config.js";

/** What a layer is worth for the next training run, and what a pass through it costs. */
export interface LayerWorth {
  readonly layer: number;
  /** The higher the better; worths of layers add up. */
  readonly worth: number;
  /** Time of a forward pass through the layer, in any unit. */
  readonly time: number;
  /** What the worth is, in words. */
  readonly words: string;
}

/** A layer to adapt. */
export interface AdvisedLayer {
  readonly layer: number;
  /** From 1, by worth, among all layers. */
  readonly rank: number;
  readonly reason: string;
}

/** The layers to adapt in the next training run. */
export interface LayerChoice {
  /** Ascending. */
  readonly layers: readonly AdvisedLayer[];
  /** Share of the worth of all layers that the chosen ones hold, and that the best so many would hold; 0-1. */
  readonly share: number;
  readonly bestShare: number;
  /** Time of a training step, as a share of one that adapts every layer; 0-1. */
  readonly stepShare: number;
}

/**
 * Chooses layers.
 * - `quality`: those of the highest worth.
 * - `cost`: the most worth for the time of a training step. A step runs forward through all layers, and back from the top to the lowest
 *   adapted one only; back takes as long as forward, since frozen weights need no gradient of their own. So for every lowest layer the best
 *   ones above it are taken, and of these sets the one with the most worth for its time.
 * - `inference`: the bottom ones. What lies above a boundary runs without an adapter, its time and bytes are saved, and all boundaries have
 *   what lies below in common; and a sweep can only trim from above.
 *
 * Of equal worths the lower layer comes first.
 * @param count at least 1, at most all of them.
 */
export function chooseLayers(worths: readonly LayerWorth[], objective: Objective, count: number): LayerChoice {
  const ranked = [...worths].sort((a, b) => b.worth - a.worth || a.layer - b.layer);
  const chosen = {
    quality: () => ranked.slice(0, count),
    cost: () => cheapest(worths, ranked, count),
    inference: () => worths.slice(0, count),
  }[objective]();
  const layers = [...chosen].sort((a, b) => a.layer - b.layer);
  const lowest = at(layers, 0).layer;
  const sum = (of: readonly LayerWorth[]): number => of.reduce((total, { worth }) => total + worth, 0);
  return {
    layers: layers.map(({ layer, words }) => {
      const rank = ranked.findIndex((entry) => entry.layer === layer) + 1;
      const place = `rank ${rank} of ${worths.length}`;
      return { layer, rank, reason: `${words}, ${place}${becauseOf(objective, { layer, lowest, count })}` };
    }),
    share: sum(layers) / sum(worths),
    bestShare: sum(ranked.slice(0, count)) / sum(worths),
    stepShare: stepTime(worths, lowest) / stepTime(worths, 0),
  };
}

function becauseOf(
  objective: Objective,
  { layer, lowest, count }: { readonly layer: number; readonly lowest: number; readonly count: number },
): string {
  if (objective === "inference") return `; below a boundary at K=${count}`;
  if (objective === "quality" || lowest === 0) return "";
  return layer === lowest ? "; the lowest that training goes back to" : `; among the best from layer ${lowest} up`;
}

/** Of the best sets for each lowest layer, the one with the most worth for its time. */
function cheapest(worths: readonly LayerWorth[], ranked: readonly LayerWorth[], count: number): readonly LayerWorth[] {
  const sets = worths.slice(0, worths.length - count + 1).map((lowest) => {
    const above = ranked.filter(({ layer }) => layer > lowest.layer).slice(0, count - 1);
    const set = [lowest, ...above];
    return { set, value: set.reduce((sum, { worth }) => sum + worth, 0) / stepTime(worths, lowest.layer) };
  });
  return sets.reduce((best, candidate) => (candidate.value > best.value ? candidate : best)).set;
}

/** Forward through all layers, back through those from the lowest adapted one up. */
function stepTime(worths: readonly LayerWorth[], lowest: number): number {
  return worths.reduce((sum, { layer, time }) => sum + (layer >= lowest ? 2 : 1) * time, 0);
}
