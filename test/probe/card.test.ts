import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { CardRow, LayerCard } from "../../src/probe/card.js";
import type { CardSettings } from "../../src/probe/card-plan.js";
import type { ProbeSettings } from "../../src/probe/lay-out.js";
import { planProbe, probe, type ProbeResult } from "../../src/probe/probe.js";
import { sweep } from "../../src/sweep/sweep.js";
import { callCli } from "../support/command.js";
import { ENGINE_START_MS, probeArguments, writeSweepFixture, type SweepFixture } from "../support/sweep-fixture.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeTinyAdapter } from "../support/tiny-model.js";
import { tinySweep } from "../support/tiny-sweep.js";

const card: CardSettings = { parts: ["nll", "coupling", "metric", "gradient"], pairs: "adjacent", directions: 2 };
const settings: ProbeSettings = {
  tokens: 1,
  knee: "kneedle",
  confidence: [],
  difference: [],
  cka: undefined,
  norms: false,
  card,
};
/** Layers of the tiny model that its adapter has tensors in. */
const COVERAGE = [0, 2];

describe("a layer card of a tiny model", () => {
  const folder = temporaryFolder();
  let fixture: SweepFixture;
  let result: ProbeResult;
  const config = (more: Readonly<Record<string, unknown>> = {}): ReturnType<typeof tinySweep> =>
    tinySweep(fixture, join(folder.path, "run"), { holdout: 0.25, ...more });
  const measured = (): LayerCard => {
    if (!result.card) throw new Error("there is no card");
    return result.card;
  };

  beforeAll(async () => {
    fixture = await writeSweepFixture(folder.path, { samples: 12 });
    const adapter = await writeTinyAdapter(folder.path, "some.gguf", { architecture: "llama", coverage: COVERAGE });
    fixture = { ...fixture, adapter };
    // References of one token, one of none at all.
    const rows = (await readFile(fixture.data, "utf8")).trimEnd().split("\n");
    const short = rows.map((line, i) =>
      JSON.stringify({ ...(JSON.parse(line) as object), answers: [i === 3 ? " " : "a"] }),
    );
    await writeFile(fixture.data, `${short.join("\n")}\n`);
    result = await probe(config(), settings);
  }, 4 * ENGINE_START_MS);

  it("says of each layer what it takes up and what goes through it, of the adapter where it has tensors", () => {
    const { rows } = measured();
    expect(rows.map(({ layer }) => layer)).toEqual([...Array(result.layers).keys()]);
    expect(rows.flatMap(({ layer, adapter }) => (adapter ? [layer] : []))).toEqual(COVERAGE);
    for (const { base, adapter, activationEnergy, microsecondsPerToken, residual } of rows) {
      // Seven matrices of 32 and 64 with their norms, F32; two of rank 4 for each.
      expect(base).toEqual({ parameters: 9280, bytes: 4 * 9280 });
      expect(Math.min(activationEnergy, microsecondsPerToken, residual?.norm ?? 0)).toBeGreaterThan(0);
      if (!adapter) continue;
      expect([adapter.parameters, adapter.bytes]).toEqual([2048, 4 * 2048]);
      expect(Math.min(adapter.updateEnergy, adapter.microsecondsPerToken)).toBeGreaterThan(0);
    }
  });

  it("leaves layers out: two layers without each other are the base model", () => {
    const { rows, loss, couplings } = measured();
    const [low, high] = COVERAGE.map((layer) => rows[layer]?.adapter?.lossWithout?.mean ?? Number.NaN);
    const [coupling] = couplings ?? [];
    expect(couplings?.length).toBe(1);
    expect(coupling?.layers).toEqual(COVERAGE);
    const difference = (loss?.base ?? Number.NaN) - (loss?.full ?? Number.NaN);
    expect(coupling?.change.mean).toBeCloseTo(difference - (low ?? 0) - (high ?? 0), 9);
    expect(Math.abs(difference)).toBeGreaterThan(1e-3);
    expect(Math.abs((coupling?.change.mean ?? 0) / difference)).toBeGreaterThan(1e-6);
  });

  it("scores what a sweep scores: without its upper layer the adapter is that of a boundary", async () => {
    const run = await sweep(config({ boundaries: "0,1,full" }));
    const scoreAt = (boundary: number): number =>
      run.candidates.find(({ boundaries }) => boundaries.includes(boundary))?.selection?.scores["contains-plain"]
        ?.value ?? Number.NaN;
    const { rows, score } = measured();
    expect(score?.full).toBeCloseTo(scoreAt(result.layers), 9);
    expect(rows[2]?.adapter?.scoreWithout?.mean).toBeCloseTo(scoreAt(1) - scoreAt(result.layers), 9);
  });

  it("is the same again, but for times", async () => {
    const again = await probe(config(), settings);
    const timeless = (one: LayerCard | undefined): unknown =>
      JSON.parse(JSON.stringify(one), (key, value: unknown) => (key === "microsecondsPerToken" ? 0 : value));
    expect(timeless(again.card)).toEqual(timeless(result.card));
  });

  it("costs what its plan says, and no more than is asked for", async () => {
    const passes = (costs: ProbeResult["plan"]["card"]): unknown => costs?.map(({ part, passes: own }) => [part, own]);
    expect(passes(result.plan.card)).toEqual([
      ["energy", 2],
      ["time", 2],
      ["nll", 4],
      ["coupling", 1],
      ["metric", 3],
      ["gradient", 7 * result.layers],
    ]);
    let last = [0, 0];
    const plain = await probe(
      config(),
      { ...settings, card: { ...card, parts: ["coupling"], pairs: "2-0" } },
      {
        onProgress: (done, total) => (last = [done, total]),
      },
    );
    expect(last[0]).toBe(last[1]);
    expect(passes(plain.plan.card)).toEqual([
      ["energy", 2],
      ["time", 2],
      ["nll", 4],
      ["coupling", 1],
    ]);
    const keys = (rows: readonly CardRow[]): string[] => Object.keys(rows[0] ?? {});
    expect(keys(plain.card?.rows ?? [])).not.toContain("residual");
    expect(plain.card?.couplings).toEqual(measured().couplings);
  });

  it.each([
    [{ ...card, pairs: "0-1" }, /names layer 1, in which the adapter has no tensors.*coverage: 0, 2/s],
    [{ ...card, pairs: "2-2" }, /pairs cannot be read.*"2-2"/s],
    [{ ...card, directions: 1 }, /too few directions/],
  ])("refuses what it cannot measure: %j", async (wrong, message) => {
    await expect(planProbe(config(), { ...settings, card: wrong })).rejects.toThrow(message);
  });

  it(
    "is a page in the terminal, in JSON and in SVG",
    async () => {
      const out = join(folder.path, "card");
      const { code, stdout } = await callCli(probeArguments(fixture, "--card-with", "nll,coupling", "--out", out));
      expect(code).toBe(0);
      expect(stdout).toMatch(/^layer +parameters +bytes +adapter +adapter bytes +activation/m);
      expect(stdout).toMatch(/^1 +9\.28K +37\.1K +- +- .* - +- +-$/m);
      expect(stdout).toContain("Coupling of layers, pairs");
      const written = JSON.parse(await readFile(join(out, "probe.json"), "utf8")) as ProbeResult;
      expect(written.card?.couplings).toEqual(measured().couplings);
      const image = await readFile(join(out, "card.svg"), "utf8");
      expect(image).toMatch(/^<svg xmlns=.*<\/svg>\n$/s);
      expect(image).toContain("loss without the layer, minus full (nats a token)");
      const plan = await callCli(probeArguments(fixture, "--card", "--plan"));
      expect(plan.stdout).toMatch(
        /^[89] samples, 5 passes of \d+ tokens each; of these for the card: energy 2, time 2\n$/,
      );
      expect((await callCli(probeArguments(fixture, "--card-with", "gradients"))).code).toBe(2);
    },
    6 * ENGINE_START_MS,
  );
});
