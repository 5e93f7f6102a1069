import type { PeftConfig } from "./peft-config.js";
import type { PeftModule } from "./peft-adapter.js";

/** The part of adapter_config.json that says where adapters are. */
export interface PeftTargets {
  readonly target_modules: string | readonly string[];
  readonly layers_to_transform: readonly number[] | null;
  readonly layers_pattern: PeftConfig["layers_pattern"];
  /** Missing where no parameters are adapted. */
  readonly target_parameters?: readonly string[] | null;
}

type Targeted = Pick<PeftModule, "modulePath" | "layer" | "module" | "parameter">;

/**
 * Says in PEFT's terms that exactly these modules are adapted. Where they are the same modules in each of some layers, that is a list
 * of modules with `layers_to_transform`; anything else (a mask by module, an embedding or head beside some layers, for which PEFT
 * would ignore the layer list) is one exact expression, because PEFT takes no layer list beside an expression.
 * @param layerCount L of the base; all layers need no list. Undefined where it is not known.
 * @param others modules of the base that must not be adapted although they may share the last part of their names with a kept one.
 */
export function peftTargets(
  kept: readonly Targeted[],
  layerCount: number | undefined,
  others: readonly Targeted[] = [],
): PeftTargets {
  const isModule = ({ parameter }: Targeted): boolean => parameter === undefined;
  if (kept.every(isModule) && others.every(isModule)) return moduleTargets(kept, layerCount, others);
  return {
    ...moduleTargets(kept.filter(isModule), layerCount, others.filter(isModule)),
    target_parameters: parameterTargets(kept, others),
  };
}

/** A `rank_pattern` or `alpha_pattern`: what differs from the usual value, module by module. */
export function peftPattern<T extends Pick<PeftModule, "modulePath">>(
  modules: readonly T[],
  value: (module: T) => number,
  usual: number,
): Record<string, number> {
  const odd = modules.filter((module) => value(module) !== usual);
  return Object.fromEntries(odd.map((module) => [module.modulePath.replaceAll(".", "\\."), value(module)]));
}

/** The part of a configuration that gives modules their ranks, and each the scale 1. */
export function unscaledRanks(
  modules: readonly Pick<PeftModule, "modulePath" | "rank">[],
): Pick<PeftConfig, "r" | "lora_alpha" | "rank_pattern" | "alpha_pattern"> & { readonly r: number } {
  const r = Math.max(1, ...modules.map(({ rank }) => rank));
  const pattern = peftPattern(modules, ({ rank }) => rank, r);
  return { r, lora_alpha: r, rank_pattern: pattern, alpha_pattern: pattern };
}

/** {@link peftTargets} of all modules of an adapter, as a part of its configuration. */
export function configTargets(modules: readonly Targeted[]): Pick<PeftConfig, "target_modules"> {
  const { target_modules: targets } = peftTargets(modules, undefined);
  return { target_modules: typeof targets === "string" ? targets : [...targets] };
}

/** Parameters by the end of their paths where every layer has them, else each by its whole path: PEFT takes no layer list for them. */
function parameterTargets(kept: readonly Targeted[], others: readonly Targeted[]): readonly string[] | null {
  const parameters = kept.flatMap(({ parameter }) => (parameter === undefined ? [] : [parameter]));
  if (parameters.length === 0) return null;
  const ends = (given: readonly Targeted[]): string[] =>
    given.flatMap(({ parameter, layer }) =>
      parameter === undefined ? [] : [parameter.split(`.${layer ?? ""}.`).at(-1) ?? ""],
    );
  const dropped = new Set(ends(others));
  const keptEnds = [...new Set(ends(kept))].sort();
  return keptEnds.some((end) => dropped.has(end)) ? parameters : keptEnds;
}

function moduleTargets(
  kept: readonly Targeted[],
  layerCount: number | undefined,
  others: readonly Targeted[],
): PeftTargets {
  if (kept.length === 0) return { target_modules: [], layers_to_transform: null, layers_pattern: null };
  const layers = [...new Set(kept.flatMap(({ layer }) => (layer === undefined ? [] : [layer])))].sort((a, b) => a - b);
  const names = [...new Set(kept.map(({ module }) => module))].sort();
  const inBlocks = kept.filter(({ layer }) => layer !== undefined);
  const isWhole = layers.length === layerCount;
  const isProduct = inBlocks.length === layers.length * new Set(inBlocks.map(inBlock)).size;
  const hasOthers = inBlocks.length < kept.length;
  // A name in the list stands for every module whose path ends in it, in these layers and outside the decoder's blocks.
  const isExact = !others.some(
    ({ layer, module }) => names.includes(module) && (layer === undefined || layers.includes(layer)),
  );
  if (isProduct && isExact && (isWhole || !hasOthers)) {
    return { target_modules: names, layers_to_transform: isWhole ? null : layers, layers_pattern: null };
  }
  return { target_modules: exactExpression(kept), layers_to_transform: null, layers_pattern: null };
}

/** A module's path with its layer's number left out: the same in every layer. Experts have numbers of their own behind it. */
function inBlock({ modulePath, layer }: Pick<Targeted, "modulePath" | "layer">): string {
  return modulePath.replace(`.${layer ?? ""}.`, ".#.");
}

/** One Python expression (matched in full) for exactly these paths, whatever wrapper is in front of them. */
function exactExpression(kept: readonly Targeted[]): string {
  const byShape = new Map<string, number[]>();
  for (const { modulePath, layer } of kept) {
    const shape = layer === undefined ? modulePath : inBlock({ modulePath, layer });
    byShape.set(shape, [...(byShape.get(shape) ?? []), ...(layer === undefined ? [] : [layer])]);
  }
  const alternatives = [...byShape].map(([shape, layers]) => {
    const escaped = shape.replaceAll(".", "\\.");
    return layers.length === 0 ? escaped : escaped.replace("#", `(?:${[...layers].sort((a, b) => a - b).join("|")})`);
  });
  return `(?:.*\\.)?(?:${alternatives.join("|")})`;
}
