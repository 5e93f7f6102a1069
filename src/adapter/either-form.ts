import type { Adapter } from "./adapter.js";
import { readGgufAdapter } from "./load-gguf-adapter.js";
import { loadPeftAdapter } from "./load-peft-adapter.js";
import type { PeftAdapter } from "./peft-adapter.js";
import { locateAdapter } from "./locate-adapter.js";

/** An adapter in either of the forms that people have: a GGUF file or a PEFT folder. */
export type EitherAdapter =
  { readonly form: "gguf"; readonly adapter: Adapter } | { readonly form: "peft"; readonly adapter: PeftAdapter };

/** Loads an adapter in either form. @throws whatever finding it, or the form's own loader, throws. */
export async function loadAdapter(path: string): Promise<EitherAdapter> {
  const located = await locateAdapter(path);
  return located.form === "peft"
    ? { form: "peft", adapter: await loadPeftAdapter(located.path) }
    : { form: "gguf", adapter: await readGgufAdapter(located.path) };
}
