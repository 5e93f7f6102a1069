import { Command } from "commander";
import { basename } from "node:path";
import { loadEither } from "../adapter/either-form.js";
import { selectModules, type KeepRules } from "../adapter/select-modules.js";
import { trimAdapter } from "../adapter/trim.js";
import { trimPeftAdapter } from "../adapter/trim-peft.js";
import { UsageError } from "../errors.js";
import { usageLines } from "../report/usage-lines.js";
import { wholeNumber } from "./values.js";

interface TrimFlags extends KeepRules {
  readonly out: string;
  readonly force?: boolean;
}

/** `boundary trim`: an adapter without some of its layers or modules, in the form it came in. */
export function trimCommand(): Command {
  return new Command("trim")
    .description("write the adapter without some layers or modules; kept tensors keep every byte")
    .argument("<adapter>", "LoRA adapter: a GGUF file or a PEFT folder")
    .requiredOption("-o, --out <path>", "the trimmed adapter: a file for GGUF, a folder for PEFT")
    .option("-k, --keep <K>", "how many bottom layers keep their adapter", wholeNumber)
    .option("--layers <list>", "layers that keep it: 0-14,17; ranges are inclusive, -1 is the last")
    .option("--drop <list>", "layers that lose it, written likewise")
    .option("--modules <names>", "modules that keep it: q_proj,v_proj or attn_q,attn_v")
    .option("--force", "replace what is there")
    .addHelpText("after", "\nRules intersect: a module stays when each of them keeps it.")
    .action(async (path: string, { out, force, ...rules }: TrimFlags) => {
      if (Object.keys(rules).length === 0) {
        throw new UsageError({ what: "nothing says what to keep", expected: "--keep, --layers, --drop or --modules" });
      }
      const either = await loadEither(path);
      const layerCount = (either.adapter.coverage.at(-1) ?? 0) + 1;
      const overwrite = { overwrite: force ?? false };
      const report =
        either.form === "peft"
          ? await trimPeftAdapter(
              either.adapter,
              selectModules(either.adapter.modules, layerCount, rules),
              layerCount,
              out,
              overwrite,
            )
          : await trimAdapter(
              either.adapter,
              new Map(selectModules(either.adapter.modules, layerCount, rules).map(({ name }) => [name, 1])),
              out,
              { sourceSha256: either.adapter.sha256, boundary: rules.keep, command: commandLine(path, out, rules) },
              overwrite,
            );
      const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(2);
      process.stdout.write(
        `${out}: ${report.keptModules} modules kept (${megabytes(report.keptBytes)} MB), ${report.droppedModules} dropped (${megabytes(report.droppedBytes)} MB)\n` +
          `${usageLines(either.form, out).join("\n")}\n`,
      );
    });
}

function commandLine(path: string, out: string, rules: KeepRules): string {
  const flags = Object.entries(rules).map(([name, value]) => `--${name} ${String(value)}`);
  return `boundary trim ${basename(path)} ${flags.join(" ")} --out ${basename(out)}`;
}
