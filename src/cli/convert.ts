import { Command, Option } from "commander";
import { loadAdapter } from "../adapter/either-form.js";
import { readBaseModel } from "../adapter/base-model.js";
import { assertFits } from "../adapter/fit.js";
import { writeGgufAsPeft } from "../adapter/gguf-to-peft.js";
import { modelfileBeside, writeModelfileBeside } from "../adapter/modelfile.js";
import { writePeftAsGguf } from "../adapter/peft-to-gguf.js";
import { zeroFinding, zeroUpdates } from "../adapter/zero-updates.js";
import { UsageError } from "../errors.js";
import { assertFree } from "../files/atomic-file.js";
import { resolveModelPath } from "../engine/resolve-model.js";
import { usageLines } from "../report/usage-lines.js";
import { printWarnings } from "./adapter-warnings.js";
import { warnOfEffects } from "./warn-of-effects.js";
import { print, warn } from "./output.js";

interface ConvertFlags {
  readonly model: string;
  readonly out: string;
  readonly to?: "gguf" | "peft";
  readonly force?: boolean;
  readonly check: boolean;
}

/** `boundary convert`: PEFT to GGUF and back, with the scale that PEFT computes. */
export function convertCommand(signal: AbortSignal): Command {
  return new Command("convert")
    .description("turn a PEFT folder into a GGUF adapter with which llama.cpp computes the same, or back")
    .argument("<adapter>", "LoRA adapter: a PEFT folder or a GGUF file")
    .requiredOption("-m, --model <gguf>", "base model, for its architecture, heads and shapes")
    .requiredOption("-o, --out <path>", "the converted adapter: a file for GGUF, a folder for PEFT")
    .addOption(new Option("--to <form>", "default: the other form").choices(["gguf", "peft"]))
    .option("--force", "replace what is there")
    .option("--no-check", "do not run short prompts on the model to see which modules have an effect")
    .action(async (path: string, { model, out, to, force, check }: ConvertFlags) => {
      const base = await readBaseModel(await resolveModelPath(model));
      const either = await loadAdapter(path);
      if (to === either.form) {
        throw new UsageError({
          what: `${path} is in the form ${to} already`,
          fix: "Use `boundary trim` to write a part of it.",
        });
      }
      const overwrite = { overwrite: force ?? false };
      if (either.form === "peft") {
        printWarnings(either.adapter);
        if (!overwrite.overwrite) await assertFree(modelfileBeside(out));
        await writePeftAsGguf(either.adapter, base, out, { ...overwrite, recordLayers: true });
        await writeModelfileBeside(out, model);
      } else {
        assertFits(either.adapter, base);
        await writeGgufAsPeft(either.adapter, base, out, overwrite);
      }
      const zero = zeroFinding(await zeroUpdates(either), either.adapter.modules.length);
      if (zero) warn(zero.message);
      const form = either.form === "peft" ? "gguf" : "peft";
      print(`${out}: ${either.adapter.modules.length} modules\n${usageLines(form, out, model).join("\n")}\n`);
      if (check) await warnOfEffects(form === "gguf" ? out : path, base, signal);
    });
}
