import { basename, dirname, relative } from "node:path";
import { writeTextAtomic } from "../files/atomic-file.js";

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

/** Where the Modelfile of an adapter in a file of its own lies. */
export function modelfileBeside(adapter: string): string {
  return `${adapter}.Modelfile`;
}

/** Writes {@link ollamaModelfile} beside an adapter, in place of what was there. @throws FileError when it cannot be written. */
export async function writeModelfileBeside(adapter: string, model: string | undefined): Promise<void> {
  await writeTextAtomic(modelfileBeside(adapter), ollamaModelfile(dirname(adapter), model, basename(adapter)));
}
