import { FormatError } from "../errors.js";
import type { PeftConfig } from "./peft-config.js";

/** What PEFT computes for a module: rank and alpha as configured, and the factor in front of B*A. */
export interface PeftScale {
  readonly rank: number;
  readonly alpha: number;
  readonly scale: number;
}

/**
 * Rank, alpha and scale of a module: alpha/rank, or alpha/sqrt(rank) with rsLoRA; patterns match as PEFT matches them.
 * Source: peft/tuners/lora/layer.py, update_layer; peft/utils/other.py, get_pattern_key.
 * @param modulePath such as `model.layers.0.self_attn.q_proj`.
 */
export function peftScale(config: PeftConfig, modulePath: string, path: string): PeftScale {
  const rank = byPattern(config.rank_pattern, modulePath, path) ?? config.r ?? 8;
  const alpha = byPattern(config.alpha_pattern, modulePath, path) ?? config.lora_alpha ?? 8;
  return { rank, alpha, scale: config.use_rslora === true ? alpha / Math.sqrt(rank) : alpha / rank };
}

/** Of the keys that match `(.*\.)?(key)$`, the first one wins. */
function byPattern(
  pattern: Readonly<Record<string, number>> | null | undefined,
  modulePath: string,
  path: string,
): number | undefined {
  const key = Object.keys(pattern ?? {}).find((candidate) =>
    pythonRegex(`^(?:.*\\.)?(?:${candidate})$`, path).test(modulePath),
  );
  return key === undefined ? undefined : pattern?.[key];
}

/** Whether PEFT, with this configuration, would put an adapter on a module. Tensors of other modules in the file are ignored by it. */
export function isTargeted(config: PeftConfig, modulePath: string, path: string): boolean {
  if (matches(config.exclude_modules, modulePath, path)) return false;
  const { target_modules: target } = config;
  if (target === undefined || target === null || target === "all-linear") return true;
  if (!matches(target, modulePath, path)) return false;
  const layers = config.layers_to_transform;
  // An empty list means all layers, and a target that is one expression ignores the list.
  if (
    layers === undefined ||
    layers === null ||
    typeof target === "string" ||
    (Array.isArray(layers) && layers.length === 0)
  )
    return true;
  if (Array.isArray(target) && target.includes(modulePath)) return true;
  const layer = configuredLayer(config, modulePath, path);
  return layer !== undefined && [layers].flat().includes(layer);
}

function matches(target: string | readonly string[] | null | undefined, modulePath: string, path: string): boolean {
  if (target === undefined || target === null) return false;
  if (typeof target === "string") return pythonRegex(`^(?:${target})$`, path).test(modulePath);
  return target.some((name) => modulePath === name || modulePath.endsWith(`.${name}`));
}

function configuredLayer(config: PeftConfig, modulePath: string, path: string): number | undefined {
  const patterns = [config.layers_pattern ?? []].flat();
  const expressions =
    patterns.length === 0
      ? [".*?\\.[^.]*\\.(\\d+)\\."]
      : patterns.map((pattern) => `(?:^|.*?\\.)${pattern}\\.(\\d+)\\.`);
  for (const expression of expressions) {
    const found = pythonRegex(`^${expression}`, path).exec(modulePath);
    const index = found?.slice(1).findLast((group) => /^\d+$/.test(group));
    if (index !== undefined) return Number(index);
  }
  return undefined;
}

/** Patterns are Python expressions; what configurations really use means the same in JavaScript. */
function pythonRegex(source: string, path: string): RegExp {
  try {
    return new RegExp(source.replaceAll("(?P<", "(?<"), "u");
  } catch (cause) {
    throw new FormatError(path, {
      what: `${path}: a pattern of the configuration cannot be read`,
      actual: JSON.stringify(source),
      expected: "a regular expression that Python and JavaScript both know",
      cause,
    });
  }
}
