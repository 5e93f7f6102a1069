import { Command, InvalidArgumentError } from "commander";
import { compareStrategies, type Budget } from "../compare/strategies.js";
import { gpuChoices } from "../engine/engine.js";
import { stableJson } from "../files/stable-json.js";
import { strategiesReport } from "../report/strategies.js";
import { strategyForms } from "../strategy/strategy.js";
import { parseConfig } from "../sweep/config.js";
import { type GivenSettings } from "../settings.js";
import { takesImports } from "./import-modules.js";
import { print, say } from "./output.js";
import { scoringFlags, settingFlag, withDataFlags } from "./scoring-flags.js";
import { numberOrText, wholeNumber } from "./values.js";

interface StrategiesFlags extends GivenSettings {
  readonly budget: Budget;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** What is compared where nothing is named. */
const DEFAULT_STRATEGIES = [
  "prefix",
  "suffix",
  "leave-one-out",
  "top:all:nll",
  "top:all:cka",
  "top:all:norm",
  "top:all:random",
];

/** `boundary strategies`: several ways to choose what is kept, under one budget. */
export function strategiesCommand(signal: AbortSignal): Command {
  const command = new Command("strategies")
    .description("compare ways to choose what is kept, under one budget, on samples that none of them has seen")
    .argument("[strategies...]", `${strategyForms().join(", ")} (default: ${DEFAULT_STRATEGIES.join(" ")})`)
    .addOption(settingFlag("-m, --model <gguf>", "model"))
    .addOption(settingFlag("-a, --adapter <gguf>", "adapter"))
    .addOption(settingFlag("-d, --data <file>", "data"))
    .addOption(settingFlag("--references <files>", "references"))
    .addOption(settingFlag("-o, --out <folder>", "out"))
    .addOption(settingFlag("-t, --task <name>", "task"))
    .option(
      "--budget <layer-tokens|Nx>",
      "what each strategy may spend on ranking and answers: layers times tokens, or a multiple of what all boundaries cost",
      parseBudget,
      { sweeps: 1 },
    )
    .addOption(settingFlag("--limit <n>", "limit").argParser(wholeNumber))
    .addOption(settingFlag("--seed <n>", "seed").argParser(wholeNumber))
    .addOption(settingFlag("--holdout <file|fraction>", "holdout").argParser(numberOrText))
    .addOption(settingFlag("--max-tokens <n>", "maxTokens").argParser(wholeNumber))
    .addOption(settingFlag("--gpu <backend>", "gpu").choices(gpuChoices))
    .addOption(settingFlag("--gpu-layers <n|auto|max>", "gpuLayers").argParser(numberOrText))
    .addOption(settingFlag("--threads <n>", "threads").argParser(wholeNumber))
    .option("--json", "one JSON document on stdout, nothing else")
    .option("--quiet", "no progress");
  for (const option of scoringFlags()) command.addOption(option);
  return takesImports(withDataFlags(command)).action(
    async (strategies: string[], { budget, json, quiet, ...flags }: StrategiesFlags) => {
      const config = parseConfig(flags);
      const asked = strategies.length > 0 ? strategies : DEFAULT_STRATEGIES;
      const result = await compareStrategies(config, asked, budget, {
        signal,
        ...(quiet || json ? {} : { onProgress: showProgress() }),
      });
      print(
        json
          ? stableJson(result)
          : `${strategiesReport(result)}\n\nWritten to ${config.out}: strategies.json, trimmed/\n`,
      );
    },
  );
}

function parseBudget(text: string): Budget {
  const multiple = /^(\d*\.?\d+)x$/.exec(text);
  const value = Number(multiple?.[1] ?? text);
  if (!(value > 0) || !Number.isFinite(value)) {
    throw new InvalidArgumentError("Expected layer-tokens such as 5e8, or a multiple of a sweep such as 0.5x.");
  }
  return multiple ? { sweeps: value } : { layerTokens: value };
}

/** A line on stderr for each strategy, and one now and then. */
function showProgress(): (progress: { strategy: string; done: number; total: number }) => void {
  let last = performance.now();
  return ({ strategy, done, total }) => {
    const now = performance.now();
    if (done < total && now - last < 10_000) return;
    last = now;
    say(`${strategy}: ${done}/${total}`);
  };
}
