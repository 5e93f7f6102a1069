import { defined } from "../assert.js";
import { AdapterError } from "../errors.js";
import { ggmlTypeNamed, type GgmlType } from "../formats/ggml-types.js";
import type { GgufMetadata, GgufValue } from "../formats/gguf-value.js";
import { writeGguf, type GgufTensorToWrite } from "../formats/gguf-writer.js";
import { architectureNames, knownArchitectures } from "./architectures.js";
import type { BaseModel } from "./base-model.js";
import { floats, unusableType, type Factor } from "./factor.js";
import { hasNonFinite } from "./finite.js";
import { assertUpdateFits } from "./fit.js";
import { ggufUpdates, type GgufUpdate, type UpdatePart } from "./gguf-updates.js";
import { LAYERS_KEY } from "./layer-count.js";
import type { PeftAdapter } from "./peft-adapter.js";
import { reorderColumns, selectRows } from "./row-order.js";
import { transposed } from "./transpose.js";
import { TYPES_FROM_GGUF } from "./write-peft.js";

/**
 * Writes a PEFT adapter as a GGUF file with which llama.cpp computes what PEFT computes. llama.cpp knows one alpha and scales by
 * alpha/rank: where PEFT's scale of a module differs (rsLoRA, alpha_pattern), the difference goes into its B. Tensors are
 * written as F32, as PEFT computes with them; those of a folder that came from a GGUF file keep the types they had there. Source: llama.cpp convert_lora_to_gguf.py for names and layout.
 * @param options.recordLayers writes L of the base into the metadata, for a file that a user keeps. The temporary file of a sweep goes without:
 * its hash stands in results of earlier versions.
 * @throws AdapterError when the base's architecture is unknown or a module has no counterpart; FileError when writing fails.
 */
export async function writePeftAsGguf(
  adapter: PeftAdapter,
  base: BaseModel,
  path: string,
  { overwrite, recordLayers = false }: { overwrite: boolean; recordLayers?: boolean },
): Promise<void> {
  const alpha = fileAlpha(adapter);
  const updates = fittingUpdates(adapter, base);
  const [typesKey, typesValue] = TYPES_FROM_GGUF;
  const keepTypes = adapter.metadata.get(typesKey) === typesValue;
  const metadata = new Map(adapterMetadata(adapter, base, alpha));
  if (recordLayers) metadata.set(LAYERS_KEY, { type: "uint32", value: base.layerCount });
  const tensors = updates.flatMap((update) => updateTensors(update, alpha, keepTypes));
  await writeGguf(path, metadata, tensors, { overwrite });
}

/**
 * Checks that a PEFT adapter fits a base model: every module has a counterpart of the right shape, and none the engine would abort on.
 * @throws AdapterError naming the first thing that does not fit.
 */
export function assertPeftFits(adapter: PeftAdapter, base: BaseModel): void {
  fittingUpdates(adapter, base);
}

function fittingUpdates(adapter: PeftAdapter, base: BaseModel): GgufUpdate[] {
  const names = architectureNames(base.architecture);
  if (!names) throw unknownArchitecture(adapter.folder, base);
  const updates = ggufUpdates(adapter, names, base);
  for (const update of updates) {
    const { inputs, outputs, place, experts } = update;
    // An embedding is stored as a table of vocabulary rows.
    const matrix = place === "embedding" ? [outputs, inputs] : [inputs, outputs];
    assertUpdateFits(
      adapter.folder,
      { ...update, update: experts === undefined ? matrix : [...matrix, experts] },
      base,
    );
  }
  return updates;
}

/** The single alpha of the file: the configured one, which leaves plain adapters untouched. 0 would be read as "no alpha". */
function fileAlpha({ config, modules }: PeftAdapter): number {
  const alpha = config.lora_alpha ?? 8;
  return alpha !== 0 ? alpha : (modules.find((module) => module.alpha !== 0)?.alpha ?? 1);
}

/** A and B of one GGUF tensor. @param alpha of the file, which llama.cpp divides by the tensor's rank. */
function updateTensors(update: GgufUpdate, alpha: number, keepTypes: boolean): GgufTensorToWrite[] {
  const { name, place, experts, rank, inputs, outputs, parts } = update;
  const foldOf = ({ module }: UpdatePart): number => module.scale / (alpha / rank);
  const typeOf = (half: "a" | "b", isUnscaled: boolean): GgmlType => {
    const [type, ...others] = new Set(parts.map((part) => tensorType(part[half]).name));
    return keepTypes && isUnscaled && type !== undefined && others.length === 0 ? mustType(type) : mustType("F32");
  };
  const isUnscaled = parts.every((part) => foldOf(part) === 1);
  const [typeOfA, typeOfB] = [typeOf("a", true), typeOf("b", isUnscaled)];
  const tensor = (half: "a" | "b", matrix: readonly number[], type: GgmlType): GgufTensorToWrite => {
    const dims = experts === undefined ? matrix : [...matrix, experts];
    return {
      name: `${name}.lora_${half}`,
      dims,
      type,
      byteLength: dims.reduce((product, length) => product * length, type.blockBytes),
      data: () => (half === "a" ? dataOfA(update, type) : dataOfB(update, type, foldOf)),
    };
  };
  return [
    tensor("a", place === "embedding" ? [rank, inputs] : [inputs, rank], typeOfA),
    tensor("b", [rank, outputs], typeOfB),
  ];
}

/** A: [rank, in], of each expert in turn; of the embedding [vocabulary, rank]. */
async function* dataOfA(update: GgufUpdate, type: GgmlType): AsyncGenerator<Uint8Array> {
  const { place, rank, inputs } = update;
  const size = type.blockBytes;
  const [first] = update.parts;
  if (first && update.experts === undefined && place !== "embedding" && !first.columns) {
    yield* converted(first.a, type, 1);
    return;
  }
  for await (const { part, bytes } of byExpert(update, (given) => wholeOf(given.a, type, 1))) {
    if (!part) {
      yield new Uint8Array(rank * inputs * size);
      continue;
    }
    const ordered = part.columns ? reorderColumns(bytes, part.rank, part.columns) : bytes;
    // llama.cpp looks rows of the embedding's A up, so each token's column becomes a row.
    yield place === "embedding" ? transposed(ordered, rank, inputs, size) : extended(ordered, rank * inputs * size);
  }
}

/** B: [out, rank], of each expert in turn. */
async function* dataOfB(
  update: GgufUpdate,
  type: GgmlType,
  foldOf: (part: UpdatePart) => number,
): AsyncGenerator<Uint8Array> {
  const { rank, outputs } = update;
  const size = type.blockBytes;
  const [first] = update.parts;
  if (first && update.experts === undefined && !first.rows) {
    yield* converted(first.b, type, foldOf(first));
    return;
  }
  for await (const { part, bytes } of byExpert(update, (given) => wholeOf(given.b, type, foldOf(given)))) {
    if (!part) {
      yield new Uint8Array(rank * outputs * size);
      continue;
    }
    const rows = part.rows ? selectRows(bytes, part.rows, part.rank * size) : bytes;
    yield part.rank === rank ? rows : widened(rows, part.rank * size, rank * size);
  }
}

/** Each expert's part with its own bytes. @param read the bytes of all experts of a part. */
async function* byExpert(
  { parts, experts = 1 }: GgufUpdate,
  read: (part: UpdatePart) => Promise<Uint8Array>,
): AsyncGenerator<{ part: UpdatePart | undefined; bytes: Uint8Array }> {
  let held: { part: UpdatePart; bytes: Uint8Array } | undefined;
  for (let expert = 0; expert < experts; expert++) {
    const part = parts.find((one) => one.expert === undefined || one.expert === expert);
    if (part && held?.part !== part) held = { part, bytes: await read(part) };
    if (!part || !held) {
      yield { part: undefined, bytes: new Uint8Array() };
      continue;
    }
    const length = held.bytes.byteLength / part.experts;
    const start = part.experts === 1 ? 0 : expert * length;
    yield { part, bytes: held.bytes.subarray(start, start + length) };
  }
}

/** A factor in another type and times a number. */
async function wholeOf(factor: Factor, type: GgmlType, scale: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of converted(factor, type, scale)) chunks.push(new Uint8Array(chunk));
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
}

/** A factor's data in another type and times a number, chunk by chunk. @throws AdapterError when a number is NaN or infinite. */
async function* converted(factor: Factor, type: GgmlType, scale: number): AsyncGenerator<Uint8Array> {
  for await (const chunk of factor.data()) {
    if (hasNonFinite(factor.dtype, chunk)) throw notFinite(factor.path, factor.name);
    yield scale === 1 && type.name === factor.dtype ? chunk : scaled(factor, chunk, scale);
  }
}

/** Numbers times a factor, in F32. */
function scaled(factor: Factor, bytes: Uint8Array, scale: number): Uint8Array {
  const values = floats(factor, bytes);
  const product = scale === 1 ? values : values.map((value) => value * scale);
  return new Uint8Array(product.buffer, product.byteOffset, product.byteLength);
}

/** Each row with zeros behind it. */
function widened(bytes: Uint8Array, rowBytes: number, wide: number): Uint8Array {
  const rows = bytes.byteLength / rowBytes;
  const result = new Uint8Array(rows * wide);
  for (let row = 0; row < rows; row++) result.set(bytes.subarray(row * rowBytes, (row + 1) * rowBytes), row * wide);
  return result;
}

/** With zeros behind them, up to so many bytes. */
function extended(bytes: Uint8Array, byteLength: number): Uint8Array {
  if (bytes.byteLength === byteLength) return bytes;
  const result = new Uint8Array(byteLength);
  result.set(bytes);
  return result;
}

/** A tensor with NaN or infinity in it: every logit would be NaN. */
export function notFinite(path: string, name: string): AdapterError {
  return new AdapterError(
    path,
    { what: `${path}: ${name} holds NaN or infinite values`, fix: "Training diverged: use an earlier checkpoint." },
    name,
  );
}

function tensorType({ dtype, name, path }: Factor): GgmlType {
  if (dtype === "F32" || dtype === "F16" || dtype === "BF16") return mustType(dtype);
  throw unusableType(path, name, dtype);
}

function mustType(name: string): GgmlType {
  return defined(ggmlTypeNamed(name), `the ggml type ${name}`);
}

function adapterMetadata({ config }: PeftAdapter, base: BaseModel, alpha: number): GgufMetadata {
  const text = (value: string): GgufValue => ({ type: "string", value });
  const baseName = config.base_model_name_or_path?.split("/").at(-1);
  return new Map<string, GgufValue>([
    ["general.architecture", text(base.architecture)],
    ["general.type", text("adapter")],
    ["adapter.type", text("lora")],
    ["adapter.lora.alpha", { type: "float32", value: alpha }],
    ...(baseName === undefined || baseName === "" ? [] : [["general.base_model.0.name", text(baseName)] as const]),
    ["general.quantization_version", { type: "uint32", value: 2 }],
  ]);
}

function unknownArchitecture(folder: string, base: BaseModel): AdapterError {
  return new AdapterError(folder, {
    what: `adapters for the architecture ${base.architecture} cannot be converted yet`,
    actual: `${base.path} is ${JSON.stringify(base.architecture)}`,
    expected: knownArchitectures.join(", "),
    fix: "Convert it with llama.cpp's convert_lora_to_gguf.py and give the GGUF file (mind that rsLoRA and alpha_pattern come out mis-scaled there).",
  });
}
