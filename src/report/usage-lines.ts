import { modelfileBeside } from "../adapter/modelfile.js";

/** Lines to paste that put an adapter to use: llama-server and Ollama for a GGUF file, PEFT for a folder. */
export function usageLines(form: "gguf" | "peft", path: string, model = "base.gguf"): string[] {
  if (form === "peft") return [`PeftModel.from_pretrained(base, ${JSON.stringify(path)})`];
  return [`llama-server -m ${model} --lora ${path}`, `ollama create NAME -f ${modelfileBeside(path)}`];
}
