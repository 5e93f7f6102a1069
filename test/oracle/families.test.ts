import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { knownArchitectures } from "../../src/adapter/architectures.js";
import { readBaseModel } from "../../src/adapter/base-model.js";
import { writeGgufAsPeft } from "../../src/adapter/gguf-to-peft.js";
import { loadGgufAdapter } from "../../src/adapter/load-gguf-adapter.js";
import { loadPeftAdapter } from "../../src/adapter/load-peft-adapter.js";
import type { PeftAdapter } from "../../src/adapter/peft-adapter.js";
import { boundaryMask } from "../../src/adapter/mask.js";
import { writePeftAsGguf } from "../../src/adapter/peft-to-gguf.js";
import { piecesOf, writePieces, type ScaledPiece } from "../../src/adapter/pieces.js";
import { trimAdapter } from "../../src/adapter/trim.js";
import { factorBytes, type Factor } from "../../src/adapter/factor.js";
import { readGgufHeader } from "../../src/formats/gguf-reader.js";
import { largestDifference, openCpuEngine } from "../support/next-token.js";
import { temporaryFolder } from "../support/temporary-folder.js";

interface Expected {
  layers: number;
  prompts: number[][];
  base: number[][];
  boundaries: number[][][];
}

const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));
const folder = fileURLToPath(new URL("families", import.meta.url));
const families = readdirSync(folder).filter((name) => existsSync(join(folder, name, "plain/expected.json")));
/** Each family with each of its adapters. */
const cases = families.flatMap((family) =>
  readdirSync(join(folder, family))
    .filter((name) => existsSync(join(folder, family, name, "expected.json")))
    .map((name) => [family, name] as const),
);
/** In nats. llama.cpp computes GELU from a table of F16 values, and linear attention in blocks. */
const tolerance = (family: string): number => {
  if (/^(gemma.*|starcoder2|gpt2|gpt_bigcode|gpt_neox|bloom|mpt|falcon(-7b)?)$/.test(family)) return 2e-2;
  return /^qwen3_(5|next)/.test(family) ? 2e-2 : 1e-4;
};
/** Names that are known of the modules, but of which no tiny model could be made that llama.cpp loads; why. */
const unchecked: Readonly<Record<string, string>> = {
  afmoe: "the tiny base that llama.cpp's converter makes computes something else than transformers",
  gemma3n: "llama.cpp fixes sizes by the number of layers of the released models",
  gemma4: "llama.cpp's converter takes the released sizes alone",
  nemotron_h_moe: "no tiny base with experts was made; nemotron_h, without them, is checked",
  phimoe: "transformers routes by sparse mixing, llama.cpp by the largest probabilities",
  qwen3vlmoe: "llama.cpp's converter misreads the stacked experts that transformers 5 writes",
};
/** What llama.cpp v0.4.0 cannot load or apply LoRA to, and v0.5.0 can. */
const refusedByRelease: Readonly<Record<string, RegExp>> = {
  "glm4/plain": /v0\.4\.0 cannot apply LoRA to attn_output and ffn_down/,
  "glm4_moe/plain": /v0\.4\.0 cannot apply LoRA to attn_output and ffn_down/,
  "jais2/plain": /attn_k\.bias' has wrong shape/,
  "nemotron_h/plain": /key not found in model: nemotron_h\.attention\.layer_norm/,
};
/** What llama.cpp's convert_lora_to_gguf.py makes of an adapter, as converter.py found it. */
type Upstream =
  | { readonly equal: number; readonly sha256: string }
  | { readonly fails: string }
  | { readonly differs: number; readonly of: number; readonly nats: number }
  | { readonly "refused by llama.cpp": number };
const upstream = JSON.parse(readFileSync(new URL("converter.json", import.meta.url), "utf8")) as Readonly<
  Record<string, Upstream>
>;

describe("families: llama.cpp computes what PEFT computes", () => {
  const scratch = temporaryFolder();

  it.each(cases)("%s, %s: converted, trimmed at every K, and back", async (family, name) => {
    const home = join(folder, family);
    const expected = JSON.parse(readFileSync(join(home, name, "expected.json"), "utf8")) as Expected;
    const base = await readBaseModel(join(home, "base.gguf"));
    const peft = await loadPeftAdapter(join(home, name));
    const converted = join(scratch.path, `${family}-${name}.gguf`);
    await writePeftAsGguf(peft, base, converted, { overwrite: false });
    const adapter = await loadGgufAdapter(converted);
    const masks = Array.from({ length: expected.layers + 1 }, (_, boundary) =>
      boundaryMask(adapter.modules, expected.layers, boundary),
    );
    const pieces = await writePieces(
      { ...adapter, sha256: family },
      masks,
      join(scratch.path, `${family}-${name}-pieces`),
    );
    const theirs = upstream[`${family}/${name}`];
    if (theirs && "equal" in theirs) expect(await digestOf(converted), "llama.cpp's converter").toBe(theirs.sha256);
    const compare = async (): Promise<void> => {
      const engine = await openCpuEngine(base.path);
      try {
        const worst = (under: readonly ScaledPiece[], logprobs: readonly (readonly number[])[]): Promise<number> =>
          largestDifference(engine, under, expected.prompts, logprobs);
        const limit = tolerance(family);
        expect(await worst([], expected.base), "base").toBeLessThan(limit);
        for (const [boundary, mask] of masks.entries()) {
          const logprobs = expected.boundaries[boundary] ?? [];
          expect(await worst(piecesOf(mask, pieces), logprobs), `pieces, K=${boundary}`).toBeLessThan(limit);
          if (mask.size === 0) continue;
          const trimmed = join(scratch.path, `${family}-${name}-${boundary}.gguf`);
          const source = { sourceSha256: "", boundary: undefined, command: "" };
          await trimAdapter(adapter, mask, trimmed, source, { overwrite: false });
          expect(await worst([{ path: trimmed, scale: 1 }], logprobs), `trimmed, K=${boundary}`).toBeLessThan(limit);
        }
      } finally {
        await engine.close();
      }
    };
    const refusal = refusedByRelease[`${family}/${name}`];
    if (refusal) await expect(compare()).rejects.toThrow(refusal);
    else await compare();
    const back = join(scratch.path, `${family}-${name}-peft`);
    await writeGgufAsPeft(adapter, base, back, { overwrite: false });
    expect(await tensorsOf(await loadPeftAdapter(back))).toEqual(await tensorsOf(peft));
  });

  it("are those that docs/adapters.md lists", async () => {
    const path = fileURLToPath(new URL("../../docs/adapters.md", import.meta.url));
    const text = readFileSync(path, "utf8");
    const block = /<!-- families -->([\s\S]*?)<!-- families end -->/;
    const cells = (table: string): string[] =>
      table
        .split("\n")
        .filter((line) => !/^\|[ -]+\|[ |-]+$/.test(line))
        .map((line) => line.replaceAll(/ +/g, " "));
    const table = await familyTable();
    if (process.env["UPDATE_DOCS"])
      await writeFile(
        path,
        text.replace(block, () => `<!-- families -->\n\n${table}\n\n<!-- families end -->`),
      );
    else
      expect(cells((block.exec(text)?.[1] ?? "").trim()), "UPDATE_DOCS=1 writes the table anew").toEqual(cells(table));
  });

  it("stand for every architecture that is converted", async () => {
    const homes = [...families.map((family) => join(folder, family)), ...wholeFixtures()];
    const found = await Promise.all(homes.map((home) => readBaseModel(join(home, "base.gguf"))));
    const held = new Set(found.map(({ architecture }) => architecture));
    expect(knownArchitectures.filter((architecture) => !held.has(architecture))).toEqual(Object.keys(unchecked));
  });
});

/** A row a family: its GGUF architecture, the modules that were adapted, how far the log-probabilities may lie apart, and llama.cpp's converter. */
async function familyTable(): Promise<string> {
  const rows = await Promise.all(
    families.map(async (family) => {
      const home = join(folder, family);
      const { architecture } = await readBaseModel(join(home, "base.gguf"));
      const hasExperts = existsSync(join(home, "experts"));
      const { modules } = await loadPeftAdapter(join(home, "plain"));
      const names = [...new Set(modules.map(({ module }) => `\`${module}\``))].sort();
      const adapted = hasExperts ? [...names, "experts"] : names;
      const theirs = [
        upstreamWords(upstream[`${family}/plain`]),
        ...(hasExperts ? [`experts: ${upstreamWords(upstream[`${family}/experts`])}`] : []),
      ];
      return `| ${family} | ${architecture} | ${adapted.join(", ")} | ${tolerance(family)} | ${theirs.join("; ")} |`;
    }),
  );
  const others = Object.entries(unchecked).map(
    ([architecture, reason]) => `| ${architecture} | ${architecture} | not checked: ${reason} | | |`,
  );
  return [
    "| family | GGUF architecture | modules | within, nats | llama.cpp's converter |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
    ...others,
  ].join("\n");
}

function upstreamWords(found: Upstream | undefined): string {
  if (found === undefined) return "not compared";
  if ("equal" in found) return "the same bytes";
  if ("fails" in found) return `fails (${/^\w+Error/.exec(found.fails)?.[0] ?? "error"})`;
  if ("differs" in found) return `off by ${found.nats} nats`;
  return "makes a file that llama.cpp refuses";
}

/** SHA-256 over the names and bytes of a GGUF file's tensors, by their names, as converter.py takes it. */
async function digestOf(path: string): Promise<string> {
  const { tensors } = await readGgufHeader(path);
  const bytes = readFileSync(path);
  const hash = createHash("sha256");
  for (const { name, offset, byteLength } of [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1)))
    hash.update(name).update(bytes.subarray(offset, offset + byteLength));
  return hash.digest("hex");
}

function wholeFixtures(): string[] {
  return readdirSync(fixtures)
    .map((name) => join(fixtures, name))
    .filter((home) => existsSync(join(home, "base.gguf")));
}

/** The bytes of A and B of each module, by its path. */
async function tensorsOf(adapter: PeftAdapter): Promise<unknown> {
  const bytes = async (factor: Factor): Promise<string> => Buffer.from(await factorBytes(factor)).toString("base64");
  const modules = adapter.modules.map(async ({ modulePath, a, b, scale }) => {
    // A GGUF file does not tell whether its text decoder had a vision tower beside it.
    return [modulePath.replace("language_model.", ""), { scale, a: await bytes(a), b: await bytes(b) }] as const;
  });
  return Object.fromEntries((await Promise.all(modules)).sort(([one], [other]) => (one < other ? -1 : 1)));
}
