import type { HashedAdapter } from "../../adapter/adapter.js";
import { UsageError } from "../../errors.js";
import { readMasks } from "../../strategy/masks-file.js";
import { isNested, parseStrategy, type Strategy } from "../../strategy/strategy.js";
import type { NamedMask } from "../../strategy/strategy.js";
import { parseBoundaries } from "./boundaries.js";
import type { SweepConfig } from "../config.js";
import { predictionErrorOf } from "../../choice/race-track.js";
import { paperBoundary } from "../../choice/rules.js";

/** Which masks a sweep tries. */
export interface StrategyInputs {
  readonly strategy: Strategy;
  /** As it was written. */
  readonly strategyText: string;
  /** Masks of the strategy `masks`. */
  readonly masksFromFile: readonly NamedMask[];
  /** K's, or numbers of layers, of strategies that go by them. */
  readonly boundaries: readonly number[];
}

/** A strategy that goes with the other settings, before the adapter is opened. */
export type CheckedStrategy = Omit<StrategyInputs, "masksFromFile">;

/** @throws UsageError for a strategy or boundaries that cannot be read, or that do not go with the other settings. */
export function checkStrategy(config: SweepConfig, layerCount: number): CheckedStrategy {
  const strategyText = config.strategy ?? "prefix";
  const strategy = parseStrategy(strategyText, layerCount);
  assertStrategy(config, strategy);
  const list = config.boundaries ?? defaultBoundaries(config, strategy, layerCount);
  return { strategy, strategyText, boundaries: parseBoundaries(list, layerCount) };
}

/** @throws what reading a file of masks throws. */
export async function strategyInputs(
  checked: CheckedStrategy,
  adapter: HashedAdapter,
  layerCount: number,
): Promise<StrategyInputs> {
  return { ...checked, masksFromFile: await masksOf(checked.strategy, adapter, layerCount) };
}

/** @throws UsageError for settings that say nothing under this strategy. */
function assertStrategy(config: SweepConfig, strategy: Strategy): void {
  const { kind } = strategy;
  const takesBoundaries = ["prefix", "suffix", "modules", "scale", "registered"].includes(kind);
  if (config.boundaries !== undefined && !takesBoundaries) {
    throw new UsageError({
      what: `the strategy ${kind} has no boundaries`,
      actual: `--boundaries ${config.boundaries}`,
      fix: "Leave --boundaries out.",
    });
  }
  if (config.rule === "paper" && kind !== "prefix") {
    throw new UsageError({
      what: "--rule paper names a boundary",
      actual: `--strategy ${kind}`,
      expected: "--strategy prefix, or another rule",
    });
  }
  if (config.race) predictionErrorOf(config.rule);
  if (config.race && !isNested(strategy)) {
    throw new UsageError({
      what: "--race needs masks of which each keeps all that the one before it keeps",
      actual: `--strategy ${kind}`,
      expected: "prefix, suffix, top or greedy",
      fix: "Leave --race out; --screen nll works with every strategy.",
    });
  }
}

async function masksOf(strategy: Strategy, adapter: HashedAdapter, layerCount: number): Promise<NamedMask[]> {
  return strategy.kind === "masks" ? readMasks(strategy.path, adapter, layerCount) : [];
}

/** K's tried by strategies that try several masks for each. */
const COARSE_STEPS = 6;

/** For [B]'s fixed choice only that choice is tried; the samples confirm it. */
function defaultBoundaries({ rule }: SweepConfig, { kind }: Strategy, layerCount: number): string {
  if (kind === "modules" || kind === "scale") {
    return `0-${layerCount}:${Math.max(1, Math.round(layerCount / COARSE_STEPS))}`;
  }
  return rule === "paper" ? [...new Set([0, paperBoundary(layerCount), layerCount])].join(",") : "all";
}
