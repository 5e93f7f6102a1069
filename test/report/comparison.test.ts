import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { COMPARISON_SCHEMA_VERSION, comparisonSchema, type ComparisonResult } from "../../src/compare/result.js";
import { comparisonMarkdown, comparisonReport } from "../../src/report/comparison.js";

type System = ComparisonResult["systems"][number];

const score = (value: number): System["scores"][string] => {
  return { value, low: value - 5.25, high: value + 5, n: 20, signature: "nrefs:1" };
};
const answers = { count: 20, meanTokens: 3.25, cutAtLimit: 2, empty: 1, looping: 3 };
const groups = (value: number): System["groups"] => ({
  bridge: { em: { value, n: 15 }, f1: { value: value + 1, n: 15 } },
  "(none)": { em: { value: value + 2, n: 5 }, f1: { value: value + 3, n: 5 } },
});

/** Full, base and a trimmed file. Every part that a report shows has a value of its own. */
function comparison(): ComparisonResult {
  const paired = { difference: -2.5, low: -10, high: 5, method: "Tango", better: 1, worse: 2, same: 17 };
  return {
    schemaVersion: COMPARISON_SCHEMA_VERSION,
    tool: { name: "boundary", version: "0.0.0" },
    config: { seed: 0 },
    metric: "f1",
    labels: { em: "EM", f1: "F1" },
    samples: 20,
    systems: [
      { name: "full", adapterBytes: 1_234_567, answers, scores: { em: score(40), f1: score(50) }, groups: groups(10) },
      {
        name: "trimmed",
        adapterBytes: 617_283,
        answers: { ...answers, meanTokens: 4 },
        scores: { em: score(37.5), f1: score(51) },
        groups: groups(20),
        against: {
          em: { ...paired, p: { bootstrap: 0.5, randomization: 0.625, mcnemar: 0.75 }, effect: { oddsRatio: 0.5 } },
          f1: {
            ...{ ...paired, difference: 1, low: -0.04, high: 2.04 },
            ...{ p: { bootstrap: 0.5, randomization: 0.0625 }, effect: { standardized: 0.125 } },
          },
        },
        errors: { metric: "f1", fell: 4, containsOther: 3, containedInOther: 1, oneContainsOther: 4, bothRight: 2 },
      },
      {
        name: "run#base",
        answers,
        scores: { em: score(10), f1: score(20) },
        groups: groups(30),
        against: {
          em: { ...paired, p: { bootstrap: 1, randomization: 1, mcnemar: 1 }, effect: {} },
          f1: { ...paired, p: { bootstrap: 1, randomization: 1 }, effect: {} },
        },
        errors: { metric: "f1", fell: 0, containsOther: 0, containedInOther: 0, oneContainsOther: 0, bothRight: 0 },
      },
    ],
    changed: [
      {
        sampleId: "s7",
        references: ["red", "the red one"],
        answers: { full: "red", trimmed: "red\n\n  house", "run#base": "x".repeat(301) },
        values: { full: 1, trimmed: 0.667, "run#base": 0 },
      },
    ],
    failures: [{ condition: "em < full - 1.0" }],
    notes: ["2 samples are left out."],
  };
}

const plain = (result: ComparisonResult): string => stripVTControlCharacters(comparisonReport(result));
const words = (result: ComparisonResult): string[][] =>
  plain(result)
    .split("\n")
    .map((line) => line.trim().split(/ {2,}/));

/** The rows under the one that begins so. */
function under(result: ComparisonResult, head: string, count: number): string[][] {
  const all = words(result);
  const at = all.findIndex(([first]) => first === head);
  return all.slice(at, at + 1 + count);
}

it("the comparison that is reported on is one that can be", () => {
  expect(comparisonSchema.parse(comparison())).toEqual(comparison());
});

describe("the report of a comparison", () => {
  it("has each system's scores with their intervals and its bytes, where they are known", () => {
    expect(under(comparison(), "20 samples", 4)).toEqual([
      ["20 samples"],
      ["system", "EM", "F1", "adapter bytes"],
      ["full", "40.0 (34.8 to 45.0)", "50.0 (44.8 to 55.0)", "1,234,567"],
      ["trimmed", "37.5 (32.3 to 42.5)", "51.0 (45.8 to 56.0)", "617,283"],
      ["run#base", "10.0 (4.8 to 15.0)", "20.0 (14.8 to 25.0)"],
    ]);
  });

  it("tells what the answers look like", () => {
    expect(under(comparison(), "answers", 2)).toEqual([
      ["answers", "tokens/answer", "empty", "cut at the limit", "ending in a loop"],
      ["full", "3.3", "1", "2", "3"],
      ["trimmed", "4.0", "1", "2", "3"],
    ]);
  });

  it("sets each system against the first, with the test and the effect that fit the metric", () => {
    expect(under(comparison(), "Against full, paired", 5)).toEqual([
      ["Against full, paired"],
      ["system", "metric", "points", "95 % interval", "p", "effect", "better/worse/same"],
      ["trimmed", "EM", "-2.5", "-10.0 to +5.0", "0.750", "odds 0.50", "1/2/17"],
      ["trimmed", "F1", "+1.0", "0.0 to +2.0", "0.063", "d 0.13", "1/2/17"],
      ["run#base", "EM", "-2.5", "-10.0 to +5.0", "1.000", "1/2/17"],
      ["run#base", "F1", "-2.5", "-10.0 to +5.0", "1.000", "1/2/17"],
    ]);
  });

  it("breaks the primary metric down by group, and is silent where there are none", () => {
    expect(under(comparison(), "F1 by group", 3)).toEqual([
      ["F1 by group"],
      ["group", "n", "full", "trimmed", "run#base"],
      ["bridge", "15", "11.0", "21.0", "31.0"],
      ["(none)", "5", "13.0", "23.0", "33.0"],
    ]);
    const result = comparison();
    const none = { ...result, systems: result.systems.map((system) => ({ ...system, groups: {} })) };
    expect(plain(none)).not.toContain("by group");
  });

  it("says what became of the samples that fell, of systems that lost any", () => {
    const report = plain(comparison());
    expect(report).toContain(
      "trimmed: F1 fell on 4 samples. In 3 (75 %) its answer contains that of full, in 1 (25 %) it is contained in it; " +
        "in 2 (50 %) both contain a reference.",
    );
    expect(report).not.toContain("run#base: F1 fell");
  });

  it("shows changed samples side by side, in a line each", () => {
    expect(under(comparison(), "Most changed samples", 4).map((cells) => cells.join("  "))).toEqual([
      "Most changed samples",
      "s7  reference: red / the red one",
      "full (100): red",
      "trimmed (67): red house",
      `run#base (0): ${"x".repeat(300)}...`,
    ]);
    expect(plain({ ...comparison(), changed: [] })).not.toContain("Most changed");
  });

  it("ends with what failed and what is to be known", () => {
    expect(plain(comparison()).split("\n").slice(-2)).toEqual([
      "FAILED: em < full - 1.0",
      "Note: 2 samples are left out.",
    ]);
  });
});

describe("the Markdown of a comparison", () => {
  it("has the scores, the differences, what failed and the notes", () => {
    expect(comparisonMarkdown(comparison())).toBe(
      [
        "**20 samples**, 95 % intervals",
        "",
        "| system | EM | F1 | adapter bytes |",
        "| --- | ---: | ---: | ---: |",
        "| full | 40.0 (34.8 to 45.0) | 50.0 (44.8 to 55.0) | 1,234,567 |",
        "| trimmed | 37.5 (32.3 to 42.5) | 51.0 (45.8 to 56.0) | 617,283 |",
        "| run#base | 10.0 (4.8 to 15.0) | 20.0 (14.8 to 25.0) |  |",
        "",
        "| difference | metric | points | 95 % interval | p | better/worse |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| trimmed - full | EM | -2.5 | -10.0 to +5.0 | 0.750 | 1/2 |",
        "| trimmed - full | F1 | +1.0 | 0.0 to +2.0 | 0.063 | 1/2 |",
        "| run#base - full | EM | -2.5 | -10.0 to +5.0 | 1.000 | 1/2 |",
        "| run#base - full | F1 | -2.5 | -10.0 to +5.0 | 1.000 | 1/2 |",
        "",
        "**Failed:** `em < full - 1.0`",
        "",
        "> 2 samples are left out.",
      ].join("\n"),
    );
  });

  it("keeps its tables whole, whatever a system is called", () => {
    const result = comparison();
    const [full, ...others] = result.systems;
    if (!full) throw new Error("there is a first system");
    const odd = comparisonMarkdown({ ...result, systems: [{ ...full, name: "a|b" }, ...others] });
    expect(odd).toContain("| a\\|b | 40.0");
    expect(odd).toContain("| trimmed - a\\|b | EM |");
  });
});
