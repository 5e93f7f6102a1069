import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { FormatError } from "../../src/errors.js";
import { parseGgufHeader, readGgufHeader } from "../../src/formats/gguf-reader.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { attempt, parsers, seen, type Parser } from "./attempt.js";
import { entry, rawGguf, u32, u64 } from "./raw-gguf.js";
import { rawEntry, rawSafetensors } from "./raw-safetensors.js";

const folder = temporaryFolder();

describe("targeted files", () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;

  /** Bytes by which heap and buffers grew while `work` ran, garbage included. */
  async function growth(work: () => unknown): Promise<number> {
    collect();
    const before = process.memoryUsage();
    await attempt(work);
    const after = process.memoryUsage();
    return after.heapUsed + after.external - before.heapUsed - before.external;
  }

  const MB = 1 << 20;
  const zeros = Buffer.alloc(4 * MB);
  const liar = (...parts: Buffer[]): Buffer =>
    Buffer.concat([rawGguf({ entries: parts, tensors: [], entryCount: 1 }), zeros]);
  const st = (json: string): Buffer => rawSafetensors(json);
  const entries = Array.from({ length: 40_000 }, (_, i) => rawEntry(`t${i}`, "U8", [0], [0, 0])).join(",");
  const cases: [what: string, parse: Parser, bytes: Buffer][] = [
    ["2^63 tensors", parsers.gguf, Buffer.concat([rawGguf({ tensorCount: 2n ** 63n }), zeros])],
    [
      "as many tensors as fit",
      parsers.gguf,
      Buffer.concat([rawGguf({ tensorCount: Math.floor((4 * MB) / 24) }), zeros]),
    ],
    [
      "as many entries as fit",
      parsers.gguf,
      Buffer.concat([rawGguf({ entryCount: Math.floor((4 * MB) / 13) }), zeros]),
    ],
    ["an array of 2^64 - 1", parsers.gguf, liar(entry("k", 9, u32(0), u64(2n ** 64n - 1n)))],
    ["an array of 4 M bytes", parsers.gguf, liar(entry("k", 9, u32(0), u64(4 * MB)))],
    ["an array of empty strings", parsers.gguf, liar(entry("k", 9, u32(8), u64(MB / 2)))],
    ["an array of 64-bit numbers", parsers.gguf, liar(entry("k", 9, u32(10), u64(MB / 2)))],
    ["a string of 2^63", parsers.gguf, liar(entry("k", 8, u64(2n ** 63n)))],
    ["a key of 4 MB", parsers.gguf, liar(u64(4 * MB), Buffer.alloc(0))],
    ["a header of 2^53", parsers.safetensors, rawSafetensors("{}", 4 * MB, 2n ** 53n)],
    ["a header of zeros", parsers.safetensors, rawSafetensors(zeros)],
    ["brackets", parsers.safetensors, st(`{"t":${"[".repeat(4 * MB)}`)],
    ["braces", parsers.safetensors, st('{"a":'.repeat(MB))],
    ["braces in an unknown field", parsers.safetensors, st(`{"t":{"x":${'{"a":'.repeat(MB)}`)],
    ["a shape of a million", parsers.safetensors, st(`{"t":{"shape":[${"1,".repeat(2 * MB)}`)],
    ["a number of 4 MB", parsers.safetensors, st(`{"t":{"shape":[${"1".repeat(4 * MB)}]}}`)],
    ["an unknown number of 4 MB", parsers.safetensors, st(`{"t":{"x":${"1".repeat(4 * MB)}}}`)],
    ["a string of 4 MB", parsers.safetensors, st(`{"${"n".repeat(4 * MB)}":0}`)],
    ["escapes", parsers.safetensors, st(`{"${"\\u0041".repeat(MB / 2)}":0}`)],
    ["spaces", parsers.safetensors, st(`{${" ".repeat(4 * MB)}`)],
    ["40,000 tensors", parsers.safetensors, st(`{${entries}}`)],
    [
      "metadata of many keys",
      parsers.safetensors,
      st(`{"__metadata__":{${Array.from({ length: 200_000 }, (_, i) => `"${i}":""`).join(",")}}}`),
    ],
    [
      "an index of many shards",
      parsers.index,
      Buffer.from(
        `{"weight_map":{${Array.from({ length: 100_000 }, (_, i) => `"${i}":"${i}.safetensors"`).join(",")}}}`,
      ),
    ],
  ];
  it.each(cases)("%s: at most 24 times the file's size", async (_what, parse, bytes) => {
    expect(await growth(() => parse(bytes))).toBeLessThan(24 * bytes.length + 2 * MB);
  });

  it("a header that lies about its counts allocates next to nothing", async () => {
    for (const [what, parse, bytes] of cases.filter(([what]) => /2\^|as many|brackets|braces|zeros/.test(what))) {
      const allowed = 2 * bytes.length + 2 * MB;
      expect(await growth(() => parse(bytes)), what).toBeLessThan(allowed);
    }
  });

  it("counts that no real model has are refused before they fill the memory", () => {
    const many = rawGguf({ entries: [entry("k", 9, u32(0), u64(2 ** 24 + 1))] });
    const size = 2 ** 34;
    expect(() => parseGgufHeader(many, "big.gguf", size)).toThrow("at most 16777216");
    expect(() => parseGgufHeader(rawGguf({ tensorCount: 2 ** 20 }), "big.gguf", size)).toThrow("at most 262144");
    expect(() => parseGgufHeader(rawGguf({ entryCount: 2 ** 20 }), "big.gguf", size)).toThrow("at most 65536");
  });

  it("a header beyond 128 MiB is refused, however large the file", async () => {
    const path = join(folder.path, "sparse.gguf");
    await writeFile(path, rawGguf({ entries: [u64(2 ** 33)], entryCount: 1 }));
    await truncate(path, 2 ** 34);
    const error = await failureOf(FormatError, () => readGgufHeader(path));
    expect(error.message).toContain("the header is too large: expected at most 134217728 bytes");
  });

  it("takes no second for any of them", () => {
    expect(seen.cases).toBeGreaterThan(30);
    expect(seen.slowest).toBeLessThan(1000);
  });
});
