import { defined } from "../assert.js";
import type { SafetensorsTensor } from "../formats/safetensors-reader.js";
import { storedFactor } from "./factor.js";
import type { Findings } from "./finding.js";
import { foreignLayout, foreignParts } from "./foreign-layout.js";
import type { ExtraTensor, PeftModule, ReadModules } from "./peft-adapter.js";
import { OtherParts } from "./other-parts.js";
import type { PeftConfig } from "./peft-config.js";
import { parsePeftName, shortName } from "./peft-names.js";
import { isEncoderDecoder, placeOfPath, type PeftPlace } from "./peft-places.js";
import { parametersIn, peftRules, type PeftModuleRule } from "./peft-scale.js";
import { reportEmptyTensors, reportOddTensors, shapeProblem } from "./peft-tensor-findings.js";

interface Halves {
  a?: SafetensorsTensor;
  b?: SafetensorsTensor;
  readonly modulePath: string;
  /** As {@link PeftTensorName} has it. */
  readonly depth: number;
}

/** What the tensors of a LoRA adapter of PEFT are. What is wrong with them goes into the findings. */
export function peftModules(
  folder: string,
  config: PeftConfig,
  tensors: readonly SafetensorsTensor[],
  findings: Findings,
): ReadModules {
  const halves = new Map<string, Halves>();
  const extras: ExtraTensor[] = [];
  const others = new OtherParts();
  for (const tensor of tensors) {
    const name = parsePeftName(tensor.name);
    const path = name.kind === "lora" ? name.modulePath : name.path;
    if (name.kind !== "base-copy" && others.take(path)) continue;
    if (name.kind === "base-copy") continue;
    if (name.kind !== "lora") {
      extras.push({ kind: name.kind, path: name.path, tensor });
      continue;
    }
    const key = `${name.modulePath} ${name.depth}`;
    const pair = halves.get(key) ?? { modulePath: name.modulePath, depth: name.depth };
    if (pair[name.half])
      findings.error(
        "several-adapters",
        `${name.modulePath} has more than one lora_${name.half.toUpperCase()}.`,
        "Save one adapter alone.",
      );
    pair[name.half] = tensor;
    halves.set(key, pair);
  }
  const nothing = { config, modules: [], ignored: [], extras: [] };
  const paths = [...[...halves.values()].map(({ modulePath }) => modulePath), ...others.paths];
  if (isEncoderDecoder(paths, config["task_type"] === "SEQ_2_SEQ_LM")) {
    findings.error(
      "encoder-decoder",
      "This is an adapter of an encoder-decoder model, such as T5, BART or Whisper.",
      "boundary works with decoder-only language models: give an adapter of such a model.",
    );
    return nothing;
  }
  const layout = halves.size === 0 ? foreignLayout(tensors.map(({ name }) => name)) : undefined;
  if (layout !== undefined && others.paths.length === 0 && findings.firstError() === undefined) {
    const { what, fix = "" } = foreignParts(layout, folder);
    findings.error("foreign", `${what}.`, fix);
    return nothing;
  }
  others.report(findings, halves.size === 0 && extras.length === 0);
  reportOddTensors(extras, config, findings);
  const isEmpty = reportEmptyTensors(
    [...halves.values()].flatMap(({ a, b }) => [a, b]).filter((tensor) => tensor !== undefined),
    findings,
  );
  const modules = isEmpty ? [] : pairedModules(folder, config, [...halves.values()], findings);
  return { config, modules, ignored: others.paths, extras };
}

/** A pair with the module, or the parameter of one, that it adapts. */
interface Named {
  readonly pair: Halves;
  readonly modulePath: string;
  readonly parameter: string | undefined;
}

/** The modules of the pairs that are sound, each of the model's modules once. */
function pairedModules(
  folder: string,
  config: PeftConfig,
  halves: readonly Halves[],
  findings: Findings,
): PeftModule[] {
  const named = namedPairs(folder, config, halves, findings);
  const rules = peftRules(
    config,
    named.map(({ modulePath, parameter }) => parameter ?? modulePath),
    folder,
  );
  // Before PEFT 0.18 the version was not recorded.
  const [major = 0, minor = 0] = (config.peft_version ?? "0.17").split(".").map(Number);
  const isOldOrder = major === 0 && minor < 19;
  const modules: PeftModule[] = [];
  const seen = new Map<string, string>();
  const unknown: string[] = [];
  for (const { pair, modulePath, parameter } of named) {
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
    const rule = defined(rules.get(parameter ?? modulePath), `the rule of ${modulePath}`);
    const module = joinHalves(rule, modulePath, pair, place, findings, parameter !== undefined);
    if (!module || twin !== undefined) continue;
    const experts = parameter === undefined ? 1 : (pair.a?.shape[0] ?? 0) / rule.rank;
    modules.push({
      ...module,
      ...(experts === 1 ? {} : { experts, isOldOrder }),
      ...(parameter === undefined ? {} : { parameter }),
    });
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

/**
 * Gives each pair its module. PEFT wraps the module that holds adapted parameters once for each of them, in their order, and names the
 * tensors after the wrappers alone. Source: peft/tuners/tuners_utils.py, _inject_parameters.
 */
function namedPairs(folder: string, config: PeftConfig, halves: readonly Halves[], findings: Findings): Named[] {
  const byModule = new Map<string, Halves[]>();
  for (const pair of halves) byModule.set(pair.modulePath, [...(byModule.get(pair.modulePath) ?? []), pair]);
  const isModule = peftRules({ ...config, target_parameters: null }, [...byModule.keys()], folder);
  return [...byModule].flatMap(([modulePath, pairs]): Named[] => {
    const inside = isModule.get(modulePath)?.isTargeted === true ? [] : parametersIn(config, modulePath, pairs.length);
    const outermostLast = pairs.toSorted((a, b) => b.depth - a.depth);
    if (inside.length === pairs.length) {
      return outermostLast.map((pair, i) => {
        const parameter = inside[i] ?? "";
        return { pair, parameter, modulePath: parameter.replace(/\.weight$/, "") };
      });
    }
    if (pairs.length > 1)
      findings.error("several-adapters", `${modulePath} has more than one lora_A.`, "Save one adapter alone.");
    return pairs.slice(0, 1).map((pair) => ({ pair, modulePath, parameter: undefined }));
  });
}

function joinHalves(
  { isTargeted, rank, alpha, scale }: PeftModuleRule,
  modulePath: string,
  { a, b }: Halves,
  where: Exclude<PeftPlace, { kind: "unknown" | "other-part" }>,
  findings: Findings,
  isParameter: boolean,
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
  const problem = shapeProblem(modulePath, a.shape, b.shape, rank, isParameter);
  if (problem) {
    findings.error(...problem);
    return undefined;
  }
  const layer = where.kind === "block" ? where.layer : undefined;
  return {
    modulePath,
    place: where.kind,
    layer,
    module: shortName(modulePath),
    rank,
    alpha,
    scale,
    a: storedFactor(a),
    b: storedFactor(b),
  };
}
