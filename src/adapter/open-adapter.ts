import { join } from "node:path";
import { makeTemporaryFolder } from "../files/temporary-folder.js";
import type { Adapter, HashedAdapter } from "./adapter.js";
import type { BaseModel } from "./base-model.js";
import { loadAdapter } from "./either-form.js";
import { assertFits } from "./fit.js";
import { loadGgufAdapter, withSource } from "./load-gguf-adapter.js";
import type { PeftAdapter } from "./peft-adapter.js";
import { withFileSource } from "../files/file-source.js";
import { hashStamped } from "../files/input-files.js";
import { hasNonFinite } from "./finite.js";
import { notFinite, writePeftAsGguf } from "./peft-to-gguf.js";

/** An adapter that the engine can load, whatever form it came in. */
export interface OpenedAdapter {
  readonly adapter: HashedAdapter;
  /** What it was converted from, where it came as a PEFT folder. */
  readonly peft: PeftAdapter | undefined;
  /** Removes the converted file. */
  readonly close: () => Promise<void>;
}

/**
 * Loads an adapter for a model; a PEFT folder is converted into a temporary GGUF file first.
 * @throws whatever loading, converting or the check against the model throws.
 */
export async function openAdapter(path: string, model: BaseModel): Promise<OpenedAdapter> {
  const either = await loadAdapter(path);
  if (either.form === "gguf") {
    assertFits(either.adapter, model);
    await assertFinite(either.adapter);
    return {
      adapter: await withSource(either.adapter),
      peft: undefined,
      close: () => Promise.resolve(),
    };
  }
  const { path: folder, remove: close } = await makeTemporaryFolder("adapter");
  try {
    const converted = join(folder, "adapter.gguf");
    await writePeftAsGguf(either.adapter, model, converted, { overwrite: false });
    const adapter = { ...(await loadGgufAdapter(converted)), givenPath: path };
    assertFits(adapter, model);
    const sources = await Promise.all(either.adapter.stamps.map((stamp) => hashStamped(stamp)));
    return { adapter: { ...adapter, sources }, peft: either.adapter, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** @throws AdapterError when a tensor holds NaN or infinity: every logit would be NaN. */
async function assertFinite({ path, modules }: Adapter): Promise<void> {
  await withFileSource(path, async (source) => {
    for (const tensor of modules.flatMap(({ a, b }) => [a, b])) {
      for await (const bytes of source.stream(tensor.offset, tensor.byteLength)) {
        if (hasNonFinite(tensor.type.name, bytes)) throw notFinite(path, tensor.name);
      }
    }
  });
}
