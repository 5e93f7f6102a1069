import { Command, Option } from "commander";
import { readBaseModel, type BaseModel } from "../adapter/base-model.js";
import { compressedAdapter } from "../adapter/compress.js";
import { adapterForms, checkWritten, convertAdapter, type AdapterForm } from "../adapter/convert-adapter.js";
import { sizedAdapter } from "../adapter/gguf-updates.js";
import { loadAdapter, type EitherAdapter } from "../adapter/either-form.js";
import { modelfileBeside, writeModelfileBeside } from "../adapter/modelfile.js";
import { zeroFinding, zeroUpdates } from "../adapter/zero-updates.js";
import { UsageError } from "../errors.js";
import { assertFree } from "../files/atomic-file.js";
import { resolveAdapterPath, resolveModelPath } from "../engine/resolve-model.js";
import { usageLines } from "../report/usage-lines.js";
import { printWarnings } from "./adapter-warnings.js";
import { warnOfEffects } from "./warn-of-effects.js";
import { note, print, warn } from "./output.js";
import { fraction } from "./values.js";

interface ConvertFlags {
  readonly model: string;
  readonly out: string;
  readonly to?: AdapterForm;
  readonly maxError?: number;
  readonly force?: boolean;
  readonly check: boolean;
}

/** `boundary convert`: adapters of PEFT and of mlx-lm to GGUF and back, with the scale that their own library computes. */
export function convertCommand(signal: AbortSignal): Command {
  return new Command("convert")
    .description("turn a PEFT or mlx-lm adapter into a GGUF file with which llama.cpp computes the same, or back")
    .argument("<adapter>", "LoRA adapter: a folder of PEFT or mlx-lm, or a GGUF file")
    .requiredOption("-m, --model <gguf>", "base model, for its architecture, heads and shapes")
    .requiredOption("-o, --out <path>", "the converted adapter: a file for GGUF, a folder for PEFT and mlx-lm")
    .addOption(new Option("--to <form>", "default: gguf, or peft for a GGUF file").choices([...adapterForms]))
    .option(
      "--max-error <fraction>",
      "approximate each update by the smallest rank within this relative error, such as 0.01 (default: exact)",
      fraction,
    )
    .option("--force", "replace what is there")
    .option("--no-check", "do not run short prompts on the model to see which modules have an effect")
    .action(async (path: string, { model, out, to, maxError, force, check }: ConvertFlags) => {
      const base = await readBaseModel(await resolveModelPath(model));
      const adapterPath = await resolveAdapterPath(path);
      const given = await loadAdapter(adapterPath);
      const form = to ?? (given.form === "gguf" ? "peft" : "gguf");
      const overwrite = force ?? false;
      if (given.form === "peft") printWarnings(given.adapter);
      const either = maxError === undefined ? given : await approximated(given, base, maxError);
      if (form === "gguf" && !overwrite) await assertFree(modelfileBeside(out));
      await convertAdapter(either, base, form, out, { overwrite });
      if (form === "gguf") await writeModelfileBeside(out, model);
      const modules = await checkWritten(form, out, base);
      const zero = zeroFinding(await zeroUpdates(either), either.adapter.modules.length);
      if (zero) warn(zero.message);
      print(`${out}: ${modules} modules\n${usageLines(form, out, model).join("\n")}\n`);
      if (check) await warnOfEffects(form === "gguf" ? out : adapterPath, base, signal);
    });
}

async function approximated(either: EitherAdapter, base: BaseModel, maxError: number): Promise<EitherAdapter> {
  if (either.form === "gguf") {
    throw new UsageError({
      what: "--max-error is for PEFT and mlx-lm adapters",
      fix: "Convert the GGUF file to PEFT first.",
    });
  }
  const { adapter, ranks, error } = await compressedAdapter(sizedAdapter(either.adapter, base), maxError);
  note(`rank ${ranks[0]} becomes ${ranks[1]}: the updates differ by ${(100 * error).toFixed(2)} % at most`);
  return { form: "peft", adapter };
}
