import type { FileStamp, HashedStamp } from "../files/file-stamp.js";
import type { GgufMetadata } from "../formats/gguf-value.js";
import type { GgufTensor } from "../formats/gguf-reader.js";

/** Where a module lies: in a decoder block, below all of them (token embedding) or above (output head). */
export type Place = "embedding" | "block" | "output";

/** One adapted weight: the update is scale * B * A. */
export interface AdapterModule {
  /** Name of the base tensor, e.g. `blk.3.attn_q.weight`. */
  readonly name: string;
  readonly place: Place;
  /** Index of the decoder block, from 0; undefined outside the blocks. */
  readonly layer: number | undefined;
  /** Short name of the module, e.g. `attn_q`. */
  readonly module: string;
  readonly rank: number;
  /** How many experts have a matrix of their own in the weight; missing where it is a single matrix. */
  readonly experts?: number;
  /** A: dims [in, rank] in ggml's order; of experts [in, rank, experts], of the token embedding [rank, vocabulary]. */
  readonly a: GgufTensor;
  /** B: dims [rank, out] in ggml's order; of experts [rank, out, experts]. */
  readonly b: GgufTensor;
}

/** A LoRA adapter as a value: its header, nothing of its data. */
export interface Adapter {
  /** Where its bytes lie: a temporary file where it was converted. */
  readonly path: string;
  /** What the user gave: the same file, or the folder that it was converted from. Messages name this one. */
  readonly givenPath: string;
  readonly architecture: string;
  readonly alpha: number;
  readonly metadata: GgufMetadata;
  /** Sorted as in the file. */
  readonly modules: readonly AdapterModule[];
  /** The layers in which the adapter has tensors, ascending. */
  readonly coverage: readonly number[];
  /** Size of the file in bytes. */
  readonly byteLength: number;
  /** Of the file, from before its header was read. */
  readonly stamp: FileStamp;
}

/** An adapter with the hash of its file's bytes, lower-case hex. Hashing reads the whole file, so only those who need it pay for it. */
export interface HashedAdapter extends Adapter {
  readonly sha256: string;
  /** The files that it came in: itself, or those of the PEFT folder that it was converted from. */
  readonly sources: readonly HashedStamp[];
}

/** Bytes of tensor data that a module adds to a file. */
export function moduleBytes(module: AdapterModule): number {
  return module.a.byteLength + module.b.byteLength;
}
