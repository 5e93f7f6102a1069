import { readFileSync } from "node:fs";
import { cp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readBaseModel } from "../../src/adapter/base-model.js";
import { convertAdapter } from "../../src/adapter/convert-adapter.js";
import { loadAdapter } from "../../src/adapter/either-form.js";
import { examinePeftAdapter, loadPeftAdapter } from "../../src/adapter/load-peft-adapter.js";
import { readSafetensorsHeader } from "../../src/formats/safetensors-reader.js";
import { AdapterError, UsageError } from "../../src/errors.js";
import { callCli } from "../support/command.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const oracle = (path: string): string => fileURLToPath(new URL(`../oracle/${path}`, import.meta.url));
const dense = { folder: oracle("kinds/mlx"), base: oracle("fixtures/llama/base.gguf") };
const mixture = { folder: oracle("kinds/mlx-experts"), base: oracle("families/qwen3_moe/base.gguf") };

/** Every tensor's bytes, by its name. */
async function tensorsOf(folder: string): Promise<Record<string, string>> {
  const path = join(folder, "adapters.safetensors");
  const bytes = readFileSync(path);
  const { tensors } = await readSafetensorsHeader(path);
  return Object.fromEntries(
    tensors.map(({ name, shape, dtype, offset, byteLength }) => {
      const data = bytes.subarray(offset, offset + byteLength).toString("base64");
      return [name, `${dtype} ${shape.join("x")} ${data}`];
    }),
  );
}

describe("mlx-lm adapters", () => {
  const scratch = temporaryFolder();
  const copyOf = async (name: string, change: (config: Record<string, unknown>) => unknown): Promise<string> => {
    const folder = join(scratch.path, name);
    await cp(dense.folder, folder, { recursive: true });
    const config = JSON.parse(readFileSync(join(folder, "adapter_config.json"), "utf8")) as Record<string, unknown>;
    await writeFile(join(folder, "adapter_config.json"), JSON.stringify(change(config)));
    return folder;
  };

  it.each([
    ["GGUF", dense, "gguf"],
    ["PEFT", dense, "peft"],
    ["GGUF, of experts", mixture, "gguf"],
  ] as const)("come back from %s with the same bytes and scale", async (title, { folder, base: basePath }, through) => {
    const base = await readBaseModel(basePath);
    const between = join(scratch.path, `${title}-between`);
    await convertAdapter(await loadAdapter(folder), base, through, between, { overwrite: false });
    const back = join(scratch.path, `${title}-back`);
    await convertAdapter(await loadAdapter(between), base, "mlx", back, { overwrite: false });
    const [was, is] = [await tensorsOf(folder), await tensorsOf(back)];
    expect(Object.keys(is)).toEqual(Object.keys(was).sort());
    for (const [name, bytes] of Object.entries(was)) expect(is[name] === bytes, name).toBe(true);
    const config = (path: string): unknown => JSON.parse(readFileSync(join(path, "adapter_config.json"), "utf8"));
    expect(config(back)).toMatchObject({
      fine_tune_type: "lora",
      num_layers: 3,
      lora_parameters: (config(folder) as { lora_parameters: object }).lora_parameters,
    });
  });

  it("are found by their folder, their weights or their configuration, and their scale is scale times rank over rank", async () => {
    for (const path of [
      dense.folder,
      join(dense.folder, "adapters.safetensors"),
      join(dense.folder, "adapter_config.json"),
    ]) {
      const either = await loadAdapter(path);
      expect(either.form === "peft" && either.adapter.kind).toBe("MLX");
    }
    const { modules, coverage, findings } = await loadPeftAdapter(dense.folder);
    expect(new Set(modules.map(({ scale, alpha, rank }) => [scale, alpha, rank].join()))).toEqual(new Set(["20,80,4"]));
    expect(coverage).toEqual([1, 2, 3]);
    expect(findings.map(({ message }) => message)).toContain(
      "Layers 1 to 3 are adapted, so only K from 2 on keeps any of it, and K = 4 keeps all of it.",
    );
  });

  it("are trimmed in their own layout", async () => {
    const out = join(scratch.path, "trimmed");
    const { code, stdout } = await callCli(["trim", dense.folder, "--keep", "2", "--out", out]);
    expect([code, stdout]).toEqual([0, expect.stringContaining("mlx_lm.generate")]);
    const [all, kept] = [await tensorsOf(dense.folder), await tensorsOf(out)];
    const expected = Object.entries(all).filter(([name]) => name.startsWith("model.layers.1."));
    expect(Object.entries(kept)).toEqual(expected.sort(([a], [b]) => (a < b ? -1 : 1)));
    expect(JSON.parse(readFileSync(join(out, "adapter_config.json"), "utf8"))).toMatchObject({ num_layers: 3 });
  });

  it.each([
    ["dora", { fine_tune_type: "dora" }, "DoRA"],
    ["full", { fine_tune_type: "full" }, "whole weights"],
    ["rank", { lora_parameters: { rank: 8, scale: 20 } }, "has rank 4"],
  ])("of the kind %s are refused with what to do", async (name, change, words) => {
    const folder = await copyOf(name, (config) => ({ ...config, ...change }));
    const error = await failureOf(AdapterError, () => loadPeftAdapter(folder));
    expect(error.message).toContain(words);
    expect(error.parts.fix).toBeTruthy();
  });

  it("without a scale are refused, and an alpha that mlx-lm no longer reads is named", async () => {
    const none = await copyOf("no-scale", (config) => ({ ...config, lora_parameters: undefined }));
    await expect(loadPeftAdapter(none)).rejects.toThrow("lora_parameters with rank and scale");
    const old = await copyOf("alpha", (config) => ({ ...config, lora_parameters: { rank: 4, scale: 20, alpha: 16 } }));
    const { findings } = await examinePeftAdapter(old);
    expect(findings.find(({ code }) => code === "mlx-alpha")?.fix).toContain("set scale to 80");
  });

  it("without weights, or with the weights of a checkpoint alone, are refused", async () => {
    const folder = await copyOf("weightless", (config) => config);
    await rm(join(folder, "adapters.safetensors"));
    await expect(loadPeftAdapter(folder)).rejects.toThrow("but not its weights");
  });

  it("do not go into mlx-lm's layout where PEFT fused what it has apart", async () => {
    const either = await loadAdapter(oracle("families/qwen3_moe/experts"));
    const base = await readBaseModel(mixture.base);
    const out = join(scratch.path, "fused");
    await failureOf(UsageError, () => convertAdapter(either, base, "mlx", out, { overwrite: false }));
  });
});
