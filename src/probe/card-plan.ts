import type { HashedAdapter } from "../adapter/adapter.js";
import { UsageError } from "../errors.js";
import { parsePairs, singlesOf, type LayerPair } from "./leave-out.js";
import { residualPasses } from "./residual-norm.js";

/** Parts of a layer card that cost a pass or more a layer: they are measured where they are asked for. */
export const cardParts = ["nll", "coupling", "metric", "gradient"] as const;
export type CardPart = (typeof cardParts)[number];

/** What a layer card is to hold. */
export interface CardSettings {
  readonly parts: readonly CardPart[];
  /** Pairs of layers for `coupling`: see {@link parsePairs}. */
  readonly pairs: string;
  /** Random directions for `gradient`, at least two. */
  readonly directions: number;
}

/** What a part of a card costs. */
export interface CardCost {
  readonly part: "energy" | "time" | CardPart;
  /** Over all samples: of prompts and references, or for `metric` of answering them. */
  readonly passes: number;
}

/** The card's leave-outs and costs, laid out. */
export interface CardPlan {
  readonly settings: CardSettings;
  /** Layers that are left out alone, and pairs that are left out together. */
  readonly singles: readonly number[];
  readonly pairs: readonly LayerPair[];
  readonly costs: readonly CardCost[];
}

/**
 * Lays out a card.
 * @param adapter undefined for the base part alone.
 * @throws UsageError for pairs that cannot be read or are not in the adapter's coverage, and for fewer than two directions.
 */
export function planCard(
  settings: CardSettings,
  layerCount: number,
  adapter: Pick<HashedAdapter, "coverage"> | undefined,
): CardPlan {
  const has = (part: CardPart): boolean => settings.parts.includes(part);
  if (has("gradient") && !(Number.isInteger(settings.directions) && settings.directions >= 2)) {
    throw new UsageError({
      what: "there are too few directions for the gradient",
      actual: String(settings.directions),
      expected: "a whole number from 2: one alone has no standard error",
    });
  }
  const masks = adapter ? 2 : 1;
  const pairs = adapter && has("coupling") ? parsePairs(settings.pairs, adapter) : [];
  const singles = adapter ? singlesOf(adapter, pairs, has("nll")) : [];
  const costs: CardCost[] = [
    { part: "energy", passes: masks },
    { part: "time", passes: masks },
    ...(adapter && (has("nll") || has("coupling"))
      ? [
          { part: "nll", passes: 2 + singles.length } as const,
          ...(has("coupling") ? [{ part: "coupling", passes: pairs.length } as const] : []),
        ]
      : []),
    ...(adapter && has("metric") ? [{ part: "metric", passes: 1 + adapter.coverage.length } as const] : []),
    ...(has("gradient")
      ? [{ part: "gradient", passes: layerCount * residualPasses(settings.directions) } as const]
      : []),
  ];
  return { settings, singles, pairs, costs };
}
