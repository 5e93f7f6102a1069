import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readBaseModel } from "../../src/adapter/base-model.js";
import { loadPeftAdapter } from "../../src/adapter/load-peft-adapter.js";
import { readGgufAdapter } from "../../src/adapter/load-gguf-adapter.js";
import { writePeftAsGguf } from "../../src/adapter/peft-to-gguf.js";
import { splitRows } from "../../src/adapter/row-order.js";
import { withFileSource } from "../../src/files/file-source.js";
import { dequantize } from "../../src/formats/dequantize.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { peftTensor, writePeft } from "./peft-files.js";

const oracle = (path: string): string => fileURLToPath(new URL(`../oracle/${path}/base.gguf`, import.meta.url));
const scratch = temporaryFolder();
const heads = { headCount: 4, keyValueHeadCount: 2, stateKeyHeadCount: 2, stateValueHeadCount: 4 };
const range = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i);

describe("modules of models' own code, which are several GGUF tensors", () => {
  /** First rows of q, k and v in the fused module; within heads of the llama family the rotary order follows. */
  it.each([
    [
      "phi-2's Wqkv",
      "fixtures/phi",
      "transformer.h.0.mixer.Wqkv",
      96,
      { attn_q: range(0, 32), attn_k: range(32, 32), attn_v: range(64, 32) },
    ],
    [
      "ChatGLM's query_key_value",
      "families/glm",
      "transformer.encoder.layers.0.self_attention.query_key_value",
      64,
      { attn_q: range(0, 32), attn_k: range(32, 16), attn_v: range(48, 16) },
    ],
    [
      "InternLM2's wqkv",
      "fixtures/llama",
      "model.layers.0.attention.wqkv",
      64,
      {
        attn_q: [0, 8, 32, 40].flatMap((head) => [0, 4, 1, 5, 2, 6, 3, 7].map((row) => head + row)),
        attn_k: [16, 48].flatMap((head) => [0, 4, 1, 5, 2, 6, 3, 7].map((row) => head + row)),
        attn_v: [...range(24, 8), ...range(56, 8)],
      },
    ],
  ])("%s", async (name, home, path, outputs, rows) => {
    const tensors = [
      peftTensor(`base_model.model.${path}.lora_A.weight`, [4, 32], 1),
      peftTensor(`base_model.model.${path}.lora_B.weight`, [outputs, 4], 2),
    ];
    const folder = await writePeft(join(scratch.path, name.replaceAll(/\W+/g, "-")), tensors);
    const out = `${folder}.gguf`;
    await writePeftAsGguf(await loadPeftAdapter(folder), await readBaseModel(oracle(home)), out, { overwrite: false });
    const { modules } = await readGgufAdapter(out);
    const [a, b] = tensors.map(
      ({ data }) => new Float32Array(new Uint8Array([...(data() as Iterable<Uint8Array>)][0] ?? []).buffer),
    );
    await withFileSource(out, async (source) => {
      for (const [module, from] of Object.entries(rows)) {
        const found = modules.find((one) => one.module === module);
        if (!found) throw new Error(`no ${module}`);
        const read = async ({ type, offset, byteLength }: typeof found.a): Promise<Float32Array> =>
          dequantize(type, await source.read(offset, byteLength));
        expect(await read(found.a)).toEqual(a);
        expect([...(await read(found.b))], module).toEqual(
          from.flatMap((row) => [...(b?.subarray(row * 4, row * 4 + 4) ?? [])]),
        );
      }
    });
    expect(modules.map(({ module }) => module).sort()).toEqual(Object.keys(rows).sort());
  });

  it("rows in turn, and by key heads", () => {
    expect(splitRows("alternate", [2, 2], heads).map((rows) => [...rows])).toEqual([
      [0, 2],
      [1, 3],
    ]);
    // Two key heads of one row: q, k, two v, two z each.
    expect(splitRows("by-key-head", [8, 4], heads).map((rows) => [...rows])).toEqual([
      [0, 6, 1, 7, 2, 3, 8, 9],
      [4, 5, 10, 11],
    ]);
    expect(() => splitRows("by-key-head", [8, 5], heads)).toThrow(RangeError);
  });
});
