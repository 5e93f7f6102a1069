import koffi from "koffi";
import { field, nameOf } from "./ggml-tensor.js";
import { GraphTap } from "./graph-tap.js";
import { nameStart } from "./graph-watch.js";
import type { LlamaLibrary } from "./llama-library.js";
import type { Pointer } from "./native-array.js";

/** The start of the name of what a layer puts out: "l_out-" and its number. */
const LAYER_OUTPUT = nameStart("l_out-");
const LAYER_OUTPUT_MASK = (1n << 48n) - 1n;

/** Copies what layers put out (the tensors `l_out-N` of llama.cpp's graphs) while a context evaluates a batch. */
export class LayerTap extends GraphTap {
  private destination: (layer: number) => Pointer | undefined = () => undefined;
  private rows = 0;
  private seen = 0;

  constructor(
    private readonly library: LlamaLibrary,
    private readonly embeddingLength: number,
  ) {
    super();
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
    try {
      return this.during(evaluate, () =>
        this.seen === expected ? undefined : `${this.seen} layers put something out, ${expected} expected`,
      );
    } finally {
      this.destination = () => undefined;
    }
  }

  wants(tensor: Pointer, start: bigint): boolean {
    return isLayerOutput(start) && this.destination(layerOf(tensor)) !== undefined;
  }

  computed(tensor: Pointer): void {
    const to = this.destination(layerOf(tensor));
    if (to === undefined) return;
    const columns = Number(koffi.decode.int64(field(tensor, "ne", 0)));
    const rows = Number(koffi.decode.int64(field(tensor, "ne", 1)));
    if (columns !== this.embeddingLength || rows !== this.rows) {
      this.fail(`a layer put out ${rows} rows of ${columns}, ${this.rows} of ${this.embeddingLength} expected`);
      return;
    }
    this.seen += 1;
    this.library.readTensor(tensor, to, 0, rows * columns * Float32Array.BYTES_PER_ELEMENT);
  }
}

/** Whether a name that starts like this is that of what a layer puts out. */
export function isLayerOutput(start: bigint): boolean {
  return (start & LAYER_OUTPUT_MASK) === LAYER_OUTPUT;
}

/** The number at the end of the name `l_out-N`. */
export function layerOf(tensor: Pointer): number {
  return Number(nameOf(tensor).slice(6).replace(/ .*/, ""));
}
