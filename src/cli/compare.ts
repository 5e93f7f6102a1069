import { Command, Option } from "commander";
import { compare } from "../compare/compare.js";
import { compareConfigSchema } from "../compare/config.js";
import { gpuChoices } from "../engine/engine.js";
import { stableJson } from "../files/stable-json.js";
import { comparisonMarkdown, comparisonReport } from "../report/comparison.js";
import { resolveSettings, type GivenSettings } from "../settings.js";
import { takesImports } from "./import-modules.js";
import { print, say } from "./output.js";
import { settingFlag, withDataFlags } from "./scoring-flags.js";
import { numberOrText, wholeNumber } from "./values.js";

interface CompareFlags extends GivenSettings {
  readonly json?: boolean;
  readonly md?: boolean;
  readonly quiet?: boolean;
}

/** `boundary compare`: two or more of base, full, a boundary, other adapters and finished runs on the same samples. */
export function compareCommand(signal: AbortSignal): Command {
  const ofCompare = (flags: string, name: "against" | "failIf" | "out" | "show"): Option =>
    new Option(flags, compareConfigSchema.shape[name].description ?? "");
  const collect = (value: string, earlier: readonly string[] = []): string[] => [...earlier, value];
  const command = takesImports(new Command("compare"))
    .description("compare base, full, a boundary, other adapters or finished runs on the same samples, paired")
    .addOption(settingFlag("-m, --model <gguf>", "model"))
    .addOption(settingFlag("-a, --adapter <gguf>", "adapter"))
    .addOption(ofCompare("--against <system>", "against").argParser(collect))
    .addOption(settingFlag("-d, --data <file>", "data"))
    .addOption(settingFlag("--references <files>", "references"))
    .addOption(settingFlag("-t, --task <name>", "task"))
    .addOption(ofCompare("-o, --out <folder>", "out"))
    .addOption(settingFlag("--metrics <list>", "metrics"))
    .addOption(settingFlag("--metric <name>", "metric"))
    .addOption(settingFlag("--group-by <field>", "groupBy"))
    .addOption(settingFlag("--extract <regex>", "extract"))
    .addOption(settingFlag("--strip-thoughts", "stripThoughts"))
    .addOption(new Option("--no-strip-thoughts", "score outputs with their thoughts"))
    .addOption(settingFlag("--qa-script <script>", "qaScript").choices(["auto", "squad", "squad2", "hotpotqa"]))
    .addOption(ofCompare("--fail-if <condition>", "failIf").argParser(collect))
    .addOption(ofCompare("--show <n>", "show").argParser(wholeNumber))
    .addOption(settingFlag("--limit <n>", "limit").argParser(wholeNumber))
    .addOption(settingFlag("--seed <n>", "seed").argParser(wholeNumber))
    .addOption(settingFlag("--max-tokens <n>", "maxTokens").argParser(wholeNumber))
    .addOption(settingFlag("--gpu <backend>", "gpu").choices(gpuChoices))
    .addOption(settingFlag("--gpu-layers <n|auto|max>", "gpuLayers").argParser(numberOrText))
    .addOption(settingFlag("--threads <n>", "threads").argParser(wholeNumber))
    .addOption(settingFlag("--context-size <n>", "contextSize").argParser(wholeNumber))
    .addOption(settingFlag("--sequences <n|auto>", "sequences").argParser(numberOrText))
    .addOption(settingFlag("--source-language <tag>", "sourceLanguage"))
    .addOption(settingFlag("--target-language <tag>", "targetLanguage"))
    .addOption(settingFlag("--context <paragraphs>", "context").choices(["supporting", "all"]))
    .addOption(settingFlag("--on-overflow <what>", "onOverflow").choices(["fail", "skip"]))
    .option("--json", "one JSON document on stdout, nothing else")
    .option("--md", "Markdown on stdout, for pull requests")
    .option("--quiet", "no progress")
    .addHelpText(
      "after",
      "\nThe first system is what the others are compared with: full, where --adapter is given and --against does not name it.",
    )
    .action(async ({ json, md, quiet, ...flags }: CompareFlags) => {
      const config = resolveSettings(compareConfigSchema, "compare", [flags]);
      const result = await compare(config, { signal, ...(quiet || json ? {} : { onProgress: showProgress() }) });
      const text = json ? stableJson(result) : `${md ? comparisonMarkdown(result) : comparisonReport(result)}\n`;
      print(text);
      if (result.failures.length > 0) process.exitCode = 1;
    });
  return withDataFlags(command);
}

/** A line on stderr for each system, and one now and then. */
function showProgress(): (progress: { system: string; done: number; total: number }) => void {
  let last = performance.now();
  return ({ system, done, total }) => {
    const now = performance.now();
    if (done < total && now - last < 10_000) return;
    last = now;
    say(`${system}: ${done}/${total} answers`);
  };
}
