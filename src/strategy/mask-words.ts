import type { AdapterModule } from "../adapter/adapter.js";
import { layerSlot, type Mask } from "../adapter/mask.js";

/**
 * What a mask keeps, in words: `layers 0-9; attention of layers 10-29; 0.5 of layers 20-29`. What an adapter has beside its blocks counts to
 * the first and the last layer.
 */
export function maskWords(mask: Mask, modules: readonly AdapterModule[], layerCount: number): string {
  if (mask.size === 0) return "nothing";
  const layers = new Map<string, number[]>();
  for (let layer = 0; layer < layerCount; layer++) {
    const own = modules.filter((module) => layerSlot(module, layerCount) === layer);
    const scales = new Set(own.flatMap(({ name }) => mask.get(name) ?? []));
    for (const scale of scales) {
      const kept = own.filter(({ name }) => mask.get(name) === scale);
      const words = [...(scale === 1 ? [] : [String(scale)]), ...partWords(kept, own)].join(" of ");
      layers.set(words, [...(layers.get(words) ?? []), layer]);
    }
  }
  return [...layers].map(([words, list]) => `${words === "" ? "" : `${words} of `}${layerList(list)}`).join("; ");
}

/** Layers as ranges: `layers 0-4, 7`. @param layers ascending. */
export function layerList(layers: readonly number[]): string {
  const ranges: [first: number, last: number][] = [];
  for (const layer of layers) {
    const open = ranges.at(-1);
    if (open && open[1] === layer - 1) open[1] = layer;
    else ranges.push([layer, layer]);
  }
  const words = ranges.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`));
  return `${layers.length === 1 ? "layer" : "layers"} ${words.join(", ")}`;
}

export function isAttention({ module }: Pick<AdapterModule, "module">): boolean {
  return module.startsWith("attn");
}

export function isMlp({ module }: Pick<AdapterModule, "module">): boolean {
  return module.startsWith("ffn");
}

/** Which part of a layer's modules these are; nothing for all of them. */
function partWords(kept: readonly AdapterModule[], own: readonly AdapterModule[]): string[] {
  if (kept.length === own.length) return [];
  if (kept.length === own.filter(isAttention).length && kept.every(isAttention)) return ["attention"];
  if (kept.length === own.filter(isMlp).length && kept.every(isMlp)) return ["MLP"];
  return [kept.map(({ module }) => module).join(", ")];
}
