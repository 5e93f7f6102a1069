import { basename, join } from "node:path";
import type { Adapter } from "../adapter/adapter.js";
import type { BaseModel } from "../adapter/base-model.js";
import { assertFits } from "../adapter/fit.js";
import { readGgufAdapter } from "../adapter/load-gguf-adapter.js";
import { examinePeftAdapter } from "../adapter/load-peft-adapter.js";
import type { PeftAdapter } from "../adapter/peft-adapter.js";
import { locateAdapter } from "../adapter/locate-adapter.js";
import { writePeftAsGguf } from "../adapter/peft-to-gguf.js";
import { selectModules, type KeepRules, type Selectable } from "../adapter/select-modules.js";
import { openQuantizer } from "../engine/quantizer.js";
import { AdapterError, UsageError } from "../errors.js";
import { withTemporaryFolder } from "../files/temporary-folder.js";
import { ggmlTypeNamed, type GgmlType } from "../formats/ggml-types.js";
import type { GgufMetadata, GgufValue } from "../formats/gguf-value.js";
import { version } from "../version.js";
import { changesOf } from "./changes.js";
import { writeMergedModel, type MergedTensor } from "./merge-model.js";

/** What is wrong with an adapter as a LoRA and right for a merge. */
const MERGEABLE = new Set(["dora", "modules-to-save", "trainable-tokens", "bias", "lora-bias"]);

/** What a type that cannot hold a row, or needs an importance matrix, gives way to. */
const WIDER = ["Q8_0", "F16"];

/** What is merged, and how. */
export interface MergeRequest extends KeepRules {
  readonly adapter: string;
  readonly out: string;
  /** Type of the changed tensors, as ggml names it; the base's where it is missing. */
  readonly type?: string;
  readonly overwrite: boolean;
  readonly onTensor?: (name: string, index: number, count: number) => void;
}

/** What was merged. */
export interface MergeReport {
  readonly tensors: readonly MergedTensor[];
  /** What is odd about the adapter. */
  readonly warnings: readonly string[];
  /** Changed tensors that the wanted type could not hold, with the type that they have instead. */
  readonly widened: ReadonlyMap<string, string>;
}

/**
 * Writes a base model with an adapter, or a part of it, merged into its weights: LoRA of any form, DoRA, whole trained weights, biases and
 * rows of the embedding.
 * @throws AdapterError for an adapter that cannot be merged, or does not fit; UsageError for a type that does not exist or when nothing is
 * kept; FileError when writing fails.
 */
export async function mergeAdapter(base: BaseModel, request: MergeRequest): Promise<MergeReport> {
  const located = await locateAdapter(request.adapter);
  const untied = untiedBase(base);
  if (located.form === "gguf") {
    const adapter = await readGgufAdapter(located.path);
    assertFits(adapter, untied);
    return merge(base, adapter, undefined, request);
  }
  const peft = await examinePeftAdapter(located.path);
  const error = peft.findings.find(({ severity, code }) => severity === "error" && !MERGEABLE.has(code));
  if (error) {
    throw new AdapterError(peft.folder, {
      what: `${peft.folder} cannot be merged: ${error.message.replace(/\.$/, "")}`,
      ...(error.fix === undefined ? {} : { fix: error.fix }),
    });
  }
  if (peft.modules.length === 0) return merge(base, undefined, peft, request);
  return withTemporaryFolder("merge", async (folder) => {
    const path = join(folder, "adapter.gguf");
    await writePeftAsGguf(peft, untied, path, { overwrite: false });
    return merge(base, await readGgufAdapter(path), peft, request);
  });
}

async function merge(
  base: BaseModel,
  adapter: Adapter | undefined,
  peft: PeftAdapter | undefined,
  request: MergeRequest,
): Promise<MergeReport> {
  const changes = changesOf(adapter, peft, base, keeper(adapter, base, request));
  if (changes.size === 0) {
    throw new UsageError({
      what: "nothing of the adapter is kept, so there is nothing to merge",
      fix: "Keep more layers.",
    });
  }
  const quantizer = openQuantizer();
  const wanted = request.type === undefined ? undefined : typeNamed(request.type);
  const widened = new Map<string, string>();
  const typeOf = (before: GgmlType, columns: number): GgmlType => {
    const type = wanted ?? before;
    if (columns % type.blockSize === 0 && !quantizer.needsImportanceMatrix(type)) return type;
    const wider = WIDER.map(typeNamed).find(({ blockSize }) => columns % blockSize === 0) ?? typeNamed("F16");
    widened.set(type.name, wider.name);
    return wider;
  };
  const tensors = await writeMergedModel(base, adapter, changes, request.out, {
    typeOf,
    quantizer,
    metadata: provenance(request),
    overwrite: request.overwrite,
    ...(request.onTensor ? { onTensor: request.onTensor } : {}),
  });
  const warnings = (peft?.findings ?? []).filter(({ severity }) => severity === "warning");
  return { tensors, widened, warnings: warnings.map(({ message }) => message) };
}

/** Whether the rules keep what is in a layer, or outside of all. Trained weights without an adapter's place go by their layer alone. */
function keeper(
  adapter: Adapter | undefined,
  base: BaseModel,
  { keep, layers, drop, modules }: KeepRules,
): (change: Selectable) => boolean {
  const byLayer = {
    ...(keep === undefined ? {} : { keep }),
    ...(layers === undefined ? {} : { layers }),
    ...(drop === undefined ? {} : { drop }),
  };
  const names =
    modules === undefined
      ? undefined
      : new Set(selectModules(adapter?.modules ?? [], base.layerCount, { modules }).map(({ module }) => module));
  return (change) => {
    return selectModules([change], base.layerCount, byLayer).length === 1 && (names?.has(change.module) ?? true);
  };
}

/** The base as if its head had a tensor of its own: merged into the weights, an adapter of either is no trouble. */
function untiedBase(base: BaseModel): BaseModel {
  const embedding = base.shapes.get("token_embd.weight");
  if (!base.tiedEmbedding || !embedding) return base;
  return { ...base, tiedEmbedding: false, shapes: new Map([...base.shapes, ["output.weight", embedding]]) };
}

function typeNamed(name: string): GgmlType {
  const type = ggmlTypeNamed(name.toUpperCase());
  if (type && isOfWeights(type)) return type;
  throw new UsageError({
    what: `--type ${name} is not a type that weights are written in`,
    expected: "F32, F16, BF16, Q8_0, Q6_K, Q5_K, Q4_K, Q4_0 or another type of ggml",
  });
}

function isOfWeights({ name }: GgmlType): boolean {
  return !/^(?:I\d+|F64|Q8_1|Q8_K)$/.test(name);
}

function provenance({ adapter, keep, layers, drop, modules }: MergeRequest): GgufMetadata {
  const text = (value: string): GgufValue => ({ type: "string", value });
  const rules = Object.entries({ keep, layers, drop, modules }).filter(([, value]) => value !== undefined);
  const flags = rules.map(([name, value]) => ` --${name} ${String(value)}`).join("");
  return new Map([
    ["boundary.version", text(version)],
    ["boundary.command", text(`boundary merge ${basename(adapter)}${flags}`)],
  ]);
}
