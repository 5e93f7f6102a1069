import { Command } from "commander";
import { stat } from "node:fs/promises";
import { readBaseModel } from "../adapter/base-model.js";
import { type KeepRules } from "../adapter/select-modules.js";
import { resolveAdapterPath, resolveModelPath } from "../engine/resolve-model.js";
import { writeTextAtomic } from "../files/atomic-file.js";
import { mergeAdapter } from "../merge/merge-adapter.js";
import type { MergedTensor } from "../merge/merge-model.js";
import { mergeTable, mergeTotals } from "../report/merge.js";
import { note, print, warn } from "./output.js";
import { wholeNumber } from "./values.js";

interface MergeFlags extends KeepRules {
  readonly model: string;
  readonly out: string;
  readonly type?: string;
  readonly report?: string;
  readonly force?: boolean;
}

/** From this relative error on, a merge says that little of the update may be left: at 1.2 the QA adapter of SmolLM2 was gone, at 0.4 it was whole. */
const MUCH_LOST = 0.7;

/** `boundary merge`: a base model with an adapter, or a part of it, in its weights. */
export function mergeCommand(): Command {
  return new Command("merge")
    .description("write the base model with an adapter, or its lower layers, merged into the weights")
    .argument("<adapter>", "a GGUF file, or a folder of PEFT (LoRA, DoRA, modules_to_save) or mlx-lm")
    .requiredOption("-m, --model <gguf>", "base model")
    .requiredOption("-o, --out <gguf>", "the merged model")
    .option("-k, --keep <K>", "merge only the K bottom layers", wholeNumber)
    .option("--layers <list>", "layers to merge: 0-14,17; ranges are inclusive, -1 is the last")
    .option("--drop <list>", "layers to leave as they are, written likewise")
    .option("--modules <names>", "modules to merge: q_proj,v_proj or attn_q,attn_v")
    .option("--type <type>", "type of the changed weights: f32, f16, bf16, q8_0, q6_k, ... (default: the base's)")
    .option("--report <json>", "also write the figures of each tensor to a file")
    .option("--force", "replace what is there")
    .addHelpText(
      "after",
      "\nExamples:\n  boundary merge ./dora-folder -m base-f16.gguf -o merged.gguf\n  boundary merge lora.gguf -m base-q4_k_m.gguf --keep 20 --type q8_0 -o merged.gguf",
    )
    .action(async (adapter: string, { model, out, type, report, force, ...rules }: MergeFlags) => {
      const base = await readBaseModel(await resolveModelPath(model));
      const { tensors, warnings, widened } = await mergeAdapter(base, {
        adapter: await resolveAdapterPath(adapter),
        out,
        ...rules,
        ...(type === undefined ? {} : { type }),
        overwrite: force ?? false,
      });
      for (const warning of warnings) warn(warning);
      for (const [from, to] of widened)
        note(`${from} cannot hold some changed weights without more information, so they are ${to}`);
      const totals = mergeTotals(tensors);
      if (totals.error > MUCH_LOST)
        warn(
          `rounding to ${typesOf(tensors)} changes the update by ${Math.round(100 * totals.error)} % of its size: the merged model may answer as if there were no adapter. ` +
            "Merge with --type q8_0 or f16, or load the adapter beside the base",
        );
      if (report !== undefined) await writeTextAtomic(report, `${JSON.stringify({ totals, tensors }, null, 2)}\n`);
      const megabytes = (await stat(out)).size / 1e6;
      print(
        `${mergeTable(tensors)}\n\n${out}: ${tensors.length} weights changed, ${megabytes.toFixed(1)} MB. ` +
          `The rounding error is ${(100 * totals.error).toFixed(2)} % of the update; ${(100 * totals.lost).toFixed(2)} % of the update is lost.\n` +
          `llama-server -m ${out}\n`,
      );
    });
}

function typesOf(tensors: readonly MergedTensor[]): string {
  return [...new Set(tensors.map(({ types: [, after] }) => after))].sort().join(" and ");
}
