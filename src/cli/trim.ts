import { Command } from "commander";
import { basename } from "node:path";
import type { Adapter } from "../adapter/adapter.js";
import { architectureNames } from "../adapter/architectures.js";
import { readBaseModel, type BaseModel } from "../adapter/base-model.js";
import { loadAdapter, type EitherAdapter } from "../adapter/either-form.js";
import { assertFits } from "../adapter/fit.js";
import { dependsOnLayerCount, knownLayerCount, selectKnown, type KnownLayerCount } from "../adapter/layer-count.js";
import { modelfileBeside, writeModelfileBeside } from "../adapter/modelfile.js";
import { assertPeftFits } from "../adapter/peft-to-gguf.js";
import { type KeepRules } from "../adapter/select-modules.js";
import { trimAdapter, type TrimReport } from "../adapter/trim.js";
import { trimPeftAdapter } from "../adapter/trim-peft.js";
import { writeMlxAdapter } from "../adapter/write-mlx.js";
import { formOf } from "../adapter/convert-adapter.js";
import type { PeftAdapter, PeftModule } from "../adapter/peft-adapter.js";
import { hashStamped } from "../files/input-files.js";
import { resolveAdapterPath, resolveModelPath } from "../engine/resolve-model.js";
import { UsageError } from "../errors.js";
import { assertFree } from "../files/atomic-file.js";
import { usageLines } from "../report/usage-lines.js";
import { printWarnings } from "./adapter-warnings.js";
import { note, print } from "./output.js";
import { wholeNumber } from "./values.js";
import { warnOfEffects } from "./warn-of-effects.js";

interface TrimFlags extends KeepRules {
  readonly out: string;
  readonly model?: string;
  readonly layerCount?: number;
  readonly force?: boolean;
  readonly check: boolean;
}

/** `boundary trim`: an adapter without some of its layers or modules, in the form it came in. */
export function trimCommand(signal: AbortSignal): Command {
  return new Command("trim")
    .description("remove layers or modules from an adapter; the tensors that stay are unchanged, byte for byte")
    .argument("<adapter>", "LoRA adapter: a GGUF file, or a folder of PEFT or mlx-lm")
    .requiredOption("-o, --out <path>", "the trimmed adapter: a file for GGUF, a folder for PEFT")
    .option("-m, --model <gguf>", "base model: checks that the adapter fits it and names it in the lines to paste")
    .option("--layer-count <L>", "number of layers of the base model, where --model is not given", wholeNumber)
    .option("-k, --keep <K>", "how many bottom layers keep their adapter", wholeNumber)
    .option("--layers <list>", "layers that keep it: 0-14,17; ranges are inclusive, -1 is the last")
    .option("--drop <list>", "layers that lose it, written likewise")
    .option("--modules <names>", "modules that keep it: q_proj,v_proj or attn_q,attn_v")
    .option("--force", "replace what is there")
    .option("--no-check", "with --model: do not run short prompts on it to see which modules have an effect")
    .addHelpText("after", "\nRules intersect: a module stays when each of them keeps it.")
    .action(async (path: string, { out, model, layerCount, force, check, ...rules }: TrimFlags) => {
      if (Object.keys(rules).length === 0) {
        throw new UsageError({ what: "nothing says what to keep", expected: "--keep, --layers, --drop or --modules" });
      }
      const overwrite = force ?? false;
      const either = await loadAdapter(await resolveAdapterPath(path));
      const base = model === undefined ? undefined : await readBaseModel(await resolveModelPath(model));
      if (base && either.form === "gguf") assertFits(either.adapter, base);
      // A PEFT folder is cut without its tensors being understood, so the architecture may be one that is not converted.
      if (base && either.form === "peft" && architectureNames(base.architecture)) assertPeftFits(either.adapter, base);
      const known = await layersOf(either, base, layerCount);
      if (either.form === "peft") printWarnings(either.adapter, "; the trimmed folder goes without");
      if (known?.note !== undefined && dependsOnLayerCount(either.adapter.modules, rules)) note(known.note);
      const form = formOf(either);
      const report = await (either.form === "peft"
        ? (form === "mlx" ? trimToMlx : trimPeftAdapter)(
            either.adapter,
            selectKnown(either.adapter.modules, known?.layerCount, rules),
            known?.layerCount,
            out,
            { overwrite },
          )
        : trimToGguf(either.adapter, known?.layerCount, rules, { out, model, overwrite }));
      const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(2);
      print(
        `${out}: ${report.keptModules} modules kept (${megabytes(report.keptBytes)} MB), ${report.droppedModules} dropped (${megabytes(report.droppedBytes)} MB)\n` +
          `${usageLines(form, out, model).join("\n")}\n`,
      );
      if (base && check) await warnOfEffects(out, base, signal);
    });
}

/** L of the base: of the model where it is given, else as the user says, else as the adapter itself says. */
async function layersOf(
  either: EitherAdapter,
  base: BaseModel | undefined,
  layerCount: number | undefined,
): Promise<KnownLayerCount | undefined> {
  if (base && layerCount !== undefined && base.layerCount !== layerCount) {
    throw new UsageError({
      what: `--layer-count is ${layerCount}, but ${base.path} has ${base.layerCount} layers`,
      fix: "Leave --layer-count out where --model is given.",
    });
  }
  const given = base?.layerCount ?? layerCount;
  if (given === undefined) return knownLayerCount(either);
  const highest = either.adapter.coverage.at(-1) ?? 0;
  if (highest < given) return { layerCount: given };
  throw new UsageError({
    what: `the adapter has tensors in layer ${highest}, but the base model is said to have ${given} layers`,
    fix: "Give the base model that the adapter was trained on.",
  });
}

/** @throws UsageError where L is not known: mlx-lm counts layers from the last one. */
function trimToMlx(
  adapter: PeftAdapter,
  kept: readonly PeftModule[],
  layerCount: number | undefined,
  out: string,
  { overwrite }: { overwrite: boolean },
): Promise<TrimReport> {
  if (layerCount !== undefined) return writeMlxAdapter(adapter, kept, layerCount, out, { overwrite });
  throw new UsageError({
    what: "mlx-lm counts the adapted layers from the last one, so the number of layers must be known",
    fix: "Give the base with --model, or its number of layers with --layer-count.",
  });
}

/** The trimmed file with an Ollama Modelfile beside it. */
async function trimToGguf(
  adapter: Adapter,
  layerCount: number | undefined,
  rules: KeepRules,
  { out, model, overwrite }: { out: string; model: string | undefined; overwrite: boolean },
): Promise<TrimReport> {
  const mask = new Map(selectKnown(adapter.modules, layerCount, rules).map(({ name }) => [name, 1]));
  if (!overwrite) for (const path of [out, modelfileBeside(out)]) await assertFree(path);
  const provenance = {
    sourceSha256: hashStamped(adapter.stamp).then(({ sha256 }) => sha256),
    boundary: rules.keep,
    ...(layerCount === undefined ? {} : { layers: layerCount }),
    command: commandLine(adapter.path, out, rules),
  };
  const report = await trimAdapter(adapter, mask, out, provenance, { overwrite });
  await writeModelfileBeside(out, model);
  return report;
}

function commandLine(path: string, out: string, rules: KeepRules): string {
  const flags = Object.entries(rules).map(([name, value]) => `--${name} ${String(value)}`);
  return `boundary trim ${basename(path)} ${flags.join(" ")} --out ${basename(out)}`;
}
