import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { sha256File } from "../../src/files/file-source.js";
import { rescore } from "../../src/sweep/rescore.js";
import { sweepResultSchema } from "../../src/run/result.js";
import { sweep } from "../../src/sweep/sweep.js";
import { runCli } from "../support/cli.js";
import { callCli } from "../support/command.js";
import { ENGINE_START_MS, writeSweepFixture } from "../support/sweep-fixture.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { tinySweep } from "../support/tiny-sweep.js";

const folder = temporaryFolder();
const at = (name: string): string => join(folder.path, name);
let predictions: string;

async function write(name: string, lines: readonly string[]): Promise<string> {
  await writeFile(at(name), lines.map((line) => `${line}\n`).join(""));
  return at(name);
}

const rows = [
  { id: "a", prediction: "The red house.", references: ["red house"], kind: "house" },
  { id: "b", prediction: "a red house by the river", references: ["house"], kind: "house" },
  { id: "c", prediction: "1900", references: ["1901", "1900"], kind: "year" },
  { id: "d", prediction: "", references: ["none"], kind: "year" },
];

interface ScoresDocument {
  readonly data: { path: string; format: string; sha256: string };
  readonly notes: string[];
  readonly scores: {
    metric: string;
    label: string;
    value: number;
    low: number;
    high: number;
    n: number;
    signature: string;
  }[];
  readonly groups: Record<string, { metric: string; value: number; n: number }[]>;
  readonly samples: { id: string; prediction: string; values: Record<string, number> }[];
}

async function scoresOf(...args: string[]): Promise<ScoresDocument> {
  const { code, stdout, stderr } = await callCli(["score", ...args, "--json"]);
  expect([code, stderr]).toEqual([0, ""]);
  return JSON.parse(stdout) as ScoresDocument;
}

/** Calls `boundary score` in a way that must fail, and returns what it says. */
async function refused(code: number, ...args: string[]): Promise<string> {
  const result = await callCli(["score", ...args]);
  expect([result.code, result.stdout]).toEqual([code, ""]);
  return result.stderr;
}

beforeAll(async () => {
  predictions = await write(
    "predictions.jsonl",
    rows.map((row) => JSON.stringify(row)),
  );
});

describe("boundary score of a file of outputs", () => {
  it("is a table of scores with intervals and signatures", async () => {
    const { code, stdout } = await callCli(["score", "--data", predictions, "--metrics", "em,f1,contains"]);
    expect(code).toBe(0);
    const words = stdout.split("\n").map((line) => line.trim().split(/ {2,}/));
    expect(words[0]).toEqual(["metric", "score", "95 % interval", "n", "signature"]);
    // a: 1 and 1; b: 0, and one of four words without articles, 2 x 1/4 / (1 + 1/4); c: 1 and 1; d: 0 and 0. b holds its reference.
    expect(words.slice(1, 4).map(([label, value, , n]) => [label, value, n])).toEqual([
      ["EM", "50.00", "4"],
      ["F1", ((100 * (2 + 0.4)) / 4).toFixed(2), "4"],
      ["contains", "75.00", "4"],
    ]);
    expect(words[1]?.[4]).toMatch(/^nrefs:var\|rules:squad-v1\.1\|version:/);
    expect(stdout).toContain("Intervals: ");
  });

  it("with --json has every sample's own values, from a process that prints nothing else", async () => {
    const { code, stdout, stderr } = await runCli(["score", "--data", predictions, "--json"]);
    expect([code, stderr]).toEqual([0, ""]);
    const document = JSON.parse(stdout) as ScoresDocument;
    expect(document.data).toEqual({ path: predictions, format: "jsonl", sha256: await sha256File(predictions) });
    expect(document.scores.map(({ metric, n }) => [metric, n])).toEqual([
      ["em", 4],
      ["f1", 4],
    ]);
    expect(document.samples.map(({ id, values }) => [id, values["em"], values["f1"]])).toEqual([
      ["a", 1, 1],
      ["b", 0, expect.closeTo(0.4, 9)],
      ["c", 1, 1],
      ["d", 0, 0],
    ]);
  });

  it("reads other fields by --map, and names the nearest for one that is not there", async () => {
    const data = await write("mapped.jsonl", ['{"out": "Rome", "gold": {"text": "Rome"}}']);
    const { scores } = await scoresOf("--data", data, "--map", "prediction=out,references=gold.text");
    expect(scores[0]?.value).toBe(100);
    expect(await refused(1, "--data", data, "--map", "prediction=oput,references=gold.text")).toMatch(
      /line 1: the field "oput" that --map names for "prediction".*Did you mean prediction=out\?/,
    );
    expect(await refused(1, "--data", data, "--map", "prediction=out,references=gold.txt")).toMatch(
      /line 1: the field "gold\.txt".*Did you mean references=gold\.text\?/,
    );
  });

  it("reads lines of text with the references beside them, in the tokenizer of their language", async () => {
    const hypotheses = await write("hyp.zh", ["灯是红色的。", "下雨了。"]);
    const [first, second] = [
      await write("one.zh", ["灯是红色的。", "下雨。"]),
      await write("two.zh", ["灯是红的。", "在下雨。"]),
    ];
    const { scores, data } = await scoresOf(
      "--data",
      hypotheses,
      "--references",
      `${first},${second}`,
      "--metrics",
      "bleu,chrf",
    );
    expect(data.format).toBe("parallel");
    expect(scores.map(({ metric }) => metric)).toEqual(["bleu:tok=zh", "chrf"]);
    expect(scores[0]?.signature).toMatch(/^nrefs:2\|case:mixed\|eff:no\|tok:zh\|smooth:exp\|version:/);
    const short = await write("short.zh", ["灯是红色的。"]);
    const said = await refused(1, "--data", hypotheses, "--references", short, "--metrics", "bleu");
    expect(said).toMatch(/hyp\.zh and .*short\.zh do not have the same number of lines: found 2 and 1/);
  });

  it("breaks scores down by a field", async () => {
    const { groups } = await scoresOf("--data", predictions, "--metrics", "em", "--group-by", "kind");
    expect(Object.entries(groups).map(([name, [em]]) => [name, em?.value, em?.n])).toEqual([
      ["house", 50, 2],
      ["year", 50, 2],
    ]);
    const { stdout } = await callCli(["score", "--data", predictions, "--metrics", "em", "--group-by", "kind"]);
    expect(stdout).toMatch(/^group +n +EM$/m);
    expect(stdout).toMatch(/^year +2 +50\.00 \(.* to .*\)$/m);
    expect(await refused(2, "--data", predictions, "--group-by", "knd")).toContain("Did you mean kind?");
  });

  it("of mixed languages is broken down, in one tokenizer that can be said", async () => {
    const data = await write("mixed.jsonl", [
      '{"prediction": "灯是红色的。", "references": ["灯是红色的。"], "lang": "zh"}',
      '{"prediction": "the lamp is red and old", "references": ["the lamp is red and new"], "lang": "en"}',
    ]);
    const plain = await scoresOf("--data", data, "--metrics", "bleu", "--group-by", "lang");
    expect([plain.scores[0]?.metric, Object.keys(plain.groups)]).toEqual(["bleu", ["en", "zh"]]);
    const chinese = await scoresOf(
      "--data",
      data,
      "--metrics",
      "bleu",
      "--target-language",
      "zh",
      "--group-by",
      "lang",
    );
    expect(chinese.scores[0]?.metric).toBe("bleu:tok=zh");
    expect(chinese.groups["zh"]?.[0]?.value).toBeCloseTo(100, 9);
    // One word of six is wrong; without a split into characters the Chinese line is one token, too short for BLEU's four.
    expect(plain.groups["zh"]?.[0]?.value).toBeLessThan(100);
  });

  it("takes what an extraction finds", async () => {
    const data = await write("answers.jsonl", ['{"prediction": "The answer is Rome.", "reference": "Rome"}']);
    const { scores, samples } = await scoresOf("--data", data, "--extract", "answer is (\\w+)");
    expect([scores[0]?.value, samples[0]?.prediction]).toEqual([100, "Rome"]);
  });

  it("follows the script that --qa-script names", async () => {
    const data = await write("yes.jsonl", ['{"prediction": "yes it is", "reference": "yes"}']);
    const valueBy = async (...rules: string[]): Promise<number | undefined> =>
      (await scoresOf("--data", data, "--metrics", "f1", ...rules)).scores[0]?.value;
    expect([await valueBy(), await valueBy("--qa-script", "hotpotqa")]).toEqual([50, 0]);
  });

  it("names what is wrong: metrics, options, rows, files, flags", async () => {
    expect(await refused(2, "--data", predictions, "--metrics", "em,bleuu")).toContain("Did you mean bleu?");
    expect(await refused(2, "--data", predictions, "--metrics", "bleu:tok=zhh")).toMatch(/option tok.*"zhh"/);
    const unreferenced = await write("unreferenced.jsonl", [
      ...rows.map((row) => JSON.stringify(row)),
      '{"prediction": "x"}',
    ]);
    expect(await refused(1, "--data", unreferenced)).toMatch(
      /unreferenced\.jsonl, line 5: the sample has no reference/,
    );
    const unanswered = await write("unanswered.jsonl", ['{"references": ["x"]}']);
    expect(await refused(1, "--data", unanswered)).toMatch(/unanswered\.jsonl, line 1: .*prediction/);
    expect(await refused(1, "--data", at("nowhere.jsonl"))).toContain("no such file");
    expect(await refused(2, "--data", predictions, "--extract", "(")).toContain("not a regular expression");
    expect(await refused(2)).toContain("nothing to score");
    expect(await refused(2, "--daat", predictions)).toContain("--data");
  });

  it.each([
    ["--rule", "best"],
    ["--metric", "em"],
    ["--floor", "f1=-1"],
    ["--margin", "1"],
  ])("has no boundary to choose: %s %s is refused", async (...flags) => {
    expect(await refused(2, "--data", predictions, ...flags)).toContain("a file of outputs has none");
  });
});

describe("boundary score of a finished run", () => {
  const run = (): string => at("run");
  beforeAll(async () => {
    const fixture = await writeSweepFixture(folder.path);
    await sweep(tinySweep(fixture, run(), { rule: "best" }));
  }, ENGINE_START_MS);

  it("is the run's result under other settings", async () => {
    const { code, stdout } = await callCli(["score", run(), "--rule", "paper", "--metric", "f1", "--json"]);
    expect(code).toBe(0);
    expect(sweepResultSchema.parse(JSON.parse(stdout))).toEqual(await rescore(run(), { rule: "paper", metric: "f1" }));
  });

  it("is shown as a sweep's end is", async () => {
    const { stdout } = await callCli(["score", run(), "--metrics", "contains", "--group-by", "kind"]);
    expect(stdout).toMatch(/^K +contains \(plain\) +contains +tokens\/answer/m);
    expect(stdout).toContain("contains (plain) by group (holdout)");
  });

  it("takes the settings of all of --rule, --margin, --floor and --extract", async () => {
    const flags = ["--rule", "no-worse", "--margin", "90", "--floor", "em=-5", "--extract", "[a-z]"];
    const { code, stdout } = await callCli(["score", run(), ...flags, "--json"]);
    expect(code).toBe(0);
    const { choice } = sweepResultSchema.parse(JSON.parse(stdout));
    expect(choice).toMatchObject({ rule: "no-worse", margin: 90, floors: [{ metric: "em", points: -5 }] });
  });

  it("has samples of its own", async () => {
    for (const flags of [
      ["--data", predictions],
      ["--references", "x"],
      ["--map", "a=b"],
    ]) {
      expect(await refused(2, run(), ...flags)).toContain("a run has its own samples");
    }
    expect(await refused(2, at("nowhere"))).toContain("holds no finished run");
    expect(await refused(2, run(), "--rule", "luck")).toContain("best, one-se, no-worse, paper");
  });
});
