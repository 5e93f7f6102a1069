import { closest } from "fastest-levenshtein";
import { UsageError } from "../errors.js";
import type { Place } from "./adapter.js";

/** Which modules of an adapter are kept. Given rules intersect: a module stays when every one of them keeps it. */
export interface KeepRules {
  /** Boundary K: layers 0..K-1. */
  readonly keep?: number;
  /** Layers kept, such as `0-14,17`; ranges are inclusive, -1 is the last layer. */
  readonly layers?: string;
  /** Layers dropped, written likewise. */
  readonly drop?: string;
  /** Modules kept, by their PEFT or GGUF names, separated by commas. */
  readonly modules?: string;
}

/** What the rules look at in a module. */
export interface Selectable {
  readonly layer: number | undefined;
  readonly place: Place;
  readonly module: string;
}

/** The two names of the same module. Fused modules have no counterpart and go by their own names. */
const ALIASES: readonly (readonly [peft: string, gguf: string])[] = [
  ["q_proj", "attn_q"],
  ["k_proj", "attn_k"],
  ["v_proj", "attn_v"],
  ["o_proj", "attn_output"],
  ["dense", "attn_output"],
  ["qkv_proj", "attn_qkv"],
  ["gate_proj", "ffn_gate"],
  ["up_proj", "ffn_up"],
  ["gate_up_proj", "ffn_up"],
  ["fc1", "ffn_up"],
  ["down_proj", "ffn_down"],
  ["fc2", "ffn_down"],
  ["embed_tokens", "token_embd"],
  ["lm_head", "output"],
];

/**
 * The modules that the rules keep, in their order. Modules outside the blocks follow layer 0 (embedding) and the last layer (head).
 * @param layerCount L; layers are 0..L-1.
 * @throws UsageError when a rule cannot be read, names a layer out of range or a module that the adapter does not have.
 */
export function selectModules<T extends Selectable>(modules: readonly T[], layerCount: number, rules: KeepRules): T[] {
  const tests: ((module: T) => boolean)[] = [];
  const layerOf = ({ layer, place }: T): number => layer ?? (place === "embedding" ? 0 : layerCount - 1);
  if (rules.keep !== undefined) {
    const boundary = checkedBoundary(rules.keep, layerCount);
    tests.push((module) => layerOf(module) < boundary);
  }
  if (rules.layers !== undefined) {
    const layers = parseLayers(rules.layers, layerCount, "--layers");
    tests.push((module) => layers.has(layerOf(module)));
  }
  if (rules.drop !== undefined) {
    const layers = parseLayers(rules.drop, layerCount, "--drop");
    tests.push((module) => !layers.has(layerOf(module)));
  }
  if (rules.modules !== undefined) {
    const names = moduleNames(rules.modules, modules);
    tests.push(({ module }) => names.has(module));
  }
  return modules.filter((module) => tests.every((test) => test(module)));
}

function checkedBoundary(boundary: number, layerCount: number): number {
  if (Number.isInteger(boundary) && boundary >= 0 && boundary <= layerCount) return boundary;
  throw new UsageError({
    what: "boundary out of range",
    actual: `--keep ${boundary}`,
    expected: `0 to ${layerCount}: the highest layer is ${layerCount - 1}`,
  });
}

/** Layers of a list such as `0-14,17,-1`. */
export function parseLayers(text: string, layerCount: number, flag: string): Set<number> {
  const layers = new Set<number>();
  for (const part of text.split(",")) {
    const match = /^(-?\d+)(?:-(-?\d+))?$/.exec(part.trim());
    const first = checkedLayer(match?.[1], layerCount, part, flag);
    const last = match?.[2] === undefined ? first : checkedLayer(match[2], layerCount, part, flag);
    if (last < first) throw layersError(part, layerCount, flag);
    for (let layer = first; layer <= last; layer++) layers.add(layer);
  }
  return layers;
}

function checkedLayer(word: string | undefined, layerCount: number, part: string, flag: string): number {
  const value = word === undefined ? Number.NaN : Number(word);
  const layer = value < 0 ? layerCount + value : value;
  if (Number.isInteger(layer) && layer >= 0 && layer < layerCount) return layer;
  throw layersError(part, layerCount, flag);
}

function layersError(part: string, layerCount: number, flag: string): UsageError {
  return new UsageError({
    what: `cannot use the layers of ${flag}`,
    actual: JSON.stringify(part),
    expected: `layers from 0 to ${layerCount - 1} (or -1 for the last), ranges such as 0-14, separated by commas`,
  });
}

function moduleNames(text: string, modules: readonly Selectable[]): Set<string> {
  const present = [...new Set(modules.map(({ module }) => module))].sort();
  const names = new Set<string>();
  for (const word of text.split(",").map((part) => part.trim())) {
    const same = [word, ...ALIASES.flatMap(([peft, gguf]) => (peft === word ? [gguf] : gguf === word ? [peft] : []))];
    const found = present.filter((name) => same.includes(name));
    if (found.length === 0) {
      throw new UsageError({
        what: "the adapter has no such module",
        actual: JSON.stringify(word),
        expected: present.join(", "),
        ...(present.length > 0 ? { fix: `Did you mean ${closest(word, present)}?` } : {}),
      });
    }
    for (const name of found) names.add(name);
  }
  return names;
}
