import { createHash } from "node:crypto";
import { join } from "node:path";
import { defined } from "../assert.js";
import { AdapterError } from "../errors.js";
import { CONFIG_BYTES, readWhole } from "../files/read-whole.js";
import { sha256File } from "../files/file-source.js";
import { withStamp, type HashedStamp } from "../files/file-stamp.js";
import { Findings } from "./finding.js";
import { coverageNote } from "./coverage-note.js";
import { isLowRankKind } from "./low-rank-kinds.js";
import { lowRankModules } from "./low-rank-modules.js";
import { mlxModules, readMlxConfig } from "./mlx-adapter.js";
import { examinePeftConfig, readPeftConfig, type PeftConfig } from "./peft-config.js";
import { peftModules } from "./peft-modules.js";
import { readAdapterWeights } from "./adapter-weights.js";

import type { AdapterKind, PeftAdapter } from "./peft-adapter.js";

const CONFIG = "adapter_config.json";

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
  const config = (): PeftConfig => defined(given, "a configuration");
  const read =
    kind === "MLX"
      ? mlxModules(defined(mlx, "a configuration"), tensors, findings)
      : kind === "LORA"
        ? peftModules(folder, config(), tensors, findings)
        : lowRankModules(folder, kind, config(), tensors, findings);
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
  return kind === "LORA" || isLowRankKind(kind) ? kind : undefined;
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
