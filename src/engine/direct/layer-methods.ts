import type { LayerReader } from "../layer-reader.js";
import type { DirectModel } from "./direct-model.js";
import { readHiddenStates } from "./hidden-states.js";
import { readInputMoments } from "./input-moments.js";
import { readLayerTimes } from "./layer-times.js";
import { readLens } from "./lens.js";
import { readModuleEnergies } from "./module-energies.js";

/** A method of {@link LayerReader} on an open model. */
type Read<F> = F extends (...given: infer G) => Promise<infer R>
  ? (model: DirectModel, ...given: G) => R | Promise<R>
  : never;

/** What reads layers, by the name under which an engine offers it. */
export const layerMethods: { readonly [M in keyof LayerReader]: Read<LayerReader[M]> } = {
  hiddenStates: readHiddenStates,
  lens: readLens,
  moduleEnergies: readModuleEnergies,
  inputMoments: readInputMoments,
  layerTimes: readLayerTimes,
};
