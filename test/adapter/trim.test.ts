import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { moduleBytes, type HashedAdapter } from "../../src/adapter/adapter.js";
import { loadGgufAdapter } from "../../src/adapter/load-gguf-adapter.js";
import { boundaryMask } from "../../src/adapter/mask.js";
import { trimAdapter, type TrimReport } from "../../src/adapter/trim.js";
import { FileError, UsageError } from "../../src/errors.js";
import { exists } from "../../src/files/atomic-file.js";
import { readGgufHeader } from "../../src/formats/gguf-reader.js";
import { version } from "../../src/version.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeTinyAdapter } from "../support/tiny-model.js";

const LAYERS = 4;
const folder = temporaryFolder();

async function source(): Promise<HashedAdapter> {
  return loadGgufAdapter(await writeTinyAdapter(folder.path, "lora.gguf", { architecture: "llama", layers: LAYERS }));
}

function trimTo(adapter: HashedAdapter, boundary: number, path: string, scores?: string): Promise<TrimReport> {
  const provenance = {
    sourceSha256: adapter.sha256,
    boundary,
    command: `boundary trim --keep ${boundary}`,
    ...(scores === undefined ? {} : { scores }),
  };
  return trimAdapter(adapter, boundaryMask(adapter.modules, LAYERS, boundary), path, provenance, { overwrite: false });
}

/** Bytes of each tensor's data, by name, in the order of the file. */
async function tensorBytes(path: string): Promise<[string, string][]> {
  const bytes = await readFile(path);
  const { tensors } = await readGgufHeader(path);
  return tensors.map(({ name, offset, byteLength }) => [
    name,
    bytes.subarray(offset, offset + byteLength).toString("hex"),
  ]);
}

describe("a trimmed adapter", () => {
  it("holds the kept updates of experts byte for byte, and the embedding's with layer 0", async () => {
    const options = { architecture: "llama", layers: LAYERS, experts: 3, embeddingRank: 8, headRank: 2 } as const;
    const adapter = await loadGgufAdapter(await writeTinyAdapter(folder.path, "experts.gguf", options));
    const path = join(folder.path, "experts-1.gguf");
    await trimTo(adapter, 1, path);
    const kept = (await tensorBytes(adapter.path)).filter(([name]) => /^(blk\.0|token_embd)\./.test(name));
    expect(kept).toHaveLength(2 * (1 + 4 + 4));
    expect(await tensorBytes(path)).toEqual(kept);
    expect((await loadGgufAdapter(path)).modules.filter(({ experts }) => experts === 3)).toHaveLength(3);
  });

  it("holds the kept tensors byte for byte, in their order, and nothing of the others", async () => {
    const adapter = await source();
    const path = join(folder.path, "two.gguf");
    const report = await trimTo(adapter, 2, path);
    const all = await tensorBytes(adapter.path);
    const kept = all.filter(([name]) => /^blk\.[01]\./.test(name));
    expect(kept).toHaveLength(2 * 7 * 2);
    expect(await tensorBytes(path)).toEqual(kept);
    const bytes = (layers: readonly number[]): number =>
      adapter.modules.filter(({ layer }) => layers.includes(layer!)).reduce((sum, one) => sum + moduleBytes(one), 0);
    expect(report).toEqual({
      keptModules: 14,
      droppedModules: 14,
      keptBytes: bytes([0, 1]),
      droppedBytes: bytes([2, 3]),
    });
    expect((await loadGgufAdapter(path)).coverage).toEqual([0, 1]);
  });

  it("is the whole adapter at K = L", async () => {
    const adapter = await source();
    const path = join(folder.path, "full.gguf");
    const report = await trimTo(adapter, LAYERS, path);
    expect(report.droppedModules).toBe(0);
    expect(await tensorBytes(path)).toEqual(await tensorBytes(adapter.path));
  });

  it("keeps the source's metadata and says where it came from", async () => {
    const adapter = await source();
    const path = join(folder.path, "provenance.gguf");
    await trimTo(adapter, 3, path, '{"em":1}');
    const { metadata } = await readGgufHeader(path);
    expect([...metadata]).toEqual([
      ...adapter.metadata,
      ["boundary.boundary", { type: "uint32", value: 3 }],
      ["boundary.mask", { type: "string", value: expect.any(String) as string }],
      ["boundary.command", { type: "string", value: "boundary trim --keep 3" }],
      ["boundary.source.sha256", { type: "string", value: adapter.sha256 }],
      ["boundary.version", { type: "string", value: version }],
      ["boundary.scores", { type: "string", value: '{"em":1}' }],
    ]);
  });

  it("trimmed again, tells of the last trimming only", async () => {
    const adapter = await source();
    const three = join(folder.path, "three.gguf");
    const one = join(folder.path, "one.gguf");
    await trimTo(adapter, 3, three, '{"em":1}');
    const middle = await loadGgufAdapter(three);
    await trimTo(middle, 1, one);
    const { metadata } = await readGgufHeader(one);
    const own = [...metadata].filter(([key]) => key.startsWith("boundary."));
    expect(own.map(([key, { value }]) => [key, value])).toEqual([
      ["boundary.boundary", 1],
      ["boundary.mask", expect.stringMatching(/^attn_\w+:0\b/) as string],
      ["boundary.command", "boundary trim --keep 1"],
      ["boundary.source.sha256", middle.sha256],
      ["boundary.version", version],
    ]);
    const kept = (await tensorBytes(adapter.path)).filter(([name]) => name.startsWith("blk.0."));
    expect(await tensorBytes(one)).toEqual(kept);
  });

  it("is not written at K = 0: no adapter is needed then", async () => {
    const adapter = await source();
    const path = join(folder.path, "none.gguf");
    const error = await failureOf(UsageError, () => trimTo(adapter, 0, path));
    expect(error.message).toContain("nothing of the adapter is kept");
    expect(error.message).toContain("Use the base model without an adapter");
    expect(error.exitCode).toBe(2);
    expect(await exists(path)).toBe(false);
  });

  it("does not replace a file without being told to, not even its own source", async () => {
    const adapter = await source();
    const path = join(folder.path, "occupied.gguf");
    await writeFile(path, "mine");
    const error = await failureOf(FileError, () => trimTo(adapter, 2, path));
    expect(error.message).toContain(`${path} exists already`);
    expect(await readFile(path, "utf8")).toBe("mine");
    await failureOf(FileError, () => trimTo(adapter, 2, adapter.path));
    expect((await readdir(folder.path)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it("may replace its own source when it is told to: the source is read to its end first", async () => {
    const adapter = await source();
    const before = await tensorBytes(adapter.path);
    const mask = boundaryMask(adapter.modules, LAYERS, 1);
    const provenance = { sourceSha256: adapter.sha256, boundary: 1, command: "test" };
    await trimAdapter(adapter, mask, adapter.path, provenance, { overwrite: true });
    expect(await tensorBytes(adapter.path)).toEqual(before.filter(([name]) => name.startsWith("blk.0.")));
  });
});
