import type { ScaledPiece } from "../adapter/pieces.js";
import { EngineError } from "../errors.js";
import type { Engine, LikelihoodRequest } from "./engine.js";
import type {
  ContextShape,
  InputMoment,
  LayerTimes,
  ModuleEnergy,
  MomentRequest,
  PassRequest,
} from "./layer-passes.js";

/** Places in prompts whose hidden states are asked for under one mask. */
export interface HiddenRequest {
  readonly pieces: readonly ScaledPiece[];
  readonly context: ContextShape;
  readonly prompts: readonly {
    readonly id: string;
    readonly tokens: readonly number[];
    /** Ascending, from 0. */
    readonly positions: readonly number[];
  }[];
}

/**
 * Hidden states of one prompt, float32 [states, positions, length]. State 0 is the token embedding as the first layer takes it in, state i + 1
 * what layer i puts out, the last one what the final norm makes of layer L-1's: so there are L + 2.
 */
export interface HiddenStates {
  readonly id: string;
  readonly states: number;
  readonly positions: number;
  readonly length: number;
  readonly values: Float32Array;
}

/** Texts for which it is asked what each layer would say, under one mask: continuations have at least one token. */
export type LensRequest = LikelihoodRequest;
/** What the model's final norm and output head make of each layer's output, [layers, tokens] both: layer 0 first. */
export interface LensReading {
  readonly id: string;
  readonly layers: number;
  readonly tokens: number;
  /** Probability of the continuation's token, 0-1. */
  readonly truth: Float64Array;
  /** Probability of the most probable token, 0-1. */
  readonly highest: Float64Array;
}

/** What can be read of a model's layers. Each method throws EngineError where the graph is not as expected; never a wrong number. */
export interface LayerReader {
  /**
   * Hidden states at chosen places: one pass over each prompt up to the last of them.
   */
  hiddenStates(request: HiddenRequest): Promise<HiddenStates[]>;
  /**
   * The logit lens: how probable the continuation's tokens are after each layer (teacher forcing), in one pass over each prompt.
   * @param onReading called for each prompt, in their order.
   * @throws EngineError also where the lens does not give the model's own probabilities at its last layer.
   */
  lens(request: LensRequest, onReading: (reading: LensReading) => void): Promise<void>;
  /**
   * How much goes through the linear modules of the layers: sums of squares of llama.cpp's own tensors, in one pass over the prompts.
   * @throws EngineError also where two pieces change the same module.
   */
  moduleEnergies(request: PassRequest): Promise<ModuleEnergy[]>;
  /** Second moments of what goes into one layer's modules, in one pass over the prompts. */
  inputMoments(request: MomentRequest): Promise<InputMoment[]>;
  /** How long each layer takes, in one pass over the prompts. */
  layerTimes(request: PassRequest): Promise<LayerTimes[]>;
}

/** What messages call the methods. */
const nouns: Readonly<Record<keyof LayerReader, string>> = {
  hiddenStates: "hidden states",
  lens: "the logit lens",
  moduleEnergies: "energies of modules",
  inputMoments: "second moments",
  layerTimes: "times of layers",
};

/**
 * The engine, where it can read its layers in these ways.
 * @throws EngineError where it cannot.
 */
export function reading<M extends keyof LayerReader>(
  engine: Engine,
  ...methods: readonly M[]
): Engine & Pick<LayerReader, M> {
  const missing = methods.find((method) => !(method in engine));
  if (missing === undefined) return engine as Engine & Pick<LayerReader, M>;
  throw new EngineError({ what: `${nouns[missing]} cannot be read through a queue`, fix: "Leave --redis out." });
}
