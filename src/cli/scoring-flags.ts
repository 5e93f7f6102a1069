import { Option, type Command } from "commander";
import { chatLayoutNames } from "../samples/chat/chat-layouts.js";
import { sweepConfigSchema, type SweepConfig } from "../sweep/config.js";
import { numberOrText } from "./values.js";

/** Flags that decide how answers are scored and K is chosen, and nothing of how they are generated. */
export type ScoringFlags = Partial<
  Pick<
    SweepConfig,
    | "import"
    | "rule"
    | "margin"
    | "floor"
    | "metric"
    | "metrics"
    | "confirm"
    | "groupBy"
    | "extract"
    | "stripThoughts"
    | "qaScript"
    | "targetLanguage"
  >
>;

/** An option of a command that is a setting of the sweep: its description is the setting's. */
export function settingFlag(flags: string, name: keyof SweepConfig): Option {
  return new Option(flags, sweepConfigSchema.shape[name].description ?? "");
}

/** The options behind {@link ScoringFlags}. */
export function scoringFlags(): Option[] {
  return [
    settingFlag("--metrics <list>", "metrics"),
    settingFlag("--metric <name>", "metric"),
    settingFlag("--confirm <list>", "confirm"),
    settingFlag("--rule <name>", "rule"),
    settingFlag("--margin <points>", "margin").argParser(numberOrText),
    settingFlag("--floor <bounds>", "floor"),
    settingFlag("--group-by <field>", "groupBy"),
    settingFlag("--extract <regex>", "extract"),
    settingFlag("--strip-thoughts", "stripThoughts"),
    new Option("--no-strip-thoughts", "score outputs with their thoughts"),
    settingFlag("--qa-script <script>", "qaScript").choices(["auto", "squad", "squad2", "hotpotqa"]),
    settingFlag("--target-language <tag>", "targetLanguage"),
  ];
}

/** Adds the options that say how training data is read and put into words, the same for every command that asks a model. */
export function withDataFlags(command: Command): Command {
  const options = [
    settingFlag("--layout <name>", "layout").choices(["auto", "rows", ...chatLayoutNames]),
    settingFlag("--turns <which>", "turns").choices(["last", "all"]),
    settingFlag("--on-bad-row <what>", "onBadRow").choices(["fail", "skip"]),
    settingFlag("--prompt <file>", "prompt"),
    settingFlag("--system <text>", "system"),
    settingFlag("--template <kind>", "template").choices(["chat", "raw"]),
    settingFlag("--chat-template <name|file>", "chatTemplate"),
    settingFlag("--map <fields>", "map"),
  ];
  for (const option of options) command.addOption(option);
  return command;
}
