import { at } from "../assert.js";
import { canDequantize, dequantize } from "../formats/dequantize.js";
import { withFileSource, type FileSource } from "../files/file-source.js";
import type { GgufTensor } from "../formats/gguf-reader.js";
import type { Adapter, AdapterModule } from "./adapter.js";
import { factorGrams, updateNorm } from "./update-norm.js";
import { factorLayout } from "./update-shape.js";
import type { ZeroPart } from "./zero-updates.js";

/** What the numbers of an update say about how strongly it acts. */
export interface UpdateValues {
  readonly zero: ZeroPart | undefined;
  /** Estimate of the root mean square of what s B A adds to an output where its input is about 1; undefined for types that cannot be read. */
  readonly size: number | undefined;
  /** Whether it is the update of stacked experts, and some experts have none. */
  readonly lacksExperts: boolean;
}

/** Below this a product of two floats is lost: 2^-126, the smallest normal one. */
const SMALLEST = 2 ** -126;

/** Reads all values of one update. @param adapter of which it is a part. */
export async function updateValues({ path, alpha }: Adapter, module: AdapterModule): Promise<UpdateValues> {
  const { a, b, rank, place } = module;
  if (!canDequantize(a.type) || !canDequantize(b.type)) {
    return { zero: undefined, size: undefined, lacksExperts: false };
  }
  return withFileSource(path, async (source) => {
    const [ofA, ofB] = [await valuesOf(source, a), await valuesOf(source, b)];
    const inputs = place === "embedding" ? 1 : at(a.dims, 0);
    const size = rootMeanSquare(ofA) * rootMeanSquare(ofB) * Math.sqrt(rank * inputs) * Math.abs(alpha / rank);
    const experts = a.dims[2] ?? 1;
    const lacksExperts = experts > 1 && [ofA, ofB].some((values) => parts(values, experts).some(allZero));
    return { zero: zeroPart(ofA, ofB, module, size), size, lacksExperts };
  });
}

function zeroPart(a: Float32Array, b: Float32Array, module: AdapterModule, size: number): ZeroPart | undefined {
  if (allZero(b)) return "B";
  if (allZero(a)) return "A";
  if (size < SMALLEST) return "product";
  return updateNorm(factorGrams(a, b, factorLayout(module)), 1) === 0 ? "product" : undefined;
}

/** Vocabulary rows that an update of the token embedding changes, ascending, at most so many. */
export async function adaptedRows({ path }: Adapter, { a, rank }: AdapterModule, most: number): Promise<number[]> {
  if (!canDequantize(a.type)) return [];
  const values = await withFileSource(path, (source) => valuesOf(source, a));
  const rows: number[] = [];
  for (let row = 0; row < at(a.dims, 1) && rows.length < most; row++) {
    if (!allZero(values.subarray(row * rank, (row + 1) * rank))) rows.push(row);
  }
  return rows;
}

async function valuesOf(source: FileSource, { type, offset, byteLength }: GgufTensor): Promise<Float32Array> {
  return dequantize(type, await source.read(offset, byteLength));
}

function allZero(values: Float32Array): boolean {
  return values.every((value) => value === 0);
}

function parts(values: Float32Array, count: number): Float32Array[] {
  const length = values.length / count;
  return Array.from({ length: count }, (_, i) => values.subarray(i * length, (i + 1) * length));
}

/** Of the values that are not zero: rows and experts without an update say nothing of those with one. */
function rootMeanSquare(values: Float32Array): number {
  let sum = 0;
  let count = 0;
  for (const value of values) {
    if (value === 0) continue;
    sum += value ** 2;
    count += 1;
  }
  return count === 0 ? 0 : Math.sqrt(sum / count);
}
