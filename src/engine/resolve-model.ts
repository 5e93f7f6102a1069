import { FileError, messageOf } from "../errors.js";

/** Addresses that node-llama-cpp resolves and caches; anything else is a path. */
const URI = /^(hf|huggingface|hf\.co|https?):/i;

/**
 * The path of a model or adapter given as a path or as a node-llama-cpp model URI (`hf:user/repo:Q4_K_M`, `https://...`), which is
 * downloaded into node-llama-cpp's cache first where it is not there yet.
 * @throws FileError when the download fails.
 */
export async function resolveModelPath(pathOrUri: string): Promise<string> {
  if (!URI.test(pathOrUri)) return pathOrUri;
  const { resolveModelFile } = await import("node-llama-cpp");
  try {
    return await resolveModelFile(pathOrUri, { cli: false });
  } catch (cause) {
    throw new FileError(pathOrUri, {
      what: `cannot download ${pathOrUri}`,
      actual: messageOf(cause),
      fix: "Check the address and the network, or download the file and give its path.",
      cause,
    });
  }
}
