import type { AdapterForm } from "../adapter/convert-adapter.js";
import { modelfileBeside } from "../adapter/modelfile.js";

/** Lines to paste that put an adapter to use: llama-server and Ollama for a GGUF file, PEFT or mlx-lm for a folder. */
export function usageLines(form: AdapterForm, path: string, model = "base.gguf"): string[] {
  if (form === "mlx") return [`mlx_lm.generate --model BASE --adapter-path ${path} --prompt "..."`];
  if (form === "peft") return [`PeftModel.from_pretrained(base, ${JSON.stringify(path)})`];
  return [`llama-server -m ${model} --lora ${path}`, `ollama create NAME -f ${modelfileBeside(path)}`];
}
