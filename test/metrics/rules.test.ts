import { describe, expect, it } from "vitest";
import { containsPlain, containsTokens } from "../../src/metrics/contains.js";
import { hotpotF1 } from "../../src/metrics/hotpot.js";
import { squad2ExactMatch, squad2F1, squadExactMatch, squadF1 } from "../../src/metrics/squad.js";

describe("SQuAD v1.1", () => {
  it("takes the best reference for each metric by itself", () => {
    expect(squadExactMatch("red green", ["blue", "The red, green!"])).toBe(1);
    expect(squadF1("red green", ["red blue yellow", "green red violet", "violet"])).toBe(0.8);
  });
  it("counts repeated tokens as often as both sides have them", () => {
    expect(squadF1("no no no", ["no no"])).toBe(0.8);
  });
  it("scores two empty sides 1 by exact match and 0 by F1", () => {
    expect(squadExactMatch("the", [""])).toBe(1);
    expect(squadF1("the", [""])).toBe(0);
  });
});

describe("SQuAD v2.0", () => {
  it("scores two empty sides 1 by both metrics, one empty side 0", () => {
    expect(squad2ExactMatch("the", [""])).toBe(1);
    expect(squad2F1("the", [""])).toBe(1);
    expect(squad2F1("Paris", [""])).toBe(0);
    expect(squad2F1("", ["Paris"])).toBe(0);
  });
  it("leaves out empty references when there are others", () => {
    expect(squad2ExactMatch("", ["an", "Paris"])).toBe(0);
    expect(squad2ExactMatch("", ["an", "the"])).toBe(1);
  });
});

describe("HotpotQA", () => {
  it.each([
    ["yes, it is", "yes", 0],
    ["yes", "yes they are", 0],
    ["Yes.", "yes", 1],
    ["noanswer", "no answer", 0],
    ["yes it is", "yes they are", 1 / 3],
  ])("%j against %j scores %d", (prediction, reference, expected) => {
    expect(hotpotF1(prediction, [reference])).toBeCloseTo(expected, 12);
  });
  it("holds the rule for each reference by itself", () => {
    expect(hotpotF1("yes it is", ["yes", "yes it is"])).toBe(1);
  });
});

describe("contains", () => {
  it.each([
    ["I think Bart Simpson did it", ["art"], 0, 1],
    ["It was the Art, of course.", ["art"], 1, 1],
    ["in New York City", ["York New", "new york"], 1, 1],
    ["new and york", ["new york"], 0, 0],
    ["anything", ["the"], 1, 1],
    ["", [""], 1, 1],
    ["", ["x"], 0, 0],
  ])("%j with %j: token %d, plain %d", (prediction, references, token, plain) => {
    expect(containsTokens(prediction, references)).toBe(token);
    expect(containsPlain(prediction, references)).toBe(plain);
  });
});
