import { Command } from "commander";
import { readBaseModel } from "../adapter/base-model.js";
import { inspectAdapter } from "../adapter/inspect.js";
import { resolveAdapterPath, resolveModelPath } from "../engine/resolve-model.js";
import { inspectionReport } from "../report/inspection.js";
import { stableJson } from "../files/stable-json.js";
import { print } from "./output.js";

/** `boundary inspect`: what is in an adapter, what is odd about it, does it fit this model. Exit code 1 on errors. */
export function inspectCommand(): Command {
  return new Command("inspect")
    .description("what is in an adapter, what is odd about it, and whether it fits a model")
    .argument("<adapter>", "LoRA adapter: a GGUF file or a PEFT folder")
    .option("-m, --model <gguf>", "check that it fits this base model")
    .option("--json", "one JSON document on stdout, nothing else")
    .action(async (path: string, { model, json }: { model?: string; json?: boolean }) => {
      const base = model === undefined ? undefined : await readBaseModel(await resolveModelPath(model));
      const inspection = await inspectAdapter(await resolveAdapterPath(path), base);
      print(json ? stableJson(inspection) : `${inspectionReport(inspection)}\n`);
      if (inspection.findings.some(({ severity }) => severity === "error")) process.exitCode = 1;
    });
}
