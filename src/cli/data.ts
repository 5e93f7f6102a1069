import { Command } from "commander";
import { stableJson } from "../files/stable-json.js";
import { dataReport } from "../report/data.js";
import { resolveSettings, type GivenSettings } from "../settings.js";
import { sweepConfigSchema } from "../sweep/config.js";
import { viewData } from "../sweep/data-view.js";
import { takesImports } from "./import-modules.js";
import { print } from "./output.js";
import { settingFlag, withDataFlags } from "./scoring-flags.js";
import { wholeNumber } from "./values.js";

interface DataFlags extends GivenSettings {
  readonly sample?: number;
  readonly json?: boolean;
}

const dataConfigSchema = sweepConfigSchema
  .omit({ adapter: true, out: true, boundaries: true })
  .partial({ model: true });

/** `boundary data`: what a sweep understands of a file of samples. */
export function dataCommand(signal: AbortSignal): Command {
  const command = new Command("data")
    .description(
      "what is understood of a file of samples: layout, roles, lengths, and one sample as the model reads it",
    )
    .argument("<file>", sweepConfigSchema.shape.data.description)
    .addOption(settingFlag("-m, --model <gguf>", "model"))
    .addOption(settingFlag("-t, --task <name>", "task"))
    .addOption(settingFlag("--references <files>", "references"))
    .addOption(settingFlag("--limit <n>", "limit").argParser(wholeNumber))
    .option("--sample <n>", "which sample is shown, from 1", wholeNumber, 1)
    .option("--json", "one JSON document on stdout, nothing else");
  return takesImports(withDataFlags(command)).action(
    async (file: string, { sample = 1, json, ...flags }: DataFlags) => {
      const config = resolveSettings(dataConfigSchema, "data", [flags, { data: file }]);
      const view = await viewData(config, sample, signal);
      print(json ? stableJson(view) : `${dataReport(view)}\n`);
    },
  );
}
