import { relative } from "node:path";

/**
 * An Ollama Modelfile. Ollama takes paths from the file's own folder, so a model's path is written from there; addresses of the Hugging
 * Face hub are written as Ollama spells them.
 * @param folder where the Modelfile will lie.
 * @param model path or address of the base model; undefined leaves a name for the user to fill in.
 * @param adapter name of the adapter in that folder.
 */
export function ollamaModelfile(folder: string, model: string | undefined, adapter: string): string {
  const from =
    model === undefined ? "# Put the path of the base model here.\nFROM ./base.gguf" : fromLine(folder, model);
  return `${from}\nADAPTER ./${adapter}\n`;
}

function fromLine(folder: string, model: string): string {
  const hub = /^(?:hf|huggingface):(.+)$/i.exec(model)?.[1];
  if (hub !== undefined) return `FROM hf.co/${hub}`;
  if (/^https?:/i.test(model)) return `# Download ${model} first.\nFROM ./base.gguf`;
  const path = relative(folder, model);
  return `FROM ${path.startsWith(".") ? path : `./${path}`}`;
}
