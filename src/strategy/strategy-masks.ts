import { moduleBytes, type Adapter, type AdapterModule } from "../adapter/adapter.js";
import { UsageError } from "../errors.js";
import { boundaryMask, maskKey, maskOf, type Mask, type NumberedMask } from "../adapter/mask.js";
import { isAttention, isMlp, layerList, maskWords } from "./mask-words.js";
import { isNested, type ModuleFamily, type NamedMask, type Strategy } from "./strategy.js";

/** What a strategy's masks are cut from. */
export interface MaskSource {
  readonly adapter: Adapter;
  /** L. */
  readonly layerCount: number;
  /** K's that `modules` and `scale` try, counts of layers for `suffix`. */
  readonly boundaries: readonly number[];
  /** Layers that the adapter covers, the most useful first; of `top` and `greedy`. */
  readonly order: readonly number[];
  /** Of `masks`. */
  readonly fromFile: readonly NamedMask[];
}

/**
 * All masks that a strategy tries, base and full among them, by ascending number. Masks of nested strategies go by how many layers they
 * keep, those of others by the bytes that they keep, base first, full last.
 */
export function strategyMasks(strategy: Strategy, source: MaskSource): (NumberedMask & { readonly keeps: string })[] {
  const { adapter, layerCount } = source;
  const full = boundaryMask(adapter.modules, layerCount, layerCount);
  const ends = new Set([maskKey(new Map()), maskKey(full)]);
  const proper = masksOf(strategy, source).filter(({ mask }) => !ends.has(maskKey(mask)));
  const ordered = isNested(strategy) ? proper : bySize(proper, adapter);
  const byCount = isNested(strategy) && strategy.kind !== "registered";
  const numbered = [
    { number: 0, name: "base", mask: new Map<string, number>() },
    ...ordered.map(({ name, mask, kept }, i) => ({ number: byCount ? (kept ?? i + 1) : i + 1, name, mask })),
    { number: byCount ? layerCount : ordered.length + 1, name: "full", mask: full },
  ];
  return numbered.map((one) => ({ ...one, keeps: maskWords(one.mask, adapter.modules, layerCount) }));
}

/** @returns of nested strategies with the number of layers kept, ascending. */
function masksOf(strategy: Strategy, source: MaskSource): (NamedMask & { readonly kept?: number })[] {
  const { adapter, layerCount, boundaries, order } = source;
  const layersMask = (keeps: (layer: number) => boolean): Mask =>
    maskOf(adapter.modules, layerCount, (layer) => (keeps(layer) ? 1 : 0));
  switch (strategy.kind) {
    case "prefix":
      return boundaries.map((kept) => ({ name: `K=${kept}`, mask: layersMask((layer) => layer < kept), kept }));
    case "suffix":
      return boundaries.map((kept) => {
        const first = layerCount - kept;
        return { name: rangeName(first, layerCount - 1), mask: layersMask((layer) => layer >= first), kept };
      });
    case "window":
      return strategy.sizes.flatMap((size) =>
        Array.from({ length: layerCount - size + 1 }, (_, first) => ({
          name: rangeName(first, first + size - 1),
          mask: layersMask((layer) => layer >= first && layer < first + size),
        })),
      );
    case "leave-one-out":
      return adapter.coverage.map((one) => ({ name: `without ${one}`, mask: layersMask((layer) => layer !== one) }));
    case "leave-one-in":
      return adapter.coverage.map((one) => ({ name: `only ${one}`, mask: layersMask((layer) => layer === one) }));
    case "top":
      return topMasks(strategy.ranking, strategy.counts, order, layersMask);
    case "greedy":
      return topMasks("greedy", greedyCounts(order.length, strategy.step), order, layersMask);
    case "modules":
      return strategy.families.flatMap((family) => boundaries.map((boundary) => familyMask(family, boundary, source)));
    case "scale":
      return strategy.scales.flatMap((scale) =>
        boundaries.map((boundary) => ({
          name: `${scale} from ${boundary}`,
          mask: maskOf(adapter.modules, layerCount, (layer) => (layer < boundary ? 1 : scale)),
        })),
      );
    case "masks":
      return [...source.fromFile];
    case "registered":
      return strategy.own
        .masks({ adapter, layerCount, boundaries, detail: strategy.detail })
        .map(checkedMask(strategy.own.name, adapter));
  }
}

/** A mask of a user's own strategy. @throws UsageError for modules that the adapter lacks, and for scales that are no numbers. */
function checkedMask(strategy: string, adapter: Adapter): (named: NamedMask) => NamedMask {
  const modules = new Set(adapter.modules.map(({ name }) => name));
  return ({ name, mask }) => {
    for (const [module, scale] of mask) {
      if (modules.has(module) && Number.isFinite(scale) && scale !== 0) continue;
      throw new UsageError({
        what: `the strategy ${strategy} gave a mask that cannot be, ${name}`,
        actual: `${module}: ${scale}`,
        expected: "names of the adapter's modules, with scales other than 0; what is to be dropped is left out",
      });
    }
    return { name, mask };
  };
}

/** How many layers are left after each round that drops `step` of them, ascending. */
export function greedyCounts(layers: number, step: number): number[] {
  const counts: number[] = [];
  for (let left = layers - step; left > 0; left -= step) counts.unshift(left);
  return counts;
}

function topMasks(
  name: string,
  counts: readonly number[],
  order: readonly number[],
  layersMask: (keeps: (layer: number) => boolean) => Mask,
): (NamedMask & { readonly kept: number })[] {
  return counts
    .filter((count) => count < order.length)
    .map((count) => {
      const kept = new Set(order.slice(0, count));
      return { name: `${name} ${count}`, mask: layersMask((layer) => kept.has(layer)), kept: count };
    });
}

function familyMask(family: ModuleFamily, boundary: number, { adapter, layerCount }: MaskSource): NamedMask {
  const isKind = family.startsWith("attention") ? isAttention : isMlp;
  const isAbove = family.endsWith("above");
  const scaleOf = (layer: number, module: AdapterModule): number => {
    if (layer < boundary) return isAbove || isKind(module) ? 1 : 0;
    return isAbove && isKind(module) ? 1 : 0;
  };
  return { name: `${family} ${boundary}`, mask: maskOf(adapter.modules, layerCount, scaleOf) };
}

function rangeName(first: number, last: number): string {
  return layerList(Array.from({ length: last - first + 1 }, (_, i) => first + i));
}

/** By ascending bytes kept, of equal ones by the sum of scales, then as they were. */
function bySize<T extends NamedMask>(masks: readonly T[], { modules }: Adapter): T[] {
  const bytes = new Map(modules.map((module) => [module.name, moduleBytes(module)]));
  const size = ({ mask }: T): readonly [number, number] => [
    [...mask.keys()].reduce((sum, name) => sum + (bytes.get(name) ?? 0), 0),
    [...mask.values()].reduce((sum, scale) => sum + scale, 0),
  ];
  return masks
    .map((mask) => ({ mask, size: size(mask) }))
    .sort((a, b) => a.size[0] - b.size[0] || a.size[1] - b.size[1])
    .map(({ mask }) => mask);
}
