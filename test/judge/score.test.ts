import { describe, expect, it } from "vitest";
import { BoundaryError } from "../../src/errors.js";
import { JudgeCache } from "../../src/judge/cache.js";
import { JudgeError } from "../../src/judge/judge-model.js";
import { judgeScore, pairedJudgeScores } from "../../src/judge/score.js";
import { judgeScores, type JudgedScores } from "../../src/judge/scores.js";
import { comparePaired } from "../../src/statistics/paired.js";
import { version } from "../../src/version.js";
import { failureOf } from "../support/failure.js";
import { fakeJudge } from "./fake-judge.js";
import { predictions, sample, shortPrompt } from "./judged-samples.js";

/** Marks of one judge; "-" where it gives none. */
async function judgedAs(
  marks: readonly (number | "-")[],
  judges: readonly string[] = ["judge"],
): Promise<JudgedScores> {
  const fakes = judges.map((name) => fakeJudge(name, (question) => String(marks[Number(/\d+/.exec(question)?.[0])])));
  return judgeScores(fakes, predictions(marks.length), {
    prompt: shortPrompt,
    dataPath: "",
    cache: JudgeCache.inMemory(),
  });
}

describe("judgeScore", () => {
  it("is the mean in percent over the samples that have a mark, and says which", async () => {
    const score = judgeScore(await judgedAs([10, "-", 5, 0]));
    expect(score).toMatchObject({
      metric: "judge",
      label: "LLM score",
      isBinary: false,
      value: 50,
      n: 3,
      signature: `nrefs:1|judges:judge|prompt:0123abcd|scale:0-10|version:${version}`,
      perSample: [1, 0.5, 0],
      statistics: [[1], [0.5], [0]],
      sampleIds: ["s0", "s2", "s3"],
      missing: 1,
    });
    expect(score.corpusValue([1.5], 2)).toBe(75);
  });

  it("names all judges in the signature, each as one word, and differing numbers of references", async () => {
    const judged = await judgedAs([1, 2], ["qwen2.5:7b", "a|b c+d"]);
    expect(judgeScore(judged).signature).toBe(
      `nrefs:1|judges:qwen2.5:7b+a_b_c_d|prompt:0123abcd|scale:0-10|version:${version}`,
    );
    const items = [
      { sample: sample("a", ["r"]), prediction: "0" },
      { sample: sample("b", ["r", "s"]), prediction: "1" },
    ];
    const options = { prompt: shortPrompt, dataPath: "", cache: JudgeCache.inMemory() };
    expect(judgeScore(await judgeScores([fakeJudge("j", () => "5")], items, options)).signature).toMatch(
      /^nrefs:var\|/,
    );
  });

  it("ends in an error when no sample has a mark, the judge's own where there is one", async () => {
    const judged = await judgedAs(["-", "-"]);
    const error = await failureOf(BoundaryError, () => judgeScore(judged));
    expect(error.message).toContain(
      "no sample that every judge marked: found judge: 0 marks, 2 unparseable, expected at least 1",
    );
    const failure = new JudgeError({ judge: "judge", kind: "timeout" }, { what: "late" });
    expect(await failureOf(JudgeError, () => judgeScore({ ...judged, failure }))).toBe(failure);
  });
});

describe("pairedJudgeScores", () => {
  it("covers the samples that are marked for all candidates, so that the same place is the same sample", async () => {
    const judged = [
      await judgedAs([10, "-", 5, 0, 9]),
      await judgedAs(["-", 2, 6, 1, 9]),
      await judgedAs([1, 1, 7, 2, "-"]),
    ];
    // Index pairing of what each has alone would compare different samples: as many, but others.
    expect(judged.map((one) => judgeScore(one).n)).toEqual([4, 4, 4]);
    const scores = pairedJudgeScores(judged);
    expect(scores.map(({ sampleIds }) => sampleIds)).toEqual([
      ["s2", "s3"],
      ["s2", "s3"],
      ["s2", "s3"],
    ]);
    expect(scores.map(({ perSample }) => perSample)).toEqual([
      [0.5, 0],
      [0.6, 0.1],
      [0.7, 0.2],
    ]);
    const [a, b] = scores;
    expect(comparePaired(b!, a!, { seed: 1 }).estimate).toBeCloseTo(10, 12);
    expect(pairedJudgeScores([])).toEqual([]);
  });

  it("refuses other samples, another order, other judges, another prompt, and nothing in common", async () => {
    const one = await judgedAs([1, 2]);
    const refusal = async (other: JudgedScores): Promise<string> =>
      (await failureOf(BoundaryError, () => pairedJudgeScores([one, other]))).message;
    expect(await refusal(await judgedAs([1, 2, 3]))).toContain("same samples in the same order");
    expect(await refusal({ ...one, samples: [...one.samples].reverse() })).toContain("same samples in the same order");
    expect(await refusal(await judgedAs([1, 2], ["other"]))).toContain(
      "found judge with prompt 0123abcd and other with prompt 0123abcd",
    );
    expect(await refusal({ ...one, promptSha8: "ffffffff" })).toContain("different judges or prompts");
    const [left, right] = [await judgedAs([1, "-"]), await judgedAs(["-", 1])];
    expect((await failureOf(BoundaryError, () => pairedJudgeScores([left, right]))).message).toContain(
      "no sample that every judge marked",
    );
  });
});
