import type { ScaledPiece } from "../adapter/pieces.js";
import type {
  BackendInfo,
  EngineInfo,
  EngineOptions,
  GenerateRequest,
  Generation,
  GpuChoice,
  HiddenRequest,
  HiddenStates,
  LensReading,
  LensRequest,
  Likelihood,
  LikelihoodRequest,
  LogitsRequest,
  SharedGeneration,
  SharedRequest,
  ShortcutRequest,
  Shortcuts,
  Work,
} from "./engine.js";
import type { InputMoment, LayerTimes, ModuleEnergy, MomentRequest, PassRequest } from "./layer-passes.js";
import type { ServedAnswer, ServingDelta, ServingOptions, ServingRequest, ServingStatus } from "./serving/serving.js";

/** Calls that the parent makes on the engine's process, with the type of their parameter, of their events and of their result. */
export interface HostCalls {
  open: { params: EngineOptions & { readonly usableCores: number }; event: never; result: EngineInfo };
  probe: { params: GpuChoice; event: never; result: BackendInfo };
  tokenize: { params: readonly string[]; event: never; result: number[][] };
  generate: { params: GenerateRequest; event: Generation; result: Generation[] };
  generateShared: { params: SharedRequest; event: SharedGeneration; result: null };
  shortcuts: { params: ShortcutRequest; event: never; result: Shortcuts };
  work: { params: null; event: never; result: Work | undefined };
  nextTokenLogits: { params: LogitsRequest; event: never; result: Float32Array };
  logLikelihoods: { params: LikelihoodRequest; event: never; result: Likelihood[] };
  hiddenStates: { params: HiddenRequest; event: never; result: HiddenStates[] };
  lens: { params: LensRequest; event: LensReading; result: null };
  moduleEnergies: { params: PassRequest; event: never; result: ModuleEnergy[] };
  inputMoments: { params: MomentRequest; event: never; result: InputMoment[] };
  layerTimes: { params: PassRequest; event: never; result: LayerTimes[] };
  peakMemory: { params: null; event: never; result: number };
  serve: { params: ServingOptions; event: never; result: null };
  prepare: { params: readonly ScaledPiece[]; event: never; result: null };
  answer: { params: ServingRequest; event: ServingDelta; result: ServedAnswer };
  cancel: { params: string; event: never; result: null };
  servingStatus: { params: null; event: never; result: ServingStatus };
}

/** Calls that are served at once, whatever else is under way; all others wait for the one before them. */
export const concurrentMethods: readonly HostMethod[] = ["answer", "cancel", "servingStatus"];

export type HostMethod = keyof HostCalls;

export type HostRequest = { [M in HostMethod]: { id: number; method: M; params: HostCalls[M]["params"] } }[HostMethod];

/** `kind` tells the parent which error to throw. */
export interface HostFailure {
  readonly kind: "memory" | "backend" | "engine";
  readonly message: string;
}

/** Something that happened during a call. */
export interface HostEvent {
  readonly id: number;
  readonly event: HostCalls[HostMethod]["event"];
}

export type HostReply =
  | { readonly events: readonly HostEvent[] }
  | { readonly id: number; readonly result: HostCalls[HostMethod]["result"] }
  | { readonly id: number; readonly failure: HostFailure };
