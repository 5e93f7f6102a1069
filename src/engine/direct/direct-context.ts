import { InsufficientMemoryError } from "node-llama-cpp";
import type { ContextShape } from "../engine.js";
import type { ContextParams, LlamaLibrary } from "./llama-library.js";
import { allocate, release, viewOf, type NativeArray, type Pointer } from "./native-array.js";

/** One token to be evaluated. */
export interface DirectToken {
  readonly token: number;
  readonly position: number;
  readonly sequence: number;
  /** Whether the logits that follow it are wanted. */
  readonly output: boolean;
}

/** Numbers of ggml.h and llama.h. */
const GGML_TYPES = { F32: 0, F16: 1 } as const;
const FLASH_ATTENTION = { auto: -1, off: 0 } as const;
/** llama.cpp wants whole blocks of cells; node-llama-cpp rounds likewise. */
const CELLS = 256;

/** A context of llama.cpp under one mask, for good. Calls block this thread until they are done. */
export class DirectContext {
  private readonly address: Pointer;
  private readonly memory: Pointer;
  private readonly batch: {
    readonly tokens: NativeArray<Int32Array>;
    readonly positions: NativeArray<Int32Array>;
    readonly sequenceCounts: NativeArray<Int32Array>;
    readonly sequences: NativeArray<Int32Array>;
    readonly sequencePointers: NativeArray<BigUint64Array>;
    readonly outputs: NativeArray<Int8Array>;
  };
  private logitsView: { readonly address: Pointer; readonly rows: Float32Array } | undefined;

  /** @throws InsufficientMemoryError when llama.cpp cannot make the context. */
  constructor(
    private readonly library: LlamaLibrary,
    model: Pointer,
    private readonly vocabulary: number,
    threads: number,
    private readonly shape: ContextShape,
    adapters: readonly { readonly address: Pointer; readonly scale: number }[],
  ) {
    const params: ContextParams = {
      ...library.contextDefaults(),
      n_ctx: Math.ceil((shape.contextSize * shape.sequences) / CELLS) * CELLS,
      n_batch: shape.batchSize,
      n_ubatch: shape.batchSize,
      n_seq_max: shape.sequences,
      n_threads: threads,
      n_threads_batch: threads,
      flash_attn_type: FLASH_ATTENTION[shape.flashAttention],
      type_k: GGML_TYPES[shape.cacheType],
      type_v: GGML_TYPES[shape.cacheType],
      no_perf: true,
      swa_full: false,
      kv_unified: false,
    };
    const address = library.initContext(model, params);
    if (address === null) throw new InsufficientMemoryError("llama.cpp cannot make the context");
    this.address = address;
    this.memory = library.memoryOf(address);
    const size = shape.batchSize;
    this.batch = {
      tokens: allocate(library, Int32Array, size),
      positions: allocate(library, Int32Array, size),
      sequenceCounts: allocate(library, Int32Array, size),
      sequences: allocate(library, Int32Array, size),
      sequencePointers: allocate(library, BigUint64Array, size),
      outputs: allocate(library, Int8Array, size),
    };
    this.batch.sequenceCounts.values.fill(1);
    for (let i = 0; i < size; i++) {
      this.batch.sequencePointers.values[i] = this.batch.sequences.address + BigInt(i * Int32Array.BYTES_PER_ELEMENT);
    }
    this.setAdapters(adapters);
  }

  /** Evaluates tokens in one call, at most `batchSize`. @returns one row of logits for each output asked for, valid until the next call. */
  decode(tokens: readonly DirectToken[]): Float32Array[] {
    const { batch, library } = this;
    let outputs = 0;
    for (const [i, { token, position, sequence, output }] of tokens.entries()) {
      batch.tokens.values[i] = token;
      batch.positions.values[i] = position;
      batch.sequences.values[i] = sequence;
      batch.outputs.values[i] = output ? 1 : 0;
      if (output) outputs++;
    }
    const status = library.decode(this.address, {
      n_tokens: tokens.length,
      token: batch.tokens.address,
      embd: null,
      pos: batch.positions.address,
      n_seq_id: batch.sequenceCounts.address,
      seq_id: batch.sequencePointers.address,
      logits: batch.outputs.address,
    });
    if (status !== 0) throw new Error(`llama_decode failed with ${status}`);
    return outputs === 0 ? [] : this.logitRows(outputs);
  }

  /** Evaluates a prompt by itself, from the start of a sequence. @returns the logits after its last token. */
  prefill(tokens: readonly number[], sequence: number): Float32Array {
    const last = tokens.length - 1;
    let rows: Float32Array[] = [];
    for (let start = 0; start <= last; start += this.shape.batchSize) {
      const part = tokens.slice(start, start + this.shape.batchSize);
      rows = this.decode(
        part.map((token, i) => ({ token, position: start + i, sequence, output: start + i === last })),
      );
    }
    const [row] = rows;
    if (!row) throw new RangeError("nothing to evaluate");
    return row;
  }

  /** Forgets all sequences. */
  clear(): void {
    this.library.clearMemory(this.memory, false);
  }

  close(): void {
    this.library.freeContext(this.address);
    for (const array of Object.values(this.batch)) release(this.library, array);
  }

  private logitRows(count: number): Float32Array[] {
    const address = this.library.allLogits(this.address);
    if (address === null) throw new Error("llama.cpp has no logits");
    const length = count * this.vocabulary;
    if (this.logitsView?.address !== address || this.logitsView.rows.length < length) {
      this.logitsView = { address, rows: viewOf(Float32Array, address, length) };
    }
    const { rows } = this.logitsView;
    return Array.from({ length: count }, (_, i) => rows.subarray(i * this.vocabulary, (i + 1) * this.vocabulary));
  }

  private setAdapters(adapters: readonly { readonly address: Pointer; readonly scale: number }[]): void {
    const pointers = allocate(this.library, BigUint64Array, adapters.length);
    const scales = allocate(this.library, Float32Array, adapters.length);
    for (const [i, { address, scale }] of adapters.entries()) {
      pointers.values[i] = address;
      scales.values[i] = scale;
    }
    const status = this.library.setAdapters(this.address, pointers.address, adapters.length, scales.address);
    release(this.library, pointers);
    release(this.library, scales);
    if (status !== 0) throw new Error(`llama.cpp cannot apply the adapters: ${status}`);
  }
}
