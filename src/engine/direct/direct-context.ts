import { InsufficientMemoryError } from "node-llama-cpp";
import type { ContextShape } from "../layer-passes.js";
import { batchesOf } from "./batches.js";
import { GGML_TYPES } from "./ggml-tensor.js";
import { GraphWatch, type TensorObserver } from "./graph-watch.js";
import type { ContextParams, LlamaLibrary } from "./llama-library.js";
import { allocate, NativeScratch, release, viewOf, type NativeArray, type Pointer } from "./native-array.js";
import { rowAttention, CELL_BLOCK, type RowAttention } from "./row-attention.js";

/** One token to be evaluated. */
export interface DirectToken {
  readonly token: number;
  readonly position: number;
  readonly sequence: number;
  /** Whether the logits that follow it are wanted. */
  readonly output: boolean;
}

/** An adapter that llama.cpp has loaded, and how strongly it works. */
export interface LoadedAdapter {
  readonly address: Pointer;
  readonly scale: number;
}

/** Rows of hidden states to be evaluated in place of tokens: consecutive positions of sequence 0. */
export interface HiddenRows {
  /** float32 [count, embedding length]. */
  readonly address: Pointer;
  readonly count: number;
  /** Of the first row. */
  readonly position: number;
  /** Rows from this one on are outputs; `count` where none is. */
  readonly firstOutput: number;
  /** Whether each row is evaluated as though it came alone. */
  readonly asIfAlone: boolean;
}

/** What a context is made of. */
export interface ContextParts {
  readonly library: LlamaLibrary;
  readonly model: Pointer;
  /** Entries of the vocabulary. */
  readonly vocabulary: number;
  readonly threads: number;
  /** Whether layers of the model are on a GPU. */
  readonly onGpu: boolean;
}

const FLASH_ATTENTION = { auto: -1, off: 0 } as const;

/** A context of llama.cpp. Calls block this thread until they are done. */
export class DirectContext {
  private readonly library: LlamaLibrary;
  private readonly vocabulary: number;
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
  /** Missing where each row of a batch is computed as alone anyway, within one block of cells, and on a GPU. */
  private readonly rows: RowAttention | undefined;
  private readonly stateRead: NativeScratch;
  private readonly stateWritten: NativeScratch;
  /** Missing where nothing is to be seen: each tensor that is asked about costs time. */
  private readonly watch: GraphWatch | undefined;
  private logitsView: { readonly address: Pointer; readonly rows: Float32Array } | undefined;

  /**
   * @param tap looks at tensors of the graphs.
   * @throws InsufficientMemoryError when llama.cpp cannot make the context; what {@link RowAttention} does.
   */
  constructor(
    { library, model, vocabulary, threads, onGpu }: ContextParts,
    readonly shape: ContextShape,
    tap?: TensorObserver,
  ) {
    this.library = library;
    this.vocabulary = vocabulary;
    // Rows are computed one by one in the CPU's memory.
    this.rows = onGpu || shape.contextSize <= CELL_BLOCK ? undefined : rowAttention(library, threads);
    this.stateRead = new NativeScratch(library);
    this.stateWritten = new NativeScratch(library);
    const observers = [...(tap ? [tap] : []), ...(this.rows ? [this.rows] : [])];
    this.watch = observers.length > 0 ? new GraphWatch(library, observers) : undefined;
    const params: ContextParams = {
      ...library.contextDefaults(),
      // llama.cpp wants whole blocks of cells; node-llama-cpp rounds likewise.
      n_ctx: Math.ceil((shape.contextSize * shape.sequences) / CELL_BLOCK) * CELL_BLOCK,
      n_batch: shape.batchSize,
      n_ubatch: shape.batchSize,
      n_seq_max: shape.sequences,
      n_threads: threads,
      n_threads_batch: threads,
      flash_attn_type: FLASH_ATTENTION[shape.flashAttention],
      cb_eval: this.watch?.callback ?? null,
      type_k: GGML_TYPES[shape.cacheType],
      type_v: GGML_TYPES[shape.cacheType],
      no_perf: true,
      swa_full: false,
      kv_unified: false,
    };
    const address = library.initContext(model, params);
    if (address === null) {
      this.watch?.close();
      throw new InsufficientMemoryError("llama.cpp cannot make the context");
    }
    this.address = address;
    const threadpool = library.threadpool(threads);
    library.attachThreadpool(address, threadpool, threadpool);
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
  }

  /** Evaluates tokens in one call, at most `batchSize`. @returns one row of logits for each output asked for, valid until the next call. */
  decode(tokens: readonly DirectToken[]): Float32Array[] {
    const { batch } = this;
    let outputs = 0;
    for (const [i, { token, position, sequence, output }] of tokens.entries()) {
      batch.tokens.values[i] = token;
      batch.positions.values[i] = position;
      batch.sequences.values[i] = sequence;
      batch.outputs.values[i] = output ? 1 : 0;
      if (output) outputs++;
    }
    this.call(tokens.length, null);
    return this.logitRows(outputs);
  }

  /** As {@link decode}, each token as though it came alone, on the CPU; at most 63 of a sequence. Adapters must be padded. */
  decodeApart(tokens: readonly DirectToken[]): Float32Array[] {
    const split = tokens.length > 1 && tokens.some(({ position }) => position >= CELL_BLOCK);
    return split && this.rows ? this.rows.asIfAlone(() => this.decode(tokens)) : this.decode(tokens);
  }

  /** Evaluates hidden states in one call, at most `batchSize` rows. @returns as {@link decode}. */
  decodeHidden({ address, count, position, firstOutput, asIfAlone }: HiddenRows): Float32Array[] {
    const { batch } = this;
    for (let i = 0; i < count; i++) batch.positions.values[i] = position + i;
    batch.sequences.values.fill(0, 0, count);
    batch.outputs.values.fill(0, 0, firstOutput).fill(1, firstOutput, count);
    const split = asIfAlone && count > 1 && position + count > CELL_BLOCK;
    if (split && this.rows) {
      this.rows.asIfAlone(() => {
        this.call(count, address);
      });
    } else this.call(count, address);
    return this.logitRows(count - firstOutput);
  }

  /** Evaluates a prompt by itself, from the start of a sequence. @returns the logits after its last token. */
  prefill(tokens: readonly number[], sequence: number): Float32Array {
    let rows: Float32Array[] = [];
    for (const { from, to } of batchesOf(tokens.length, this.shape.batchSize)) {
      rows = this.decode(
        tokens.slice(from, to).map((token, i) => {
          return { token, position: from + i, sequence, output: from + i === tokens.length - 1 };
        }),
      );
    }
    const [row] = rows;
    if (!row) throw new RangeError("nothing to evaluate");
    return row;
  }

  /** Replaces all adapters. What is in the memory was computed under those before, and stays. */
  setAdapters(adapters: readonly LoadedAdapter[]): void {
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

  /** Forgets all sequences. */
  clear(): void {
    this.library.clearMemory(this.memory, false);
  }

  /** Forgets a sequence from a position on. */
  forget(sequence: number, from: number): void {
    if (!this.tryForget(sequence, from)) {
      throw new Error(`llama.cpp cannot forget sequence ${sequence} from position ${from} on`);
    }
  }

  /** {@link forget}, where the model's memory has a way back; false where it has none, and all is as it was. */
  tryForget(sequence: number, from: number): boolean {
    return this.library.removeCells(this.memory, sequence, from, -1);
  }

  /** Whether all that a sequence has read is remembered, from its first token on. */
  holdsAll(sequence: number): boolean {
    return this.library.lowestPosition(this.memory, sequence) === 0;
  }

  /** Keys and values of a sequence, as llama_state_seq_get_data writes them, valid until the next call. */
  state(sequence: number): Buffer {
    const bytes = this.library.stateBytes(this.address, sequence);
    const { address, values } = this.stateRead.take(bytes);
    const read = this.library.readState(this.address, address, bytes, sequence);
    if (read !== bytes) throw new Error(`llama.cpp gave ${read} bytes of a sequence's state, ${bytes} expected`);
    return Buffer.from(values.buffer, values.byteOffset, bytes);
  }

  /** Puts a sequence in the place of what is there. @param parts of its state, one behind the other. */
  restore(sequence: number, parts: readonly Uint8Array[]): void {
    const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
    const { address, values } = this.stateWritten.take(bytes);
    let at = 0;
    for (const part of parts) {
      values.set(part, at);
      at += part.byteLength;
    }
    const written = this.library.writeState(this.address, address, bytes, sequence);
    if (written !== bytes) throw new Error(`llama.cpp took ${written} bytes of a sequence's state, ${bytes} given`);
  }

  close(): void {
    this.library.freeContext(this.address);
    this.watch?.close();
    for (const array of Object.values(this.batch)) release(this.library, array);
    this.stateRead.close();
    this.stateWritten.close();
  }

  private call(count: number, hidden: Pointer | null): void {
    const { batch } = this;
    const status = this.library.decode(this.address, {
      n_tokens: count,
      token: hidden === null ? batch.tokens.address : null,
      embd: hidden,
      pos: batch.positions.address,
      n_seq_id: batch.sequenceCounts.address,
      seq_id: batch.sequencePointers.address,
      logits: batch.outputs.address,
    });
    if (status !== 0) throw new Error(`llama_decode failed with ${status}`);
  }

  private logitRows(count: number): Float32Array[] {
    if (count === 0) return [];
    const address = this.library.allLogits(this.address);
    if (address === null) throw new Error("llama.cpp has no logits");
    const length = count * this.vocabulary;
    if (this.logitsView?.address !== address || this.logitsView.rows.length < length) {
      this.logitsView = { address, rows: viewOf(Float32Array, address, length) };
    }
    const { rows } = this.logitsView;
    return Array.from({ length: count }, (_, i) => rows.subarray(i * this.vocabulary, (i + 1) * this.vocabulary));
  }
}
