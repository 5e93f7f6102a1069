import { describe, expect, it } from "vitest";
import { UsageError } from "../../../src/errors.js";
import type { SampleFormat } from "../../../src/samples/sample.js";
import { scoringOf, type Scoring } from "../../../src/sweep/inputs/scoring.js";
import { taskByName, taskNames } from "../../../src/tasks/task.js";
import { thoughtMarksOf, type ThoughtMarks } from "../../../src/tasks/thoughts.js";
import { failureOf } from "../../support/failure.js";
import { configWith } from "../../support/planned-sweep.js";

interface Data {
  readonly format: SampleFormat;
  readonly targetLanguage?: string;
  readonly thoughts?: readonly ThoughtMarks[];
}

function scoringFor(
  settings: Readonly<Record<string, unknown>> = {},
  task = "qa",
  data: Data = { format: "jsonl" },
): Scoring {
  return scoringOf(configWith(settings), taskByName(task), { thoughts: [], ...data });
}

const names = ({ metrics }: Scoring): string[] => metrics.map(({ name }) => name);

describe("the metrics of a sweep", () => {
  it("are the task's unless others are asked for", () => {
    expect(names(scoringFor())).toEqual(["em", "f1", "contains"]);
    expect(scoringFor().primary.name).toBe("contains");
    expect(names(scoringFor({}, "math"))).toEqual(["gsm8k-strict", "gsm8k-flexible"]);
    expect(scoringFor({}, "yes-no").primary.name).toBe("accuracy");
  });

  it.each(taskNames())("of the task %s have a primary one of which more is better", (task) => {
    const scoring = scoringFor({}, task);
    expect(names(scoring)).toContain(scoring.primary.name);
    expect(scoring.primary.lowerIsBetter).toBeUndefined();
    expect(scoring.floors).toEqual([]);
    expect(scoring.reading).toEqual({ thoughts: [], extract: undefined, trim: true });
  });

  it("keep the order that was asked for, each once, options included", () => {
    expect(names(scoringFor({ metrics: "f1, em,f1,rouge1:stemmer=yes" }))).toEqual(["f1", "em", "rouge1:stemmer=yes"]);
  });

  it("without the task's own primary one are led by the first of which more is better", () => {
    expect(scoringFor({ metrics: "f1,em" }).primary.name).toBe("f1");
    expect(scoringFor({ metrics: "over-long,em" }, "yes-no").primary.name).toBe("em");
    // The usual one leads wherever it is among them.
    expect(scoringFor({ metrics: "em,contains" }).primary.name).toBe("contains");
  });

  it("of which less is better alone are led by the task's primary one, which joins them", () => {
    const scoring = scoringFor({ metrics: "over-long" }, "yes-no");
    expect([names(scoring), scoring.primary.name]).toEqual([["over-long", "accuracy"], "accuracy"]);
  });

  it("take in the one that chooses and those with a floor, asked for or not", () => {
    const scoring = scoringFor({ metrics: "em", metric: "contains-plain", floor: "f1=-1" });
    expect(names(scoring)).toEqual(["em", "contains-plain", "f1"]);
    expect(scoring.primary.name).toBe("contains-plain");
  });

  it("that are not known are told with the nearest name, wherever they stand", async () => {
    for (const [settings, nearest] of [
      [{ metric: "contians" }, "contains"],
      [{ metrics: "em,f2" }, "f1"],
      [{ floor: "acuracy=-1" }, "accuracy"],
    ] as const) {
      const error = await failureOf(UsageError, () => scoringFor(settings));
      expect(error.message).toMatch(/^unknown metric: found "/);
      expect(error.message).toContain(`Did you mean ${nearest}?`);
    }
    const option = await failureOf(UsageError, () => scoringFor({ metrics: "bleu:token=zh" }));
    expect(option.message).toMatch(/unknown option of the metric bleu: found "token=zh".*Did you mean tok\?/);
    const none = await failureOf(UsageError, () => scoringFor({ metrics: " , " }));
    expect(none.message).toContain("no metric is named");
  });

  it("of which less is better cannot choose", async () => {
    const error = await failureOf(UsageError, () => scoringFor({ metric: "over-long" }, "yes-no"));
    expect(error.message).toBe(
      "over-long cannot choose a boundary: less of it is better. " +
        "Choose by another metric (--metric accuracy) and name this one in --metrics.",
    );
    expect(error.exitCode).toBe(2);
    expect(names(scoringFor({ metrics: "accuracy,over-long" }, "yes-no"))).toEqual(["accuracy", "over-long"]);
  });
});

describe("floors", () => {
  it("are read by their last equals sign, under the metrics' own names", () => {
    expect(scoringFor({ floor: "f1=-1.0,em=-2" }).floors).toEqual([
      { metric: "f1", points: -1 },
      { metric: "em", points: -2 },
    ]);
    expect(scoringFor({ floor: "bleu:tok=zh=-0.5, contains = 0 ," }).floors).toEqual([
      { metric: "bleu:tok=zh", points: -0.5 },
      { metric: "contains", points: 0 },
    ]);
  });

  it("are not for metrics of which less is better", async () => {
    const error = await failureOf(UsageError, () => scoringFor({ floor: "over-long=-1" }, "yes-no"));
    expect(error.message).toContain("over-long cannot have a floor: less of it is better");
  });

  it("name BLEU as the target language has it", () => {
    const chinese = { format: "parallel", targetLanguage: "zh-CN" } as const;
    const scoring = scoringFor({ floor: "bleu=-1" }, "translation", chinese);
    expect(scoring.floors).toEqual([{ metric: "bleu:tok=zh", points: -1 }]);
    expect(names(scoring)).toEqual(["bleu:tok=zh", "chrf"]);
  });

  it.each(["f1", "f1=", "f1=-", "f1=low", "f1=1", "=-1", "f1=-Infinity", "f1=-1,em"])(
    "that cannot be read are quoted: %s",
    async (floor) => {
      const error = await failureOf(UsageError, () => scoringFor({ floor }));
      const piece = floor.split(",").at(-1) ?? "";
      expect(error.message).toBe(
        `a piece of --floor cannot be read: found ${JSON.stringify(piece)}, ` +
          "expected METRIC=-POINTS, such as f1=-1.0: at most one point below the full adapter",
      );
      expect(error.exitCode).toBe(2);
    },
  );
});

describe("what else scores depend on", () => {
  it.each([
    ["jsonl", "squad"],
    ["squad1.1", "squad"],
    ["squad2.0", "squad2"],
    ["hotpotqa", "hotpotqa"],
    ["gsm8k", "squad"],
  ] as const)("data in the format %s is judged by the rules of %s", (format, rules) => {
    expect(scoringFor({}, "qa", { format }).rules).toBe(rules);
    expect(scoringFor({ qaScript: "squad2" }, "qa", { format }).rules).toBe("squad2");
  });

  it.each([
    [undefined, "bleu", "13a"],
    ["de", "bleu", "13a"],
    ["zh", "bleu:tok=zh", "zh"],
    ["zh-TW", "bleu:tok=zh", "zh"],
    ["ja", "bleu:tok=char", "char"],
  ])("BLEU splits the target language %s as it must", (targetLanguage, name, tokenizer) => {
    const data: Data = { format: "parallel", ...(targetLanguage === undefined ? {} : { targetLanguage }) };
    const [bleu] = scoringFor({}, "translation", data).metrics;
    expect(bleu?.name).toBe(name);
    expect(bleu?.signatureParts).toContainEqual(["tok", tokenizer]);
  });

  it("the language that the data tells counts before that of the settings", () => {
    const settings = { targetLanguage: "ja" };
    expect(names(scoringFor(settings, "translation"))).toEqual(["bleu:tok=char", "chrf"]);
    expect(names(scoringFor(settings, "translation", { format: "parallel", targetLanguage: "zh" }))).toEqual([
      "bleu:tok=zh",
      "chrf",
    ]);
  });

  it("an extraction takes the last match; what is no regular expression is refused", async () => {
    const { reading } = scoringFor({ extract: "answer is (\\w+)" });
    expect(reading.extract?.("The answer is red. No, the answer is blue.")).toBe("blue");
    const error = await failureOf(UsageError, () => scoringFor({ extract: "(open" }));
    expect(error.message).toContain("the pattern of --extract is not a regular expression");
    expect(error.exitCode).toBe(2);
  });

  it("leave out the thoughts that the model's template has, unless the setting says otherwise, and their signatures say so", () => {
    const thinking: Data = { format: "jsonl", thoughts: thoughtMarksOf("{% if x %}<think>{% endif %}") };
    const partsOf = ({ primary }: Scoring): unknown => primary.signatureParts.find(([key]) => key === "strip")?.[1];
    const readOf = (settings: Readonly<Record<string, unknown>>, data?: Data): readonly unknown[] => {
      const scoring = scoringFor(settings, "qa", data);
      return [scoring.reading.thoughts.map(({ open }) => open), partsOf(scoring)];
    };
    expect(readOf({})).toEqual([[], "space"]);
    expect(readOf({}, thinking)).toEqual([["<think>"], "thoughts+space"]);
    expect(readOf({ stripThoughts: false }, thinking)).toEqual([[], "space"]);
    expect(readOf({ stripThoughts: true })[1]).toBe("thoughts+space");
    const { metrics } = scoringFor({ extract: "yes|no (\\w+)" });
    expect(metrics.map(({ signatureParts }) => signatureParts.at(-1))).toEqual(
      metrics.map(() => ["extract", "yes%7Cno%20(\\w+)"]),
    );
  });
});
