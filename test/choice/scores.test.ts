import { describe, expect, it } from "vitest";
import { metricByName } from "../../src/metrics/registry.js";
import type { Sample } from "../../src/samples/sample.js";
import { scoreAnswers, scoreOf, type AnswerScoring } from "../../src/choice/scores.js";
import { answerText } from "../../src/tasks/answer-text.js";
import { regexExtraction } from "../../src/tasks/extraction.js";
import { usualThoughtMarks } from "../../src/tasks/thoughts.js";
import { journalRow } from "../support/journal-row.js";
import { candidateAt } from "../support/scored.js";

const samples: Sample[] = [
  { id: "a", variables: { question: "Who?", kind: "short" }, references: ["Ann"] },
  { id: "b", variables: { question: "Where does it stand?", kind: "long" }, references: ["the red house", "a house"] },
  { id: "c", variables: { question: "When?", kind: "short" }, references: ["1900"] },
  { id: "d", variables: { question: "Why?" }, references: ["no"] },
];
const outputs = [
  "Ann",
  "<think>a house?</think>the house",
  "",
  "so so so so so so so so so so so so so so so so so so",
];
const stops = ["eog", "eog", "length", "length"] as const;
const rows = samples.map(({ id }, i) =>
  journalRow({
    ...{ key: id, sampleId: id, output: outputs[i] ?? "", stop: stops[i] ?? "eog" },
    tokens: Array.from({ length: i + 1 }, () => 1),
  }),
);
const scoring: AnswerScoring = {
  metrics: ["em", "f1"].map((name) => metricByName(name, { rules: "squad" })),
  reading: { thoughts: usualThoughtMarks, extract: undefined, trim: true },
  groupBy: undefined,
};

describe("scoring answers", () => {
  it("gives each metric's value over the samples, thoughts apart, and what the answers look like", () => {
    const scored = scoreAnswers({ candidate: candidateAt(2), rows }, samples, scoring);
    expect([...scored.scores].map(([name, { value, n }]) => [name, value, n])).toEqual([
      ["em", 50, 4],
      ["f1", 50, 4],
    ]);
    expect(scoreOf(scored, "em").perSample).toEqual([1, 1, 0, 0]);
    expect(scored.answers).toEqual({ count: 4, meanTokens: 2.5, cutAtLimit: 2, empty: 1, looping: 1 });
    expect(scored.groups.size).toBe(0);
    expect(() => scoreOf(scored, "bleu")).toThrow("there is no score of bleu");
  });

  it("breaks them down by a field, samples without it last", () => {
    const { groups } = scoreAnswers({ candidate: candidateAt(2), rows }, samples, { ...scoring, groupBy: "kind" });
    expect([...groups].map(([name, own]) => [name, own.get("em")?.value, own.get("em")?.n])).toEqual([
      ["long", 100, 1],
      ["short", 50, 2],
      ["(none)", 0, 1],
    ]);
  });

  it("scores what an extraction takes of an output, and calls an answer empty that it takes nothing of", () => {
    const extract = regexExtraction("house|Ann");
    const reading = { ...scoring.reading, extract };
    const { scores, answers } = scoreAnswers({ candidate: candidateAt(2), rows }, samples, { ...scoring, reading });
    expect(scores.get("em")?.perSample).toEqual([1, 1, 0, 0]);
    expect([answers.empty, answers.looping]).toEqual([2, 1]);
    expect(answerText("<think>Ann</think> a house, no: the house.", reading)).toBe("house");
    expect(answerText("<think>Ann</think> nothing", reading)).toBe("");
  });
});
