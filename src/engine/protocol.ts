import type { ScaledPiece } from "../adapter/pieces.js";
import type { BackendInfo, EngineInfo, EngineOptions, GpuChoice } from "./engine.js";
import type { EngineCalls } from "./methods.js";
import type { ServedAnswer, ServingDelta, ServingOptions, ServingRequest, ServingStatus } from "./serving/serving.js";

/** Calls that the parent makes on the engine's process, with the type of their parameter, of their events and of their result. */
export interface HostCalls extends EngineCalls {
  open: { params: EngineOptions & { readonly usableCores: number }; event: never; result: EngineInfo };
  probe: { params: GpuChoice; event: never; result: BackendInfo };
  serve: { params: ServingOptions; event: never; result: null };
  prepare: { params: readonly ScaledPiece[]; event: never; result: null };
  answer: { params: ServingRequest; event: ServingDelta; result: ServedAnswer };
  cancel: { params: string; event: never; result: null };
  servingStatus: { params: null; event: never; result: ServingStatus };
  /** Frees the model and all that was made of it; another may be opened then. */
  release: { params: null; event: never; result: null };
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
