import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { loadGgufAdapter } from "../../src/adapter/load-gguf-adapter.js";
import { exists } from "../../src/files/atomic-file.js";
import { callCli } from "../support/command.js";
import { pair, writeAdapter } from "../adapter/files.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeTinyAdapter, writeTinyModel } from "../support/tiny-model.js";

const folder = temporaryFolder();
const at = (name: string): string => join(folder.path, name);
let model: string;
let adapter: string;

beforeAll(async () => {
  model = await writeTinyModel(folder.path, "base.gguf", { architecture: "llama" });
  // The adapter has nothing in the last layer: the model alone knows how many there are.
  adapter = await writeTinyAdapter(folder.path, "lora.gguf", { architecture: "llama", coverage: [0, 1, 2] });
});

const trim = (...flags: string[]): ReturnType<typeof callCli> => callCli(["trim", adapter, ...flags]);
const lines = async (path: string): Promise<string[]> => (await readFile(path, "utf8")).split("\n");

describe("boundary trim", () => {
  it("writes a Modelfile beside the file, and the lines to paste", async () => {
    const out = at("two.gguf");
    const { code, stdout } = await trim("--keep", "2", "--out", out);
    expect(code).toBe(0);
    expect((await loadGgufAdapter(out)).coverage).toEqual([0, 1]);
    expect(await lines(`${out}.Modelfile`)).toEqual([
      "# Put the path of the base model here.",
      "FROM ./base.gguf",
      "ADAPTER ./two.gguf",
      "",
    ]);
    expect(stdout.trimEnd().split("\n").slice(1)).toEqual([
      `llama-server -m base.gguf --lora ${out}`,
      `ollama create NAME -f ${out}.Modelfile`,
    ]);
  });

  it("names the model that --model gives, from the Modelfile's own folder", async () => {
    await mkdir(at("deeper/down"), { recursive: true });
    const out = at("deeper/down/two.gguf");
    const { code, stdout, stderr } = await trim("--keep", "2", "--model", model, "--out", out);
    expect([code, stderr]).toEqual([0, ""]);
    expect(await lines(`${out}.Modelfile`)).toEqual(["FROM ../../base.gguf", "ADAPTER ./two.gguf", ""]);
    expect(stdout).toContain(`llama-server -m ${model} --lora ${out}`);
  });

  it("counts layers from the end by the model, or by the number of layers that the user gives", async () => {
    await trim("--layers", "0,-2", "--model", model, "--out", at("by-model.gguf"));
    expect((await loadGgufAdapter(at("by-model.gguf"))).coverage).toEqual([0, 2]);
    await trim("--layers", "0,-2", "--layer-count", "4", "--out", at("by-count.gguf"));
    expect((await loadGgufAdapter(at("by-count.gguf"))).coverage).toEqual([0, 2]);
  });

  it.each([
    ["--layers", "0,-2"],
    ["--drop", "-1"],
    // Layer 3 may be there or not.
    ["--keep", "4"],
    ["--layers", "0-3"],
  ])("without either, %s %s is refused: the adapter's highest layer may not be the model's last", async (...rules) => {
    const { code, stderr } = await trim(...rules, "--out", at("guessed.gguf"));
    expect([code, await exists(at("guessed.gguf"))]).toEqual([2, false]);
    expect(stderr).toContain("depends on how many layers the base model has");
    expect(stderr).toContain("--model, or its number of layers with --layer-count");
  });

  it("an adapter of the output head follows the model's last layer, not its own", async () => {
    const head = await writeAdapter(folder.path, {
      ...pair("blk.0.attn_q.weight", 32, 32),
      ...pair("blk.2.attn_q.weight", 32, 32),
      ...pair("output.weight", 32, 259),
    });
    const kept = async (...flags: string[]): Promise<string[] | string> => {
      const out = at("head.gguf");
      const { code, stderr } = await callCli(["trim", head, ...flags, "--out", out, "--force"]);
      return code === 0 ? (await loadGgufAdapter(out)).modules.map(({ name }) => name) : stderr;
    };
    const [q0, q2] = ["blk.0.attn_q.weight", "blk.2.attn_q.weight"];
    expect(await kept("--keep", "3")).toContain("depends on how many layers");
    expect(await kept("--keep", "3", "--layer-count", "4")).toEqual([q0, q2]);
    expect(await kept("--keep", "3", "--layer-count", "3")).toEqual([q0, q2, "output.weight"]);
    // Whatever L is, layers below the highest adapted one leave the head out.
    expect(await kept("--keep", "2")).toEqual([q0]);
    expect(await kept("--modules", "attn_q")).toEqual([q0, q2]);
    expect(await kept("--keep", "3", "--layer-count", "2")).toContain("has tensors in layer 2");
    expect(await kept("--keep", "1", "--layer-count", "5", "--model", model)).toContain("has 4 layers");
  });

  it("a trimmed file records L, and the next trim goes by it", async () => {
    await trim("--keep", "3", "--model", model, "--out", at("three.gguf"));
    const again = await callCli(["trim", at("three.gguf"), "--layers", "0,-2", "--out", at("again.gguf")]);
    expect([again.code, again.stderr]).toEqual([0, ""]);
    expect((await loadGgufAdapter(at("again.gguf"))).coverage).toEqual([0, 2]);
    expect((await loadGgufAdapter(at("again.gguf"))).metadata.get("boundary.layers")?.value).toBe(4);
    await callCli(["trim", at("three.gguf"), "--keep", "1", "--out", at("one.gguf")]);
    expect((await loadGgufAdapter(at("one.gguf"))).metadata.get("boundary.layers")?.value).toBe(4);
  });

  it("refuses an adapter that does not fit the model, before anything is written", async () => {
    const other = await writeTinyModel(folder.path, "qwen.gguf", { architecture: "qwen2" });
    const { code, stdout, stderr } = await trim("--keep", "1", "--model", other, "--out", at("other.gguf"));
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("another architecture");
    expect(await exists(at("other.gguf"))).toBe(false);
    expect(await exists(at("other.gguf.Modelfile"))).toBe(false);
  });

  it("overwrites neither the file nor the Modelfile unasked", async () => {
    const out = at("own.gguf");
    await writeFile(`${out}.Modelfile`, "mine");
    const { code, stderr } = await trim("--keep", "1", "--out", out);
    expect([code, stderr]).toEqual([1, expect.stringContaining(`${out}.Modelfile`)]);
    expect(stderr).toContain("--force");
    expect([await exists(out), await lines(`${out}.Modelfile`)]).toEqual([false, ["mine"]]);
    expect((await trim("--keep", "1", "--out", out, "--force")).code).toBe(0);
    expect(await lines(`${out}.Modelfile`)).toContain("ADAPTER ./own.gguf");
  });

  it("needs to be told what to keep", async () => {
    const { code, stderr } = await trim("--model", model, "--out", at("all.gguf"));
    expect([code, stderr]).toEqual([2, expect.stringContaining("nothing says what to keep")]);
  });
});
