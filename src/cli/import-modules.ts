import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Option, type Command } from "commander";
import { ruleNames } from "../choice/rules.js";
import { BoundaryError, messageOf, UsageError } from "../errors.js";
import { metricNames } from "../metrics/registry.js";
import { strategyForms } from "../strategy/strategy.js";
import { taskNames } from "../tasks/task.js";

const imported = new Set<string>();

/** Gives a command `--import FILE`: modules whose metrics, tasks, strategies and rules it then takes by name. They are loaded before it acts. */
export function takesImports(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--import <file>",
        "JavaScript module that registers metrics, tasks, strategies or rules of your own (repeatable; docs/library.md)",
      ).argParser((file: string, earlier: readonly string[] | undefined) => [...(earlier ?? []), file]),
    )
    .hook("preAction", async (_, acting) => {
      await importModules(acting.opts<{ import?: readonly string[] }>().import ?? []);
    });
}

/**
 * Loads modules and hands each the library, to register what it has. A module that was loaded before is left alone.
 * @throws UsageError where a file cannot be loaded, exports no function, or registers nothing.
 */
export async function importModules(files: string | readonly string[]): Promise<void> {
  for (const file of [files].flat()) {
    const path = resolve(file);
    if (imported.has(path)) continue;
    if (!existsSync(path)) throw new UsageError({ what: `Cannot import ${file}: no such file` });
    await register(file, path);
    imported.add(path);
  }
}

async function register(file: string, path: string): Promise<void> {
  const before = namesKnown();
  const module = await attempt(file, () => import(pathToFileURL(path).href) as Promise<{ default?: unknown }>);
  const { default: main } = module;
  if (typeof main !== "function") {
    throw new UsageError({
      what: `${file} exports no function by default`,
      expected: "export default ({ registerMetric }) => { registerMetric(...); }",
    });
  }
  const library = await import("../index.js");
  await attempt(file, async () => {
    await (main as (library: object) => unknown)(library);
  });
  if (namesKnown() === before) {
    throw new UsageError({
      what: `${file} registers nothing`,
      expected: "a call of registerMetric, registerTask, registerStrategy or registerRule",
    });
  }
}

/** @throws UsageError that names the file for whatever its code throws. */
async function attempt<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof BoundaryError) throw cause;
    throw new UsageError({ what: `Cannot import ${file}: ${messageOf(cause)}`, cause });
  }
}

function namesKnown(): number {
  return metricNames().length + taskNames().length + strategyForms().length + ruleNames().length;
}
