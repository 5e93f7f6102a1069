import { describe, expect, it } from "vitest";
import { scoreOutputs, type OutputScores, type OutputScoring } from "../../src/compare/score-outputs.js";
import { BoundaryError, UsageError } from "../../src/errors.js";
import { metricNames, metricsByList } from "../../src/metrics/registry.js";
import type { Prediction } from "../../src/samples/predictions.js";
import { seededGenerator, uniformInt } from "../../src/statistics/random.js";
import { regexExtraction } from "../../src/tasks/extraction.js";
import { tangoWithoutLosses, Z } from "../support/closed-forms.js";
import { failureOf } from "../support/failure.js";

type Row = readonly [prediction: string, references: readonly string[], variables?: Readonly<Record<string, unknown>>];

function scored(
  rows: readonly Row[],
  list: string,
  { targetLanguage, ...more }: Partial<OutputScoring> & { targetLanguage?: string } = {},
): OutputScores {
  const predictions = rows.map(([prediction, references, variables = {}], i): Prediction => {
    return { id: `p${i}`, prediction, references, variables };
  });
  const metrics = metricsByList(list, { rules: "squad", targetLanguage });
  return scoreOutputs(predictions, { metrics, extract: undefined, groupBy: undefined, seed: 1, ...more });
}

describe("the scores of outputs", () => {
  const rows: Row[] = [
    ["The red house", ["red house"]],
    ["a house", ["red house", "house"]],
    ["blue", ["red house"]],
    ["", ["nothing"]],
  ];

  it("have value, interval, signature and every sample's own value", () => {
    const { scores, groups, samples } = scored(rows, "em,f1");
    expect(scores.map(({ metric, label, value, n }) => [metric, label, value, n])).toEqual([
      ["em", "EM", 50, 4],
      ["f1", "F1", 50, 4],
    ]);
    expect(scores[0]?.signature).toMatch(/^nrefs:var\|rules:squad-v1\.1\|version:/);
    // Right and wrong have Wilson's interval: of 2 in 4 its upper end is that of Tango's where nothing is lost, and it is symmetric.
    const [em, f1] = scores;
    const { high } = tangoWithoutLosses(2, 4);
    expect([em?.low, em?.high]).toEqual([expect.closeTo(100 - high, 6), expect.closeTo(high, 6)]);
    expect(em?.interval).toMatch(/^Wilson score interval/);
    expect([f1?.interval, (f1?.low ?? 0) < 50, (f1?.high ?? 0) > 50]).toEqual([
      "BCa bootstrap, 2000 resamples",
      true,
      true,
    ]);
    expect(samples.map(({ id, values }) => [id, values["em"], values["f1"]])).toEqual([
      ["p0", 1, 1],
      ["p1", 1, 1],
      ["p2", 0, 0],
      ["p3", 0, 0],
    ]);
    expect(groups).toEqual({});
  });

  it("of samples that are all right still have an interval", () => {
    const [em] = scored([rows[0]!, rows[1]!, rows[0]!], "em").scores;
    expect(em?.value).toBe(100);
    expect(em?.interval).toMatch(/^Wilson score interval/);
    // The score test of 3 out of 3: p such that (1 - p) / sqrt(p (1 - p) / 3) is z.
    expect(em?.low).toBeCloseTo((100 * 3) / (3 + Z ** 2), 6);
    expect(em?.high).toBeCloseTo(100, 6);
  });

  it("leave thoughts out where that is asked for, say of how many, and take what an extraction finds", () => {
    const thinking: Row[] = [
      ["<think>blue?</think> The answer is red.", ["red"]],
      [" The answer is red. ", ["red"]],
    ];
    const stripped = scored(thinking, "contains", { stripThoughts: true });
    expect(stripped.samples.map(({ prediction }) => prediction)).toEqual([
      "The answer is red.",
      " The answer is red. ",
    ]);
    expect(stripped.notes).toEqual(["Thoughts were stripped from 1 of 2 outputs."]);
    expect(stripped.scores[0]?.signature).toContain("|strip:thoughts|");
    const { samples, scores } = scored(thinking, "em", { extract: regexExtraction("answer is (\\w+)") });
    expect([samples[0]?.prediction, scores[0]?.value]).toEqual(["red", 100]);
    expect(scores[0]?.signature).toContain("|extract:answer%20is%20(\\w+)|");
  });

  it("are those of the outputs as they are given: white space, byte order marks and tags are part of them", () => {
    const texts = [
      "  Rome\n",
      "\uFEFFRome",
      "use the </think> tag to close",
      "<think>Rome",
      "a <thinking>b</thinking>",
    ];
    const given = scored(
      texts.map((text): Row => [text, [text]]),
      "em,chrf:whitespace=yes",
    );
    expect(given.samples.map(({ prediction }) => prediction)).toEqual(texts);
    expect(given.samples.every(({ values }) => values["em"] === 1)).toBe(true);
    expect([given.notes, given.scores[0]?.signature]).toEqual([[], expect.not.stringContaining("strip")]);
    // sacreBLEU 2.6.0: CHRF(whitespace=True).sentence_score(" Rome \n", ["Rome"]) and ("Rome", ["Rome"]).
    const [spaced, bare] = scored(
      [
        [" Rome \n", ["Rome"]],
        ["Rome", ["Rome"]],
      ],
      "chrf:whitespace=yes",
    ).samples;
    expect(100 * (spaced?.values["chrf:whitespace=yes"] ?? Number.NaN)).toBeCloseTo(79.06824146981627, 9);
    expect(bare?.values["chrf:whitespace=yes"]).toBeCloseTo(1, 9);
  });

  it("are those of each group's samples alone, also for metrics that are no means", () => {
    const texts: Row[] = [
      ["the cat sat on the mat", ["the cat sat on a mat"], { kind: "animal" }],
      ["it rains in the town today", ["it is raining in town today"], { kind: "weather" }],
      ["the dog lay on the red mat", ["the dog lay on a red mat"], { kind: "animal" }],
    ];
    const { groups } = scored(texts, "bleu,chrf", { groupBy: "kind" });
    expect(Object.keys(groups)).toEqual(["animal", "weather"]);
    const alone = scored([texts[0]!, texts[2]!], "bleu,chrf").scores;
    expect(groups["animal"]?.map(({ metric, value, n }) => [metric, value, n])).toEqual(
      alone.map(({ metric, value }) => [metric, value, 2]),
    );
    // BLEU sums counts: the whole is not the mean of its groups.
    const [bleu] = scored(texts, "bleu").scores;
    const mean = (2 * (groups["animal"]?.[0]?.value ?? NaN) + (groups["weather"]?.[0]?.value ?? NaN)) / 3;
    expect(bleu?.value).not.toBeCloseTo(mean, 3);
  });

  it("of mixed languages are those of each by itself, under the tokenizer that was chosen for all", () => {
    const mixed: Row[] = [
      ["灯是红色的。", ["灯是红色的。"], { lang: "zh" }],
      ["the lamp is red and old .", ["the lamp is red and new ."], { lang: "en" }],
      ["今天下雨了吗?", ["今天下雨了。"], { lang: "zh" }],
    ];
    for (const targetLanguage of ["en", "zh"]) {
      const { groups, scores } = scored(mixed, "bleu", { groupBy: "lang", targetLanguage });
      expect(scores[0]?.signature).toContain(`tok:${targetLanguage === "zh" ? "zh" : "13a"}|`);
      const chinese = scored([mixed[0]!, mixed[2]!], "bleu", { targetLanguage }).scores[0];
      expect(groups["zh"]?.[0]?.value).toBe(chinese?.value);
    }
  });

  it("need predictions, and a field to group by that is there", async () => {
    const none = await failureOf(BoundaryError, () => scored([], "em"));
    expect(none.message).toContain("no predictions");
    const field = await failureOf(UsageError, () => scored([["a", ["a"], { kind: "x" }]], "em", { groupBy: "kid" }));
    expect(field.message).toContain("Did you mean kind?");
  });
});

it("outputs of 100,000 characters are scored by every metric there is", () => {
  const generator = seededGenerator(4);
  const words = ["the", "red", "house", "stands", "by", "a", "river", "42", "#### 7", "。", "家", "\n"];
  const long = (length: number): string => {
    let text = "";
    while (text.length < length) text += `${words[uniformInt(generator, 0, words.length - 1)] ?? ""} `;
    return text.slice(0, length);
  };
  const rows: Row[] = [
    [long(100_000), [long(100_000), "the red house"]],
    [long(100_000), ["42"]],
    ["a".repeat(100_000), ["a".repeat(99_999)]],
  ];
  const ofOutputs = metricNames().filter((name) => name !== "nll");
  const { scores, samples } = scored(rows, ofOutputs.join(","));
  expect(scores.map(({ metric }) => metric)).toEqual(ofOutputs);
  for (const { value, low, high } of scores) {
    expect(value).toBeGreaterThanOrEqual(0);
    expect(value).toBeLessThanOrEqual(100.0001);
    expect([low, high].every((end) => Number.isFinite(end))).toBe(true);
  }
  expect(samples.map(({ prediction }) => prediction.length)).toEqual(rows.map(([text]) => text.trim().length));
  // One long word that misses a letter is nearly all there for characters, and wrong for words.
  expect(samples[2]?.values["chrf"]).toBeGreaterThan(0.99);
  expect(samples[2]?.values["em"]).toBe(0);
});
