import koffi from "koffi";
import { field } from "./ggml-tensor.js";
import { GraphTap } from "./graph-tap.js";
import { nameStart } from "./graph-watch.js";
import { isLayerOutput, layerOf } from "./layer-tap.js";
import type { LlamaLibrary } from "./llama-library.js";
import type { Pointer } from "./native-array.js";

/** Names of llama.cpp's graphs: the token embedding, scaled where the model scales it, the final norm's output. */
const EMBEDDING = nameStart("embd");
const EMBEDDING_MASK = (1n << 40n) - 1n;
const SCALED_EMBEDDING = nameStart("inp_scal");
const NORM = nameStart("result_n");

/** Rows of a batch whose hidden states are wanted: all of them outputs, and no other row is. */
export interface WantedRows {
  /** Rows of the batch. */
  readonly count: number;
  /** The wanted ones, ascending. */
  readonly rows: readonly number[];
  /** Where the state of the i-th wanted row goes, float32 [embedding length]; states as in HiddenStates. */
  readonly destination: (state: number, i: number) => Pointer;
}

/** Copies the hidden states of chosen rows while a context evaluates a batch: before the first layer, after each, after the final norm. */
export class HiddenTap extends GraphTap {
  private wanted: WantedRows | undefined;
  private readonly seen = new Set<number>();

  constructor(
    private readonly library: LlamaLibrary,
    private readonly layerCount: number,
    private readonly embeddingLength: number,
  ) {
    super();
  }

  /** @throws Error when llama.cpp's graph was not as expected: then nothing copied may be used. */
  collect<T>(wanted: WantedRows, evaluate: () => T): T {
    this.wanted = wanted;
    this.seen.clear();
    const expected = this.layerCount + 2;
    try {
      return this.during(evaluate, () =>
        this.seen.size === expected ? undefined : `${this.seen.size} hidden states were seen, ${expected} expected`,
      );
    } finally {
      this.wanted = undefined;
    }
  }

  wants(tensor: Pointer, start: bigint): boolean {
    return this.wanted !== undefined && this.stateOf(tensor, start) !== undefined;
  }

  computed(tensor: Pointer, start: bigint): void {
    const state = this.stateOf(tensor, start);
    const { wanted } = this;
    if (state === undefined || !wanted) return;
    const columns = Number(koffi.decode.int64(field(tensor, "ne", 0)));
    const rows = Number(koffi.decode.int64(field(tensor, "ne", 1)));
    const isWhole = rows === wanted.count;
    if (columns !== this.embeddingLength || (!isWhole && rows !== wanted.rows.length)) {
      this.fail(`a hidden state has ${rows} rows of ${columns}, ${wanted.count} of ${this.embeddingLength} expected`);
      return;
    }
    const bytes = columns * Float32Array.BYTES_PER_ELEMENT;
    for (const [i, row] of wanted.rows.entries()) {
      this.library.readTensor(tensor, wanted.destination(state, i), (isWhole ? row : i) * bytes, bytes);
    }
    this.seen.add(state);
  }

  private stateOf(tensor: Pointer, start: bigint): number | undefined {
    if (isEmbedding(start)) return 0;
    if (isLayerOutput(start)) return layerOf(tensor) + 1;
    return start === NORM ? this.layerCount + 1 : undefined;
  }
}

/** Whether a name that starts like this is that of what the first layer takes in, or of what becomes that by scaling. */
export function isEmbedding(start: bigint): boolean {
  return (start & EMBEDDING_MASK) === EMBEDDING || start === SCALED_EMBEDDING;
}
