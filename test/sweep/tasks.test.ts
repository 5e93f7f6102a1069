import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { SampleError, UsageError } from "../../src/errors.js";
import { score } from "../../src/metrics/metric.js";
import { metricByName } from "../../src/metrics/registry.js";
import { parseConfig, type SweepConfig } from "../../src/sweep/config.js";
import type { SweepResult } from "../../src/run/result.js";
import { sweep } from "../../src/sweep/sweep.js";
import { withReading } from "../../src/tasks/answer-text.js";
import { regexExtraction } from "../../src/tasks/extraction.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeTinyAdapter, writeTinyModel } from "../support/tiny-model.js";
import { outputsOf, rowsOf } from "../support/tiny-sweep.js";

const folder = temporaryFolder();
let model: string;
let adapter: string;

beforeAll(async () => {
  model = await writeTinyModel(folder.path, "base.gguf", { architecture: "llama", contextLength: 2048 });
  adapter = await writeTinyAdapter(folder.path, "lora.gguf", { architecture: "llama" });
});

const at = (name: string): string => join(folder.path, name);

async function write(name: string, lines: readonly string[]): Promise<string> {
  await writeFile(at(name), lines.map((line) => `${line}\n`).join(""));
  return at(name);
}

const jsonLines = (rows: readonly object[]): string[] => rows.map((row) => JSON.stringify(row));

function configOf(task: string, more: Readonly<Record<string, unknown>>): SweepConfig {
  const fixed = { gpu: "off", threads: 1, sequences: 4, boundaries: "0,2,full", holdout: 0.5 };
  const short = "maxTokens" in more ? {} : { maxTokens: 6 };
  return parseConfig(more, { model, adapter, out: at(`run-${task}`), task, ...fixed, ...short });
}

interface KeptSample {
  readonly part: "selection" | "holdout";
  readonly id: string;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly references: readonly string[];
  readonly prompt: string;
}

interface TaskRun {
  readonly result: SweepResult;
  readonly samples: readonly KeptSample[];
}

/** Sweeps a task, and holds every score against the metric's own value of the outputs that the run wrote. */
async function runTask(task: string, more: Readonly<Record<string, unknown>>, language?: string): Promise<TaskRun> {
  const config = configOf(task, more);
  const result = await sweep(config);
  const samples = await rowsOf<KeptSample>(join(config.out, "samples.jsonl"));
  const outputs = await outputsOf(config.out);
  const { extract } = config;
  const answerOf = extract === undefined ? (text: string) => text : regexExtraction(extract);
  for (const { boundary, selection, holdout } of result.candidates) {
    for (const [part, entry] of Object.entries({ selection, holdout })) {
      const asked = samples.filter((sample) => sample.part === part);
      const texts = asked.map(({ id }) => {
        const row = outputs.find((one) => one.boundary === boundary && one.part === part && one.sampleId === id);
        return answerOf(row?.output.trim() ?? "missing");
      });
      for (const [name, own] of Object.entries(entry?.scores ?? {})) {
        const plain = metricByName(name, { rules: "squad", targetLanguage: language });
        const reading = {
          thoughts: [],
          extract: extract === undefined ? undefined : regexExtraction(extract),
          trim: true,
        };
        const [metric = plain] = withReading([plain], reading);
        const { value, signature } = score(
          metric,
          texts,
          asked.map(({ references }) => references),
        );
        expect([name, own.value, own.signature, own.n]).toEqual([name, value, signature, asked.length]);
      }
    }
  }
  return { result, samples };
}

/** No reference may stand in a prompt. */
function expectNoLeak(samples: readonly KeptSample[]): void {
  for (const { prompt, variables, references } of samples) {
    const shown = `${prompt}\n${JSON.stringify(variables)}`;
    for (const reference of references) expect(shown).not.toContain(reference);
  }
}

describe("--task math", () => {
  it("asks GSM8K's problems and scores the final numbers strictly and flexibly", async () => {
    const rows = Array.from({ length: 6 }, (_, i) => ({
      question: `Ben has ${i} pens and buys ${i + 3}. How many has he?`,
      answer: `He has ${i} + ${i + 3} = <<${i}+${i + 3}=${2 * i + 3}>>${2 * i + 3} pens.\n#### ${2 * i + 3}`,
    }));
    const { result, samples } = await runTask("math", { data: await write("gsm8k.jsonl", jsonLines(rows)) });
    expect(result.data.format).toBe("gsm8k");
    expect(result.metric).toBe("gsm8k-flexible");
    expect(result.labels).toEqual({ "gsm8k-strict": "EM (strict)", "gsm8k-flexible": "EM (flexible)" });
    expect(samples.map(({ references }) => references[0]).toSorted()).toEqual(
      rows.map(({ answer }) => answer).toSorted(),
    );
    expectNoLeak(samples);
    expect(samples[0]?.prompt).toContain('Write the final number after "####".');
  });

  it("takes 256 tokens, and in raw prompts the stops of the harness, unless told otherwise", async () => {
    const data = at("gsm8k.jsonl");
    const config = { data, out: at("run-math-raw"), template: "raw", maxTokens: undefined, boundaries: "0", limit: 2 };
    const { result } = await runTask("math", { ...config, rule: "best" });
    expect(result.generation).toMatchObject({
      maxTokens: 256,
      stop: ["Question:", "</s>", "<|im_end|>"],
      template: "raw",
    });
  });
});

describe("--task summary", () => {
  it("summarises SAMSum's dialogues and scores with ROUGE, stemmed", async () => {
    const rows = Array.from({ length: 6 }, (_, i) => ({
      id: `d${i}`,
      dialogue: `Ann: Are you in town on day ${i}?\r\nBob: Yes, come over.`,
      summary: `Bob invites Ann, number ${i}.`,
    }));
    const data = at("samsum.json");
    await writeFile(data, JSON.stringify(rows));
    const { result, samples } = await runTask("summary", { data });
    expect(result.data.format).toBe("samsum");
    expect(result.metric).toBe("rougeL:stemmer=yes");
    expect(Object.keys(result.labels)).toEqual([
      "rouge1:stemmer=yes",
      "rouge2:stemmer=yes",
      "rougeL:stemmer=yes",
      "rougeLsum:stemmer=yes",
    ]);
    expect(result.candidates[0]?.selection?.scores["rougeL:stemmer=yes"]?.signature).toContain("stemmer:yes");
    expectNoLeak(samples);
    for (const { id, prompt } of samples) {
      expect(prompt).toContain(`Ann: Are you in town on day ${id.slice(1)}?`);
    }
  });

  it("has several references for DialogSum's several summaries", async () => {
    const rows = Array.from({ length: 4 }, (_, i) => ({
      fname: `test_${i}`,
      dialogue: `#Person1#: Tea or coffee, number ${i}?`,
      summary1: "They choose a drink.",
      summary2: "A drink is offered.",
      summary3: "Someone asks.",
      topic1: "drinks",
    }));
    const data = await write("dialogsum.jsonl", jsonLines(rows));
    const { result, samples } = await runTask("summary", { data, out: at("run-dialogsum"), groupBy: "topic1" });
    expect(result.data.format).toBe("dialogsum");
    expect(samples.map(({ references }) => references.length)).toEqual([3, 3, 3, 3]);
    expect(result.candidates[0]?.selection?.scores["rouge1:stemmer=yes"]?.signature).toMatch(/^nrefs:3\|/);
    expect(Object.keys(result.candidates[0]?.selection?.groups ?? {})).toEqual(["drinks"]);
  });
});

describe("--task translation", () => {
  it("translates parallel text line for line, with the tokenizer of the target language", async () => {
    const data = await write("news.en-zh.en", ["The lamp is red.", "It rains.", "Come in.", "Go on."]);
    const references = await write("news.en-zh.zh", ["灯是红色的。", "下雨了。", "请进。", "继续。"]);
    const { result, samples } = await runTask("translation", { data, references }, "zh");
    expect(result.data).toMatchObject({ format: "parallel", targetLanguage: "zh" });
    expect(Object.keys(result.labels)).toEqual(["bleu:tok=zh", "chrf"]);
    expect(result.metric).toBe("chrf");
    expect(result.candidates[0]?.selection?.scores["bleu:tok=zh"]?.signature).toMatch(
      /^nrefs:1\|case:mixed\|eff:no\|tok:zh\|smooth:exp\|strip:space\|version:/,
    );
    expectNoLeak(samples);
    expect(samples.map(({ prompt }) => prompt.includes("from English into Chinese"))).toEqual([true, true, true, true]);
  });

  it("with different numbers of lines is refused with both", async () => {
    const data = await write("short.en", ["One.", "Two."]);
    const references = await write("short.zh", ["一。"]);
    const error = await failureOf(SampleError, () => sweep(configOf("translation", { data, references })));
    expect(error.message).toMatch(/short\.en and .*short\.zh do not have the same number of lines: found 2 and 1/);
    const task = await failureOf(UsageError, () => sweep(configOf("qa", { data, references })));
    expect(task.message).toContain("--references does not go with --task qa");
  });

  it("into a language that nothing names is noted, since BLEU must split it somehow", async () => {
    const rows = ["Eins.", "Zwei.", "Drei.", "Vier."].map((target, i) => ({ source: `Number ${i}.`, target }));
    const { result } = await runTask("translation", {
      data: await write("plain.jsonl", jsonLines(rows)),
      out: at("plain"),
    });
    expect(result.notes.join("\n")).toMatch(/not known.*13a.*--target-language/);
    const named = await runTask("translation", { data: at("plain.jsonl"), out: at("named"), targetLanguage: "de" });
    expect(named.result.notes.join("\n")).not.toContain("--target-language");
  });

  it("into mixed languages is noted, and BLEU then splits as for none of them", async () => {
    const rows = ["Chinese", "German", "Chinese", "German"].map((target_language, i) => ({
      source: `It is number ${i}.`,
      target: target_language === "German" ? `Es ist Nummer ${i}.` : `这是第${i}号。`,
      target_language,
    }));
    const data = await write("mixed.jsonl", jsonLines(rows));
    const { result } = await runTask("translation", { data, out: at("run-mixed"), groupBy: "target_language" });
    expect(result.data.targetLanguage).toBeUndefined();
    expect(Object.keys(result.labels)).toEqual(["bleu", "chrf"]);
    expect(result.notes.join("\n")).toMatch(/2 target languages \((Chinese, German)\).*--group-by target_language/);
    expect(Object.keys(result.candidates[0]?.selection?.groups ?? {}).length).toBeGreaterThan(0);
  });
});

describe("--task yes-no", () => {
  it("asks a table's questions and scores the label alone, and answers that say more", async () => {
    const lines = ["Is ice cold?\tyes", "Is snow black?\tno", "Is it wet?\tyes", "Is fire cold?\tno"];
    const { result, samples } = await runTask("yes-no", { data: await write("labels.tsv", lines), groupBy: "label" });
    expect(result.data.format).toBe("tsv-label");
    expect([result.metric, Object.keys(result.labels)]).toEqual(["accuracy", ["accuracy", "over-long"]]);
    expect(samples.map(({ references }) => references[0]).toSorted()).toEqual(["no", "no", "yes", "yes"]);
    expect(samples.map(({ variables }) => Object.keys(variables))).toEqual(samples.map(() => ["text", "question"]));
    // A random model's six tokens say more than three letters, nearly always.
    expect(result.candidates[0]?.selection?.scores["over-long"]?.value).toBeGreaterThan(0);
  });

  it("takes response selection's 1 and 0 for yes and no", async () => {
    const turns = ["hello", "hi , is it there ?"];
    const lines = ["yes it is", "no idea what", "it is sold out", "blue cheese"].map((response, i) =>
      [String((i + 1) % 2), ...turns, response].join("\t"),
    );
    const data = await write("ecd.txt", lines);
    const { result, samples } = await runTask("yes-no", { data, out: at("run-ecd") });
    expect(result.data.format).toBe("response-selection");
    expect(samples.map(({ references }) => references[0]).toSorted()).toEqual(["no", "no", "yes", "yes"]);
  });
});

describe("--task custom", () => {
  const rows = Array.from({ length: 8 }, (_, i) => ({
    id: `c${i}`,
    animal: `otter ${i}`,
    place: `river ${i}`,
    gold: Array.from("abcdefghijklmnopqrstuvwxyz").slice(i, i + 18),
  }));
  let data: string;
  let prompt: string;
  beforeAll(async () => {
    data = await write("custom.jsonl", jsonLines(rows));
    prompt = await write("own.jinja", ["Where is the {{ animal }}? At the {{ place }}."]);
  });

  it("has the prompt, the fields, the extraction and the metrics that it is given", async () => {
    const own = {
      data,
      prompt,
      map: "answers=gold",
      extract: "[a-z]",
      metrics: "accuracy,contains",
      metric: "accuracy",
    };
    const { result, samples } = await runTask("custom", own);
    expect([result.metric, Object.keys(result.labels)]).toEqual(["accuracy", ["accuracy", "contains"]]);
    for (const { id, prompt: text, references, variables } of samples) {
      const row = rows.find((one) => one.id === id);
      expect(text).toContain(`Where is the ${row?.animal ?? ""}? At the ${row?.place ?? ""}.`);
      expect(references).toEqual(row?.gold);
      expect(Object.keys(variables)).toEqual(["animal", "place"]);
    }
    // One letter of an output is right now and then: without the extraction none of them is.
    const values = result.candidates.flatMap(({ selection }) => selection?.scores["accuracy"]?.value ?? []);
    expect(Math.max(...values)).toBeGreaterThan(0);
    const whole = await runTask("custom", { ...own, extract: undefined });
    expect(whole.result.timings.answersGenerated).toBe(0);
    expect(whole.result.candidates.map(({ selection }) => selection?.scores["accuracy"]?.value)).toEqual([0, 0, 0]);
  });

  it("needs a prompt file", async () => {
    const error = await failureOf(UsageError, () => sweep(configOf("custom", { data, map: "answers=gold" })));
    expect(error.message).toContain("--task custom has no prompt of its own: expected --prompt FILE");
  });

  it("names the variables where the prompt uses none of them, and the fields where no reference is known", async () => {
    const empty = await write("empty.jinja", ["{{ anmial }}"]);
    const rendered = await failureOf(SampleError, () =>
      sweep(configOf("custom", { data, prompt: empty, map: "answers=gold" })),
    );
    expect(rendered.message).toMatch(/is empty for sample c\d.*animal, place/);
    const references = await failureOf(SampleError, () => sweep(configOf("custom", { data, prompt })));
    expect(references.message).toMatch(/custom\.jsonl, line 1: the sample has no reference.*--map answers=/);
  });
});
