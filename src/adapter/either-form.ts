import { stat } from "node:fs/promises";
import { fileError } from "../errors.js";
import type { Adapter } from "./adapter.js";
import { readGgufAdapter } from "./load-gguf-adapter.js";
import { loadPeftAdapter, type PeftAdapter } from "./load-peft-adapter.js";

/** An adapter in either of the forms that people have: a GGUF file or a PEFT folder. */
export type EitherAdapter =
  { readonly form: "gguf"; readonly adapter: Adapter } | { readonly form: "peft"; readonly adapter: PeftAdapter };

/** The form of what lies at a path: folders are PEFT's, files GGUF. @throws FileError when nothing is there. */
export async function formOf(path: string): Promise<EitherAdapter["form"]> {
  const found = await stat(path).catch((cause: unknown) => {
    throw fileError(path, "read", cause);
  });
  return found.isDirectory() ? "peft" : "gguf";
}

/** Loads an adapter in either form. @throws whatever the form's own loader throws. */
export async function loadEither(path: string): Promise<EitherAdapter> {
  return (await formOf(path)) === "peft"
    ? { form: "peft", adapter: await loadPeftAdapter(path) }
    : { form: "gguf", adapter: await readGgufAdapter(path) };
}
