import { createHash } from "node:crypto";
import { join } from "node:path";
import { defined } from "../assert.js";
import { AdapterError } from "../errors.js";
import { CONFIG_BYTES, readWhole } from "../files/read-whole.js";
import { sha256File } from "../files/file-source.js";
import { withStamp, type FileStamp, type HashedStamp } from "../files/file-stamp.js";
import type { SafetensorsTensor } from "../formats/safetensors-reader.js";
import type { Place } from "./adapter.js";
import { Findings, type Finding } from "./finding.js";
import { coverageNote } from "./coverage-note.js";
import type { Factor } from "./factor.js";
import { isLowRankKind } from "./low-rank-kinds.js";
import { lowRankModules } from "./low-rank-modules.js";
import { mlxModules, readMlxConfig } from "./mlx-adapter.js";
import { examinePeftConfig, readPeftConfig, type PeftConfig } from "./peft-config.js";
import { peftModules } from "./peft-modules.js";
import { readAdapterWeights } from "./adapter-weights.js";

const CONFIG = "adapter_config.json";

/** One adapted module of a PEFT adapter. */
export interface PeftModule {
  /** Path of the module in the base, such as `model.layers.0.self_attn.q_proj`. */
  readonly modulePath: string;
  readonly place: Place;
  readonly layer: number | undefined;
  /** Last part of the path, such as `q_proj`. */
  readonly module: string;
  readonly rank: number;
  readonly alpha: number;
  /** The factor in front of B*A, as PEFT computes it. */
  readonly scale: number;
  /** A: [rank, in]; of an embedding [rank, vocabulary]; of experts [experts * rank, in]. */
  readonly a: Factor;
  /** B: [out, rank]; of an embedding [d, rank]; of experts [out, rank * experts], the expert counting fastest. */
  readonly b: Factor;
  /** How many experts have a matrix of their own in the adapted parameter. Source: peft/tuners/lora/layer.py, ParamWrapper. */
  readonly experts?: number;
  /** Path of the parameter that is adapted, where it is one of `target_parameters` instead of a module. */
  readonly parameter?: string;
  /** Whether a version of PEFT wrote it that took in and out of experts for each other. */
  readonly isOldOrder?: boolean;
  /** Whether A has as many columns as the widest module: only the base tells which of them count. */
  readonly isWide?: boolean;
}

/** The kind of adapter that a folder held before it was read as LoRA: a `peft_type`, or mlx-lm's layout. */
export type AdapterKind = "LORA" | "ADALORA" | "VERA" | "LOHA" | "LOKR" | "MLX";

/** A trained tensor that is neither A nor B: DoRA's magnitudes, a whole weight, a bias, or rows of the embedding. */
export interface ExtraTensor {
  readonly kind: "magnitude" | "bias" | "token-delta" | "whole-weight" | "unknown";
  /** Name of the tensor without PEFT's prefix. */
  readonly path: string;
  readonly tensor: SafetensorsTensor;
}

/** What the tensors of a folder are. */
export interface ReadModules {
  readonly config: PeftConfig;
  readonly modules: readonly PeftModule[];
  readonly ignored: readonly string[];
  readonly extras: readonly ExtraTensor[];
}

/** A PEFT adapter as a value: configuration and tensor table, nothing of its data. */
export interface PeftAdapter {
  readonly folder: string;
  readonly kind: AdapterKind;
  /** Of an adapter of another kind, what says the same of the LoRA that was made of it. */
  readonly config: PeftConfig;
  /** Paths of the weights' files. */
  readonly files: readonly string[];
  /** Of the configuration and the weights' files, from before they were read. */
  readonly stamps: readonly FileStamp[];
  readonly modules: readonly PeftModule[];
  /** Trained weights that are no low-rank update: only a merge takes them. */
  readonly extras: readonly ExtraTensor[];
  /** Paths of modules that belong to other parts of the model than its text decoder; a warning names them. */
  readonly ignored: readonly string[];
  readonly coverage: readonly number[];
  /** Size of the weights' files in bytes. */
  readonly byteLength: number;
  readonly findings: readonly Finding[];
  /** Metadata of the weights' file, of the first one where there are several. */
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Reads a PEFT folder (adapter_config.json and adapter_model.safetensors, sharded or not).
 * @throws FileError, FormatError when files are missing or damaged; AdapterError for the first thing that llama.cpp cannot compute.
 */
export async function loadPeftAdapter(folder: string): Promise<PeftAdapter> {
  const adapter = await examinePeftAdapter(folder);
  const error = adapter.findings.find(({ severity }) => severity === "error");
  if (!error) return adapter;
  throw new AdapterError(folder, {
    what: `${folder} cannot be used: ${error.message.replace(/\.$/, "")}`,
    ...(error.fix === undefined ? {} : { fix: error.fix }),
  });
}

/** {@link loadPeftAdapter} that reports what is wrong as findings instead of throwing, as far as the files can be read at all. */
export async function examinePeftAdapter(folder: string): Promise<PeftAdapter> {
  const findings = new Findings();
  const { value: mlx, stamp } = await withStamp(join(folder, CONFIG), () => readMlxConfig(folder));
  const given = mlx === undefined ? await readPeftConfig(folder) : undefined;
  if (given) examinePeftConfig(given, findings);
  const kind = mlx ? "MLX" : kindOf(given);
  if (kind === undefined) return { ...nothingRead(folder, given), stamps: [stamp], findings: findings.all };
  const { files, stamps, tensors, metadata } = await readAdapterWeights(folder, kind);
  const read = mlx
    ? mlxModules(mlx, tensors, findings)
    : kind === "LORA"
      ? peftModules(folder, defined(given, "a configuration"), tensors, findings)
      : lowRankModules(folder, kind, defined(given, "a configuration"), tensors, findings);
  const { modules } = read;
  if (modules.length === 0 && findings.firstError() === undefined) {
    findings.error("empty", "The file holds no LoRA tensors.", "Export the adapter again.");
  }
  const still = modules.filter(({ scale }) => scale === 0);
  if (still.length > 0)
    findings.warning("scale-0", `${still.length} of ${modules.length} modules have scale 0: they change nothing.`);
  const layers = modules.flatMap(({ layer }) => (layer === undefined ? [] : [layer]));
  const coverage = [...new Set(layers)].sort((a, b) => a - b);
  const covered = coverageNote(coverage);
  if (covered !== undefined) findings.note("coverage", covered);
  return {
    folder,
    kind,
    ...read,
    files: files.map(({ path }) => path),
    stamps: [stamp, ...stamps],
    coverage,
    byteLength: files.reduce((sum, { fileSize }) => sum + fileSize, 0),
    findings: findings.all,
    metadata,
  };
}

function kindOf(config: PeftConfig | undefined): AdapterKind | undefined {
  const kind = config?.peft_type.toUpperCase() ?? "";
  return kind === "LORA" || isLowRankKind(kind) ? (kind as AdapterKind) : undefined;
}

function nothingRead(folder: string, config: PeftConfig | undefined): Omit<PeftAdapter, "stamps" | "findings"> {
  return {
    folder,
    kind: "LORA",
    config: config ?? { peft_type: "" },
    files: [],
    modules: [],
    extras: [],
    ignored: [],
    coverage: [],
    byteLength: 0,
    metadata: new Map(),
  };
}

/**
 * SHA-256 over configuration and weights together, lower-case hex.
 * @param known hashes of the weights' files, where they were hashed before: others are read for it.
 */
export async function peftSha256({ folder, files }: PeftAdapter, known: readonly HashedStamp[] = []): Promise<string> {
  const config = join(folder, CONFIG);
  const hash = createHash("sha256").update(await readWhole(config, CONFIG_BYTES));
  for (const file of files) hash.update(known.find(({ path }) => path === file)?.sha256 ?? (await sha256File(file)));
  return hash.digest("hex");
}
