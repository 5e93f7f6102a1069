import { describe, expect, it } from "vitest";
import { clustered, clustersOf, foldKeys } from "../../src/choice/clusters.js";
import { meanMetric, score, type Score } from "../../src/metrics/metric.js";
import { metricByName } from "../../src/metrics/registry.js";
import { eachOnce, pairedColumns } from "../../src/statistics/columns.js";
import { analyticDifference } from "../../src/statistics/difference.js";
import { scoreIntervals } from "../../src/statistics/interval.js";
import { seededGenerator, uniformInt } from "../../src/statistics/random.js";

const value = meanMetric({ name: "v", perSample: (prediction) => Number(prediction) });
const scored = (values: readonly number[]): Score =>
  score(
    value,
    values.map(String),
    values.map(() => ["-"]),
  );

describe("samples of conversations", () => {
  it("are one row each, and the value stays that over the samples", () => {
    const texts = ["a b", "a", "c d", "d", "e"];
    const references = [["a b"], ["b"], ["c"], ["d"], ["f"]];
    for (const name of ["f1", "bleu", "chrf", "em"]) {
      const plain = score(metricByName(name, { rules: "squad" }), texts, references);
      const joined = clustered(plain, ["x", "x", "y", "z", "x"]);
      expect(joined.statistics).toHaveLength(3);
      const sums = joined.statistics.reduce((all, row) => all.map((sum, i) => sum + (row[i] ?? NaN)));
      expect(joined.corpusValue(sums, 3)).toBeCloseTo(plain.value, 9);
      expect([joined.value, joined.n]).toEqual([plain.value, 5]);
    }
  });

  it("are those that say so", () => {
    expect(clustersOf([{ id: "a" }, { id: "b" }])).toBeUndefined();
    const samples = [{ id: "a", conversation: "t" }, { id: "b", conversation: "t" }, { id: "c" }];
    expect(clustersOf(samples)).toEqual(["conversation t", "conversation t", "sample c"]);
    expect(foldKeys(samples, ["p", "q", "r"])).toEqual(["conversation t", "sample c"]);
    expect(foldKeys([{ id: "a" }], ["p"])).toEqual(["p"]);
  });

  // 20 conversations of 8 answers that go the same way: by samples, most intervals miss a difference of nothing.
  it("hold their level in intervals of a difference, where samples alone do not", () => {
    const generator = seededGenerator(3);
    const random = (): number => uniformInt(generator, 0, 999_999) / 1_000_000;
    const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    const clusters = Array.from({ length: 160 }, (_, i) => `t${Math.floor(i / 8)}`);
    let [bySamples, byClusters] = [0, 0];
    const widths = { samples: 0, clusters: 0 };
    const runs = 400;
    for (let run = 0; run < runs; run++) {
      const shifts = Array.from({ length: 20 }, () => normal() / 20);
      const base = clusters.map(() => 0.5 + normal() / 40);
      const other = base.map((one, i) => one + (shifts[Math.floor(i / 8)] ?? 0) + normal() / 40);
      const pair = [scored(other), scored(base)];
      for (const kind of ["samples", "clusters"] as const) {
        const scores = kind === "samples" ? pair : pair.map((one) => clustered(one, clusters));
        const [a, b] = pairedColumns(scores);
        if (!a || !b) throw new Error("no columns");
        const { low, high } = analyticDifference(a, b, eachOnce(a.samples), 0.95);
        widths[kind] += (high - low) / runs;
        if (low <= 0 && high >= 0) continue;
        if (kind === "samples") bySamples += 1;
        else byClusters += 1;
      }
    }
    expect(byClusters / runs).toBeLessThan(0.08);
    expect(byClusters / runs).toBeGreaterThan(0.01);
    expect(bySamples / runs).toBeGreaterThan(0.3);
    expect(widths.clusters / widths.samples).toBeGreaterThan(1.5);
  });

  it("widen the interval of a score", () => {
    const values = Array.from({ length: 80 }, (_, i) => (Math.floor(i / 8) % 3 === 0 ? 1 : 0.2));
    const clusters = values.map((_, i) => `t${Math.floor(i / 8)}`);
    const [plain, joined] = [scored(values), clustered(scored(values), clusters)].map(
      (one) => scoreIntervals([one], { seed: 0 })[0],
    );
    expect((joined?.high ?? 0) - (joined?.low ?? 0)).toBeGreaterThan(1.8 * ((plain?.high ?? 0) - (plain?.low ?? 0)));
  });
});
