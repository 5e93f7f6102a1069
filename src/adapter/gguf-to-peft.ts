import { defined } from "../assert.js";
import { AdapterError } from "../errors.js";
import { canDequantize } from "../formats/dequantize.js";
import type { GgufTensor } from "../formats/gguf-reader.js";
import { metadataString } from "../formats/gguf-value.js";
import type { Adapter, AdapterModule } from "./adapter.js";
import { architectureNames, knownArchitectures, type ArchitectureNames } from "./architectures.js";
import type { BaseModel } from "./base-model.js";
import { expertsFromStack, turnedExperts } from "./expert-factors.js";
import {
  computedFactor,
  factorBytes,
  factorValues,
  rearrangedFactor,
  transposedFactor,
  type Factor,
} from "./factor.js";
import { ggufChunks } from "./gguf-chunks.js";
import { moduleOfTensor } from "./gguf-targets.js";
import { LAYERS_KEY } from "./layer-count.js";
import type { PeftModule } from "./peft-adapter.js";
import { shortName } from "./peft-names.js";
import { peftPattern, peftTargets } from "./peft-targets.js";
import { inverseOrder, reorderColumns, reorderRows, rowOrder, splitRows, type RowOrder } from "./row-order.js";
import { peftTensors } from "./trim-peft.js";
import { updateShape } from "./update-shape.js";
import { TYPES_FROM_GGUF, writePeftFolder } from "./write-peft.js";

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
  const modules = await ggufAsPeftModules(adapter, base);
  const metadata = new Map([["format", "pt"], TYPES_FROM_GGUF, [LAYERS_KEY, String(base.layerCount)]]);
  await writePeftFolder(folder, peftConfig(adapter, base, modules), peftTensors(modules), { metadata, overwrite });
}

/**
 * The modules of a GGUF adapter in PEFT's terms. Tensors that are one module in transformers are joined: where their A differ, into one
 * of the sum of their ranks.
 * @param options.layout of mlx-lm, experts stay apart as its `switch_mlp`.
 * @throws AdapterError when the architecture is unknown, or has no module for a tensor.
 */
export async function ggufAsPeftModules(
  adapter: Adapter,
  base: BaseModel,
  { layout = "peft" }: { layout?: "peft" | "mlx" } = {},
): Promise<PeftModule[]> {
  const names = architectureNames(base.architecture);
  if (!names) {
    throw new AdapterError(adapter.givenPath, {
      what: `adapters for the architecture ${base.architecture} cannot be converted yet`,
      expected: knownArchitectures.join(", "),
    });
  }
  const done = new Set<AdapterModule>();
  const modules: PeftModule[] = [];
  for (const module of adapter.modules) {
    if (done.has(module)) continue;
    const place =
      (layout === "mlx" ? switchPlace(module, names) : undefined) ??
      modulePlace(adapter.givenPath, module, names, base);
    const tensors = (place.split?.to ?? [module.module]).map((name) =>
      adapter.modules.find((one) => one.layer === module.layer && one.module === name),
    );
    for (const tensor of tensors) if (tensor) done.add(tensor);
    modules.push(await peftModule(adapter, module, tensors, place, names, base));
  }
  return modules;
}

interface ModulePlace {
  readonly modulePath: string;
  readonly split: NonNullable<ReturnType<typeof moduleOfTensor>>["split"];
}

/** Where mlx-lm has a matrix of all experts, or undefined for anything else. Source: mlx_lm/models/switch_layers.py. */
function switchPlace({ module, layer }: AdapterModule, names: ArchitectureNames): ModulePlace | undefined {
  const part = /^ffn_(gate|up|down)_exps$/.exec(module)?.[1];
  const down = Object.keys(names.modules).find((inBlock) => inBlock.endsWith(".experts.down_proj"));
  if (part === undefined || down === undefined) return undefined;
  const inBlock = down.replace(".experts.down_proj", `.switch_mlp.${part}_proj`);
  return { modulePath: `${names.layers}.${layer ?? ""}.${inBlock}`, split: undefined };
}

function modulePlace(path: string, module: AdapterModule, names: ArchitectureNames, base: BaseModel): ModulePlace {
  const { place, layer, name } = module;
  if (place === "embedding") return { modulePath: names.embedding, split: undefined };
  if (place === "output") return { modulePath: names.head, split: undefined };
  const found = layer === undefined ? undefined : moduleOfTensor(module.module, layer, names, base);
  if (found) return { modulePath: `${names.layers}.${layer ?? ""}.${found.inBlock}`, split: found.split };
  throw new AdapterError(
    path,
    {
      what: `${path}: ${name} has no counterpart on the PEFT side`,
      expected: Object.keys(names.modules).join(", "),
    },
    name,
  );
}

/** @param tensors of the module in the order of its parts; undefined where the adapter has none for one. */
async function peftModule(
  adapter: Adapter,
  first: AdapterModule,
  tensors: readonly (AdapterModule | undefined)[],
  { modulePath, split }: ModulePlace,
  names: ArchitectureNames,
  base: BaseModel,
): Promise<PeftModule> {
  const { place, layer, experts } = first;
  const isParameter = experts !== undefined && !modulePath.includes(".switch_mlp.");
  const given = tensors.filter((tensor) => tensor !== undefined);
  const parts = given.map((tensor) => factorsOf(adapter, tensor, names, base));
  const joined = split
    ? await joinParts(parts, partRows(tensors, split, layer ?? 0, base), experts ?? 1)
    : defined(parts[0], "a tensor of the module");
  const { a, b, rank } = joined;
  const inExperts = experts === undefined ? undefined : parameterFactors(joined, experts, names);
  return {
    modulePath,
    place,
    layer,
    module: shortName(modulePath),
    rank,
    scale: adapter.alpha / first.rank,
    alpha: (adapter.alpha * rank) / first.rank,
    a: place === "embedding" ? transposedFactor(a) : a,
    b: { ...b, shape: b.shape.slice(1) },
    ...inExperts,
    ...(experts === undefined ? {} : { experts }),
    ...(isParameter ? { parameter: modulePath } : {}),
  };
}

/** A and B of a parameter of experts, as today's PEFT has them. */
function parameterFactors(
  { a, b, rank }: PartFactors,
  experts: number,
  { inputsFirst }: ArchitectureNames,
): { readonly a: Factor; readonly b: Factor } {
  const inputs = a.shape.at(-1) ?? 0;
  const outputs = b.shape[1] ?? 0;
  if (inputsFirst !== "undeclared") return { a, b: expertsFromStack(b, experts, outputs, rank) };
  const turnedA = turnedExperts(a, [experts, rank, inputs]);
  const turnedB = turnedExperts(b, [experts, outputs, rank]);
  return { a: { ...turnedB, shape: [experts * rank, outputs] }, b: expertsFromStack(turnedA, experts, inputs, rank) };
}

/** A [experts * rank, in], or of the embedding [vocabulary, rank]; B [experts, out, rank]; as the rows of Hugging Face have them. */
interface PartFactors {
  readonly a: Factor;
  readonly b: Factor;
  readonly rank: number;
}

function factorsOf(adapter: Adapter, module: AdapterModule, names: ArchitectureNames, base: BaseModel): PartFactors {
  const { a, b, rank, place, experts = 1 } = module;
  const { inputs, outputs } = updateShape(module);
  const back = (order: RowOrder | undefined, count: number): Uint32Array | undefined =>
    order === undefined ? undefined : inverseOrder(rowOrder(order, module.module, count, base));
  const rows = back(names.rows[module.module], outputs);
  const columns = back(names.columns[module.module], inputs);
  const storedA = ggufFactor(adapter, a, place === "embedding" ? [inputs, rank] : [experts * rank, inputs]);
  const storedB = ggufFactor(adapter, b, [experts, outputs, rank]);
  return {
    rank,
    a: columns ? rearrangedFactor(storedA, storedA.shape, (bytes) => reorderColumns(bytes, rank, columns)) : storedA,
    b: rows ? rearrangedFactor(storedB, storedB.shape, (bytes) => reorderRows(bytes, rows)) : storedB,
  };
}

/** A tensor of a GGUF file as a factor: F32, F16 and BF16 as they are, quantised numbers as F32. */
function ggufFactor(adapter: Adapter, tensor: GgufTensor, shape: readonly number[]): Factor {
  const { name, type, offset, byteLength } = tensor;
  const count = shape.reduce((product, length) => product * length, 1);
  const isPlain = type.name === "F32" || type.name === "F16" || type.name === "BF16";
  if (!isPlain && !canDequantize(type)) {
    throw new AdapterError(
      adapter.path,
      {
        what: `${adapter.path}: ${name} is stored as ${type.name}`,
        expected: "a type that can be turned into F32",
      },
      name,
    );
  }
  return {
    name,
    path: adapter.path,
    offset,
    shape,
    dtype: type.name === "F16" || type.name === "BF16" ? type.name : "F32",
    byteLength: isPlain ? byteLength : count * Float32Array.BYTES_PER_ELEMENT,
    data: () => ggufChunks(adapter.path, tensor),
  };
}

/** The rows of the module that each given tensor has. */
function partRows(
  tensors: readonly (AdapterModule | undefined)[],
  split: NonNullable<ModulePlace["split"]>,
  layer: number,
  base: BaseModel,
): Uint32Array[] {
  const sizes = split.to.map((name) => base.shapes.get(`blk.${layer}.${name}.weight`)?.[1] ?? 0);
  const rows = splitRows(split.rows, sizes, base);
  return rows.filter((_, i) => tensors[i] !== undefined);
}

/**
 * Parts of a module's rows as one update. Where all have the same A, it is theirs; else the ranks of all stand one behind the other, and
 * B is zero where a rank is another part's.
 * @param rows of each part in the module.
 */
async function joinParts(
  parts: readonly PartFactors[],
  rows: readonly Uint32Array[],
  experts: number,
): Promise<PartFactors> {
  const first = defined(parts[0], "a part of the module");
  const outputs = rows.reduce((sum, { length }) => sum + length, 0);
  const total = Math.max(outputs, ...rows.map((part) => part.reduce((most, row) => Math.max(most, row + 1), 0)));
  const isShared = await haveSameA(parts);
  const rank = isShared ? first.rank : parts.reduce((sum, part) => sum + part.rank, 0);
  const starts = parts.map((_, i) => (isShared ? 0 : parts.slice(0, i).reduce((sum, part) => sum + part.rank, 0)));
  const inputs = first.a.shape.at(-1) ?? 0;
  const a = isShared
    ? first.a
    : computedFactor(first.a, [experts * rank, inputs], async () => {
        const values = new Float32Array(experts * rank * inputs);
        for (const [i, part] of parts.entries()) {
          const own = await factorValues(part.a);
          const length = part.rank * inputs;
          for (let expert = 0; expert < experts; expert++) {
            const place = (expert * rank + (starts[i] ?? 0)) * inputs;
            values.set(own.subarray(expert * length, (expert + 1) * length), place);
          }
        }
        return values;
      });
  const b = computedFactor(first.b, [experts, total, rank], async () => {
    const values = new Float32Array(experts * total * rank);
    for (const [i, part] of parts.entries()) {
      const own = await factorValues(part.b);
      // All parts are scaled as the first is.
      const factor = first.rank / part.rank;
      const from = rows[i] ?? new Uint32Array();
      for (let expert = 0; expert < experts; expert++) {
        from.forEach((row, place) => {
          const at = (expert * total + row) * rank + (starts[i] ?? 0);
          const source = (expert * from.length + place) * part.rank;
          for (let k = 0; k < part.rank; k++) values[at + k] = (own[source + k] ?? 0) * factor;
        });
      }
    }
    return values;
  });
  return { a, b, rank };
}

async function haveSameA(parts: readonly PartFactors[]): Promise<boolean> {
  const [first, ...others] = parts;
  if (!first) return true;
  const bytes = await factorBytes(first.a);
  for (const { a } of others) {
    if (a.dtype !== first.a.dtype || a.byteLength !== first.a.byteLength) return false;
    if (Buffer.compare(bytes, await factorBytes(a)) !== 0) return false;
  }
  return true;
}

function peftConfig(adapter: Adapter, base: BaseModel, modules: readonly PeftModule[]): Record<string, unknown> {
  const counts = new Map<number, number>();
  for (const { rank } of modules) counts.set(rank, (counts.get(rank) ?? 0) + 1);
  const [[r] = [8]] = [...counts].sort(([, a], [, b]) => b - a);
  return {
    alpha_pattern: peftPattern(modules, ({ alpha }) => alpha, adapter.alpha),
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
    rank_pattern: peftPattern(modules, ({ rank }) => rank, r),
    task_type: "CAUSAL_LM",
    use_dora: false,
    use_rslora: false,
    ...peftTargets(modules, base.layerCount),
  };
}
