import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { readBaseModel } from "../../src/adapter/base-model.js";
import { writeGgufAsPeft } from "../../src/adapter/gguf-to-peft.js";
import { loadGgufAdapter } from "../../src/adapter/load-gguf-adapter.js";
import { loadPeftAdapter } from "../../src/adapter/load-peft-adapter.js";
import { writePeftAsGguf } from "../../src/adapter/peft-to-gguf.js";
import { parseConfig } from "../../src/sweep/config.js";
import { sweep } from "../../src/sweep/sweep.js";
import { realModel, workbenchTitle } from "../support/real-model.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { workbench } from "../support/workbench.js";

describe.skipIf(workbench === undefined)(`the real adapters of the workbench ${workbenchTitle}`, () => {
  const folder = temporaryFolder();
  const adapters = join(workbench ?? "", "adapters");
  let model: string;
  beforeAll(() => {
    model = realModel();
  }, 600_000);

  it("PEFT folder and GGUF file give the same greedy outputs", async () => {
    const tokens: unknown[] = [];
    for (const [name, adapter] of [
      ["gguf", join(adapters, "qa/qa.gguf")],
      ["peft", join(adapters, "qa/peft")],
    ] as const) {
      const out = join(folder.path, name);
      const data = join(workbench ?? "", "data/qa-selection.jsonl");
      await sweep(parseConfig({ model, adapter, data, out, gpu: "off", limit: 6, holdout: 0, boundaries: "full" }));
      const lines = (await readFile(join(out, "outputs.jsonl"), "utf8")).trimEnd().split("\n");
      tokens.push(lines.map((line) => (JSON.parse(line) as { tokens: number[] }).tokens));
    }
    expect(tokens[1]).toEqual(tokens[0]);
  });

  it.each(["qa", "math"])("%s: GGUF -> PEFT -> GGUF leaves tensors and alpha bit-equal", async (name) => {
    const source = join(adapters, name, `${name}.gguf`);
    const base = await readBaseModel(model);
    const peftFolder = join(folder.path, `${name}-peft`);
    const back = join(folder.path, `${name}.gguf`);
    await writeGgufAsPeft(await loadGgufAdapter(source), base, peftFolder, { overwrite: false });
    await writePeftAsGguf(await loadPeftAdapter(peftFolder), base, back, { overwrite: false });
    const tensorsOf = async (path: string): Promise<{ alpha: number; tensors: Map<string, string> }> => {
      const { alpha, modules } = await loadGgufAdapter(path);
      const bytes = await readFile(path);
      const tensors = modules
        .flatMap(({ a, b }) => [a, b])
        .map(({ name: tensor, offset, byteLength, type, dims }) => {
          const data = bytes.subarray(offset, offset + byteLength).toString("base64");
          return [tensor, `${type.name} ${dims.join("x")} ${data}`] as const;
        });
      return { alpha, tensors: new Map(tensors) };
    };
    const [before, after] = [await tensorsOf(source), await tensorsOf(back)];
    expect(after.alpha).toBe(before.alpha);
    expect(after.tensors.size).toBe(420);
    expect(after.tensors).toEqual(before.tensors);
  });

  it("the PEFT folder's own tensors come out of the way back", async () => {
    const base = await readBaseModel(model);
    const converted = join(folder.path, "qa-converted.gguf");
    await writePeftAsGguf(await loadPeftAdapter(join(adapters, "qa/peft")), base, converted, { overwrite: false });
    const ours = await loadGgufAdapter(converted);
    const upstream = await loadGgufAdapter(join(adapters, "qa/qa.gguf"));
    const [ourBytes, upstreamBytes] = await Promise.all([readFile(converted), readFile(upstream.path)]);
    for (const module of upstream.modules) {
      const same = ours.modules.find(({ name }) => name === module.name);
      for (const half of ["a", "b"] as const) {
        const [x, y] = [module[half], same?.[half]];
        const left = upstreamBytes.subarray(x.offset, x.offset + x.byteLength);
        const right = ourBytes.subarray(y?.offset ?? 0, (y?.offset ?? 0) + (y?.byteLength ?? 0));
        expect(right.equals(left), `${module.name} ${half}`).toBe(true);
      }
    }
  });
});
