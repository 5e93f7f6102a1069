import { gib } from "../files/gib.js";
import { join } from "node:path";
import { f32CopyBytes, hasF32Layers, writeF32Copy } from "../adapter/f32-copy.js";
import { availableMemory } from "../engine/machine.js";
import { MemoryError } from "../errors.js";
import { InputFiles } from "../files/input-files.js";
import { withTemporaryFolder } from "../files/temporary-folder.js";
import { openEngine } from "../engine/process-engine.js";
import { withEngine } from "../sweep/session.js";
import type { CardRun } from "./card-run.js";

/** Share of the memory that is free which the copy may take. */
const MEMORY_SHARE = 0.8;

/**
 * The same run on a copy of the base model with F32 weights, in an engine of its own, where the model has others: derivatives are differences of
 * losses, and what is rounded to 8 bits or to F16 on its way changes a loss by more than a small step does.
 * @throws MemoryError where the copy does not fit; FormatError for weights that cannot be read as numbers; what opening an engine throws.
 */
export async function withExactRun<T>(run: CardRun, use: (exact: CardRun) => Promise<T>): Promise<T> {
  const { model, engine, signal } = run;
  if (await hasF32Layers(model)) return use(run);
  const [required, available] = [await f32CopyBytes(model), MEMORY_SHARE * availableMemory()];
  if (required > available) {
    throw new MemoryError(
      {
        what: "not enough memory for derivatives: they are taken on a copy of the base model with F32 weights",
        actual: `${gib(available)} available`,
        expected: gib(required),
        fix: "Leave the gradient out, or use another machine.",
      },
      required,
      available,
    );
  }
  return withTemporaryFolder("f32", async (folder) => {
    const path = join(folder, "base-f32.gguf");
    await writeF32Copy(model, path);
    const options = {
      modelPath: path,
      givenPath: `an F32 copy of ${model.path}`,
      gpu: "off",
      gpuLayers: 0,
      threads: engine.info.threads,
    } as const;
    return withEngine(
      () => openEngine(options),
      new InputFiles([]),
      signal,
      (exact) => use({ ...run, engine: exact, model: { ...model, path, files: [path] } }),
    );
  });
}
