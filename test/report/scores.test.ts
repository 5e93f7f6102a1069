import { describe, expect, it } from "vitest";
import type { OutputScores, ReportedScore } from "../../src/compare/score-outputs.js";
import { scoresReport } from "../../src/report/scores.js";

const em: ReportedScore = {
  ...{ metric: "em", label: "EM", value: 41.666, low: 30.04, high: 52.46, n: 120 },
  ...{ interval: "Wilson score interval", signature: "nrefs:1|rules:squad-v1.1|version:0.1.0" },
};
const bleu: ReportedScore = {
  ...{ metric: "bleu", label: "BLEU", value: 7.125, low: 5, high: 9.96, n: 120 },
  ...{ interval: "BCa bootstrap, 2000 resamples", signature: "nrefs:1|case:mixed|tok:13a|version:0.1.0" },
};
const scores: OutputScores = { scores: [em, bleu], groups: {}, samples: [], notes: [] };
const rows = (own: OutputScores): string[][] =>
  scoresReport(own)
    .split("\n")
    .map((line) => line.trim().split(/ {2,}/));

describe("the report of scores", () => {
  it("has a row for each metric, with interval and signature, and says how the intervals were made", () => {
    expect(rows(scores)).toEqual([
      ["metric", "score", "95 % interval", "n", "signature"],
      ["EM", "41.67", "30.0 to 52.5", "120", em.signature],
      ["BLEU", "7.13", "5.0 to 10.0", "120", bleu.signature],
      ["Intervals: Wilson score interval; BCa bootstrap, 2000 resamples."],
    ]);
    expect(scoresReport({ ...scores, scores: [em, em] })).toContain("Intervals: Wilson score interval.");
  });

  it("has a row for each group", () => {
    const groups = {
      bridge: [{ ...em, n: 90 }, bleu],
      "(none)": [{ ...em, value: 0, low: 0, high: 11.4, n: 30 }, bleu],
    };
    expect(rows({ ...scores, groups }).slice(4)).toEqual([
      [""],
      ["group", "n", "EM", "BLEU"],
      ["bridge", "90", "41.67 (30.0 to 52.5)", "7.13 (5.0 to 10.0)"],
      ["(none)", "30", "0.00 (0.0 to 11.4)", "7.13 (5.0 to 10.0)"],
    ]);
  });
});
