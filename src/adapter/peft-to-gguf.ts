import { AdapterError } from "../errors.js";
import { withFileSources, type FileSource } from "../files/file-source.js";
import { ggmlType, ggmlTypeId, type GgmlType } from "../formats/ggml-types.js";
import type { GgufMetadata, GgufValue } from "../formats/gguf-value.js";
import { writeGguf, type GgufTensorToWrite } from "../formats/gguf-writer.js";
import { decodeBF16, decodeF16 } from "../formats/half-floats.js";
import type { SafetensorsTensor } from "../formats/safetensors-reader.js";
import { architectureNames, blockList, knownArchitectures, type ArchitectureNames } from "./architectures.js";
import type { BaseModel } from "./base-model.js";
import type { PeftAdapter, PeftModule } from "./load-peft-adapter.js";
import { placeOfPath } from "./peft-places.js";
import { hasNonFinite } from "./finite.js";
import { assertUpdateFits } from "./fit.js";
import { LAYERS_KEY } from "./layer-count.js";
import { reorderColumns, reorderRows, rowOrder, type RowOrder } from "./row-order.js";
import { transposed } from "./transpose.js";
import { TYPES_FROM_GGUF } from "./write-peft.js";

/** One module with its place in the GGUF file and what has to be done to its numbers. */
interface Mapped {
  readonly module: PeftModule;
  /** Name of the base tensor. */
  readonly name: string;
  /** The orders into which B follows the base's rows, and A its columns; undefined where the base keeps its own. */
  readonly rows: Uint32Array | undefined;
  readonly columns: Uint32Array | undefined;
  /** Factor for B, so that alpha/rank times it is PEFT's scale. 1 leaves B's bytes alone. */
  readonly fold: number;
}

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
  const names = architectureNames(base.architecture);
  if (!names) throw unknownArchitecture(adapter.folder, base);
  assertPeftFits(adapter, base);
  const alpha = fileAlpha(adapter);
  const mapped = adapter.modules.map((module) => mapModule(adapter.folder, module, names, base, alpha));
  const [typesKey, typesValue] = TYPES_FROM_GGUF;
  const keepTypes = adapter.metadata.get(typesKey) === typesValue;
  await withFileSources(
    mapped.flatMap(({ module }) => [module.a.path, module.b.path]),
    async (sourceOf) => {
      const tensors = mapped.flatMap((module) => moduleTensors(module, keepTypes, sourceOf));
      const metadata = new Map(adapterMetadata(adapter, base, alpha));
      if (recordLayers) metadata.set(LAYERS_KEY, { type: "uint32", value: base.layerCount });
      await writeGguf(path, metadata, tensors, { overwrite });
    },
  );
}

/** The single alpha of the file: the configured one, which leaves plain adapters untouched. 0 would be read as "no alpha". */
function fileAlpha({ config, modules }: PeftAdapter): number {
  const alpha = config.lora_alpha ?? 8;
  return alpha !== 0 ? alpha : (modules.find((module) => module.alpha !== 0)?.alpha ?? 1);
}

function mapModule(
  folder: string,
  module: PeftModule,
  names: ArchitectureNames,
  base: BaseModel,
  alpha: number,
): Mapped {
  const name = ggufName(module, names);
  if (name === undefined) {
    throw new AdapterError(folder, {
      what: `${folder} adapts ${module.modulePath}, which has no counterpart in the architecture ${base.architecture}`,
      expected: `one of ${Object.keys(names.modules).join(", ")}`,
      fix: /experts|block_sparse_moe/.test(module.modulePath)
        ? "Adapters of expert weights are not supported: merge them into the base."
        : "Use the base model that the adapter was trained on.",
    });
  }
  const [outputs = 0] = module.b.shape;
  const [, inputs = 0] = module.a.shape;
  const ggufModule = name.replace(/^blk\.\d+\./, "").replace(/\.weight$/, "");
  // Of another shape than the model's it may not divide: that is told where the shapes are compared.
  const shape = base.shapes.get(name);
  const orderOf = (
    order: RowOrder | undefined,
    count: number,
    expected: number | undefined,
  ): Uint32Array | undefined =>
    order === undefined || count !== expected ? undefined : rowOrder(order, ggufModule, count, base);
  return {
    module,
    name,
    rows: orderOf(names.rows[ggufModule], outputs, shape?.[1]),
    columns: orderOf(names.columns[ggufModule], inputs, shape?.[0]),
    fold: module.scale / (alpha / module.rank),
  };
}

/**
 * Checks that a PEFT adapter fits a base model: every module has a counterpart of the right shape, and none the engine would abort on.
 * @throws AdapterError naming the first thing that does not fit.
 */
export function assertPeftFits(adapter: PeftAdapter, base: BaseModel): void {
  const names = architectureNames(base.architecture);
  if (!names) throw unknownArchitecture(adapter.folder, base);
  const alpha = fileAlpha(adapter);
  const seen = new Map<string, string>();
  for (const module of adapter.modules) {
    const { name } = mapModule(adapter.folder, module, names, base, alpha);
    const twin = seen.get(name);
    if (twin !== undefined) throw sameTensor(adapter.folder, twin, module.modulePath, name);
    seen.set(name, module.modulePath);
    const [outputs = 0] = module.b.shape;
    const [, inputs = 0] = module.a.shape;
    // An embedding is stored as a table of vocabulary rows.
    const update = module.place === "embedding" ? [outputs, inputs] : [inputs, outputs];
    assertUpdateFits(adapter.folder, { ...module, name, update }, base);
  }
}

function sameTensor(folder: string, first: string, second: string, name: string): AdapterError {
  return new AdapterError(
    folder,
    { what: `${folder}: ${first} and ${second} are both ${name} of the model`, fix: "Save one adapter alone." },
    name,
  );
}

/** GGUF name of the base tensor of a module, or undefined where the architecture has none. */
export function ggufName(
  { place, layer, modulePath }: Pick<PeftModule, "place" | "layer" | "modulePath">,
  names: ArchitectureNames,
): string | undefined {
  if (place === "embedding") return "token_embd.weight";
  if (place === "output") return "output.weight";
  const where = placeOfPath(modulePath);
  // Other lists of blocks belong to other models.
  const module = where.kind === "block" && where.list === blockList(names) ? names.modules[where.inBlock] : undefined;
  return module === undefined || layer === undefined ? undefined : `blk.${layer}.${module}.weight`;
}

function moduleTensors(
  { module, name, rows, columns, fold }: Mapped,
  keepTypes: boolean,
  sourceOf: (path: string) => FileSource,
): GgufTensorToWrite[] {
  const { a, b, rank, place } = module;
  const [outputs = 0] = b.shape;
  const [, inputs = 0] = a.shape;
  const typeOfA = keepTypes ? tensorType(a) : mustType("F32");
  const typeOfB = keepTypes && fold === 1 ? tensorType(b) : mustType("F32");
  const chunksOfA = (): AsyncIterable<Uint8Array> => converted(sourceOf(a.path), a, typeOfA, 1);
  const chunksOfB = (): AsyncIterable<Uint8Array> => converted(sourceOf(b.path), b, typeOfB, fold);
  const bytesOfA = inputs * rank * typeOfA.blockBytes;
  const bytesOfB = outputs * rank * typeOfB.blockBytes;
  return [
    {
      name: `${name}.lora_a`,
      dims: place === "embedding" ? [rank, inputs] : [inputs, rank],
      type: typeOfA,
      byteLength: bytesOfA,
      // llama.cpp looks rows of the embedding's A up, so each token's column becomes a row.
      data: () =>
        place === "embedding"
          ? whole(bytesOfA, chunksOfA(), (bytes) => transposed(bytes, rank, inputs, typeOfA.blockBytes))
          : columns === undefined
            ? chunksOfA()
            : whole(bytesOfA, chunksOfA(), (bytes) => reorderColumns(bytes, rank, columns)),
    },
    {
      name: `${name}.lora_b`,
      dims: [rank, outputs],
      type: typeOfB,
      byteLength: bytesOfB,
      data: () =>
        rows === undefined ? chunksOfB() : whole(bytesOfB, chunksOfB(), (bytes) => reorderRows(bytes, rows)),
    },
  ];
}

/** A tensor's data in another type and times a factor, chunk by chunk. @throws AdapterError when a number is NaN or infinite. */
async function* converted(
  source: FileSource,
  tensor: SafetensorsTensor,
  type: GgmlType,
  factor: number,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of source.stream(tensor.offset, tensor.byteLength)) {
    if (hasNonFinite(tensor.dtype, chunk)) throw notFinite(tensor.path, tensor.name);
    yield factor === 1 && type.name === tensor.dtype ? chunk : scaled(tensor, chunk, factor);
  }
}

/** What must be seen whole to be rearranged: one tensor in memory at a time. */
async function* whole(
  byteLength: number,
  chunks: AsyncIterable<Uint8Array>,
  rearrange: (bytes: Uint8Array) => Uint8Array,
): AsyncGenerator<Uint8Array> {
  const bytes = new Uint8Array(byteLength);
  let done = 0;
  for await (const chunk of chunks) {
    bytes.set(chunk, done);
    done += chunk.byteLength;
  }
  yield rearrange(bytes);
}

/** A tensor with NaN or infinity in it: every logit would be NaN. */
export function notFinite(path: string, name: string): AdapterError {
  return new AdapterError(
    path,
    { what: `${path}: ${name} holds NaN or infinite values`, fix: "Training diverged: use an earlier checkpoint." },
    name,
  );
}

/** A tensor times a factor, in F32. */
function scaled(tensor: SafetensorsTensor, bytes: Buffer, factor: number): Uint8Array {
  const values = floats(tensor, bytes);
  const product = factor === 1 ? values : values.map((value) => value * factor);
  return new Uint8Array(product.buffer, product.byteOffset, product.byteLength);
}

/** Numbers of an F32, F16 or BF16 tensor. */
export function floats({ dtype, name, path }: SafetensorsTensor, bytes: Buffer): Float32Array {
  if (dtype === "F16") return decodeF16(bytes);
  if (dtype === "BF16") return decodeBF16(bytes);
  if (dtype === "F32") return new Float32Array(new Uint8Array(bytes).buffer);
  throw unusableType(path, name, dtype);
}

function tensorType({ dtype, name, path }: SafetensorsTensor): GgmlType {
  if (dtype === "F32" || dtype === "F16" || dtype === "BF16") return mustType(dtype);
  throw unusableType(path, name, dtype);
}

function mustType(name: "F32" | "F16" | "BF16"): GgmlType {
  const id = ggmlTypeId(name);
  const type = id === undefined ? undefined : ggmlType(id);
  if (!type) throw new RangeError(`no ggml type ${name}`);
  return type;
}

function unusableType(path: string, name: string, dtype: string): AdapterError {
  return new AdapterError(
    path,
    {
      what: `${path}: ${name} is stored as ${dtype}`,
      expected: "F32, F16 or BF16",
      fix: "Save the adapter in one of these types.",
    },
    name,
  );
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
