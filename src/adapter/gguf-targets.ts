import { moduleTarget, type ArchitectureNames, type ModuleTarget, type SplitModule } from "./architectures.js";
import type { BaseModel } from "./base-model.js";
import { splitRows } from "./row-order.js";

/** A GGUF tensor that a Hugging Face module is, or is a part of. */
export interface GgufTarget {
  /** Name behind `blk.N.`, without `.weight`. */
  readonly module: string;
  /** Which expert of the stacked tensor. */
  readonly expert?: number;
  /** Which rows of the module it has; all in their order where it is missing. */
  readonly rows?: Uint32Array;
  /** Rows of the whole module. */
  readonly total?: number;
}

/**
 * The GGUF tensors of a module, or undefined where the architecture has none for it.
 * @param inBlock path behind `layers.N.`.
 * @param layer by which the base is asked what it has.
 */
export function ggufTargets(
  inBlock: string,
  layer: number,
  names: ArchitectureNames,
  base: BaseModel,
): readonly GgufTarget[] | undefined {
  const plain = moduleTarget(inBlock, names);
  if (plain !== undefined) return resolve(plain, layer, base);
  const [, before, number, after] = /^(.*\.experts)\.(\d+)\.(.+)$/.exec(inBlock) ?? [];
  const stacked = before === undefined ? undefined : moduleTarget(`${before}.*.${after ?? ""}`, names);
  if (stacked === undefined || number === undefined) return undefined;
  return resolve(stacked, layer, base)?.map((target) => ({ ...target, expert: Number(number) }));
}

/** The Hugging Face module that a GGUF tensor is, or is a part of. */
export interface ModuleOfTensor {
  /** Path behind `layers.N.`. */
  readonly inBlock: string;
  /** All tensors that it is, in their order, and how its rows are split among them; a single one that is the whole otherwise. */
  readonly split: SplitModule | undefined;
}

/** The way back of {@link ggufTargets}: by the name that today's transformers has. Undefined where there is none. */
export function moduleOfTensor(
  module: string,
  layer: number,
  names: ArchitectureNames,
  base: BaseModel,
): ModuleOfTensor | undefined {
  for (const [inBlock, target] of Object.entries(names.modules)) {
    const chosen = chosenTarget(target, layer, base);
    if (chosen === module) return { inBlock, split: undefined };
    if (typeof chosen === "object" && chosen.to.includes(module)) return { inBlock, split: chosen };
  }
  return undefined;
}

function resolve(target: ModuleTarget, layer: number, base: BaseModel): GgufTarget[] | undefined {
  const chosen = chosenTarget(target, layer, base);
  if (chosen === undefined || typeof chosen === "string")
    return chosen === undefined ? undefined : [{ module: chosen }];
  const sizes = chosen.to.map((module) => rowsOf(module, layer, base));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const rows = splitRows(chosen.rows, sizes, base);
  return chosen.to.map((module, i) => ({ module, total, ...(rows[i] ? { rows: rows[i] } : {}) }));
}

/** Of alternatives the first whose tensors this layer has; the first of all where none has. */
function chosenTarget(target: ModuleTarget, layer: number, base: BaseModel): string | SplitModule | undefined {
  const alternatives = typeof target === "string" || "to" in target ? [target] : target;
  const has = (module: string): boolean => base.shapes.has(tensorName(layer, module));
  return alternatives.find((one) => (typeof one === "string" ? has(one) : one.to.every(has))) ?? alternatives.at(-1);
}

function rowsOf(module: string, layer: number, base: BaseModel): number {
  return base.shapes.get(tensorName(layer, module))?.[1] ?? 0;
}

/** Name of a block's weight. */
export function tensorName(layer: number, module: string): string {
  return `blk.${layer}.${module}.weight`;
}
