import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { BoundaryError, UsageError } from "../../src/errors.js";
import { score, type Metric } from "../../src/metrics/metric.js";
import type { QaRules } from "../../src/metrics/qa.js";
import { metricByName, metricNames } from "../../src/metrics/registry.js";
import { version } from "../../src/version.js";

const perSample = (metric: Metric, prediction: string, references: readonly string[]): number =>
  metric.sampleValue(metric.statistics(prediction, references));

fc.configureGlobal({ seed: 3 });

const allRules: readonly QaRules[] = ["squad", "squad2", "hotpotqa"];
/** Those that are told of outputs. */
const everyMetric = allRules
  .flatMap((rules) => metricNames().map((name) => metricByName(name, { rules })))
  .filter(({ ofLikelihood }) => ofLikelihood === undefined);
const words = fc.array(fc.constantFrom("a", "the", "yes", "no", "red", "Art", "Bart", ".", "é", "大"), {
  maxLength: 6,
});
const answer = fc.oneof(
  fc.string({ unit: "binary" }),
  words.map((list) => list.join(" ")),
);
const answers = fc.array(answer, { minLength: 1, maxLength: 4 });

describe("metricByName", () => {
  it("names the nearest metric for an unknown one", () => {
    expect(() => metricByName("contain", { rules: "squad" })).toThrow(UsageError);
    expect(() => metricByName("contain", { rules: "squad" })).toThrow(/"contain".*em, f1.*Did you mean contains\?/);
  });
  it("applies the rules asked for", () => {
    expect(perSample(metricByName("f1", { rules: "squad" }), "yes it is", ["yes"])).toBe(0.5);
    expect(perSample(metricByName("f1", { rules: "hotpotqa" }), "yes it is", ["yes"])).toBe(0);
    expect(perSample(metricByName("f1", { rules: "squad2" }), "", [""])).toBe(1);
  });
  it("keeps each metric's own name", () => {
    expect(metricNames().map((name) => metricByName(name, { rules: "squad" }).name)).toEqual(metricNames());
  });
});

describe("score", () => {
  const em = metricByName("em", { rules: "squad" });
  it("gives the mean on the 0-100 scale, the values of each sample, and the signature", () => {
    expect(score(em, ["Paris", "no", "x"], [["paris"], ["No!"], ["y"]])).toMatchObject({
      metric: "em",
      label: "EM",
      isBinary: true,
      statistics: [[1], [1], [0]],
      value: 200 / 3,
      n: 3,
      signature: `nrefs:1|rules:squad-v1.1|version:${version}`,
      perSample: [1, 1, 0],
    });
  });
  it("says in the signature when samples differ in their number of references", () => {
    expect(score(em, ["a", "b"], [["a"], ["b", "c"]]).signature).toMatch(/^nrefs:var\|/);
    expect(
      score(
        em,
        ["a", "b"],
        [
          ["a", "d"],
          ["b", "c"],
        ],
      ).signature,
    ).toMatch(/^nrefs:2\|/);
    expect(score(metricByName("contains", { rules: "squad2" }), ["a"], [["a"]]).signature).toBe(
      `nrefs:1|form:token|normalize:squad-v1.1|version:${version}`,
    );
  });
  it("refuses no predictions, other lengths, and samples without a reference", () => {
    expect(() => score(em, [], [])).toThrow(BoundaryError);
    expect(() => score(em, ["a"], [])).toThrow(/1 predictions and 0 lists/);
    expect(() => score(em, ["a"], [[]])).toThrow(/without a reference/);
  });
});

describe("every metric", () => {
  it("stays from 0 to 1 on any text", () => {
    fc.assert(
      fc.property(answer, answers, fc.constantFrom(...everyMetric), (prediction, references, metric) => {
        const value = perSample(metric, prediction, references);
        // sacreBLEU's own sentence score of a perfect answer is 100.00000000000004.
        expect(value >= 0 && value <= 1 + 1e-12).toBe(true);
      }),
    );
  });
  it("never falls when a reference is added", () => {
    // Except for v2.0's rules with an empty reference, which the script drops as soon as there is another; for over-long, of which less is
    // better; and for BLEU, whose brevity penalty follows the nearest length.
    const metrics = everyMetric.filter(
      (metric) =>
        !metric.lowerIsBetter &&
        metric.name !== "bleu" &&
        !metric.signatureParts.some(([, value]) => value === "squad-v2.0"),
    );
    fc.assert(
      fc.property(answer, answers, answer, fc.constantFrom(...metrics), (prediction, references, more, metric) => {
        expect(perSample(metric, prediction, [...references, more])).toBeGreaterThanOrEqual(
          perSample(metric, prediction, references),
        );
      }),
    );
  });
  // Anything quadratic would run into the test's time limit; how quick it is, is no matter for a test on a machine with other work.
  it("does not hang on 100,000 characters", () => {
    const long = ["the a ".repeat(17_000), "a\u0301Σ".repeat(33_000), "\u001c".repeat(100_000), "ab ".repeat(33_000)];
    const different = new Map(everyMetric.map((metric) => [`${metric.name} ${metric.signatureParts.join()}`, metric]));
    for (const metric of different.values()) {
      for (const text of long) {
        expect(perSample(metric, text, [`${text.slice(1)} end`, text])).toBeGreaterThanOrEqual(0);
      }
    }
  });
});

describe("between metrics", () => {
  it.each(allRules)("exact match of something means F1 of 1 (%s)", (rules) => {
    fc.assert(
      fc.property(answer, answers, (prediction, references) => {
        const withMatch = [...references, `The ${prediction}.`];
        fc.pre(squadContent(prediction));
        expect(perSample(metricByName("em", { rules }), prediction, withMatch)).toBe(1);
        expect(perSample(metricByName("f1", { rules }), prediction, withMatch)).toBe(1);
      }),
    );
  });
  it("F1 is the same both ways round", () => {
    const f1 = metricByName("f1", { rules: "squad" });
    fc.assert(
      fc.property(answer, answer, (left, right) => {
        expect(perSample(f1, left, [right])).toBe(perSample(f1, right, [left]));
      }),
    );
  });
  it("the token form of contains never exceeds the plain form", () => {
    fc.assert(
      fc.property(answer, answers, (prediction, references) => {
        expect(perSample(metricByName("contains", { rules: "squad" }), prediction, references)).toBeLessThanOrEqual(
          perSample(metricByName("contains-plain", { rules: "squad" }), prediction, references),
        );
      }),
    );
  });
});

/** Whether an answer keeps anything after normalisation: F1 of two empty sides is 0 in v1.1. */
function squadContent(text: string): boolean {
  return perSample(metricByName("em", { rules: "squad" }), text, [""]) === 0;
}
