import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { ProbeSettings } from "../../src/probe/lay-out.js";
import { probe, type ProbeResult } from "../../src/probe/probe.js";
import { callCli } from "../support/command.js";
import { ENGINE_START_MS, probeArguments, writeSweepFixture, type SweepFixture } from "../support/sweep-fixture.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { tinySweep } from "../support/tiny-sweep.js";

const settings: ProbeSettings = {
  tokens: 2,
  knee: "kneedle",
  confidence: [1],
  difference: [0, 2],
  cka: "prompt-end",
  norms: true,
};

describe("a probe of a tiny model", () => {
  const folder = temporaryFolder();
  let fixture: SweepFixture;
  let result: ProbeResult;
  const config = (more: Readonly<Record<string, unknown>> = {}): ReturnType<typeof tinySweep> =>
    tinySweep(fixture, join(folder.path, "unused"), { holdout: 0.25, ...more });

  beforeAll(async () => {
    fixture = await writeSweepFixture(folder.path, { samples: 32 });
    const rows = (await readFile(fixture.data, "utf8")).trimEnd().split("\n");
    const answered = rows.map((line, i) => {
      const row = JSON.parse(line) as { context: string };
      // Its other references are single letters. One sample has none at all.
      return JSON.stringify({ ...row, answers: i === 3 ? [" "] : [row.context.split(" ").slice(-3).join(" ")] });
    });
    await writeFile(fixture.data, `${answered.join("\n")}\n`);
    result = await probe(config(), settings);
  }, 4 * ENGINE_START_MS);

  it("has a curve for each token and a point for each layer, on the selection alone", () => {
    // 20 samples are of the selection; one of all 32 has no reference.
    expect([19, 20]).toContain(result.samples);
    expect(result.notes.some((note) => note.startsWith("1 samples have no reference"))).toBe(result.samples === 19);
    expect(result.truth.map(({ token }) => token)).toEqual([1, 2]);
    for (const { points } of result.truth)
      expect(points.map(({ layer }) => layer)).toEqual([...Array(result.layers).keys()]);
    expect(result.plan.passes).toBe(5);
  });

  it("is the same again", async () => {
    expect(await probe(config(), settings)).toEqual(result);
  });

  it("finds no difference below a boundary, where the adapter is the same", () => {
    const [base, boundary] = result.differences;
    expect(base?.boundary).toBe(0);
    expect(boundary?.curve.points.slice(0, 2).map(({ mean }) => mean)).toEqual([0, 0]);
    expect(boundary?.curve.points.slice(2).some(({ mean }) => mean !== 0)).toBe(true);
    expect(base?.curve.points[0]?.mean).not.toBe(0);
  });

  it("ranks every layer by CKA, and says nothing of it where it was not asked", async () => {
    // All prompts end in the same words, so that nothing varies below layer 0.
    expect(result.importances?.[0]).toEqual({ layer: 0, plain: null, unbiased: null });
    expect(result.notes).toContainEqual(expect.stringContaining("Layer 0 has no importance: CKA (prompt-end)"));
    expect([...(result.ranking ?? [])].sort((a, b) => a - b)).toEqual([...Array(result.layers).keys()].slice(1));
    for (const { plain } of result.importances?.slice(1) ?? []) {
      expect(plain).toBeGreaterThanOrEqual(-1e-9);
      expect(plain).toBeLessThanOrEqual(1 + 1e-9);
    }
    expect(await probe(config(), { ...settings, cka: undefined, confidence: [], difference: [] })).not.toHaveProperty(
      "ranking",
    );
  });

  it("tells the size of every layer's update", () => {
    expect(result.updates?.map(({ layer }) => layer)).toEqual([...Array(result.layers).keys()]);
    for (const { frobenius, spectral } of result.updates ?? [])
      expect(Math.min(frobenius, spectral)).toBeGreaterThan(0);
  });

  it.each([
    [{ ...settings, difference: [99] }, {}, /no such boundary.*99.*0 to/s],
    [settings, { limit: 8 }, /too few samples for --cka.*6 samples/s],
  ])("refuses what it cannot measure", async (asked, more, message) => {
    await expect(probe(config(more), asked)).rejects.toThrow(message);
  });

  it(
    "prints a chart, writes JSON and images, and tells its cost beforehand",
    async () => {
      const out = join(folder.path, "probe");
      const args = probeArguments(fixture);
      const { code, stdout, stderr } = await callCli([...args, "--difference", "1", "--out", out]);
      expect([code, stderr]).toEqual([0, expect.stringContaining(`${result.samples} samples, 2 passes`)]);
      expect(stdout).toContain("probability (%) of the reference's token 1 after each layer");
      const written = JSON.parse(await readFile(join(out, "probe.json"), "utf8")) as ProbeResult;
      expect(written.truth[0]?.points).toEqual(result.truth[0]?.points);
      for (const name of ["truth.svg", "difference-1.svg"]) {
        expect(await readFile(join(out, name), "utf8")).toMatch(/^<svg xmlns=.*<\/svg>\n$/s);
      }
      const plan = await callCli([...args, "--cka", "--confidence", "1,2", "--plan"]);
      expect(plan.stdout).toMatch(/^(19|20) samples, 4 passes of \d+ tokens each\n$/);
      expect((await callCli([...args, "--tokens", "0"])).code).toBe(2);
    },
    6 * ENGINE_START_MS,
  );
});
