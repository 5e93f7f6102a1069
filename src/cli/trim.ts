import { Command } from "commander";
import { basename, dirname } from "node:path";
import type { Adapter } from "../adapter/adapter.js";
import { readBaseModel } from "../adapter/base-model.js";
import { loadEither } from "../adapter/either-form.js";
import { assertFits } from "../adapter/fit.js";
import { ollamaModelfile } from "../adapter/modelfile.js";
import { assertPeftFits } from "../adapter/peft-to-gguf.js";
import { selectModules, type KeepRules } from "../adapter/select-modules.js";
import { trimAdapter, type TrimReport } from "../adapter/trim.js";
import { trimPeftAdapter } from "../adapter/trim-peft.js";
import { sha256File } from "../formats/file-source.js";
import { resolveModelPath } from "../engine/resolve-model.js";
import { UsageError } from "../errors.js";
import { assertFree, writeTextAtomic } from "../formats/atomic-file.js";
import { usageLines } from "../report/usage-lines.js";
import { print } from "./output.js";
import { wholeNumber } from "./values.js";

interface TrimFlags extends KeepRules {
  readonly out: string;
  readonly model?: string;
  readonly force?: boolean;
}

/** `boundary trim`: an adapter without some of its layers or modules, in the form it came in. */
export function trimCommand(): Command {
  return new Command("trim")
    .description("write the adapter without some layers or modules; kept tensors keep every byte")
    .argument("<adapter>", "LoRA adapter: a GGUF file or a PEFT folder")
    .requiredOption("-o, --out <path>", "the trimmed adapter: a file for GGUF, a folder for PEFT")
    .option("-m, --model <gguf>", "base model: checks that the adapter fits it and names it in the lines to paste")
    .option("-k, --keep <K>", "how many bottom layers keep their adapter", wholeNumber)
    .option("--layers <list>", "layers that keep it: 0-14,17; ranges are inclusive, -1 is the last")
    .option("--drop <list>", "layers that lose it, written likewise")
    .option("--modules <names>", "modules that keep it: q_proj,v_proj or attn_q,attn_v")
    .option("--force", "replace what is there")
    .addHelpText("after", "\nRules intersect: a module stays when each of them keeps it.")
    .action(async (path: string, { out, model, force, ...rules }: TrimFlags) => {
      if (Object.keys(rules).length === 0) {
        throw new UsageError({ what: "nothing says what to keep", expected: "--keep, --layers, --drop or --modules" });
      }
      const overwrite = force ?? false;
      const either = await loadEither(path);
      const base = model === undefined ? undefined : await readBaseModel(await resolveModelPath(model));
      if (base && either.form === "gguf") assertFits(either.adapter, base);
      if (base && either.form === "peft") assertPeftFits(either.adapter, base);
      const layerCount = base?.layerCount ?? (either.adapter.coverage.at(-1) ?? 0) + 1;
      const report = await (either.form === "peft"
        ? trimPeftAdapter(either.adapter, selectModules(either.adapter.modules, layerCount, rules), layerCount, out, {
            overwrite,
          })
        : trimToGguf(either.adapter, layerCount, rules, { out, model, overwrite }));
      const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(2);
      print(
        `${out}: ${report.keptModules} modules kept (${megabytes(report.keptBytes)} MB), ${report.droppedModules} dropped (${megabytes(report.droppedBytes)} MB)\n` +
          `${usageLines(either.form, out, model).join("\n")}\n`,
      );
    });
}

/** The trimmed file with an Ollama Modelfile beside it. */
async function trimToGguf(
  adapter: Adapter,
  layerCount: number,
  rules: KeepRules,
  { out, model, overwrite }: { out: string; model: string | undefined; overwrite: boolean },
): Promise<TrimReport> {
  const mask = new Map(selectModules(adapter.modules, layerCount, rules).map(({ name }) => [name, 1]));
  const modelfile = `${out}.Modelfile`;
  if (!overwrite) for (const path of [out, modelfile]) await assertFree(path);
  const provenance = {
    sourceSha256: sha256File(adapter.path),
    boundary: rules.keep,
    command: commandLine(adapter.path, out, rules),
  };
  const report = await trimAdapter(adapter, mask, out, provenance, { overwrite });
  await writeTextAtomic(modelfile, ollamaModelfile(dirname(out), model, basename(out)));
  return report;
}

function commandLine(path: string, out: string, rules: KeepRules): string {
  const flags = Object.entries(rules).map(([name, value]) => `--${name} ${String(value)}`);
  return `boundary trim ${basename(path)} ${flags.join(" ")} --out ${basename(out)}`;
}
