import { FormatError, messageOf } from "../errors.js";
import { printable } from "../files/printable.js";
import { groupName, pythonExpression } from "../formats/python-expression.js";
import { FOREIGN_SECONDS, TimeLimitError, withTimeLimit } from "../formats/time-limit.js";
import type { PeftConfig } from "./peft-config.js";

/** What PEFT computes for a module: rank and alpha as configured, and the factor in front of B*A. */
export interface PeftScale {
  readonly rank: number;
  readonly alpha: number;
  readonly scale: number;
}

/** What a configuration says of one module. */
export interface PeftModuleRule extends PeftScale {
  /** Whether PEFT would put an adapter on it. Tensors of other modules in the file are ignored by it. */
  readonly isTargeted: boolean;
}

/**
 * What a configuration says of each module, with its expressions matched as PEFT matches them. They come from a stranger's file and may
 * backtrack without end, so all of them together have {@link FOREIGN_SECONDS}.
 * @param modulePaths such as `model.layers.0.self_attn.q_proj`.
 * @param path of the adapter, for errors.
 * @throws FormatError for an expression that cannot be read, or that takes too long.
 */
export function peftRules(
  config: PeftConfig,
  modulePaths: readonly string[],
  path: string,
): ReadonlyMap<string, PeftModuleRule> {
  const expressions = new Expressions(path);
  try {
    return withTimeLimit(() => {
      const ranks = new PatternTable(config.rank_pattern, expressions);
      const alphas = new PatternTable(config.alpha_pattern, expressions);
      return new Map(
        modulePaths.map((modulePath) => {
          const rank = ranks.find(modulePath) ?? config.r ?? 8;
          const alpha = alphas.find(modulePath) ?? config.lora_alpha ?? 8;
          const scale = config.use_rslora === true ? alpha / Math.sqrt(rank) : alpha / rank;
          return [modulePath, { rank, alpha, scale, isTargeted: isTargeted(config, modulePath, expressions) }];
        }),
      );
    });
  } catch (cause) {
    if (!(cause instanceof TimeLimitError)) throw cause;
    throw new FormatError(path, {
      what: `${path}: an expression in adapter_config.json takes longer than ${FOREIGN_SECONDS} s to match the module names`,
      actual: quoted(expressions.last),
      fix: "Write it without repetitions inside repetitions, or list the modules by name in target_modules.",
      cause,
    });
  }
}

/** The expressions of one configuration, each translated once. */
class Expressions {
  /** The one that is being matched, for the error about the time. */
  last = "";
  private readonly compiled = new Map<string, RegExp>();

  constructor(private readonly path: string) {}

  /** @param written the part of `source` that stands in the file. */
  exec(source: string, anchor: "match" | "fullmatch", text: string, written: string): RegExpExecArray | null {
    this.last = written;
    const key = `${anchor} ${source}`;
    try {
      const compiled = this.compiled.get(key) ?? pythonExpression(source, anchor);
      this.compiled.set(key, compiled);
      // V8 compiles at the first match, and may find only then that it is too large.
      return compiled.exec(text);
    } catch (cause) {
      throw new FormatError(this.path, {
        what: `${this.path}: adapter_config.json has a regular expression that cannot be read (${messageOf(cause)})`,
        actual: quoted(written),
        expected: "an expression of Python's re",
        cause,
      });
    }
  }
}

function quoted(expression: string): string {
  return JSON.stringify(printable(expression));
}

/** `rank_pattern` or `alpha_pattern`: of the keys that match `(.*\.)?(key)$`, the first one wins. Source: peft/utils/other.py, get_pattern_key. */
class PatternTable {
  private readonly entries: readonly (readonly [key: string, value: number])[];

  constructor(
    pattern: PeftConfig["rank_pattern"],
    private readonly expressions: Expressions,
  ) {
    this.entries = Object.entries(pattern ?? {}).filter((entry): entry is [string, number] => {
      return typeof entry[1] === "number";
    });
  }

  find(modulePath: string): number | undefined {
    return this.entries.find(([key]) => this.expressions.exec(`(.*\\.)?(${key})$`, "match", modulePath, key))?.[1];
  }
}

/** Whether `target_parameters` names a parameter: whole, or by the end of its path. Source: peft/tuners/tuners_utils.py, _inject_parameters. */
function isParameter({ target_parameters: parameters }: PeftConfig, path: string): boolean {
  return (parameters ?? []).some((parameter) => path === parameter || path.endsWith(`.${parameter}`));
}

/** Adapted parameters of one module in the order in which the model has them. */
const PARAMETER_ORDER = ["gate_up_proj", "down_proj"];

/**
 * Paths of the parameters of a module that `target_parameters` names, in the model's order: `count` of them, or none. A name without
 * its module (`gate_up_proj`) may be of any.
 */
export function parametersIn(
  { target_parameters: parameters }: PeftConfig,
  modulePath: string,
  count: number,
): string[] {
  const split = (parameters ?? []).map((parameter) => {
    const dot = parameter.lastIndexOf(".");
    return { owner: dot < 0 ? "" : parameter.slice(0, dot), name: parameter.slice(dot + 1) };
  });
  const owned = split.filter(({ owner }) => owner !== "" && (modulePath === owner || modulePath.endsWith(`.${owner}`)));
  const ofAny = [...owned, ...split.filter(({ owner }) => owner === "")];
  const found = [owned, ofAny].find((candidates) => candidates.length === count) ?? [];
  return inModelOrder(found.map(({ name }) => `${modulePath}.${name}`));
}

/** Parameters of one module in the order in which the model has them, and PEFT wraps them. */
export function inModelOrder(parameters: readonly string[]): string[] {
  const rank = (path: string): number => PARAMETER_ORDER.indexOf(path.slice(path.lastIndexOf(".") + 1));
  return parameters.toSorted((a, b) => rank(a) - rank(b));
}

/** Source: peft/tuners/tuners_utils.py, check_target_module_exists. */
function isTargeted(config: PeftConfig, modulePath: string, expressions: Expressions): boolean {
  if (isParameter(config, modulePath)) return true;
  if (matches(config.exclude_modules, modulePath, expressions)) return false;
  const { target_modules: target } = config;
  if (target === undefined || target === null || target === "all-linear") return true;
  if (!matches(target, modulePath, expressions)) return false;
  const layers = config.layers_to_transform;
  // An empty list means all layers, and a target that is one expression ignores the list.
  if (
    layers === undefined ||
    layers === null ||
    typeof target === "string" ||
    (Array.isArray(layers) && layers.length === 0)
  )
    return true;
  if (target.includes(modulePath)) return true;
  const layer = configuredLayer(config, modulePath, expressions);
  return layer !== undefined && [layers].flat().includes(layer);
}

function matches(
  target: string | readonly string[] | null | undefined,
  modulePath: string,
  expressions: Expressions,
): boolean {
  if (target === undefined || target === null) return false;
  if (typeof target === "string") return expressions.exec(target, "fullmatch", modulePath, target) !== null;
  return target.some((name) => modulePath === name || modulePath.endsWith(`.${name}`));
}

function configuredLayer(config: PeftConfig, modulePath: string, expressions: Expressions): number | undefined {
  const patterns = [config.layers_pattern ?? []].flat().filter((pattern) => pattern !== "");
  const sources = patterns.map((pattern) => ({
    source: `(?:^|.*?\\.)${pattern}\\.(?P<idx>\\d+)\\.`,
    shown: pattern,
  }));
  const any = { source: ".*?\\.[^.]*\\.(?P<idx>\\d+)\\.", shown: "the layer of a module" };
  for (const { source, shown } of sources.length === 0 ? [any] : sources) {
    const found = expressions.exec(source, "match", modulePath, shown);
    const index = found?.groups?.[groupName("idx")];
    if (index !== undefined) return Number(index);
  }
  return undefined;
}
