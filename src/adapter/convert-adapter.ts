import { join } from "node:path";
import { UsageError } from "../errors.js";
import { withTemporaryFolder } from "../files/temporary-folder.js";
import type { BaseModel } from "./base-model.js";
import type { EitherAdapter } from "./either-form.js";
import { assertFits } from "./fit.js";
import { ggufAsPeftModules, writeGgufAsPeft } from "./gguf-to-peft.js";
import { metadataString } from "../formats/gguf-value.js";
import { sizedAdapter } from "./gguf-updates.js";
import { readGgufAdapter } from "./load-gguf-adapter.js";
import { loadPeftAdapter } from "./load-peft-adapter.js";
import type { PeftAdapter } from "./peft-adapter.js";
import { writePeftAsGguf } from "./peft-to-gguf.js";
import { needsBase, trimPeftAdapter } from "./trim-peft.js";
import { writeMlxAdapter } from "./write-mlx.js";

/** The layouts that adapters are written in. */
export const adapterForms = ["gguf", "peft", "mlx"] as const;
export type AdapterForm = (typeof adapterForms)[number];

/** The layout that an adapter came in. */
export function formOf({ form, adapter }: EitherAdapter): AdapterForm {
  return form === "peft" && adapter.kind === "MLX" ? "mlx" : form;
}

/**
 * Writes an adapter in another layout: a file for GGUF, a folder for the others.
 * @throws UsageError when it has that layout already; AdapterError when it does not fit the base; FileError when writing fails.
 */
export async function convertAdapter(
  either: EitherAdapter,
  base: BaseModel,
  to: AdapterForm,
  out: string,
  { overwrite }: { overwrite: boolean },
): Promise<void> {
  if (to === formOf(either) && (either.form === "gguf" || ["LORA", "MLX"].includes(either.adapter.kind))) {
    const given = either.form === "gguf" ? either.adapter.givenPath : either.adapter.folder;
    throw new UsageError({
      what: `${given} is in the form ${to} already`,
      fix: "Use `boundary trim` to write a part of it.",
    });
  }
  if (either.form === "gguf") {
    assertFits(either.adapter, base);
    if (to === "peft") await writeGgufAsPeft(either.adapter, base, out, { overwrite });
    else {
      const modules = await ggufAsPeftModules(either.adapter, base, { layout: "mlx" });
      const name = metadataString(either.adapter.metadata, "general.base_model.0.name") ?? base.name ?? "";
      const config = { peft_type: "LORA", base_model_name_or_path: name };
      const source = { folder: either.adapter.givenPath, modules, config };
      await writeMlxAdapter(source, modules, base.layerCount, out, { overwrite });
    }
    return;
  }
  const adapter = sizedAdapter(either.adapter, base);
  if (to === "gguf") await writePeftAsGguf(adapter, base, out, { overwrite, recordLayers: true });
  else if (to === "mlx") await writeMlxAdapter(adapter, adapter.modules, base.layerCount, out, { overwrite });
  else if (needsBase(adapter.modules)) await throughGguf(adapter, base, out, overwrite);
  else await trimPeftAdapter(adapter, adapter.modules, base.layerCount, out, { overwrite });
}

async function throughGguf(adapter: PeftAdapter, base: BaseModel, out: string, overwrite: boolean): Promise<void> {
  await withTemporaryFolder("convert", async (folder) => {
    const path = join(folder, "adapter.gguf");
    await writePeftAsGguf(adapter, base, path, { overwrite: false });
    await writeGgufAsPeft(await readGgufAdapter(path), base, out, { overwrite });
  });
}

/** Reads a written adapter back. @throws AdapterError when it does not fit the base that it was written for. */
export async function checkWritten(form: AdapterForm, path: string, base: BaseModel): Promise<number> {
  if (form !== "gguf") return (await loadPeftAdapter(path)).modules.length;
  const adapter = await readGgufAdapter(path);
  assertFits(adapter, base);
  return adapter.modules.length;
}
