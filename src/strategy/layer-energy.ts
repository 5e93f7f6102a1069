import { at } from "../assert.js";
import type { LayerTimes, ModuleEnergy } from "../engine/layer-passes.js";
import { quantile } from "../statistics/bootstrap-ends.js";

/** What goes through a layer's linear modules. */
export interface LayerEnergy {
  /** [P]'s activation energy: the mean over the tokens of ||x||^2, summed over the modules, each with its own input. */
  readonly activation: number;
  /** Root of the sum of ||s B A x||^2 over that of ||W x||^2, over modules and tokens; 0 where no adapter changes anything. */
  readonly update: number;
}

/** By layer, from 0. @throws RangeError for a layer without modules. */
export function layerEnergies(energies: readonly ModuleEnergy[], layerCount: number): LayerEnergy[] {
  return Array.from({ length: layerCount }, (_, layer) => {
    const own = energiesOf(energies, layer);
    if (own.length === 0) throw new RangeError(`layer ${layer} has no linear modules`);
    const total = (of: (energy: ModuleEnergy) => number): number => own.reduce((sum, energy) => sum + of(energy), 0);
    return {
      activation: total(({ input, tokens }) => input / tokens),
      update: Math.sqrt(total(({ update }) => update) / total(({ output }) => output)),
    };
  });
}

/** The modules of one layer. */
export function energiesOf(energies: readonly ModuleEnergy[], layer: number): ModuleEnergy[] {
  return energies.filter(({ name }) => name.startsWith(`blk.${layer}.`));
}

/** Microseconds a token that each layer takes, from layer 0: the median over the prompts. */
export function layerMicroseconds(times: readonly LayerTimes[], layerCount: number): number[] {
  return Array.from({ length: layerCount }, (_, layer) => {
    const perToken = times.map(({ milliseconds, tokens }) => (1000 * at(milliseconds, layer)) / tokens);
    return quantile(Float64Array.from(perToken).sort(), 0.5);
  });
}
