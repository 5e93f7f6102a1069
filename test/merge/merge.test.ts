import { readFileSync } from "node:fs";
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readBaseModel } from "../../src/adapter/base-model.js";
import { readGgufHeader } from "../../src/formats/gguf-reader.js";
import { dequantize } from "../../src/formats/dequantize.js";
import { AdapterError, UsageError } from "../../src/errors.js";
import { mergeAdapter } from "../../src/merge/merge-adapter.js";
import { callCli } from "../support/command.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { peftTensor, writePeft } from "../adapter/peft-files.js";

const oracle = (path: string): string => fileURLToPath(new URL(`../oracle/${path}`, import.meta.url));
const llama = oracle("fixtures/llama/base.gguf");
const tied = oracle("fixtures/qwen2/base.gguf");
const plain = oracle("fixtures/llama/plain");

/** The numbers of a model's tensor. */
async function valuesOf(path: string, name: string): Promise<Float32Array> {
  const tensor = (await readGgufHeader(path)).tensors.find((one) => one.name === name);
  if (!tensor) throw new RangeError(`${path} has no ${name}`);
  const { type, offset, byteLength } = tensor;
  return dequantize(type, readFileSync(path).subarray(offset, offset + byteLength));
}

function valuesIn(tensor: ReturnType<typeof peftTensor>): Float32Array {
  const [bytes] = [...(tensor.data() as Iterable<Uint8Array>)];
  return new Float32Array(new Uint8Array(bytes ?? []).buffer);
}

describe("boundary merge", () => {
  const scratch = temporaryFolder();
  const at = (name: string): string => join(scratch.path, name);

  it("merges what the rules keep, and leaves every other tensor as it is", async () => {
    const { code, stdout } = await callCli([
      "merge",
      plain,
      "-m",
      llama,
      "-o",
      at("kept.gguf"),
      "--keep",
      "3",
      "--modules",
      "q_proj,attn_v",
      "--report",
      at("report.json"),
    ]);
    expect([code, stdout]).toEqual([0, expect.stringContaining("6 weights changed")]);
    const [before, after] = [await readGgufHeader(llama), await readGgufHeader(at("kept.gguf"))];
    expect(after.tensors.map(({ name, dims, type }) => [name, dims, type.name])).toEqual(
      before.tensors.map(({ name, dims, type }) => [name, dims, type.name]),
    );
    for (const { name } of before.tensors) {
      const isChanged = /^blk\.[012]\.attn_[qv]\.weight$/.test(name);
      const [was, is] = [await valuesOf(llama, name), await valuesOf(at("kept.gguf"), name)];
      expect(
        was.every((value, i) => value === is[i]),
        name,
      ).toBe(!isChanged);
    }
    const report = JSON.parse(await readFile(at("report.json"), "utf8")) as {
      totals: { error: number };
      tensors: object[];
    };
    expect(report.tensors).toHaveLength(6);
    expect(report.totals.error).toBeLessThan(1e-6);
  });

  it("says what rounding to a type did to the update, and widens a type that cannot hold a row", async () => {
    const base = await readBaseModel(llama);
    const rough = await mergeAdapter(base, { adapter: plain, out: at("q4.gguf"), type: "q4_0", overwrite: false });
    const fine = await mergeAdapter(base, { adapter: plain, out: at("q8.gguf"), type: "q8_0", overwrite: false });
    const largest = (tensors: typeof rough.tensors): number => Math.max(...tensors.map(({ error }) => error));
    expect(largest(rough.tensors)).toBeGreaterThan(4 * largest(fine.tensors));
    for (const { name, error, change, types } of fine.tensors.filter(({ types: [, after] }) => after === "Q8_0")) {
      const [was, is] = [await valuesOf(llama, name), await valuesOf(at("q8.gguf"), name)];
      const moved = Math.hypot(...is.map((value, i) => value - (was[i] ?? 0)));
      // The triangle: what was stored is as far from the base as the change, give or take the rounding.
      expect(Math.abs(moved - change), name).toBeLessThanOrEqual(error * change * 1.001);
      expect(types[0]).toBe("F32");
    }
    // down_proj has rows of 56 numbers, which blocks of 32 do not divide.
    expect(rough.widened).toEqual(new Map([["Q4_0", "F16"]]));
    const k = await mergeAdapter(base, { adapter: plain, out: at("q4k.gguf"), type: "q4_k", overwrite: false });
    expect(new Set(k.tensors.map(({ types: [, after] }) => after))).toEqual(new Set(["Q8_0", "F16"]));
  });

  it("warns where rounding leaves little of the update", async () => {
    const faint = at("faint");
    await cp(plain, faint, { recursive: true });
    const config = JSON.parse(await readFile(join(faint, "adapter_config.json"), "utf8")) as object;
    await writeFile(join(faint, "adapter_config.json"), JSON.stringify({ ...config, lora_alpha: 0.1 }));
    const merged = (name: string, type: string): ReturnType<typeof callCli> =>
      callCli(["merge", faint, "-m", llama, "-o", at(name), "--type", type]);
    expect((await merged("faint.gguf", "q4_0")).stderr).toContain("as if there were no adapter");
    expect((await merged("clear.gguf", "f32")).stderr).toBe("");
  });

  it("gives a model that shares embedding and head a head of its own where only one of them changes", async () => {
    const a = peftTensor("base_model.model.lm_head.lora_A.weight", [4, 32], 1);
    const b = peftTensor("base_model.model.lm_head.lora_B.weight", [272, 4], 2);
    const adapter = await writePeft(at("head"), [a, b]);
    await mergeAdapter(await readBaseModel(tied), { adapter, out: at("head.gguf"), overwrite: false });
    const embedding = await valuesOf(tied, "token_embd.weight");
    expect(await valuesOf(at("head.gguf"), "token_embd.weight")).toEqual(embedding);
    const head = await valuesOf(at("head.gguf"), "output.weight");
    const [ofA, ofB] = [valuesIn(a), valuesIn(b)];
    for (const [row, column] of [
      [0, 0],
      [7, 31],
      [271, 5],
    ] as const) {
      const update = [0, 1, 2, 3].reduce((sum, k) => sum + (ofB[row * 4 + k] ?? 0) * (ofA[k * 32 + column] ?? 0), 0);
      expect(head[row * 32 + column]).toBeCloseTo((embedding[row * 32 + column] ?? 0) + 2 * update, 4);
    }
  });

  it("takes trained biases, and the bias of B at its scale", async () => {
    const module = "base_model.model.model.layers.1.self_attn.q_proj";
    const pair = [peftTensor(`${module}.lora_A.weight`, [4, 32], 3), peftTensor(`${module}.lora_B.weight`, [32, 4], 4)];
    const bias = peftTensor(`${module}.bias`, [32], 5);
    const whole = await writePeft(at("bias"), [...pair, bias], { bias: "all" });
    await mergeAdapter(await readBaseModel(tied), { adapter: whole, out: at("bias.gguf"), overwrite: false });
    expect(await valuesOf(at("bias.gguf"), "blk.1.attn_q.bias")).toEqual(valuesIn(bias));
    const ofB = peftTensor(`${module}.lora_B.bias`, [32], 6);
    const added = await writePeft(at("lora-bias"), [...pair, ofB], { lora_bias: true });
    await mergeAdapter(await readBaseModel(tied), { adapter: added, out: at("lora-bias.gguf"), overwrite: false });
    const before = await valuesOf(tied, "blk.1.attn_q.bias");
    const expected = valuesIn(ofB).map((value, i) => (before[i] ?? 0) + 2 * value);
    expect(await valuesOf(at("lora-bias.gguf"), "blk.1.attn_q.bias")).toEqual(expected);
  });

  it("refuses what it cannot place, with a reason", async () => {
    const base = await readBaseModel(llama);
    const saved = await writePeft(at("vocabulary"), [peftTensor("base_model.model.lm_head.weight", [280, 32])], {
      target_modules: ["q_proj"],
      modules_to_save: ["lm_head"],
    });
    const grown = await failureOf(AdapterError, () =>
      mergeAdapter(base, { adapter: saved, out: at("no.gguf"), overwrite: false }),
    );
    expect(grown.message).toContain("does not fit the vocabulary");
    const odd = await writePeft(at("odd"), [peftTensor("base_model.model.model.layers.0.mlp.scale.weight", [32])], {
      modules_to_save: ["scale"],
    });
    const unknown = await failureOf(AdapterError, () =>
      mergeAdapter(base, { adapter: odd, out: at("no.gguf"), overwrite: false }),
    );
    expect(unknown.message).toContain("has no known place");
    const other = await failureOf(AdapterError, async () =>
      mergeAdapter(await readBaseModel(oracle("fixtures/phi3/base.gguf")), {
        adapter: plain,
        out: at("no.gguf"),
        overwrite: false,
      }),
    );
    expect(other.message).toContain("no counterpart");
    const ia3 = at("ia3");
    await cp(plain, ia3, { recursive: true });
    await writeFile(join(ia3, "adapter_config.json"), JSON.stringify({ peft_type: "IA3" }));
    await failureOf(AdapterError, () => mergeAdapter(base, { adapter: ia3, out: at("no.gguf"), overwrite: false }));
  });

  it.each([
    ["--keep 0", ["--keep", "0"], "nothing of the adapter is kept"],
    ["a type that weights do not have", ["--type", "i8"], "is not a type that weights are written in"],
    ["a type that does not exist", ["--type", "q9_9"], "is not a type that weights are written in"],
  ])("with %s is a usage error", async (_, flags, words) => {
    const { code, stderr } = await callCli(["merge", plain, "-m", llama, "-o", at("usage.gguf"), ...flags]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(words)]);
  });

  it("replaces nothing without --force", async () => {
    await writeFile(at("there.gguf"), "mine");
    const { code } = await callCli(["merge", plain, "-m", llama, "-o", at("there.gguf")]);
    expect([code, await readFile(at("there.gguf"), "utf8")]).toEqual([1, "mine"]);
    const error = await failureOf(UsageError, async () =>
      mergeAdapter(await readBaseModel(llama), {
        adapter: plain,
        modules: "nope",
        out: at("no.gguf"),
        overwrite: false,
      }),
    );
    expect(error.message).toContain("no such module");
  });
});
