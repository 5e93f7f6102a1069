import { Command, InvalidArgumentError } from "commander";
import { basename } from "node:path";
import { loadGgufAdapter } from "../adapter/load-gguf-adapter.js";
import { boundaryMask } from "../adapter/mask.js";
import { trimAdapter } from "../adapter/trim.js";
import { UsageError } from "../errors.js";

interface TrimFlags {
  readonly keep: number;
  readonly out: string;
  readonly force?: boolean;
}

/** `boundary trim`: an adapter without its upper layers. */
export function trimCommand(): Command {
  return new Command("trim")
    .description("write the adapter without the layers from K up; kept tensors keep every byte")
    .argument("<adapter>", "LoRA adapter, a GGUF file")
    .requiredOption("-k, --keep <K>", "how many bottom layers keep their adapter", wholeNumber)
    .requiredOption("-o, --out <file>", "the trimmed adapter")
    .option("--force", "replace an existing file")
    .action(async (path: string, { keep, out, force }: TrimFlags) => {
      const adapter = await loadGgufAdapter(path);
      const layerCount = (adapter.coverage.at(-1) ?? 0) + 1;
      if (keep > layerCount) {
        throw new UsageError({
          what: "boundary out of range",
          actual: `--keep ${keep}`,
          expected: `0 to ${layerCount}: the adapter's highest layer is ${layerCount - 1}`,
        });
      }
      const command = `boundary trim ${basename(path)} --keep ${keep} --out ${basename(out)}`;
      const provenance = { sourceSha256: adapter.sha256, boundary: keep, command };
      const mask = boundaryMask(adapter.modules, layerCount, keep);
      const report = await trimAdapter(adapter, mask, out, provenance, { overwrite: force ?? false });
      const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(2);
      process.stdout.write(
        `${out}: ${report.keptModules} modules kept (${megabytes(report.keptBytes)} MB), ${report.droppedModules} dropped (${megabytes(report.droppedBytes)} MB)\n`,
      );
    });
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}
