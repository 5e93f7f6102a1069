import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readBaseModel, type BaseModel } from "../../src/adapter/base-model.js";
import { loadGgufAdapter } from "../../src/adapter/load-gguf-adapter.js";
import { loadPeftAdapter } from "../../src/adapter/load-peft-adapter.js";
import type { PeftModule } from "../../src/adapter/peft-adapter.js";
import { ggufNames } from "../../src/adapter/gguf-updates.js";
import { writePeftAsGguf } from "../../src/adapter/peft-to-gguf.js";
import { architectureNames } from "../../src/adapter/architectures.js";
import { boundaryMask, type Mask } from "../../src/adapter/mask.js";
import { piecesOf, writePieces, type ScaledPiece } from "../../src/adapter/pieces.js";
import { trimAdapter } from "../../src/adapter/trim.js";
import { trimPeftAdapter } from "../../src/adapter/trim-peft.js";
import { at } from "../../src/assert.js";
import { UNBOUNDED, type Engine, type GenerateRequest } from "../../src/engine/engine.js";
import { type ContextShape } from "../../src/engine/layer-passes.js";
import { openEngine } from "../../src/engine/process-engine.js";
import { openNodeModel, type NodeModel } from "../support/node-llama-cpp.js";
import { largestDifference } from "../support/next-token.js";
import { temporaryFolder } from "../support/temporary-folder.js";

interface Expected {
  layers: number;
  prompts: number[][];
  base: number[][];
  boundaries: number[][][];
  masks: { name: string; kept: { layer: number | null; module: string }[]; logprobs: number[][] }[];
}

/** What PEFT answers to 16 prompts, up to a token that is hardly more probable than another: [prompt][token] for each boundary and mask. */
interface Greedy {
  prompts: number[][];
  boundaries: number[][][];
  masks: number[][][];
}

/** A mask of the recorded ones: which modules it keeps, and what PEFT computes and answers with it. */
interface Recorded {
  readonly name: string;
  readonly keeps: (module: PeftModule) => boolean;
  readonly logprobs: readonly (readonly number[])[];
  readonly answers: readonly (readonly number[])[];
}

const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));
const context: ContextShape = {
  sequences: 1,
  contextSize: 256,
  batchSize: 512,
  cacheType: "F32",
  flashAttention: "off",
};
/** Tokens that are generated; recorded answers have at most as many. */
const MAX_TOKENS = 6;
/** Every decode step by itself. */
const ALONE = 0;
/** In nats. llama.cpp computes the GELU of gemma and phi-2 from a table of F16 values. */
const tolerance = (architecture: string): number => (/^(gemma|phi$)/.test(architecture) ? 2e-2 : 1e-4);

const folders = (path: string): string[] =>
  readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
const architectures = folders(fixtures);

describe.each(architectures)("%s: llama.cpp computes what PEFT computes", (architecture) => {
  const scratch = temporaryFolder();
  const home = join(fixtures, architecture);
  let engine: Engine;
  let node: NodeModel;
  let base: BaseModel;
  /** Hashes of converted adapters that have answered: other names of the same tensors make the same file. */
  const answered = new Set<string>();

  beforeAll(async () => {
    base = await readBaseModel(join(home, "base.gguf"));
    const options = { modelPath: base.path, gpu: "off", gpuLayers: 0, threads: 1 } as const;
    engine = await openEngine(options);
    node = await openNodeModel(base.path);
  });
  afterAll(() => Promise.all([engine.close(), node.close()]));

  const requestOf = (
    pieces: readonly ScaledPiece[],
    prompts: readonly number[][],
    invariantTokens: number,
  ): GenerateRequest => ({
    pieces,
    context: { ...context, sequences: prompts.length, contextSize: 64 },
    prompts: prompts.map((tokens, i) => ({ id: String(i), tokens })),
    maxTokens: MAX_TOKENS,
    stop: [],
    invariantTokens,
  });
  const answers = async (...request: Parameters<typeof requestOf>): Promise<(readonly number[])[]> => {
    const generations = await engine.generate(requestOf(...request));
    return generations.sort((a, b) => Number(a.id) - Number(b.id)).map(({ tokens }) => tokens);
  };

  /** Largest difference to the recorded log-probabilities over all prompts and the whole vocabulary. */
  const worst = (
    pieces: readonly ScaledPiece[],
    prompts: readonly number[][],
    logprobs: Recorded["logprobs"],
  ): Promise<number> => largestDifference(engine, pieces, prompts, logprobs);

  it.each(folders(home).filter((name) => existsSync(join(home, name, "expected.json"))))("%s", async (name) => {
    const expected = JSON.parse(readFileSync(join(home, name, "expected.json"), "utf8")) as Expected;
    const peft = await loadPeftAdapter(join(home, name));
    const converted = join(scratch.path, `${name}.gguf`);
    await writePeftAsGguf(peft, base, converted, { overwrite: false });
    const adapter = await loadGgufAdapter(converted);
    const nameOf = (module: PeftModule): string => {
      const names = architectureNames(base.architecture);
      return (names && ggufNames(module, names, base)?.[0]) ?? "";
    };
    const greedy = JSON.parse(readFileSync(join(home, name, "greedy.json"), "utf8")) as Greedy;
    const recorded: Recorded[] = [
      ...expected.boundaries.map((logprobs, boundary) => {
        const mask = boundaryMask(adapter.modules, expected.layers, boundary);
        const own = { logprobs, answers: at(greedy.boundaries, boundary) };
        return { name: `K=${boundary}`, keeps: (module: PeftModule) => mask.has(nameOf(module)), ...own };
      }),
      ...expected.masks.map(({ name: title, kept, logprobs }, i) => ({
        name: title,
        answers: at(greedy.masks, i),
        keeps: ({ layer, module }: PeftModule) =>
          kept.some((one) => one.layer === (layer ?? null) && one.module === module),
        logprobs,
      })),
    ];
    const maskOf = ({ keeps }: Recorded): Mask =>
      new Map(peft.modules.filter(keeps).map((module) => [nameOf(module), 1]));
    const pieces = await writePieces(adapter, recorded.map(maskOf), join(scratch.path, `pieces-${name}`));
    const limit = tolerance(architecture);
    const asRecorded = ({ answers: sure }: Recorded, found: readonly (readonly number[])[]): void => {
      expect(found.map((tokens, i) => tokens.slice(0, at(sure, i).length))).toEqual(sure);
    };
    for (const one of answered.has(adapter.sha256) ? [] : recorded) {
      const masked = piecesOf(maskOf(one), pieces);
      const alone = await answers(masked, greedy.prompts, ALONE);
      asRecorded(one, alone);
      asRecorded(one, await answers(masked, greedy.prompts, UNBOUNDED));
      if (maskOf(one).size < peft.modules.length) continue;
      const whole = requestOf([{ path: converted, scale: 1 }], greedy.prompts, ALONE);
      expect(await node.answers(whole)).toEqual(alone);
    }
    answered.add(adapter.sha256);
    for (const one of recorded) {
      const mask = maskOf(one);
      expect(await worst(piecesOf(mask, pieces), expected.prompts, one.logprobs), `pieces, ${one.name}`).toBeLessThan(
        limit,
      );
      if (mask.size === 0) continue;

      const trimmed = join(scratch.path, `${name}-${one.name}.gguf`);
      await trimAdapter(
        adapter,
        mask,
        trimmed,
        { sourceSha256: "", boundary: undefined, command: "" },
        { overwrite: false },
      );
      expect(
        await worst([{ path: trimmed, scale: 1 }], expected.prompts, one.logprobs),
        `trimmed GGUF, ${one.name}`,
      ).toBeLessThan(limit);

      const folder = join(scratch.path, `${name}-${one.name}`);
      await trimPeftAdapter(peft, peft.modules.filter(one.keeps), expected.layers, folder, { overwrite: false });
      const back = join(scratch.path, `${name}-${one.name}-from-peft.gguf`);
      await writePeftAsGguf(await loadPeftAdapter(folder), base, back, { overwrite: false });
      expect(
        await worst([{ path: back, scale: 1 }], expected.prompts, one.logprobs),
        `trimmed PEFT, ${one.name}`,
      ).toBeLessThan(limit);
    }
  });
});
