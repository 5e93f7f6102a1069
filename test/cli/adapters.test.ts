import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { loadGgufAdapter } from "../../src/adapter/load-gguf-adapter.js";
import { loadPeftAdapter } from "../../src/adapter/load-peft-adapter.js";
import { exists } from "../../src/files/atomic-file.js";
import { writeFile } from "node:fs/promises";
import { callCli } from "../support/command.js";
import { sampleLines, sweepArguments, writePrompt } from "../support/sweep-fixture.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const folder = temporaryFolder();
const at = (name: string): string => join(folder.path, name);
const fixture = (name: string): string => fileURLToPath(new URL(`../oracle/fixtures/llama/${name}`, import.meta.url));
const base = fixture("base.gguf");

describe("boundary inspect", () => {
  it("shows a row for each layer of a PEFT folder and of the file made from it", async () => {
    const peft = await callCli(["inspect", fixture("plain"), "--model", base]);
    expect(peft.code).toBe(0);
    expect(peft.stdout).toMatch(/28 modules in 4 layers \(0 to 3\)/);
    expect(peft.stdout).toMatch(/^3 .*q_proj.* 4 +8 +2 +F32/m);
    await callCli(["convert", fixture("plain"), "--model", base, "--out", at("plain.gguf")]);
    const gguf = await callCli(["inspect", at("plain.gguf"), "--model", base, "--json"]);
    expect(gguf.code).toBe(0);
    const { modules } = JSON.parse(gguf.stdout) as { modules: { name: string; scale: number; norm: number }[] };
    const { modules: ofPeft } = JSON.parse((await callCli(["inspect", fixture("plain"), "--json"])).stdout) as {
      modules: { name: string; scale: number; norm: number }[];
    };
    const sum = (all: { norm: number }[]): number => all.reduce((total, { norm }) => total + norm, 0);
    expect(modules).toHaveLength(28);
    expect(sum(modules)).toBeCloseTo(sum(ofPeft), 6);
  });

  it("ends with exit code 1 and names what is refused", async () => {
    const { code, stdout } = await callCli(["inspect", fixture("refused/dora")]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/error: DoRA/);
    const nan = await callCli(["inspect", fixture("refused/nan-in-b")]);
    expect([nan.code, nan.stdout]).toEqual([1, expect.stringContaining("NaN or infinite")]);
  });

  it("says when the adapter does not fit the model", async () => {
    const other = fileURLToPath(new URL("../oracle/fixtures/qwen3/base.gguf", import.meta.url));
    const { code, stdout } = await callCli(["inspect", fixture("plain"), "--model", other]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/error: .*shape of blk\.0\./);
  });
});

describe("boundary convert", () => {
  it("there and back leaves every tensor as it was", async () => {
    expect((await callCli(["convert", fixture("plain"), "--model", base, "--out", at("there.gguf")])).code).toBe(0);
    expect(
      (await callCli(["convert", at("there.gguf"), "--model", base, "--to", "peft", "--out", at("back")])).code,
    ).toBe(0);
    const [before, after] = await Promise.all([loadPeftAdapter(fixture("plain")), loadPeftAdapter(at("back"))]);
    expect(after.modules.map(({ modulePath, scale }) => [modulePath, scale]).sort()).toEqual(
      before.modules.map(({ modulePath, scale }) => [modulePath, scale]).sort(),
    );
    const bytes = await Promise.all(
      [fixture("plain"), at("back")].map((path) => readFile(join(path, "adapter_model.safetensors"))),
    );
    for (const module of before.modules) {
      const same = after.modules.find(({ modulePath }) => modulePath === module.modulePath);
      for (const half of ["a", "b"] as const) {
        const slices = [module, same].map((one, i) =>
          bytes[i]?.subarray(one?.[half].offset, (one?.[half].offset ?? 0) + (one?.[half].byteLength ?? 0)),
        );
        expect(slices[1]).toEqual(slices[0]);
      }
    }
  });

  it("refuses to overwrite, to convert into the same form, and what cannot be computed", async () => {
    await callCli(["convert", fixture("rslora"), "--model", base, "--out", at("once.gguf")]);
    const again = await callCli(["convert", fixture("rslora"), "--model", base, "--out", at("once.gguf")]);
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining("--force")]);
    const same = await callCli([
      "convert",
      at("once.gguf"),
      "--model",
      base,
      "--to",
      "gguf",
      "--out",
      at("twice.gguf"),
    ]);
    expect(same.code).toBe(2);
    const dora = await callCli(["convert", fixture("refused/dora"), "--model", base, "--out", at("dora.gguf")]);
    expect([dora.code, dora.stderr]).toEqual([1, expect.stringContaining("DoRA")]);
    expect(dora.stderr).toContain("boundary merge");
    for (const name of ["dora.gguf", "twice.gguf"]) expect(await exists(at(name))).toBe(false);
  });
});

describe("boundary trim on a PEFT folder", () => {
  it("keeps the tensors' bytes and says in the configuration what is left", async () => {
    const { code, stdout } = await callCli([
      "trim",
      fixture("plain"),
      "--layers",
      "0-1,-1",
      "--modules",
      "q_proj,v_proj",
      "--out",
      at("cut"),
    ]);
    expect([code, stdout]).toEqual([0, expect.stringContaining("6 modules kept")]);
    const config = JSON.parse(await readFile(join(at("cut"), "adapter_config.json"), "utf8")) as Record<
      string,
      unknown
    >;
    expect(config["layers_to_transform"]).toEqual([0, 1, 3]);
    expect(config["target_modules"]).toEqual(["q_proj", "v_proj"]);
    const { modules } = await loadPeftAdapter(at("cut"));
    expect(modules.map(({ layer, module }) => `${layer ?? ""}${module}`).sort()).toEqual([
      "0q_proj",
      "0v_proj",
      "1q_proj",
      "1v_proj",
      "3q_proj",
      "3v_proj",
    ]);
  });

  it("an embedding beside some layers becomes one exact expression", async () => {
    await callCli(["trim", fixture("embed-and-head"), "--keep", "2", "--out", at("embed")]);
    const config = JSON.parse(await readFile(join(at("embed"), "adapter_config.json"), "utf8")) as Record<
      string,
      unknown
    >;
    expect(config["layers_to_transform"]).toBeNull();
    expect(config["target_modules"]).toMatch(/embed_tokens/);
    const { modules } = await loadPeftAdapter(at("embed"));
    expect(new Set(modules.map(({ module }) => module))).toEqual(new Set(["embed_tokens", "q_proj", "v_proj"]));
  });
});

it("a sweep takes a PEFT folder and gives the trimmed adapter in both forms", async () => {
  const data = at("validation.jsonl");
  await writeFile(data, sampleLines(8));
  const prompt = await writePrompt(folder.path);
  const out = at("sweep");
  const flags = ["--boundaries", "1-3", "--rule", "paper", "--holdout", "0", "--template", "raw", "--json"];
  const { code, stdout, stderr } = await callCli(
    sweepArguments({ model: base, adapter: fixture("rslora"), data, prompt }, out, ...flags),
  );
  expect(stderr).toBe("");
  expect(code).toBe(0);
  const result = JSON.parse(stdout) as { choice: { boundary: number }; trimmed: { peft: string } };
  expect(result.choice.boundary).toBe(2);
  const layers = Array.from({ length: result.choice.boundary }, (_, layer) => layer);
  expect((await loadGgufAdapter(join(out, "trimmed.gguf"))).coverage).toEqual(layers);
  expect((await loadPeftAdapter(join(out, result.trimmed.peft))).coverage).toEqual(layers);
});
