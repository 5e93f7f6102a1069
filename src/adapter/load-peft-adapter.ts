import { createHash } from "node:crypto";
import { join } from "node:path";
import { defined } from "../assert.js";
import { AdapterError } from "../errors.js";
import { CONFIG_BYTES, readWhole } from "../formats/read-whole.js";
import { sha256File } from "../formats/file-source.js";
import { readSafetensorsFolder } from "../formats/safetensors-folder.js";
import type { SafetensorsTensor } from "../formats/safetensors-reader.js";
import type { Place } from "./adapter.js";
import { Findings, type Finding } from "./finding.js";
import { examinePeftConfig, readPeftConfig, type PeftConfig } from "./peft-config.js";
import { layerOfPath, parsePeftName, shortName } from "./peft-names.js";
import { peftRules, type PeftModuleRule } from "./peft-scale.js";

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
  /** A: [rank, in]; of an embedding [rank, vocabulary]. */
  readonly a: SafetensorsTensor;
  /** B: [out, rank]; of an embedding [d, rank]. */
  readonly b: SafetensorsTensor;
}

/** A PEFT adapter as a value: configuration and tensor table, nothing of its data. */
export interface PeftAdapter {
  readonly folder: string;
  readonly config: PeftConfig;
  /** Paths of the weights' files. */
  readonly files: readonly string[];
  readonly modules: readonly PeftModule[];
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
  const config = await readPeftConfig(folder);
  const findings = new Findings();
  examinePeftConfig(config, findings);
  if (findings.all.some(({ code }) => code === "not-lora")) {
    return {
      folder,
      config,
      files: [],
      modules: [],
      coverage: [],
      byteLength: 0,
      findings: findings.all,
      metadata: new Map(),
    };
  }
  const { files, tensors } = await readSafetensorsFolder(folder, "adapter_model");
  const modules = pairTensors(folder, config, tensors, findings);
  if (modules.length === 0 && findings.firstError() === undefined) {
    findings.error("empty", "The file holds no LoRA tensors.", "Export the adapter again.");
  }
  const still = modules.filter(({ scale }) => scale === 0);
  if (still.length > 0)
    findings.warning("scale-0", `${still.length} of ${modules.length} modules have scale 0: they change nothing.`);
  const layers = modules.flatMap(({ layer }) => (layer === undefined ? [] : [layer]));
  return {
    folder,
    config,
    files: files.map(({ path }) => path),
    modules,
    coverage: [...new Set(layers)].sort((a, b) => a - b),
    byteLength: files.reduce((sum, { fileSize }) => sum + fileSize, 0),
    findings: findings.all,
    metadata: files[0]?.metadata ?? new Map(),
  };
}

/** SHA-256 over configuration and weights together, lower-case hex. */
export async function peftSha256({ folder, files }: PeftAdapter): Promise<string> {
  const config = join(folder, "adapter_config.json");
  const hash = createHash("sha256").update(await readWhole(config, CONFIG_BYTES));
  for (const file of files) hash.update(await sha256File(file));
  return hash.digest("hex");
}

interface Halves {
  a?: SafetensorsTensor;
  b?: SafetensorsTensor;
  embedding: boolean;
}

function pairTensors(
  folder: string,
  config: PeftConfig,
  tensors: readonly SafetensorsTensor[],
  findings: Findings,
): PeftModule[] {
  const halves = new Map<string, Halves>();
  const odd = new Map<string, string[]>();
  for (const tensor of tensors) {
    const name = parsePeftName(tensor.name);
    if (name.kind !== "lora") {
      odd.set(name.kind, [...(odd.get(name.kind) ?? []), tensor.name]);
      continue;
    }
    const pair = halves.get(name.modulePath) ?? { embedding: name.embedding };
    if (pair[name.half])
      findings.error(
        "several-adapters",
        `${name.modulePath} has more than one lora_${name.half.toUpperCase()}.`,
        "Save one adapter alone.",
      );
    pair[name.half] = tensor;
    halves.set(name.modulePath, pair);
  }
  reportOddTensors(odd, findings);
  const rules = peftRules(config, [...halves.keys()], folder);
  return [...halves].flatMap(([modulePath, pair]) => {
    const rule = defined(rules.get(modulePath), `the rule of ${modulePath}`);
    return joinHalves(rule, modulePath, pair, findings) ?? [];
  });
}

function reportOddTensors(odd: ReadonlyMap<string, readonly string[]>, findings: Findings): void {
  const merge = "Merge the adapter into the base with PEFT's merge_and_unload() and convert the merged model.";
  const meanings: Record<string, [code: string, text: string]> = {
    magnitude: ["dora", "holds DoRA's magnitude vectors, which llama.cpp does not compute"],
    bias: ["bias", "holds trained biases, which llama.cpp does not apply from an adapter"],
    "token-delta": ["trainable-tokens", "holds trained rows of the embedding"],
    "whole-weight": ["modules-to-save", "holds whole trained weights, which an adapter file cannot carry"],
    unknown: ["unknown-tensor", "holds tensors that are not recognised"],
  };
  for (const [kind, names] of odd) {
    const meaning = meanings[kind];
    if (!meaning) continue;
    findings.error(
      meaning[0],
      `The file ${meaning[1]}: ${names.slice(0, 2).join(", ")}${names.length > 2 ? `, and ${names.length - 2} more` : ""}.`,
      merge,
    );
  }
}

function joinHalves(
  { isTargeted, rank, alpha, scale }: PeftModuleRule,
  modulePath: string,
  { a, b, embedding }: Halves,
  findings: Findings,
): PeftModule | undefined {
  if (!a || !b) {
    findings.error(
      "no-partner",
      `${modulePath} has only lora_${a ? "A" : "B"}.`,
      "The file is incomplete: export the adapter again.",
    );
    return undefined;
  }
  if (!isTargeted) {
    findings.error(
      "not-targeted",
      `${modulePath} is in the file, but adapter_config.json does not name it: PEFT would leave it out without a word.`,
      "Put the configuration that belongs to these weights beside them.",
    );
    return undefined;
  }
  const layer = layerOfPath(modulePath);
  const place = placeOf(modulePath, layer, embedding);
  const [rankOfA, rankOfB] = [a.shape[0], b.shape[1]];
  if (a.shape.length !== 2 || b.shape.length !== 2 || rankOfA !== rankOfB || rankOfA !== rank) {
    const isExpert = a.shape.length > 2 || /experts/.test(modulePath);
    findings.error(
      isExpert ? "experts" : "rank",
      `${modulePath}: A [${a.shape.join(", ")}] and B [${b.shape.join(", ")}] are not of the rank ${rank} that the configuration gives.`,
      isExpert
        ? "Adapters of expert weights are not supported: merge them into the base."
        : "The configuration belongs to another adapter: put the right adapter_config.json beside the weights.",
    );
    return undefined;
  }
  if (place === undefined) {
    findings.error(
      "unknown-module",
      `${modulePath} is neither in a decoder block nor the token embedding nor the output head.`,
      "Train without that module.",
    );
    return undefined;
  }
  return { modulePath, place, layer, module: shortName(modulePath), rank, alpha, scale, a, b };
}

function placeOf(modulePath: string, layer: number | undefined, embedding: boolean): Place | undefined {
  if (layer !== undefined) return "block";
  if (embedding || /(?:^|\.)(?:embed_tokens|wte|word_embeddings|embed_in)$/.test(modulePath)) return "embedding";
  return /(?:^|\.)(?:lm_head|embed_out|output)$/.test(modulePath) ? "output" : undefined;
}
