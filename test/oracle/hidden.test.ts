import { reading } from "../../src/engine/layer-reader.js";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readBaseModel } from "../../src/adapter/base-model.js";
import { loadGgufAdapter } from "../../src/adapter/load-gguf-adapter.js";
import { loadPeftAdapter } from "../../src/adapter/load-peft-adapter.js";
import { boundaryMask } from "../../src/adapter/mask.js";
import { writePeftAsGguf } from "../../src/adapter/peft-to-gguf.js";
import { piecesOf, writePieces, type ScaledPiece } from "../../src/adapter/pieces.js";
import type { Engine } from "../../src/engine/engine.js";
import type { LensReading } from "../../src/engine/layer-reader.js";
import type { ContextShape } from "../../src/engine/layer-passes.js";
import { openEngine } from "../../src/engine/process-engine.js";
import { logProbabilities } from "../support/log-probabilities.js";
import { temporaryFolder } from "../support/temporary-folder.js";

interface Expected {
  readonly layers: number;
  readonly prompts: readonly (readonly number[])[];
  /** By boundary: [prompt][state][hidden] at the last token. */
  readonly boundaries: Readonly<Record<string, readonly (readonly (readonly number[])[])[]>>;
}

const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));
const architectures = readdirSync(fixtures, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [entry.name] : [],
);
/** Batches of 8 cut the prompts of 12 tokens in two. */
const context: ContextShape = {
  sequences: 1,
  contextSize: 256,
  batchSize: 8,
  cacheType: "F32",
  flashAttention: "off",
};

function cosine(a: ArrayLike<number>, b: readonly number[]): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (const [i, value] of b.entries()) {
    const other = a[i] ?? Number.NaN;
    dot += other * value;
    aa += other * other;
    bb += value * value;
  }
  return dot / Math.sqrt(aa * bb);
}

describe.each(architectures)("%s: hidden states are those of transformers", (architecture) => {
  const scratch = temporaryFolder();
  const home = join(fixtures, architecture);
  const expected = JSON.parse(readFileSync(join(home, "plain", "hidden.json"), "utf8")) as Expected;
  let engine: Engine;
  const masks = new Map<number, readonly ScaledPiece[]>();

  beforeAll(async () => {
    const base = await readBaseModel(join(home, "base.gguf"));
    engine = await openEngine({ modelPath: base.path, gpu: "off", gpuLayers: 0, threads: 1 });
    const converted = join(scratch.path, "plain.gguf");
    await writePeftAsGguf(await loadPeftAdapter(join(home, "plain")), base, converted, { overwrite: false });
    const adapter = { ...(await loadGgufAdapter(converted)), sha256: architecture };
    const wanted = Object.keys(expected.boundaries).map((boundary) => ({
      boundary: Number(boundary),
      mask: boundaryMask(adapter.modules, expected.layers, Number(boundary)),
    }));
    const pieces = await writePieces(
      adapter,
      wanted.map(({ mask }) => mask),
      scratch.path,
    );
    for (const { boundary, mask } of wanted) masks.set(boundary, piecesOf(mask, pieces));
  });
  afterAll(() => engine.close());

  it("before, between and after the layers, under masks", async () => {
    let worst = 1;
    let moved = 1;
    for (const [boundary, prompts] of Object.entries(expected.boundaries)) {
      const found = await reading(engine, "hiddenStates").hiddenStates({
        pieces: masks.get(Number(boundary)) ?? [],
        context,
        prompts: expected.prompts.map((tokens, i) => ({
          id: String(i),
          tokens,
          positions: [2, tokens.length - 1],
        })),
      });
      expect(found.map(({ states, positions }) => [states, positions])).toEqual(
        prompts.map(() => [expected.layers + 2, 2]),
      );
      for (const [i, states] of prompts.entries()) {
        for (const [state, row] of states.entries()) {
          const { values, length = 0 } = found[i] ?? {};
          const own = values?.subarray((2 * state + 1) * length, (2 * state + 2) * length) ?? [];
          worst = Math.min(worst, cosine(own, row));
          const other = expected.boundaries[boundary === "0" ? String(expected.layers) : "0"]?.[i]?.[state] ?? [];
          moved = Math.min(moved, cosine(own, other));
        }
      }
    }
    expect(worst).toBeGreaterThan(0.9999);
    // The masks must differ for that to mean anything.
    expect(moved).toBeLessThan(0.999);
  });

  it("the lens' last layer says what the model says, or it is refused", async () => {
    for (const [boundary, pieces] of masks) {
      const [tokens = []] = expected.prompts;
      const [prompt, continuation] = [tokens.slice(0, 9), tokens.slice(9)];
      const readings: LensReading[] = [];
      const request = { pieces, context, prompts: [{ id: "0", tokens: prompt, continuation }] };
      const ended = reading(engine, "lens").lens(request, (one) => readings.push(one));
      if (architecture === "gemma2") {
        // It scales what it takes in, hidden states too.
        await expect(ended).rejects.toThrow(/does not give the model's own logits/);
        continue;
      }
      await ended;
      const [{ truth, highest, layers } = { truth: [], highest: [], layers: 0 }] = readings;
      for (const [i, token] of continuation.entries()) {
        const logits = await engine.nextTokenLogits({
          pieces,
          context,
          tokens: [...prompt, ...continuation.slice(0, i)],
        });
        const own = logProbabilities(logits);
        const at = (layers - 1) * continuation.length + i;
        // One pass here, one for each token there: gemma's activations come from a table of F16 values, so a last bit grows.
        const digits = /^(gemma|phi$)/.test(architecture) ? 2 : 4;
        expect(Math.log(truth[at] ?? 0), `K=${boundary}, token ${i}`).toBeCloseTo(own[token] ?? Number.NaN, digits);
        expect(Math.log(highest[at] ?? 0)).toBeCloseTo(Math.max(...own), digits);
      }
    }
  });
});
