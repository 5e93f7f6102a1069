import { createHash } from "node:crypto";
import { join } from "node:path";
import { defined } from "../assert.js";
import { AdapterError } from "../errors.js";
import { CONFIG_BYTES, readWhole } from "../files/read-whole.js";
import { sha256File } from "../files/file-source.js";
import { withStamp, type FileStamp, type HashedStamp } from "../files/file-stamp.js";
import { readSafetensorsFolder } from "../formats/safetensors-folder.js";
import type { SafetensorsTensor } from "../formats/safetensors-reader.js";
import type { Place } from "./adapter.js";
import { Findings, type Finding } from "./finding.js";
import { examinePeftConfig, readPeftConfig, type PeftConfig } from "./peft-config.js";
import { foreignLayout, foreignParts } from "./foreign-layout.js";
import { OtherParts } from "./other-parts.js";
import { parsePeftName, shortName } from "./peft-names.js";
import { isEncoderDecoder, placeOfPath, type PeftPlace } from "./peft-places.js";
import { peftRules, type PeftModuleRule } from "./peft-scale.js";
import { reportEmptyTensors, reportOddTensors, shapeProblem } from "./peft-tensor-findings.js";

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
  /** Of the configuration and the weights' files, from before they were read. */
  readonly stamps: readonly FileStamp[];
  readonly modules: readonly PeftModule[];
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
  const { value: config, stamp } = await withStamp(join(folder, CONFIG), () => readPeftConfig(folder));
  const findings = new Findings();
  examinePeftConfig(config, findings);
  if (findings.all.some(({ code }) => code === "not-lora")) {
    return {
      folder,
      config,
      files: [],
      stamps: [stamp],
      modules: [],
      ignored: [],
      coverage: [],
      byteLength: 0,
      findings: findings.all,
      metadata: new Map(),
    };
  }
  const { files, stamps, tensors } = await readSafetensorsFolder(folder, "adapter_model");
  const { modules, ignored } = pairTensors(folder, config, tensors, findings);
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
    stamps: [stamp, ...stamps],
    modules,
    ignored,
    coverage: [...new Set(layers)].sort((a, b) => a - b),
    byteLength: files.reduce((sum, { fileSize }) => sum + fileSize, 0),
    findings: findings.all,
    metadata: files[0]?.metadata ?? new Map(),
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
): Pick<PeftAdapter, "modules" | "ignored"> {
  const halves = new Map<string, Halves>();
  const odd = new Map<string, string[]>();
  const others = new OtherParts();
  for (const tensor of tensors) {
    const name = parsePeftName(tensor.name);
    const path = name.kind === "lora" ? name.modulePath : name.path;
    if (name.kind !== "base-copy" && others.take(path)) continue;
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
  const paths = [...halves.keys(), ...others.paths];
  if (isEncoderDecoder(paths, config["task_type"] === "SEQ_2_SEQ_LM")) {
    findings.error(
      "encoder-decoder",
      "This is an adapter of an encoder-decoder model, such as T5, BART or Whisper.",
      "boundary works with decoder-only language models: give an adapter of such a model.",
    );
    return { modules: [], ignored: [] };
  }
  const layout = halves.size === 0 ? foreignLayout(tensors.map(({ name }) => name)) : undefined;
  if (layout !== undefined && others.paths.length === 0 && findings.firstError() === undefined) {
    const { what, fix = "" } = foreignParts(layout, folder);
    findings.error("foreign", `${what}.`, fix);
    return { modules: [], ignored: [] };
  }
  others.report(findings, halves.size === 0 && odd.size === 0);
  reportOddTensors(odd, config, findings);
  const isEmpty = reportEmptyTensors(
    [...halves.values()].flatMap(({ a, b }) => [a, b]).filter((tensor) => tensor !== undefined),
    findings,
  );
  return { modules: isEmpty ? [] : pairedModules(folder, config, halves, findings), ignored: others.paths };
}

/** The modules of the pairs that are sound, each of the model's modules once. */
function pairedModules(
  folder: string,
  config: PeftConfig,
  halves: ReadonlyMap<string, Halves>,
  findings: Findings,
): PeftModule[] {
  const rules = peftRules(config, [...halves.keys()], folder);
  const modules: PeftModule[] = [];
  const seen = new Map<string, string>();
  const unknown: string[] = [];
  for (const [modulePath, pair] of halves) {
    const place = placeOfPath(modulePath);
    if (place.kind === "unknown" || place.kind === "other-part") {
      unknown.push(modulePath);
      continue;
    }
    const key = place.kind === "block" ? `${place.layer}.${place.inBlock}` : place.kind;
    const twin = seen.get(key);
    if (twin !== undefined)
      findings.error(
        "several-adapters",
        `${twin} and ${modulePath} are the same module of the text decoder.`,
        "Save one adapter alone.",
      );
    seen.set(key, modulePath);
    const rule = defined(rules.get(modulePath), `the rule of ${modulePath}`);
    const module = joinHalves(rule, modulePath, pair, place, findings);
    if (module && twin === undefined) modules.push(module);
  }
  const [first] = unknown;
  if (first !== undefined)
    findings.error(
      "unknown-module",
      `The text decoder has no place for ${unknown.length === 1 ? first : `${unknown.length} modules (first: ${first})`}: neither a known list of blocks, nor the token embedding, nor the output head.`,
      "Train without such modules, or merge the adapter into the base with PEFT's merge_and_unload().",
    );
  return modules;
}

function joinHalves(
  { isTargeted, rank, alpha, scale }: PeftModuleRule,
  modulePath: string,
  { a, b }: Halves,
  where: Exclude<PeftPlace, { kind: "unknown" | "other-part" }>,
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
  const problem = shapeProblem(modulePath, a.shape, b.shape, rank);
  if (problem) {
    findings.error(...problem);
    return undefined;
  }
  const layer = where.kind === "block" ? where.layer : undefined;
  return { modulePath, place: where.kind, layer, module: shortName(modulePath), rank, alpha, scale, a, b };
}
