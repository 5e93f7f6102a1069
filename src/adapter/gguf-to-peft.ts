import { AdapterError } from "../errors.js";
import { FileSource } from "../files/file-source.js";
import type { GgufTensor } from "../formats/gguf-reader.js";
import { metadataString } from "../formats/gguf-value.js";
import type { SafetensorsTensorToWrite } from "../formats/safetensors-writer.js";
import { canDequantize, dequantize } from "../formats/dequantize.js";
import type { Adapter, AdapterModule } from "./adapter.js";
import { architectureNames, knownArchitectures, type ArchitectureNames } from "./architectures.js";
import type { BaseModel } from "./base-model.js";
import { LAYERS_KEY } from "./layer-count.js";
import { peftTargets } from "./peft-targets.js";
import { inverseOrder, reorderColumns, reorderRows, rowOrder, type RowOrder } from "./row-order.js";
import { transposed } from "./transpose.js";
import { peftTensorName, shortName } from "./peft-names.js";
import { TYPES_FROM_GGUF, writePeftFolder } from "./write-peft.js";
import { updateShape } from "./update-shape.js";

/**
 * Writes a GGUF adapter as a PEFT folder. F32, F16 and BF16 tensors keep their type and numbers, quantised ones become F32. PEFT's
 * scale is llama.cpp's: `lora_alpha` is the file's alpha, ranks that differ go into `rank_pattern`.
 * @throws AdapterError when the architecture is unknown; FileError when the folder exists and `overwrite` is false.
 */
export async function writeGgufAsPeft(
  adapter: Adapter,
  base: BaseModel,
  folder: string,
  { overwrite }: { overwrite: boolean },
): Promise<void> {
  const names = architectureNames(base.architecture);
  if (!names) {
    throw new AdapterError(adapter.givenPath, {
      what: `adapters for the architecture ${base.architecture} cannot be converted yet`,
      expected: knownArchitectures.join(", "),
    });
  }
  const placed = adapter.modules.map((module) => ({ module, modulePath: peftPath(adapter.givenPath, module, names) }));
  const metadata = new Map([["format", "pt"], TYPES_FROM_GGUF, [LAYERS_KEY, String(base.layerCount)]]);
  const source = await FileSource.open(adapter.path);
  try {
    const tensors = placed.flatMap(({ module, modulePath }) =>
      pair(module, modulePath, ordersOf(module, names, base), source),
    );
    await writePeftFolder(folder, peftConfig(adapter, base, placed), tensors, { metadata, overwrite });
  } finally {
    await source.close();
  }
}

/** How rows of B and columns of A go back; undefined where both sides have the same. */
interface Orders {
  readonly rows: Uint32Array | undefined;
  readonly columns: Uint32Array | undefined;
}

function ordersOf(module: AdapterModule, names: ArchitectureNames, base: BaseModel): Orders {
  const { inputs, outputs } = updateShape(module);
  const back = (order: RowOrder | undefined, count: number): Uint32Array | undefined =>
    order === undefined ? undefined : inverseOrder(rowOrder(order, module.module, count, base));
  return { rows: back(names.rows[module.module], outputs), columns: back(names.columns[module.module], inputs) };
}

function peftPath(path: string, { place, layer, module, name }: AdapterModule, names: ArchitectureNames): string {
  if (place === "embedding") return names.embedding;
  if (place === "output") return names.head;
  const inBlock = Object.entries(names.modules).find(([, gguf]) => gguf === module)?.[0];
  if (inBlock !== undefined && layer !== undefined) return `${names.layers}.${layer}.${inBlock}`;
  throw new AdapterError(
    path,
    { what: `${path}: ${name} has no counterpart on the PEFT side`, expected: Object.values(names.modules).join(", ") },
    name,
  );
}

function pair(
  module: AdapterModule,
  modulePath: string,
  { rows, columns }: Orders,
  source: FileSource,
): SafetensorsTensorToWrite[] {
  const { a, b, rank, place } = module;
  const isEmbedding = place === "embedding";
  const { inputs, outputs } = updateShape(module);
  const name = (half: "A" | "B"): string => peftTensorName(modulePath, half, isEmbedding);
  const dtypeOf = (tensor: GgufTensor): "F32" | "F16" | "BF16" => {
    const { name: type } = tensor.type;
    return type === "F16" || type === "BF16" ? type : "F32";
  };
  const isPlain = ({ type }: GgufTensor): boolean => ["F32", "F16", "BF16"].includes(type.name);
  const read = async (tensor: GgufTensor): Promise<Uint8Array> => {
    const bytes = await source.read(tensor.offset, tensor.byteLength);
    if (isPlain(tensor)) return bytes;
    if (canDequantize(tensor.type)) return new Uint8Array(dequantize(tensor.type, bytes).buffer);
    throw new AdapterError(
      source.path,
      {
        what: `${source.path}: ${tensor.name} is stored as ${tensor.type.name}`,
        expected: "a type that can be turned into F32",
      },
      tensor.name,
    );
  };
  const bytesOf = (dtype: "F32" | "F16" | "BF16"): number => (dtype === "F32" ? 4 : 2);
  return [
    {
      name: name("A"),
      dtype: dtypeOf(a),
      shape: [rank, inputs],
      byteLength: rank * inputs * bytesOf(dtypeOf(a)),
      data: async function* () {
        if (isEmbedding) yield transposed(await read(a), inputs, rank, bytesOf(dtypeOf(a)));
        else if (columns !== undefined) yield reorderColumns(await read(a), rank, columns);
        else if (isPlain(a)) yield* source.stream(a.offset, a.byteLength);
        else yield await read(a);
      },
    },
    {
      name: name("B"),
      dtype: dtypeOf(b),
      shape: [outputs, rank],
      byteLength: rank * outputs * bytesOf(dtypeOf(b)),
      data: async function* () {
        if (rows !== undefined) yield reorderRows(await read(b), rows);
        else if (isPlain(b)) yield* source.stream(b.offset, b.byteLength);
        else yield await read(b);
      },
    },
  ];
}

function peftConfig(
  adapter: Adapter,
  base: BaseModel,
  placed: readonly { module: AdapterModule; modulePath: string }[],
): Record<string, unknown> {
  const counts = new Map<number, number>();
  for (const { rank } of adapter.modules) counts.set(rank, (counts.get(rank) ?? 0) + 1);
  const [[r] = [8]] = [...counts].sort(([, a], [, b]) => b - a);
  const odd = placed
    .filter(({ module }) => module.rank !== r)
    .map(({ module, modulePath }) => [modulePath.replaceAll(".", "\\."), module.rank] as const);
  const targets = placed.map(({ module, modulePath }) => ({
    modulePath,
    layer: module.layer,
    module: shortName(modulePath),
  }));
  return {
    alpha_pattern: {},
    base_model_name_or_path: metadataString(adapter.metadata, "general.base_model.0.name") ?? base.name ?? "",
    bias: "none",
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: adapter.alpha,
    lora_dropout: 0,
    modules_to_save: null,
    peft_type: "LORA",
    r,
    rank_pattern: Object.fromEntries(odd),
    task_type: "CAUSAL_LM",
    use_dora: false,
    use_rslora: false,
    ...peftTargets(targets, base.layerCount),
  };
}
