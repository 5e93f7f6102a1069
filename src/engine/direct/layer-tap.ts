import koffi from "koffi";
import type { LlamaLibrary } from "./llama-library.js";
import { viewOf, type Pointer } from "./native-array.js";

/** Where ggml_tensor of the known release has the number of its columns and rows (int64), and its name. */
const NE0 = 16n;
const NE1 = 24n;
const NAME = 256n;
const NAME_BYTES = 64;
/** "l_out-", the start of the name of what a layer puts out, as the low bytes of a little-endian number. */
const LAYER_OUTPUT = Buffer.from("l_out-\0\0", "latin1").readBigUInt64LE();
const LAYER_OUTPUT_MASK = (1n << 48n) - 1n;

/** Copies what layers put out (the tensors `l_out-N` of llama.cpp's graphs) while a context evaluates a batch. */
export class LayerTap {
  /** For the context's parameters `cb_eval`. */
  readonly callback: Pointer;
  private destination: (layer: number) => Pointer | undefined = () => undefined;
  private rows = 0;
  private seen = 0;
  private fault: string | undefined;

  constructor(
    private readonly library: LlamaLibrary,
    private readonly embeddingLength: number,
  ) {
    this.callback = library.registerEvaluation((tensor, ask) => this.onTensor(tensor, ask));
  }

  /**
   * Evaluates with the tap open.
   * @param rows of the batch that `evaluate` evaluates, all of them outputs.
   * @param destination address for the rows of a layer's output, float32 [rows, embedding length]; undefined for one that is not wanted.
   * @param expected how many layers are to be copied.
   * @throws Error when llama.cpp's graph was not as expected: then nothing copied may be used.
   */
  collect<T>(
    rows: number,
    expected: number,
    destination: (layer: number) => Pointer | undefined,
    evaluate: () => T,
  ): T {
    this.rows = rows;
    this.destination = destination;
    this.seen = 0;
    this.fault = undefined;
    try {
      const result = evaluate();
      const fault = this.faultSeen();
      if (fault !== undefined) throw new Error(fault);
      if (this.seen !== expected) throw new Error(`${this.seen} layers put something out, ${expected} expected`);
      return result;
    } finally {
      this.destination = () => undefined;
    }
  }

  close(): void {
    this.library.forgetEvaluation(this.callback);
  }

  /** Set while the graph ran. */
  private faultSeen(): string | undefined {
    return this.fault;
  }

  /** Asked before a tensor is computed whether its value is wanted, and called again when it is there. True goes on. */
  private onTensor(tensor: Pointer, ask: boolean): boolean {
    const start = koffi.decode.uint64(tensor + NAME);
    const isLayer = (BigInt(start) & LAYER_OUTPUT_MASK) === LAYER_OUTPUT;
    if (!isLayer) return !ask;
    const to = this.destination(layerOf(tensor));
    if (ask || to === undefined) return to !== undefined || !ask;
    const columns = Number(koffi.decode.int64(tensor + NE0));
    const rows = Number(koffi.decode.int64(tensor + NE1));
    if (columns !== this.embeddingLength || rows !== this.rows) {
      this.fault = `a layer put out ${rows} rows of ${columns}, ${this.rows} of ${this.embeddingLength} expected`;
      return true;
    }
    this.seen += 1;
    this.library.readTensor(tensor, to, 0, rows * columns * Float32Array.BYTES_PER_ELEMENT);
    return true;
  }
}

function layerOf(tensor: Pointer): number {
  const bytes = viewOf(Uint8Array, tensor + NAME, NAME_BYTES);
  return Number(
    Buffer.from(bytes.subarray(6, bytes.indexOf(0)))
      .toString("latin1")
      .replace(/ .*/, ""),
  );
}
