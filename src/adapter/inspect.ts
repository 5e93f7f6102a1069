import { BoundaryError } from "../errors.js";
import { canDequantize, dequantize } from "../formats/dequantize.js";
import { FileSource } from "../files/file-source.js";
import { metadataString } from "../formats/gguf-value.js";
import type { Adapter } from "./adapter.js";
import type { BaseModel } from "./base-model.js";
import { coverageNote } from "./coverage-note.js";
import { expertsToStack } from "./expert-factors.js";
import { factorValues } from "./factor.js";
import { Findings, type Finding } from "./finding.js";
import { assertFits } from "./fit.js";
import { loadGgufAdapter } from "./load-gguf-adapter.js";
import { examinePeftAdapter } from "./load-peft-adapter.js";
import type { AdapterKind, PeftAdapter } from "./peft-adapter.js";
import { locateAdapter } from "./locate-adapter.js";
import { assertPeftFits } from "./peft-to-gguf.js";
import { updateFacts, type UpdateFacts } from "./update-norm.js";
import { zeroFinding } from "./zero-updates.js";
import { factorLayout } from "./update-shape.js";

/** One module as inspect shows it. */
export interface InspectedModule {
  readonly name: string;
  readonly layer: number | undefined;
  readonly module: string;
  readonly rank: number;
  readonly alpha: number;
  readonly scale: number;
  /** Frobenius norm of s * B * A; undefined for tensor types that cannot be read as numbers. */
  readonly norm: number | undefined;
  readonly types: string;
  readonly bytes: number;
}

/** What is in an adapter and what is odd about it. */
export interface Inspection {
  readonly path: string;
  readonly form: "gguf" | "peft";
  /** Its kind, where it is not plain LoRA of PEFT: `MLX`, `ADALORA`, and so on. */
  readonly kind?: AdapterKind;
  readonly architecture: string | undefined;
  readonly baseName: string | undefined;
  readonly modules: readonly InspectedModule[];
  readonly coverage: readonly number[];
  readonly bytes: number;
  readonly findings: readonly Finding[];
}

/**
 * Looks an adapter over, numbers included, and checks it against a model where one is given. What is wrong comes back as findings.
 * @throws FileError, FormatError when the files cannot be read at all; AdapterError when something other than an adapter is there.
 */
export async function inspectAdapter(path: string, model?: BaseModel): Promise<Inspection> {
  const located = await locateAdapter(path);
  return located.form === "peft"
    ? inspectPeft(await examinePeftAdapter(located.path), model)
    : inspectGguf(located.path, model);
}

async function inspectGguf(path: string, model: BaseModel | undefined): Promise<Inspection> {
  const findings = new Findings();
  const adapter = await loadGgufAdapter(path).catch((error: unknown) => {
    if (!(error instanceof BoundaryError) || error.name !== "AdapterError") throw error;
    findings.error("unusable", error.parts.what, error.parts.fix ?? "Export the adapter again.");
    return undefined;
  });
  if (!adapter)
    return {
      path,
      form: "gguf",
      architecture: undefined,
      baseName: undefined,
      modules: [],
      coverage: [],
      bytes: 0,
      findings: findings.all,
    };
  if (adapter.alpha === 0)
    findings.error(
      "alpha",
      "alpha is 0, which the engine reads as scale 1 instead of 0.",
      "Set the real alpha, or drop the adapter.",
    );
  const modules: InspectedModule[] = [];
  const source = await FileSource.open(path);
  try {
    for (const module of adapter.modules) {
      const { a, b, rank, layer, name } = module;
      const scale = adapter.alpha / rank;
      const isReadable = canDequantize(a.type) && canDequantize(b.type);
      const facts = isReadable
        ? updateFacts(
            dequantize(a.type, await source.read(a.offset, a.byteLength)),
            dequantize(b.type, await source.read(b.offset, b.byteLength)),
            factorLayout(module),
            scale,
          )
        : undefined;
      note(name, facts, findings);
      modules.push({
        name,
        layer,
        module: module.module,
        rank,
        alpha: adapter.alpha,
        scale,
        norm: facts?.norm,
        types: types(a.type.name, b.type.name),
        bytes: a.byteLength + b.byteLength,
      });
    }
  } finally {
    await source.close();
  }
  whole(modules, findings);
  noteExperts(adapter, findings);
  const covered = coverageNote(adapter.coverage);
  if (covered !== undefined) findings.note("coverage", covered);
  findings.note(
    "upstream",
    "A GGUF file does not say how its scale was meant: one that llama.cpp's converter made from an rsLoRA or alpha_pattern adapter is mis-scaled and looks like any other. If yours was, convert the PEFT folder again with `boundary convert`.",
  );
  if (model)
    fits(() => {
      assertFits(adapter, model);
    }, findings);
  nameMatches(metadataString(adapter.metadata, "general.base_model.0.name"), model, findings);
  return { ...overview(adapter), form: "gguf", modules, findings: findings.all };
}

function overview(adapter: Adapter): Pick<Inspection, "path" | "architecture" | "baseName" | "coverage" | "bytes"> {
  const { path, architecture, coverage, byteLength, metadata } = adapter;
  return {
    path,
    architecture,
    baseName: metadataString(metadata, "general.base_model.0.name"),
    coverage,
    bytes: byteLength,
  };
}

async function inspectPeft(adapter: PeftAdapter, model: BaseModel | undefined): Promise<Inspection> {
  const findings = new Findings();
  findings.all.push(...adapter.findings);
  const modules: InspectedModule[] = [];
  for (const { modulePath, layer, module, rank, alpha, scale, a, b, experts } of adapter.modules) {
    const stack = experts === undefined ? b : expertsToStack(b, experts);
    const facts = updateFacts(await factorValues(a), await factorValues(stack), { rank, experts }, scale);
    note(modulePath, facts, findings);
    modules.push({
      name: modulePath,
      layer,
      module,
      rank,
      alpha,
      scale,
      norm: facts.norm,
      types: types(a.dtype, b.dtype),
      bytes: a.byteLength + b.byteLength,
    });
  }
  whole(modules, findings);
  const { config, folder, coverage, byteLength } = adapter;
  if (config.use_rslora === true)
    findings.note(
      "rslora",
      "rsLoRA: scaled by alpha/sqrt(rank). `boundary convert` keeps that; llama.cpp's own converter does not.",
    );
  if (config.alpha_pattern && Object.keys(config.alpha_pattern).length > 0)
    findings.note(
      "alpha-pattern",
      "alpha_pattern: modules are scaled differently. `boundary convert` keeps that; llama.cpp's own converter does not.",
    );
  if (model)
    fits(() => {
      assertPeftFits(adapter, model);
    }, findings);
  nameMatches(config.base_model_name_or_path ?? undefined, model, findings);
  return {
    path: folder,
    form: "peft",
    ...(adapter.kind === "LORA" ? {} : { kind: adapter.kind }),
    architecture: undefined,
    baseName: config.base_model_name_or_path ?? undefined,
    modules,
    coverage,
    bytes: byteLength,
    findings: findings.all,
  };
}

function types(a: string, b: string): string {
  return a === b ? a : `${a}/${b}`;
}

function note(name: string, facts: UpdateFacts | undefined, findings: Findings): void {
  if (facts && !facts.finite)
    findings.error(
      "not-finite",
      `${name} holds NaN or infinite values.`,
      "Training diverged: use an earlier checkpoint.",
    );
}

/** Findings about the adapter as a whole. */
function whole(modules: readonly InspectedModule[], findings: Findings): void {
  const zero = zeroFinding(new Set(modules.filter(({ norm }) => norm === 0).map(({ name }) => name)), modules.length);
  if (zero) findings.all.push(zero);
  const ranks = new Set(modules.map(({ rank }) => rank));
  if (ranks.size > 1)
    findings.note("ranks", `Ranks differ between modules: ${[...ranks].sort((a, b) => a - b).join(", ")}.`);
}

function noteExperts({ modules }: Adapter, findings: Findings): void {
  const counts = modules.flatMap(({ experts }) => (experts === undefined ? [] : [experts]));
  if (counts.length === 0) return;
  const each = [...new Set(counts)].sort((a, b) => a - b).join(" or ");
  findings.note(
    "experts",
    `${counts.length} of ${modules.length} modules have an update for each of ${each} experts: a boundary keeps or drops them together.`,
  );
}

function fits(check: () => void, findings: Findings): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof BoundaryError)) throw error;
    findings.error("fit", error.message, error.parts.fix ?? "Use the base model that the adapter was trained on.");
  }
}

/** llama.cpp takes an adapter for a sibling model without a word; a recorded name unlike the model's tells of it. */
function nameMatches(recorded: string | undefined, model: BaseModel | undefined, findings: Findings): void {
  if (recorded === undefined || recorded === "" || model?.name === undefined) return;
  const words = (text: string): string[] =>
    text
      .toLowerCase()
      .split(/[^a-z0-9]+/)
      .filter((word) => word.length > 1);
  const ofModel = words(model.name);
  const ofAdapter = words(recorded.split("/").at(-1) ?? "");
  const shared = ofAdapter.filter((word) => ofModel.includes(word)).length;
  if (2 * shared > Math.min(ofAdapter.length, ofModel.length)) return;
  findings.warning(
    "base-name",
    `The adapter was trained on ${JSON.stringify(recorded)}, the model calls itself ${JSON.stringify(model.name)}.`,
    "Make sure that they are the same model.",
  );
}
