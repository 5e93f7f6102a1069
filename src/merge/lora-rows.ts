import type { Adapter, AdapterModule } from "../adapter/adapter.js";
import { transposed } from "../adapter/transpose.js";
import { updateShape } from "../adapter/update-shape.js";
import type { FileSource } from "../files/file-source.js";
import { dequantize } from "../formats/dequantize.js";

/** The rows of a weight's update, computed when they are asked for. Of stacked experts the rows of each follow those of the one before. */
export class LoraRows {
  private constructor(
    private readonly a: Float32Array,
    private readonly b: Float32Array,
    private readonly rank: number,
    private readonly scale: number,
    private readonly columns: number,
    /** Rows of one expert. */
    private readonly rows: number,
  ) {}

  /** Reads A and B. Of the token embedding they change places: its weight has a row for each token, which is an input. */
  static async read(adapter: Adapter, module: AdapterModule, source: FileSource): Promise<LoraRows> {
    const { a, b, rank, place } = module;
    const { inputs, outputs } = updateShape(module);
    const valuesOf = async ({ type, offset, byteLength }: typeof a): Promise<Float32Array> =>
      dequantize(type, await source.read(offset, byteLength));
    const [ofA, ofB] = [await valuesOf(a), await valuesOf(b)];
    const scale = adapter.alpha / rank;
    if (place === "embedding") return new LoraRows(turned(ofB, outputs, rank), ofA, rank, scale, outputs, inputs);
    return new LoraRows(ofA, ofB, rank, scale, inputs, outputs);
  }

  /** Adds rows `first` to `first + count` of the update to as many rows of the weight. Sums in 64 bits. */
  addTo(values: Float32Array, first: number, count: number): void {
    const { a, b, rank, scale, columns, rows } = this;
    const sum = new Float64Array(columns);
    for (let row = 0; row < count; row++) {
      sum.fill(0);
      const expert = Math.floor((first + row) / rows);
      for (let k = 0; k < rank; k++) {
        const factor = b[(first + row) * rank + k] ?? 0;
        if (factor === 0) continue;
        const start = (expert * rank + k) * columns;
        for (let i = 0; i < columns; i++) sum[i] = (sum[i] ?? 0) + factor * (a[start + i] ?? 0);
      }
      const start = row * columns;
      for (let i = 0; i < columns; i++) values[start + i] = (values[start + i] ?? 0) + scale * (sum[i] ?? 0);
    }
  }
}

/** [rows, columns] as [columns, rows]. */
function turned(values: Float32Array, rows: number, columns: number): Float32Array {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return new Float32Array(transposed(bytes, rows, columns, Float32Array.BYTES_PER_ELEMENT).buffer);
}
