import { Command } from "commander";
import { defined } from "../assert.js";
import { gpuChoices } from "../engine/engine.js";
import { planReport } from "../report/plan.js";
import { sweepReport } from "../report/terminal.js";
import { parseConfig, settingsFromFile, type SweepConfig } from "../sweep/config.js";
import { type GivenSettings } from "../settings.js";
import { RedisAddress, redisAddress, REDIS_VARIABLE } from "../queue/redis-address.js";
import { stableJson } from "../files/stable-json.js";
import { readYaml } from "../formats/yaml.js";
import { planOnly, sweep } from "../sweep/sweep.js";
import { importModules, takesImports } from "./import-modules.js";
import { print } from "./output.js";
import { followSweep } from "./progress.js";
import { hidePassword } from "./redis-flag.js";
import { scoringFlags, settingFlag, withDataFlags } from "./scoring-flags.js";
import { numberOrText, wholeNumber } from "./values.js";

interface SweepFlags extends GivenSettings {
  readonly config?: string;
  readonly plan?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly fresh?: boolean;
}

/** `boundary sweep`: every boundary against the selection part, the chosen one against the holdout. */
export function sweepCommand(signal: AbortSignal): Command {
  const command = new Command("sweep")
    .description(
      "try every boundary, choose the best, confirm it on samples that chose nothing, write the trimmed adapter",
    )
    .addOption(settingFlag("-m, --model <gguf>", "model"))
    .addOption(settingFlag("-a, --adapter <gguf>", "adapter"))
    .addOption(settingFlag("-d, --data <file>", "data"))
    .addOption(settingFlag("--references <files>", "references"))
    .addOption(settingFlag("-o, --out <folder>", "out"))
    .addOption(settingFlag("-t, --task <name>", "task"))
    .addOption(settingFlag("-s, --strategy <name>", "strategy"))
    .addOption(settingFlag("-b, --boundaries <list>", "boundaries"))
    .addOption(settingFlag("--folds <n>", "folds").argParser(wholeNumber))
    .addOption(settingFlag("--race", "race"))
    .addOption(settingFlag("--screen <how>", "screen").choices(["nll"]))
    .addOption(settingFlag("--limit <n>", "limit").argParser(wholeNumber))
    .addOption(settingFlag("--seed <n>", "seed").argParser(wholeNumber))
    .addOption(settingFlag("--holdout <file|fraction>", "holdout").argParser(numberOrText))
    .addOption(settingFlag("--max-tokens <n>", "maxTokens").argParser(wholeNumber))
    .addOption(settingFlag("--gpu <backend>", "gpu").choices(gpuChoices))
    .addOption(settingFlag("--gpu-layers <n|auto|max>", "gpuLayers").argParser(numberOrText))
    .addOption(settingFlag("--threads <n>", "threads").argParser(wholeNumber))
    .addOption(settingFlag("--redis [url]", "redis"))
    .addOption(settingFlag("--mixed", "mixed"))
    .addOption(settingFlag("--full-hash", "fullHash"))
    .addOption(settingFlag("--context-size <n>", "contextSize").argParser(wholeNumber))
    .addOption(settingFlag("--sequences <n|auto>", "sequences").argParser(numberOrText))
    .addOption(settingFlag("--fixed-batch", "fixedBatch"))
    .addOption(settingFlag("--source-language <tag>", "sourceLanguage"))
    .addOption(settingFlag("--context <paragraphs>", "context").choices(["supporting", "all"]))
    .addOption(settingFlag("--on-overflow <what>", "onOverflow").choices(["fail", "skip"]))
    .option("-c, --config <file>", "YAML file with the same names; a flag wins over it")
    .option("--plan", "print the plan and what it would cost, do nothing")
    .option("--json", "one JSON document on stdout, nothing else")
    .option("--quiet", "no progress, no tables: only the answer in words")
    .option("--fresh", "delete an earlier run in the folder first");
  for (const option of scoringFlags()) command.addOption(option);
  return takesImports(withDataFlags(command)).action(
    async ({ config: file, plan, json, quiet, fresh, ...given }: SweepFlags) => {
      const settings = file === undefined ? {} : settingsFromFile(await readYaml(file), file);
      const { import: modules } = settings;
      if (modules !== undefined) await importModules([modules].flat().map(String));
      const flags = { ...given, ...redisSetting(given) };
      hidePassword();
      const output = { json: json ?? false, quiet: quiet ?? false };
      const config = parseConfig(flags, settings, ...(plan ? [{ out: "unused" }] : []));
      // An address that cannot be read is told before the model is.
      if (config.redis !== undefined) RedisAddress.parse(config.redis);
      if (plan) await printPlan(config, output, signal);
      else await runSweep(config, output, { fresh: fresh ?? false, signal });
    },
  );
}

/** `--redis` without an address takes that of the environment: a password in it is in no list of processes. */
function redisSetting({ redis }: GivenSettings): GivenSettings {
  if (redis !== true) return {};
  redisAddress(undefined, process.env);
  return { redis: defined(process.env[REDIS_VARIABLE], REDIS_VARIABLE) };
}

async function printPlan(config: SweepConfig, { json }: { json: boolean }, signal: AbortSignal): Promise<void> {
  const planned = await planOnly(config, { signal });
  print(`${planReport(planned, { json })}\n`);
}

async function runSweep(
  config: SweepConfig,
  { json, quiet }: { json: boolean; quiet: boolean },
  { fresh, signal }: { fresh: boolean; signal: AbortSignal },
): Promise<void> {
  const progress = followSweep({ quiet: quiet || json });
  try {
    const result = await sweep(config, { ...progress, signal }, { fresh });
    progress.end();
    // Loaded here: its charts take a quarter of a second that neither --plan nor a wrong call should wait for.
    const { writeReport } = await import("../report/html/write-report.js");
    await writeReport(config.out);
    if (json) print(stableJson(result));
    else if (quiet) print(`${result.verdict.sentences.join("\n")}\n`);
    else
      print(
        `${sweepReport(result)}\n\nWritten to ${config.out}: report.html, result.json, outputs.jsonl${result.trimmed ? ", trimmed.gguf" : ""}${result.trimmed?.peft === undefined ? "" : `, ${result.trimmed.peft}`}\n`,
      );
  } finally {
    progress.end();
  }
}
