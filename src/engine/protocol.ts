import type {
  BackendInfo,
  EngineInfo,
  EngineOptions,
  GenerateRequest,
  Generation,
  GpuChoice,
  LogitsRequest,
} from "./engine.js";

/** Calls that the parent makes on the engine's process, with the type of their parameter and of their result. */
export interface HostCalls {
  open: { params: EngineOptions & { readonly usableCores: number }; result: EngineInfo };
  probe: { params: GpuChoice; result: BackendInfo };
  tokenize: { params: readonly string[]; result: number[][] };
  generate: { params: GenerateRequest; result: Generation[] };
  nextTokenLogits: { params: LogitsRequest; result: Float32Array };
  peakMemory: { params: null; result: number };
}

export type HostMethod = keyof HostCalls;

export type HostRequest = { [M in HostMethod]: { id: number; method: M; params: HostCalls[M]["params"] } }[HostMethod];

/** `kind` tells the parent which error to throw. */
export interface HostFailure {
  readonly kind: "memory" | "backend" | "engine";
  readonly message: string;
}

export type HostReply =
  | { readonly id: number; readonly event: Generation }
  | { readonly id: number; readonly result: HostCalls[HostMethod]["result"] }
  | { readonly id: number; readonly failure: HostFailure };
