import { at } from "../assert.js";
import type { Adapter } from "../adapter/adapter.js";
import type { Mask } from "../adapter/mask.js";
import { UsageError } from "../errors.js";
import { meanInterval, type MeanInterval } from "../statistics/mean-interval.js";
import { losses, meanOf, type AdapterRun } from "./card-run.js";

/** Two layers, the lower first. */
export type LayerPair = readonly [number, number];

/** What the references' negative log-likelihood (nats per token, mean over the samples) does without a layer's adapter. */
export interface LayerLoss {
  readonly layer: number;
  /** Without it, minus the full adapter: positive where the layer is missed. */
  readonly change: MeanInterval;
}

/** How far two layers' adapters depend on each other. */
export interface Coupling {
  readonly layers: LayerPair;
  /** Loss without both, minus that without either, plus that of the full adapter: 0 where their contributions add up. */
  readonly change: MeanInterval;
}

/** What {@link leaveOut} measured. */
export interface LeftOut {
  /** Mean loss of the full adapter and of the base model. */
  readonly full: number;
  readonly base: number;
  readonly layers: readonly LayerLoss[];
  readonly couplings: readonly Coupling[];
}

/** The adapter without what it has in these layers; what lies outside the layers is kept. */
export function maskWithout({ modules }: Pick<Adapter, "modules">, layers: readonly number[]): Mask {
  const kept = modules.filter(({ layer }) => layer === undefined || !layers.includes(layer));
  return new Map(kept.map(({ name }) => [name, 1]));
}

/**
 * Pairs of layers in which the adapter has tensors.
 * @param text `adjacent` (of the coverage), `all`, or a list such as `3-4,10-20`.
 * @throws UsageError for what is no pair, or names a layer without adapter.
 */
export function parsePairs(text: string, { coverage }: Pick<Adapter, "coverage">): LayerPair[] {
  if (text === "adjacent") return coverage.slice(1).map((layer, i) => [at(coverage, i), layer]);
  if (text === "all") return coverage.flatMap((low, i) => coverage.slice(i + 1).map((high): LayerPair => [low, high]));
  const pairs = text.split(",").map((part): LayerPair => {
    const [, low, high] = /^(\d+)-(\d+)$/.exec(part.trim()) ?? [];
    if (low === undefined || high === undefined || low === high) {
      throw new UsageError({
        what: "--pairs cannot be read",
        actual: JSON.stringify(part.trim()),
        expected: "adjacent, all, or pairs of different layers such as 3-4,10-20",
      });
    }
    return [Math.min(Number(low), Number(high)), Math.max(Number(low), Number(high))];
  });
  const missing = pairs.flat().find((layer) => !coverage.includes(layer));
  if (missing === undefined) return pairs;
  throw new UsageError({
    what: `--pairs names layer ${missing}, in which the adapter has no tensors`,
    expected: `layers of its coverage: ${coverage.join(", ")}`,
  });
}

/** The layers that are left out alone: all that the adapter covers, or those of the pairs where only these are asked for. */
export function singlesOf(
  { coverage }: Pick<Adapter, "coverage">,
  pairs: readonly LayerPair[],
  all: boolean,
): readonly number[] {
  return all ? coverage : coverage.filter((layer) => pairs.some((pair) => pair.includes(layer)));
}

/**
 * Weighs the references without single layers and without pairs of them, one pass each and one each for the full adapter and the base.
 * @throws whatever the engine throws.
 */
export async function leaveOut(
  run: AdapterRun,
  singles: readonly number[],
  pairs: readonly LayerPair[],
): Promise<LeftOut> {
  const without = async (layers: readonly number[]): Promise<Float64Array> =>
    losses(run, run.piecesOf(maskWithout(run.adapter, layers)));
  const [full, base] = [await without([]), await losses(run, [])];
  const alone = new Map<number, Float64Array>();
  for (const layer of singles) alone.set(layer, await without([layer]));
  const resampling = { seed: run.seed };
  const couplings: Coupling[] = [];
  for (const layers of pairs) {
    const [low, high] = layers.map((layer) => alone.get(layer) ?? new Float64Array());
    const both = await without(layers);
    const change = both.map((loss, i) => loss - (low?.[i] ?? Number.NaN) - (high?.[i] ?? Number.NaN) + at(full, i));
    couplings.push({ layers, change: meanInterval(change, resampling) });
  }
  return {
    full: meanOf(full),
    base: meanOf(base),
    layers: [...alone].map(([layer, losses]) => ({
      layer,
      change: meanInterval(
        losses.map((loss, i) => loss - at(full, i)),
        resampling,
      ),
    })),
    couplings,
  };
}
