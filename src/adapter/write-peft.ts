import { mkdir, rename, rm } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { BoundaryError, fileError } from "../errors.js";
import { assertFree, exists, writeTextAtomic } from "../files/atomic-file.js";
import { writeSafetensors, type SafetensorsTensorToWrite } from "../formats/safetensors-writer.js";

/**
 * Safetensors metadata of a folder that came from a GGUF file: its tensors are of the types they had there, so the way back keeps them.
 * Other folders become F32: PEFT computes with F16 and BF16 adapters in F32, which llama.cpp would not.
 */
export const TYPES_FROM_GGUF = ["boundary.types", "gguf"] as const;

/** {@link writeAdapterFolder} with the names that PEFT has for the files. */
export async function writePeftFolder(
  folder: string,
  config: Readonly<Record<string, unknown>>,
  tensors: readonly SafetensorsTensorToWrite[],
  options: { metadata: ReadonlyMap<string, string>; overwrite: boolean },
): Promise<void> {
  await writeAdapterFolder(folder, { "adapter_config.json": config }, "adapter_model.safetensors", tensors, options);
}

/**
 * Writes an adapter's folder so that its path never shows half of it: a temporary folder beside it, renamed when it is complete.
 * @param documents JSON by file name. @param weights name of the safetensors file.
 * @throws FileError when the folder exists and `overwrite` is false, or when writing fails; nothing is left behind then.
 */
export async function writeAdapterFolder(
  folder: string,
  documents: Readonly<Record<string, unknown>>,
  weights: string,
  tensors: readonly SafetensorsTensorToWrite[],
  { metadata, overwrite }: { metadata: ReadonlyMap<string, string>; overwrite: boolean },
): Promise<void> {
  const path = folder.replace(/\/+$/, "");
  if (!overwrite) await assertFree(path);
  const suffix = randomBytes(4).toString("hex");
  const temporary = `${path}.${suffix}.tmp`;
  const replaced = `${path}.${suffix}.old`;
  try {
    await mkdir(temporary);
    await writeSafetensors(join(temporary, weights), tensors, metadata, { overwrite: false });
    for (const [name, document] of Object.entries(documents))
      await writeTextAtomic(join(temporary, name), `${JSON.stringify(document, null, 2)}\n`);
    if (await exists(path)) await rename(path, replaced);
    await rename(temporary, path);
  } catch (cause) {
    throw cause instanceof BoundaryError ? cause : fileError(path, "write", cause);
  } finally {
    await rm(temporary, { recursive: true, force: true });
    await rm(replaced, { recursive: true, force: true });
  }
}
