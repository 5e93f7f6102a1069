import { Command, Option } from "commander";
import { gpuChoices } from "../engine/engine.js";
import { stableJson } from "../files/stable-json.js";
import { adviseConfigSchema, objectives, yardsticks, type AdviseConfig } from "../probe/advise-config.js";
import { advise, planAdvice, type AdvicePlan } from "../probe/advise.js";
import { adviceReport } from "../report/advice.js";
import { resolveSettings, type GivenSettings } from "../settings.js";
import { print } from "./output.js";
import { PassBar } from "./pass-bar.js";
import { withDataFlags } from "./scoring-flags.js";
import { wholeNumber } from "./values.js";

interface AdviseFlags extends GivenSettings {
  readonly plan?: boolean;
  readonly json?: boolean;
}

/** `boundary advise`: which layers to adapt in the next training run. */
export function adviseCommand(signal: AbortSignal): Command {
  const command = new Command("advise")
    .description("measure a base model on a task and say which layers the next LoRA training run should adapt")
    .addOption(flag("-m, --model <gguf>", "model"))
    .addOption(flag("-d, --data <file>", "data"))
    .addOption(flag("-t, --task <name>", "task"))
    .addOption(flag("-a, --adapter <gguf>", "adapter"))
    .addOption(flag("--objective <what>", "objective").choices(objectives))
    .addOption(flag("--layers-share <share>", "layersShare"))
    .addOption(flag("--top <n>", "top").argParser(wholeNumber))
    .addOption(flag("--by <measure>", "by").choices(yardsticks))
    .addOption(flag("--directions <n>", "directions").argParser(wholeNumber))
    .addOption(flag("--limit <n>", "limit").argParser(wholeNumber))
    .addOption(flag("--seed <n>", "seed").argParser(wholeNumber))
    .addOption(flag("--gpu <backend>", "gpu").choices(gpuChoices))
    .addOption(flag("--threads <n>", "threads").argParser(wholeNumber))
    .addOption(flag("--context-size <n>", "contextSize").argParser(wholeNumber))
    .addOption(flag("--on-overflow <what>", "onOverflow").choices(["fail", "skip"]))
    .option("--plan", "print what it would cost, do nothing")
    .option("--json", "one JSON document on stdout, nothing else")
    .action(async ({ plan, json, ...flags }: AdviseFlags) => {
      // All samples choose: there is nothing to confirm.
      const config = resolveSettings(adviseConfigSchema, "advise", [flags, { holdout: 0 }]);
      if (plan) {
        const cost = await planAdvice(config, { signal });
        print(json ? stableJson(cost) : `${costLine(cost)}\n`);
        return;
      }
      const bar = new PassBar(json ?? false);
      try {
        const onPlan = (cost: AdvicePlan): void => {
          bar.say(costLine(cost));
        };
        const onProgress = (done: number, total: number): void => {
          bar.update(done, total);
        };
        const advice = await advise(config, { signal, onPlan, onProgress });
        bar.end();
        print(json ? stableJson(advice) : `${adviceReport(advice)}\n`);
      } finally {
        bar.end();
      }
    });
  return withDataFlags(command);
}

/** An option that is a setting: its description is the setting's. */
function flag(flags: string, name: keyof AdviseConfig): Option {
  return new Option(flags, adviseConfigSchema.shape[name].description ?? "");
}

function costLine({ samples, passes, tokens, costs }: AdvicePlan): string {
  const parts = costs.map(({ part, passes: count }) => `${part} ${count}`).join(", ");
  return `${samples} samples, ${passes} passes of ${tokens} tokens each: ${parts}`;
}
