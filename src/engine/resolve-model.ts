import { readdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { FileError, messageOf } from "../errors.js";
import { fetchHubAdapter, hubName } from "../files/hub.js";

/** Addresses that node-llama-cpp resolves and caches; anything else is a path. */
const URI = /^(hf|huggingface|hf\.co|https?):/i;

/**
 * The path of a model given as a path or as a node-llama-cpp model URI (`hf:user/repo:Q4_K_M`, `https://...`), which is
 * downloaded into node-llama-cpp's cache first where it is not there yet.
 * @throws FileError when the download fails.
 */
export async function resolveModelPath(pathOrUri: string): Promise<string> {
  if (!URI.test(pathOrUri)) {
    await assertNotModelFolder(pathOrUri);
    return pathOrUri;
  }
  const { resolveModelFile } = await import("node-llama-cpp");
  try {
    return await resolveModelFile(pathOrUri, { cli: false });
  } catch (cause) {
    throw new FileError(pathOrUri, {
      what: `cannot download ${pathOrUri}`,
      actual: messageOf(cause),
      fix:
        /^h/i.test(pathOrUri) && !/gguf/i.test(pathOrUri)
          ? `A base model must be GGUF, and its repository usually has GGUF in its name: look on the hub for a GGUF of ${pathOrUri.replace(/^\w+:/, "")}, such as ${pathOrUri.replace(/:[\w-]+$/, "")}-GGUF:Q8_0.`
          : "Check the address and the network, or download the file and give its path.",
      cause,
    });
  }
}

/** @throws FileError for a folder of a model as transformers has it, or of GGUF files. */
async function assertNotModelFolder(path: string): Promise<void> {
  const names = await readdir(path).catch((): string[] => []);
  const ggufs = names.filter((name) => /\.gguf$/i.test(name));
  const [first] = ggufs;
  if (first !== undefined)
    throw new FileError(path, { what: `${path} is a folder`, fix: `Give the file itself: ${join(path, first)}.` });
  if (!names.includes("config.json")) return;
  const name = basename(resolve(path));
  throw new FileError(path, {
    what: `${path} is a model of transformers (safetensors or pickle), and llama.cpp needs GGUF`,
    fix: `Fetch a GGUF of it, such as hf:USER/${name}-GGUF:Q8_0, or make one with llama.cpp: python convert_hf_to_gguf.py ${path} --outfile ${name}.gguf`,
  });
}

/**
 * The path of an adapter given as a path, as a name on the Hugging Face hub (`hf:user/repo`, a PEFT folder or a GGUF file), or as an
 * address that {@link resolveModelPath} takes.
 * @throws FileError when it cannot be fetched.
 */
export async function resolveAdapterPath(pathOrUri: string): Promise<string> {
  const name = hubName(pathOrUri);
  if (name !== undefined) return fetchHubAdapter(name);
  return URI.test(pathOrUri) ? resolveModelPath(pathOrUri) : pathOrUri;
}
