import { GGMLQuantizationType, gguf, GGUFValueType } from "@huggingface/gguf";
import { describe, expect, it } from "vitest";
import { ggmlType, ggmlTypeId } from "../../src/formats/ggml-types.js";
import { readGgufHeader, type GgufHeader } from "../../src/formats/gguf-reader.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { tinyArchitectures, writeTinyAdapter, writeTinyModel } from "../support/tiny-model.js";

const folder = temporaryFolder();

/** What the library says of a file, and the same from our header. The library adds three keys of its own to the metadata. */
async function both(path: string): Promise<{ library: unknown; ours: unknown }> {
  const { typedMetadata, metadata, tensorInfos, tensorDataOffset } = await gguf(path, {
    allowLocalFile: true,
    typedMetadata: true,
  });
  const header = await readGgufHeader(path);
  const own = new Set(["version", "tensor_count", "kv_count"]);
  return {
    library: {
      version: metadata.version,
      metadata: Object.entries(typedMetadata)
        .filter(([key]) => !own.has(key))
        .map(([key, { type, value }]) => [key, GGUFValueType[type].toLowerCase(), value]),
      tensors: tensorInfos.map(({ name, shape, dtype, offset }) => [
        name,
        shape.map(Number),
        GGMLQuantizationType[dtype],
        Number(tensorDataOffset) + Number(offset),
      ]),
    },
    ours: asLibrary(header),
  };
}

function asLibrary({ version, metadata, tensors }: GgufHeader): unknown {
  return {
    version,
    metadata: [...metadata].map(([key, { type, value }]) => [key, type, value]),
    tensors: tensors.map(({ name, dims, type, offset }) => [name, dims, type.name, offset]),
  };
}

describe("@huggingface/gguf agrees on", () => {
  it.each(tinyArchitectures)("metadata and tensor table of a tiny %s model", async (architecture) => {
    const { library, ours } = await both(await writeTinyModel(folder.path, `${architecture}.gguf`, { architecture }));
    expect(ours).toEqual(library);
    expect(ours).toMatchObject({ version: 3 });
  });

  it("metadata and tensor table of a tiny adapter", async () => {
    const { library, ours } = await both(await writeTinyAdapter(folder.path, "lora.gguf", { architecture: "llama" }));
    expect(ours).toEqual(library);
    expect((ours as { tensors: unknown[] }).tensors).toHaveLength(4 * 7 * 2);
  });

  it("the numbers of the tensor types that both know", () => {
    const shared = Object.entries(GGMLQuantizationType).filter(
      (entry): entry is [string, number] => typeof entry[1] === "number" && ggmlType(entry[1]) !== undefined,
    );
    expect(shared.length).toBeGreaterThan(25);
    for (const [name, id] of shared) {
      expect(ggmlType(id)?.name).toBe(name);
      expect(ggmlTypeId(name)).toBe(id);
    }
  });
});

describe("tensor types", () => {
  it("have the block sizes of ggml", () => {
    expect(ggmlType(1)).toEqual({ name: "F16", blockSize: 1, blockBytes: 2 });
    expect(ggmlType(8)).toEqual({ name: "Q8_0", blockSize: 32, blockBytes: 34 });
    expect(ggmlType(12)).toEqual({ name: "Q4_K", blockSize: 256, blockBytes: 144 });
  });

  it("that were removed or never existed are unknown", () => {
    expect([4, 5, 31, 999].map(ggmlType)).toEqual([undefined, undefined, undefined, undefined]);
    expect(ggmlTypeId("Q4_2")).toBeUndefined();
  });
});
