import { at } from "../assert.js";
import type { Adapter } from "../adapter/adapter.js";
import type { BaseModel } from "../adapter/base-model.js";
import { baseTensors, metadataInOneFile, type BaseTensor } from "../adapter/base-tensors.js";
import { AdapterError } from "../errors.js";
import type { Quantizer } from "../engine/quantizer.js";
import { withFileSources, type FileSource } from "../files/file-source.js";
import { F32, type GgmlType } from "../formats/ggml-types.js";
import type { GgufTensor } from "../formats/gguf-reader.js";
import type { GgufMetadata } from "../formats/gguf-value.js";
import { writeGguf, type GgufTensorToWrite } from "../formats/gguf-writer.js";
import type { Change } from "./changes.js";
import { LoraRows } from "./lora-rows.js";

/** Numbers of a weight that are in memory at a time. */
const CHUNK_VALUES = 1 << 20;

/** What merging did to one tensor. */
export interface MergedTensor {
  readonly name: string;
  readonly layer: number | undefined;
  /** Types before and after. */
  readonly types: readonly [before: string, after: string];
  /** ||U||_F of the change U that was asked for. */
  readonly change: number;
  /** ||W' - (W + U)||_F / ||U||_F: what rounding to the type did to the change. */
  readonly error: number;
  /** The share of ||U||_F^2 in weights whose stored value is the same as before. */
  readonly lost: number;
}

/** How a merged model is written. */
export interface MergeOptions {
  /** Type of a changed tensor. @param before in the base. */
  readonly typeOf: (before: GgmlType, columns: number) => GgmlType;
  readonly quantizer: Quantizer;
  /** Added to the base's. */
  readonly metadata: GgufMetadata;
  readonly overwrite: boolean;
  readonly onTensor?: (name: string, index: number, count: number) => void;
}

/** A tensor of the merged model: one of the base, or one that the merge adds. */
interface Target {
  /** Where its values come from. */
  readonly tensor: BaseTensor;
  readonly name: string;
  readonly change: Change | undefined;
}

/**
 * Writes a base model with changes merged into its weights, tensor by tensor, so that memory does not grow with the model. Where the base
 * shares its token embedding with its head and only one of them changes, the merged model gets a head of its own.
 * @returns what was done to each changed tensor, in the file's order.
 * @throws AdapterError for a change of a tensor that the base does not have, or of another shape; FileError when writing fails.
 */
export async function writeMergedModel(
  base: BaseModel,
  adapter: Adapter | undefined,
  changes: ReadonlyMap<string, Change>,
  path: string,
  { typeOf, quantizer, metadata, overwrite, onTensor }: MergeOptions,
): Promise<MergedTensor[]> {
  const targets = await targetsOf(base, changes);
  const kept = await metadataInOneFile(base);
  const merged: MergedTensor[] = [];
  const files = [...base.files, ...(adapter ? [adapter.path] : [])];
  await withFileSources(files, async (sourceOf) => {
    const written = targets.map(({ tensor, name, change }, index): GgufTensorToWrite => {
      const source = sourceOf(tensor.file);
      if (!change) {
        return { ...tensor, name, data: () => source.stream(tensor.offset, tensor.byteLength) };
      }
      const columns = at(tensor.dims, 0);
      const type = tensor.dims.length === 1 ? F32 : typeOf(tensor.type, columns);
      const count = tensor.dims.reduce((product, length) => product * length, 1);
      return {
        name,
        dims: tensor.dims,
        type,
        byteLength: (count / type.blockSize) * type.blockBytes,
        data: async function* () {
          onTensor?.(name, index, targets.length);
          const rows =
            change.update && adapter ? await LoraRows.read(adapter, change.update, sourceOf(adapter.path)) : undefined;
          merged.push(yield* mergedData(name, tensor, change, source, type, rows, quantizer));
        },
      };
    });
    await writeGguf(path, new Map([...kept, ...metadata]), written, { overwrite });
  });
  return merged;
}

async function targetsOf(base: BaseModel, changes: ReadonlyMap<string, Change>): Promise<Target[]> {
  const tensors = await baseTensors(base);
  const targets = tensors.map((tensor): Target => ({ tensor, name: tensor.name, change: changes.get(tensor.name) }));
  const embedding = targets.find(({ name }) => name === "token_embd.weight");
  const head = changes.get("output.weight");
  // Rows that were trained by themselves are those of the shared tensor.
  const isUntied = head ?? embedding?.change?.update ?? embedding?.change?.whole;
  if (embedding && base.tiedEmbedding && isUntied)
    targets.push({ tensor: embedding.tensor, name: "output.weight", change: head });
  const present = new Set(targets.map(({ name }) => name));
  const missing = [...changes.keys()].find((name) => !present.has(name));
  if (missing === undefined) return targets;
  throw new AdapterError(base.path, {
    what: `the adapter changes ${missing}, which the model ${base.path} does not have`,
    fix: "Use the adapter with the base model that it was trained on.",
  });
}

/** The bytes of a changed tensor; returns what was done to it. */
async function* mergedData(
  name: string,
  tensor: GgufTensor,
  change: Change,
  source: FileSource,
  type: GgmlType,
  update: LoraRows | undefined,
  quantizer: Quantizer,
): AsyncGenerator<Uint8Array, MergedTensor> {
  const columns = at(tensor.dims, 0);
  const rows = tensor.dims.slice(1).reduce((product, length) => product * length, 1);
  const [whole, magnitude, added] = [await change.whole?.(), await change.magnitude?.(), await change.added?.()];
  assertLength(name, whole, rows * columns);
  assertLength(name, magnitude, rows);
  const replaced = change.rows && { numbers: change.rows.numbers, values: await change.rows.values() };
  const rowBytes = tensor.byteLength / rows;
  const step = Math.max(1, Math.floor(CHUNK_VALUES / columns));
  const sums = { change: 0, error: 0, lost: 0 };
  for (let first = 0; first < rows; first += step) {
    const count = Math.min(step, rows - first);
    const bytes = await source.read(tensor.offset + first * rowBytes, count * rowBytes);
    const before = quantizer.dequantize(tensor.type, bytes);
    const after = whole ? whole.slice(first * columns, (first + count) * columns) : before.slice();
    update?.addTo(after, first, count);
    if (magnitude) rescaleRows(after, columns, magnitude.subarray(first, first + count));
    if (added) after.forEach((value, i) => (after[i] = value + (added[first * columns + i] ?? 0)));
    replaced?.numbers.forEach((row, i) => {
      if (row >= first && row < first + count)
        after.set(replaced.values.subarray(i * columns, (i + 1) * columns), (row - first) * columns);
    });
    const written = quantizer.quantize(type, after, columns);
    measure(sums, before, after, quantizer.dequantize(type, written));
    yield written;
  }
  return {
    name,
    layer: change.layer,
    types: [tensor.type.name, type.name],
    change: Math.sqrt(sums.change),
    error: sums.change === 0 ? 0 : Math.sqrt(sums.error / sums.change),
    lost: sums.change === 0 ? 0 : sums.lost / sums.change,
  };
}

function assertLength(name: string, values: Float32Array | undefined, expected: number): void {
  if (values === undefined || values.length === expected) return;
  throw new AdapterError(name, {
    what: `a trained tensor for ${name} has another size than the model's`,
    actual: `${values.length} numbers`,
    expected: String(expected),
    fix: "Use the adapter with the base model that it was trained on.",
  });
}

/** Gives each row a length. Source: DoRA (Liu et al. 2024), equation 5; peft/tuners/lora/dora.py. */
function rescaleRows(values: Float32Array, columns: number, lengths: Float32Array): void {
  lengths.forEach((length, row) => {
    let sum = 0;
    for (let i = row * columns; i < (row + 1) * columns; i++) sum += (values[i] ?? 0) ** 2;
    const factor = length / Math.sqrt(sum);
    for (let i = row * columns; i < (row + 1) * columns; i++) values[i] = (values[i] ?? 0) * factor;
  });
}

function measure(
  sums: { change: number; error: number; lost: number },
  before: Float32Array,
  after: Float32Array,
  stored: Float32Array,
): void {
  for (let i = 0; i < before.length; i++) {
    const [was, wanted, is] = [before[i] ?? 0, after[i] ?? 0, stored[i] ?? 0];
    const square = (wanted - was) ** 2;
    sums.change += square;
    sums.error += (is - wanted) ** 2;
    if (is === was) sums.lost += square;
  }
}
