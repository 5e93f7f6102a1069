import { AdapterError } from "../errors.js";
import type { Place } from "./adapter.js";
import { architectureNames, isBlockList, type ArchitectureNames } from "./architectures.js";
import type { BaseModel } from "./base-model.js";
import { expertsToStack, turnedExperts } from "./expert-factors.js";
import { rearrangedFactor, type Factor } from "./factor.js";
import { ggufTargets, tensorName, type GgufTarget } from "./gguf-targets.js";
import type { PeftAdapter, PeftModule } from "./peft-adapter.js";
import { placeOfPath } from "./peft-places.js";
import { rowOrder } from "./row-order.js";

/** What one PEFT module contributes to a GGUF tensor. */
export interface UpdatePart {
  readonly module: PeftModule;
  /** A: [experts * rank, in]. */
  readonly a: Factor;
  /** B: [experts, out, rank]. */
  readonly b: Factor;
  readonly rank: number;
  /** How many matrices it holds. */
  readonly experts: number;
  /** Which expert of the tensor it is; undefined where it is all of them, or the tensor has none. */
  readonly expert: number | undefined;
  /** Which row of B stands at each row of the tensor, and which column of A at each column; in their own order where undefined. */
  readonly rows: Uint32Array | undefined;
  readonly columns: Uint32Array | undefined;
}

/** The update of one GGUF tensor: a matrix, or one for each expert. */
export interface GgufUpdate {
  /** Name of the base tensor. */
  readonly name: string;
  readonly place: Place;
  readonly layer: number | undefined;
  readonly experts: number | undefined;
  /** The largest of its parts; smaller ones are padded with zeros. */
  readonly rank: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly parts: readonly UpdatePart[];
}

/**
 * The GGUF tensors that a PEFT adapter updates, in the order of its modules. Experts that PEFT has one by one are one tensor.
 * @throws AdapterError for a module without a counterpart, or two of the same.
 */
export function ggufUpdates(adapter: PeftAdapter, names: ArchitectureNames, base: BaseModel): GgufUpdate[] {
  const updates = new Map<string, GgufUpdate>();
  for (const given of adapter.modules) {
    const module = sizedModule(given, names, base);
    const targets = targetsOf(module, names, base);
    if (!targets) throw noCounterpart(adapter.folder, module, names, base);
    for (const { name, target } of targets) {
      const part = partOf(module, name, target, names, base);
      const earlier = updates.get(name);
      const twin = earlier?.parts.find(({ expert }) => expert === undefined || expert === part.expert);
      if (twin) throw sameTensor(adapter.folder, twin.module.modulePath, module.modulePath, name);
      updates.set(name, joined(earlier, module, name, part, base));
    }
  }
  return [...updates.values()];
}

/** An adapter without modules whose size only the base gives: A of each has the columns that the base's tensor has. */
export function sizedAdapter(adapter: PeftAdapter, base: BaseModel): PeftAdapter {
  const names = architectureNames(base.architecture);
  return names ? { ...adapter, modules: adapter.modules.map((module) => sizedModule(module, names, base)) } : adapter;
}

function sizedModule(module: PeftModule, names: ArchitectureNames, base: BaseModel): PeftModule {
  if (module.isWide !== true) return module;
  const { isWide: _, ...sized } = module;
  const [rows = 0, width = 0] = module.a.shape;
  const [name = ""] = ggufNames(module, names, base) ?? [];
  const inputs = Math.min(width, base.shapes.get(name)?.[0] ?? width);
  const a = rearrangedFactor(module.a, [rows, inputs], (bytes, size) =>
    firstColumns(bytes, width * size, inputs * size),
  );
  return { ...sized, a };
}

/** The first bytes of each row. */
function firstColumns(bytes: Uint8Array, rowBytes: number, kept: number): Uint8Array {
  const rows = bytes.byteLength / rowBytes;
  const result = new Uint8Array(rows * kept);
  for (let row = 0; row < rows; row++) result.set(bytes.subarray(row * rowBytes, row * rowBytes + kept), row * kept);
  return result;
}

/** Names of the GGUF tensors that a module is, or is a part of. Undefined where the architecture has none for it. */
export function ggufNames(
  module: Pick<PeftModule, "place" | "layer" | "modulePath">,
  names: ArchitectureNames,
  base: BaseModel,
): string[] | undefined {
  return targetsOf(module, names, base)?.map(({ name }) => name);
}

interface NamedTarget {
  readonly name: string;
  readonly target: GgufTarget;
}

function targetsOf(
  { place, layer, modulePath }: Pick<PeftModule, "place" | "layer" | "modulePath">,
  names: ArchitectureNames,
  base: BaseModel,
): NamedTarget[] | undefined {
  if (place === "embedding") return [{ name: "token_embd.weight", target: { module: "token_embd" } }];
  if (place === "output") return [{ name: "output.weight", target: { module: "output" } }];
  const where = placeOfPath(modulePath);
  // Other lists of blocks belong to other models.
  if (where.kind !== "block" || layer === undefined || !isBlockList(where.list, names)) return undefined;
  return ggufTargets(where.inBlock, layer, names, base)?.map((target) => {
    return { name: tensorName(layer, target.module), target };
  });
}

function partOf(
  module: PeftModule,
  name: string,
  target: GgufTarget,
  names: ArchitectureNames,
  base: BaseModel,
): UpdatePart {
  const { module: ggufModule, expert, total } = target;
  const { experts = 1, rank } = module;
  const shape = base.shapes.get(name);
  const { a, b } = orientedFactors(module, shape?.[0], total ?? shape?.[1], names);
  const [, inputs = 0] = a.shape;
  const [, outputs = 0] = b.shape;
  const columns = names.columns[ggufModule];
  return {
    module,
    a,
    b,
    rank,
    experts,
    expert,
    rows: rowsInTensor(target, outputs, shape?.[1], names, base),
    columns: columns && inputs === shape?.[0] ? rowOrder(columns, ggufModule, inputs, base) : undefined,
  };
}

/**
 * Which row of a module stands at each row of the tensor; undefined where they stand in their own order, or are not as many: that is told where
 * the shapes are compared.
 * @param outputs rows of the module. @param expected rows of the tensor in the base.
 */
export function rowsInTensor(
  { module, rows: selected }: GgufTarget,
  outputs: number,
  expected: number | undefined,
  names: ArchitectureNames,
  base: BaseModel,
): Uint32Array | undefined {
  const order = names.rows[module];
  const count = selected?.length ?? outputs;
  if (order === undefined || count !== expected) return selected;
  const ordered = rowOrder(order, module, count, base);
  return selected ? ordered.map((row) => selected[row] ?? 0) : ordered;
}

/**
 * A and B as llama.cpp has them. PEFT before 0.19 took the two sizes of an adapted parameter of experts for each other where the model
 * stores [experts, out, in]: there A and B have changed places, which the base's sizes tell unless they are equal.
 * @param inputs of the base. @param rows of the whole module in it.
 */
function orientedFactors(
  { a, b, experts = 1, rank, isOldOrder = false }: PeftModule,
  inputs: number | undefined,
  rows: number | undefined,
  { inputsFirst }: ArchitectureNames,
): { readonly a: Factor; readonly b: Factor } {
  const [, width = 0] = a.shape;
  const [outputs = 0] = b.shape;
  const stack = expertsToStack(b, experts);
  const canBeSwapped = experts > 1 && width === rows && outputs === inputs;
  // In a square matrix only the version of PEFT tells.
  const byVersion = inputsFirst === undefined ? isOldOrder : inputsFirst === "undeclared" && !isOldOrder;
  const isSwapped = canBeSwapped && (width !== outputs || byVersion);
  if (!isSwapped) return { a, b: stack };
  return {
    a: { ...turnedExperts(stack, [experts, outputs, rank]), shape: [experts * rank, outputs] },
    b: turnedExperts(a, [experts, rank, width]),
  };
}

function joined(
  earlier: GgufUpdate | undefined,
  { place, layer }: PeftModule,
  name: string,
  part: UpdatePart,
  base: BaseModel,
): GgufUpdate {
  const experts = part.expert === undefined ? undefined : (base.shapes.get(name)?.[2] ?? 1);
  return {
    name,
    place,
    layer,
    experts: part.experts > 1 ? part.experts : experts,
    rank: Math.max(part.rank, earlier?.rank ?? 0),
    inputs: part.a.shape[1] ?? 0,
    outputs: part.rows?.length ?? part.b.shape[1] ?? 0,
    parts: [...(earlier?.parts ?? []), part],
  };
}

function noCounterpart(folder: string, module: PeftModule, names: ArchitectureNames, base: BaseModel): AdapterError {
  return new AdapterError(folder, {
    what: `${folder} adapts ${module.modulePath}, which has no counterpart in the architecture ${base.architecture}`,
    expected: `one of ${Object.keys(names.modules).join(", ")}`,
    fix: "Use the base model that the adapter was trained on.",
  });
}

function sameTensor(folder: string, first: string, second: string, name: string): AdapterError {
  return new AdapterError(
    folder,
    { what: `${folder}: ${first} and ${second} are both ${name} of the model`, fix: "Save one adapter alone." },
    name,
  );
}
