import { mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readGgufHeader } from "../../src/formats/gguf-reader.js";
import { readSafetensorsFolder } from "../../src/formats/safetensors-folder.js";
import { readSafetensorsHeader } from "../../src/formats/safetensors-reader.js";
import { seededGenerator } from "../../src/samples/shuffle.js";
import { uniformInt } from "../../src/statistics/random.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { attempt, parsers, seen, type Parser } from "./attempt.js";
import { entry, rawGguf, text, u32, u64 } from "./raw-gguf.js";
import { rawEntry, rawSafetensors } from "./raw-safetensors.js";

const folder = temporaryFolder();
const random = seededGenerator(2025);
const below = (count: number): number => uniformInt(random, 0, count - 1);
const pick = <T>(items: readonly T[]): T => items[below(items.length)]!;

const gguf = rawGguf({
  entries: [
    entry("general.architecture", 8, text("llama")),
    entry("general.type", 8, text("adapter")),
    entry("general.alignment", 4, u32(32)),
    entry("adapter.lora.alpha", 6, u32(0x41800000)),
    entry("words", 9, u32(8), u64(3), text("a"), text("bc"), text("ß")),
    entry("numbers", 9, u32(10), u64(2), u64(1), u64(2n ** 63n)),
    entry("flag", 7, Buffer.from([1])),
  ],
  tensors: [
    { name: "blk.0.attn_q.weight.lora_a", dims: [8, 2], type: 0, offset: 0 },
    { name: "blk.0.attn_q.weight.lora_b", dims: [2, 8], type: 1, offset: 64 },
    { name: "blk.1.attn_q.weight.lora_a", dims: [32, 1], type: 8, offset: 96 },
  ],
  data: 160,
});

const ST_JSON =
  `{"__metadata__":{"format":"pt","note":"\\u00e9"},` +
  [
    rawEntry("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", "F32", [2, 8], [0, 64]),
    rawEntry("base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight", "BF16", [8, 2], [64, 96]),
    rawEntry("empty", "F16", [0, 4], [96, 96]),
    rawEntry("scalar", "I64", [], [96, 104]),
  ].join(",") +
  "}  ";
const safetensors = rawSafetensors(ST_JSON, 104);
const index = Buffer.from(
  JSON.stringify({ metadata: { total_size: 8 }, weight_map: { a: "x-1.safetensors", b: "x-2.safetensors" } }),
);

/** Bytes and words that upset parsers: signs, limits, JSON's own characters, invalid UTF-8. */
const badBytes = [0, 1, 9, 0x22, 0x2c, 0x2d, 0x5b, 0x5c, 0x5d, 0x7b, 0x7d, 0x7f, 0x80, 0xc0, 0xfe, 0xff];
const badWords = [0n, 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 40n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];

/** One to four changes, mostly one or two, within the first `header` bytes: flips, limits as 64-bit words, cut, doubled and moved pieces. */
function mutate(source: Buffer, header: number): Buffer {
  let bytes = Buffer.from(source);
  for (let changes = 1 + below(1 + below(4)); changes > 0; changes--) {
    const at = below(Math.min(header, bytes.length - 8));
    const piece = bytes.subarray(at, at + 1 + below(24));
    const kind = below(8);
    if (kind < 3) bytes[at]! ^= 1 << below(8);
    else if (kind === 3) bytes[at] = pick(badBytes);
    else if (kind === 4) bytes.writeBigUInt64LE(pick(badWords), at);
    else if (kind === 5) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + piece.length)]);
    else if (kind === 6) bytes = Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
    else piece.copy(bytes, below(Math.min(header, bytes.length - 8)));
    if (bytes.length < 32) return bytes;
  }
  return bytes;
}

const jsonTokens = [
  ...[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"',
    "\\",
    '"\\ud800"',
    '"__metadata__"',
    '"dtype"',
    '"shape"',
    '"data_offsets"',
    '"F4"',
    '""',
  ],
  ...[
    "0",
    "-0",
    "1",
    "1.0",
    "1e9",
    "NaN",
    "null",
    "true",
    "9007199254740991",
    "9007199254740992",
    "1".repeat(400),
    "[[[[[[[[",
  ],
  ...['{"a":{"a":{"a":', '"../x"', '"/x.safetensors"', '"__proto__"', "\u0000", "\u2028", "🧪", " ", "\n", "//"],
];

/** One to three tokens of a JSON text replaced, inserted, dropped or swapped for one another. */
function mutateJson(source: string): string {
  const tokens = source.match(/"(?:[^"\\]|\\.)*"|[\w.+-]+|\s+|./gsu) ?? [];
  for (let changes = 1 + below(1 + below(3)); changes > 0; changes--) {
    const at = below(tokens.length);
    const kind = below(4);
    if (kind === 0) tokens[at] = pick(jsonTokens);
    else if (kind === 1) tokens.splice(at, 0, pick(jsonTokens));
    else if (kind === 2) tokens.splice(at, 1 + below(3));
    else tokens[at] = pick(tokens);
  }
  return tokens.join("");
}

async function many(count: number, parse: Parser, make: (i: number) => Buffer): Promise<number> {
  let sound = 0;
  for (let i = 0; i < count; i++) {
    const bytes = make(i);
    if (await attempt(() => parse(bytes))) sound++;
  }
  return sound;
}

afterAll(() => {
  console.log(
    `fuzz: ${seen.cases} files, ${seen.sound} read, ${seen.refused} refused, slowest ${seen.slowest.toFixed(1)} ms`,
  );
});

describe("mutated files are read or refused with our own errors", () => {
  it("unchanged ones are read", () => {
    expect(parsers.gguf(gguf).tensors).toHaveLength(3);
    expect(parsers.safetensors(safetensors).tensors).toHaveLength(4);
    expect(parsers.index(index).size).toBe(2);
  });

  it("bytes of GGUF headers", async () => {
    const header = gguf.length - 160;
    const sound = await many(9000, parsers.gguf, () => mutate(gguf, header));
    expect(sound).toBeGreaterThan(500);
  });

  it("bytes and tokens of safetensors headers and of indexes", async () => {
    const header = safetensors.length - 104;
    let sound = await many(5000, parsers.safetensors, () => mutate(safetensors, header));
    sound += await many(5000, parsers.safetensors, () => rawSafetensors(mutateJson(ST_JSON), 104));
    sound += await many(1000, parsers.index, () => mutate(index, index.length));
    sound += await many(1000, parsers.index, () => Buffer.from(mutateJson(index.toString())));
    expect(sound).toBeGreaterThan(500);
  });

  it("cut at every position: never whole", async () => {
    // The data of the last tensor of a GGUF file may end without padding, so that only cuts before it must be refused.
    const end = gguf.length - 160 + 96 + 34;
    expect(await many(end, parsers.gguf, (i) => gguf.subarray(0, i))).toBe(0);
    expect(await many(safetensors.length, parsers.safetensors, (i) => safetensors.subarray(0, i))).toBe(0);
    expect(await many(index.length, parsers.index, (i) => index.subarray(0, i))).toBe(0);
  });

  it("on the disk, as a user has them", async () => {
    for (let i = 0; i < 150; i++) {
      const path = join(folder.path, "fuzz.bin");
      await writeFile(path, i % 2 ? mutate(gguf, gguf.length) : gguf.subarray(0, below(gguf.length)));
      await attempt(() => readGgufHeader(path));
      await writeFile(path, i % 2 ? mutate(safetensors, safetensors.length) : rawSafetensors(mutateJson(ST_JSON), 104));
      await attempt(() => readSafetensorsHeader(path));
    }
  });

  it("shard names in an index never lead out of the folder", async () => {
    const parts = [
      "..",
      ".",
      "/",
      "\\",
      "x",
      "C:",
      "\u0000",
      "%2e",
      "~",
      ".safetensors",
      "snapshots",
      "blobs",
      " ",
      "",
      "\n",
    ];
    const where = await mkdtemp(join(folder.path, "shards-"));
    await writeFile(join(folder.path, "x.safetensors"), safetensors);
    for (let i = 0; i < 300; i++) {
      const name = Array.from({ length: 1 + below(6) }, () => pick(parts)).join("");
      const map = { weight_map: { a: i % 2 ? name : `${name}/../x.safetensors` } };
      await writeFile(join(where, "adapter_model.safetensors.index.json"), JSON.stringify(map));
      expect(await attempt(() => readSafetensorsFolder(where, "adapter_model"))).toBe(false);
    }
  });

  it("were at least 20,000 in all, none slower than a second", () => {
    expect(seen.cases).toBeGreaterThanOrEqual(20_000);
    expect(seen.slowest).toBeLessThan(1000);
    expect(seen.refused).toBeGreaterThan(10_000);
  });
});
