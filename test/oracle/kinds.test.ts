import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readBaseModel } from "../../src/adapter/base-model.js";
import { compressedAdapter } from "../../src/adapter/compress.js";
import { sizedAdapter } from "../../src/adapter/gguf-updates.js";
import { loadGgufAdapter } from "../../src/adapter/load-gguf-adapter.js";
import { examinePeftAdapter, loadPeftAdapter } from "../../src/adapter/load-peft-adapter.js";
import { boundaryMask } from "../../src/adapter/mask.js";
import { writePeftAsGguf } from "../../src/adapter/peft-to-gguf.js";
import { piecesOf, writePieces } from "../../src/adapter/pieces.js";
import { mergeAdapter } from "../../src/merge/merge-adapter.js";
import { largestDifference, openCpuEngine } from "../support/next-token.js";
import { temporaryFolder } from "../support/temporary-folder.js";

interface Expected {
  /** Where the base lies, where it is not the llama of fixtures/. */
  base?: string;
  layers: number;
  prompts: number[][];
  boundaries: number[][][];
}

const home = fileURLToPath(new URL("kinds", import.meta.url));
const kinds = readdirSync(home);
/** What no adapter file can carry. */
const merged = ["dora", "dora-rslora", "modules-to-save", "trained-tokens"];
const baseOf = ({ base = "fixtures/llama" }: Expected): string =>
  fileURLToPath(new URL(`${base}/base.gguf`, import.meta.url));
const read = (name: string): Expected =>
  JSON.parse(readFileSync(join(home, name, "expected.json"), "utf8")) as Expected;

describe("adapters of other kinds, at every boundary: what PEFT computes", () => {
  const scratch = temporaryFolder();

  it.each(kinds.filter((name) => !merged.includes(name)))("%s, read as LoRA", async (name) => {
    const expected = read(name);
    const { layers, prompts, boundaries } = expected;
    const basePath = baseOf(expected);
    const base = await readBaseModel(basePath);
    const path = join(scratch.path, `${name}.gguf`);
    await writePeftAsGguf(await loadPeftAdapter(join(home, name)), base, path, { overwrite: false });
    const adapter = await loadGgufAdapter(path);
    const masks = boundaries.map((_, boundary) => boundaryMask(adapter.modules, layers, boundary));
    const pieces = await writePieces(adapter, masks, join(scratch.path, `${name}-pieces`));
    const engine = await openCpuEngine(basePath);
    try {
      for (const [boundary, mask] of masks.entries()) {
        const difference = await largestDifference(engine, piecesOf(mask, pieces), prompts, boundaries[boundary] ?? []);
        expect(difference, `K=${boundary}`).toBeLessThan(1e-4);
      }
    } finally {
      await engine.close();
    }
  });

  it.each(kinds)("%s, merged into an F32 base", async (name) => {
    const expected = read(name);
    const base = await readBaseModel(baseOf(expected));
    const adapted = (await examinePeftAdapter(join(home, name))).coverage[0] ?? 0;
    for (const [keep, logprobs] of expected.boundaries.entries()) {
      if (keep <= adapted) continue;
      const out = join(scratch.path, `${name}-${keep}.gguf`);
      await mergeAdapter(base, { adapter: join(home, name), keep, out, overwrite: false });
      const engine = await openCpuEngine(out);
      try {
        expect(await largestDifference(engine, [], expected.prompts, logprobs), `K=${keep}`).toBeLessThan(1e-4);
      } finally {
        await engine.close();
      }
    }
  });

  it("says where the LoRA is larger than the weights that it changes", async () => {
    const codes = async (name: string): Promise<string[]> =>
      (await examinePeftAdapter(join(home, name))).findings.map(({ code }) => code);
    expect(await codes("lokr")).toContain("high-rank");
    expect(await codes("loha")).not.toContain("high-rank");
  });

  it("approximates VeRA by the columns that the base has", async () => {
    const expected = read("vera");
    const base = await readBaseModel(baseOf(expected));
    const adapter = sizedAdapter(await loadPeftAdapter(join(home, "vera")), base);
    expect(new Set(adapter.modules.map(({ module, a }) => `${module} ${a.shape[1]}`))).toContain("q_proj 32");
    const exact = await compressedAdapter(adapter, 0);
    const path = join(scratch.path, "vera-exact.gguf");
    await writePeftAsGguf(exact.adapter, base, path, { overwrite: false });
    const engine = await openCpuEngine(base.path);
    try {
      const logprobs = expected.boundaries[expected.layers] ?? [];
      expect(await largestDifference(engine, [{ path, scale: 1 }], expected.prompts, logprobs)).toBeLessThan(1e-4);
    } finally {
      await engine.close();
    }
  });

  it("approximates an update by the smallest rank within an error", async () => {
    const adapter = await loadPeftAdapter(join(home, "loha"));
    const exact = await compressedAdapter(adapter, 0);
    expect(exact.ranks).toEqual([4, 4]);
    expect(exact.error).toBe(0);
    const rough = await compressedAdapter(adapter, 0.5);
    expect(rough.ranks[1]).toBeLessThan(4);
    expect(rough.error).toBeGreaterThan(0);
    expect(rough.error).toBeLessThanOrEqual(0.5);
    const path = join(scratch.path, "exact.gguf");
    const basePath = baseOf(read("loha"));
    await writePeftAsGguf(exact.adapter, await readBaseModel(basePath), path, { overwrite: false });
    const { prompts, boundaries, layers } = read("loha");
    const engine = await openCpuEngine(basePath);
    try {
      const pieces = [{ path, scale: 1 }];
      expect(await largestDifference(engine, pieces, prompts, boundaries[layers] ?? [])).toBeLessThan(1e-4);
    } finally {
      await engine.close();
    }
  });
});
