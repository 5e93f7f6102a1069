import type { FileStamp } from "../files/file-stamp.js";
import type { SafetensorsTensor } from "../formats/safetensors-reader.js";
import type { Place } from "./adapter.js";
import type { Factor } from "./factor.js";
import type { Finding } from "./finding.js";
import type { LowRankKindName } from "./low-rank-kinds.js";
import type { PeftConfig } from "./peft-config.js";

/** One adapted module of a PEFT adapter. */
export interface PeftModule {
  /** Path of the module in the base, such as `model.layers.0.self_attn.q_proj`. */
  readonly modulePath: string;
  readonly place: Place;
  readonly layer: number | undefined;
  /** Last part of the path, such as `q_proj`. */
  readonly module: string;
  readonly rank: number;
  readonly alpha: number;
  /** The factor in front of B*A, as PEFT computes it. */
  readonly scale: number;
  /** A: [rank, in]; of an embedding [rank, vocabulary]; of experts [experts * rank, in]. */
  readonly a: Factor;
  /** B: [out, rank]; of an embedding [d, rank]; of experts [out, rank * experts], the expert counting fastest. */
  readonly b: Factor;
  /** How many experts have a matrix of their own in the adapted parameter. Source: peft/tuners/lora/layer.py, ParamWrapper. */
  readonly experts?: number;
  /** Path of the parameter that is adapted, where it is one of `target_parameters` instead of a module. */
  readonly parameter?: string;
  /** Whether a version of PEFT wrote it that took in and out of experts for each other. */
  readonly isOldOrder?: boolean;
  /** Whether A has as many columns as the widest module: only the base tells which of them count. */
  readonly isWide?: boolean;
}

/** The kind of adapter that a folder held before it was read as LoRA: a `peft_type`, or mlx-lm's layout. */
export type AdapterKind = "LORA" | LowRankKindName | "MLX";

/** A trained tensor that is neither A nor B: DoRA's magnitudes, a whole weight, a bias, or rows of the embedding. */
export interface ExtraTensor {
  readonly kind: "magnitude" | "bias" | "token-delta" | "whole-weight" | "unknown";
  /** Name of the tensor without PEFT's prefix. */
  readonly path: string;
  readonly tensor: SafetensorsTensor;
}

/** What the tensors of a folder are. */
export interface ReadModules {
  readonly config: PeftConfig;
  readonly modules: readonly PeftModule[];
  readonly ignored: readonly string[];
  readonly extras: readonly ExtraTensor[];
}

/** A PEFT adapter as a value: configuration and tensor table, nothing of its data. */
export interface PeftAdapter {
  readonly folder: string;
  readonly kind: AdapterKind;
  /** Of an adapter of another kind, what says the same of the LoRA that was made of it. */
  readonly config: PeftConfig;
  /** Paths of the weights' files. */
  readonly files: readonly string[];
  /** Of the configuration and the weights' files, from before they were read. */
  readonly stamps: readonly FileStamp[];
  readonly modules: readonly PeftModule[];
  /** Trained weights that are no low-rank update: only a merge takes them. */
  readonly extras: readonly ExtraTensor[];
  /** Paths of modules that belong to other parts of the model than its text decoder; a warning names them. */
  readonly ignored: readonly string[];
  readonly coverage: readonly number[];
  /** Size of the weights' files in bytes. */
  readonly byteLength: number;
  readonly findings: readonly Finding[];
  /** Metadata of the weights' file, of the first one where there are several. */
  readonly metadata: ReadonlyMap<string, string>;
}
