/** Lines to paste that put an adapter to use: llama-server and Ollama for a GGUF file, PEFT for a folder. */
export function usageLines(form: "gguf" | "peft", path: string): string[] {
  if (form === "gguf") {
    return [
      `llama-server -m base.gguf --lora ${path}`,
      ...ollamaModelfile(path)
        .split("\n")
        .map((line) => `Modelfile: ${line}`),
    ];
  }
  return [`PeftModel.from_pretrained(base, ${JSON.stringify(path)})`];
}

/** An Ollama Modelfile for an adapter that lies beside it. */
export function ollamaModelfile(adapter: string): string {
  return `FROM base.gguf\nADAPTER ${adapter}`;
}
