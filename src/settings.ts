import { closest } from "fastest-levenshtein";
import type { z } from "zod";
import { UsageError } from "./errors.js";

/** Settings as they come from flags or a file: not checked yet. */
export type GivenSettings = Readonly<Record<string, unknown>>;

/**
 * Merges the settings of a command, the first source that names one winning, and checks them.
 * @throws UsageError naming every setting that is missing or wrong.
 */
export function resolveSettings<S extends z.ZodObject>(
  schema: S,
  command: string,
  sources: readonly GivenSettings[],
): z.output<S> {
  const merged: Record<string, unknown> = {};
  for (const source of sources) {
    for (const [name, value] of Object.entries(source)) {
      if (value !== undefined && value !== null && !(name in merged)) merged[name] = value;
    }
  }
  const names = Object.keys(schema.shape);
  const result = schema.safeParse(merged);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => {
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => `unknown setting ${key} (did you mean ${closest(key, names)}?)`).join("; ");
    }
    const name = kebabCase(String(issue.path[0] ?? ""));
    const value = issue.path[0] === undefined ? undefined : merged[String(issue.path[0])];
    return value === undefined ? `--${name} is missing` : `--${name} is ${JSON.stringify(value)}: ${issue.message}`;
  });
  throw new UsageError({
    what: problems.join("; "),
    fix: `\`boundary ${command} --help\` lists every option.`,
  });
}

/** `maxTokens` -> `max-tokens`. */
export function kebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `max-tokens` -> `maxTokens`. */
export function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
