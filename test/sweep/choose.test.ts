import { describe, expect, it } from "vitest";
import { chooseBest } from "../../src/sweep/choose.js";
import { scoredAt } from "../support/scored.js";

const chosenOf = (values: readonly (readonly number[])[], metric = "em"): number =>
  chooseBest(
    values.map((em, boundary) => scoredAt(boundary, { em, f1: [...em].map((value) => 1 - value) })),
    metric,
  ).candidate.boundary;

describe("the rule best", () => {
  it("takes the highest score in the metric that it is given", () => {
    const values = [
      [0, 0],
      [0, 1],
      [1, 1],
      [1, 0],
    ];
    expect(chosenOf(values)).toBe(2);
    expect(chosenOf(values, "f1")).toBe(0);
  });

  it("takes the smallest boundary of equal scores", () => {
    expect(
      chosenOf([
        [0, 0],
        [1, 0],
        [0, 1],
        [1, 0],
      ]),
    ).toBe(1);
    expect(
      chosenOf([
        [0, 0],
        [0, 0],
      ]),
    ).toBe(0);
  });

  it("takes scores as equal that differ by rounding alone", () => {
    // The same three values summed in two orders differ in the last digit.
    const values = [0.1, 0.2, 0.3];
    expect(scoredAt(0, { em: values }).scores.get("em")?.value).not.toBe(
      scoredAt(0, { em: [...values].reverse() }).scores.get("em")?.value,
    );
    expect(chosenOf([[...values].reverse(), values])).toBe(0);
    expect(chosenOf([values, [...values].reverse()])).toBe(0);
  });

  it("still sees the smallest difference that samples can make", () => {
    const many = Array.from({ length: 10_000 }, () => 0);
    expect(chosenOf([many, [...many.slice(1), 0.001]])).toBe(1);
  });

  it("refuses no candidates and a metric that was not scored", () => {
    expect(() => chooseBest([], "em")).toThrow(RangeError);
    expect(() => chooseBest([scoredAt(0, { em: [1] }), scoredAt(1, { em: [1] })], "bleu")).toThrow("no score for bleu");
  });
});
