import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadSamples } from "../../src/samples/load.js";
import { workbench } from "../support/workbench.js";
import { jsonl, temporaryFiles } from "./files.js";

const file = temporaryFiles();

const apples = { question: "Two apples and three more?", answer: "2 + 3 = <<2+3=5>>5 apples.\n#### 5" };
const pears = { question: "Half of 2,400 pears?", answer: "2400 / 2 = 1,200.\n#### 1,200" };

describe("GSM8K", () => {
  it("takes the whole answer as the reference, and keeps it from the prompt", async () => {
    const path = await file(
      "gsm8k.jsonl",
      jsonl(apples, { ...pears, rationale: "1,200 halves", solution: "1,200", level: 3 }),
    );
    expect(await loadSamples(path, { kind: "math" })).toMatchObject({
      format: "gsm8k",
      notes: [],
      samples: [
        { id: "line-1", variables: { question: apples.question }, references: [apples.answer] },
        { id: "line-2", variables: { question: pears.question, level: 3 }, references: [pears.answer] },
      ],
    });
    const { samples } = await loadSamples(path, { kind: "math" });
    expect(samples.map(({ variables }) => Object.keys(variables))).toEqual([["question"], ["question", "level"]]);
  });

  it("is read as our own JSONL by other tasks, as before", async () => {
    const path = await file("as-qa.jsonl", jsonl(apples));
    const plain = await loadSamples(path);
    expect(plain).toEqual(await loadSamples(path, { kind: "qa" }));
    expect(plain).toMatchObject({ format: "jsonl", samples: [{ references: [apples.answer] }] });
  });

  it.each([
    ["without the mark", "It is 7."],
    ["without a number behind the mark", "It is 7.\n#### "],
    ["with the number too near, which no script finds", "It is 7.\n####7"],
  ])("refuses an answer %s where others have it", async (name, answer) => {
    const path = await file(`${name}.jsonl`, jsonl(apples, { question: "Seven?", answer }));
    await expect(loadSamples(path, { kind: "math" })).rejects.toMatchObject({
      name: "SampleError",
      line: 2,
      field: "answer",
      message: expect.stringMatching(
        /line 2: field "answer" has no final number: found ".*", expected .*#### /,
      ) as string,
    });
  });
});

describe("other word problems", () => {
  it("takes texts, numbers and lists of them as answers", async () => {
    const path = await file(
      "plain.jsonl",
      jsonl(
        { question: "a", answer: 42 },
        { question: "b", answer: 0.5 },
        { question: "c", answers: ["7", 7] },
        { question: "d", reference: "-1" },
      ),
    );
    const loaded = await loadSamples(path, { kind: "math" });
    expect(loaded.format).toBe("jsonl");
    expect(loaded.samples.map(({ references }) => references)).toEqual([["42"], ["0.5"], ["7", "7"], ["-1"]]);
  });

  it("reads mapped fields, and hides those", async () => {
    const path = await file("mapped.jsonl", jsonl({ problem: "a", solution: "b\n#### 1", level: "hard" }));
    const { format, samples } = await loadSamples(path, {
      kind: "math",
      map: { question: "problem", answer: "solution" },
    });
    expect(format).toBe("jsonl");
    expect(samples).toEqual([
      { id: "line-1", variables: { problem: "a", question: "a", level: "hard" }, references: ["b\n#### 1"] },
    ]);
  });

  it.each([
    [
      "a missing question",
      { problem: "a", answer: "1" },
      /line 1: field "question" is missing: found problem, answer.*--map question=problem/,
    ],
    [
      "no reference",
      { question: "a", result: "1" },
      /line 1: the sample has no reference: found question, result.*--map answers=/,
    ],
    [
      "an empty answer",
      { question: "a", answer: " " },
      /field "answer" is wrong: found " ", expected a text that is not empty/,
    ],
    ["an object for an answer", { question: "a", answer: { n: 1 } }, /field "answer" is wrong: found \{"n":1\}/],
    [
      "a number too large for JSON",
      { question: "a", answer: 2 ** 53 },
      /field "answer" is wrong: found 9007199254740992/,
    ],
    ["an empty list", { question: "a", answers: [] }, /field "answers" is wrong: found \[\]/],
    ["a text for a row", "a", /line 1: not an object: found "a", expected an object such as \{"question"/],
  ])("names line and field of %s", async (name, row, message) => {
    const path = await file(`${name}.jsonl`, jsonl(row));
    await expect(loadSamples(path, { kind: "math" })).rejects.toThrow(message);
  });

  it("does not read SQuAD's layout", async () => {
    const path = await file("squad.json", JSON.stringify({ version: "1.1", data: [] }));
    await expect(loadSamples(path, { kind: "math" })).rejects.toMatchObject({
      name: "UsageError",
      message: expect.stringMatching(/--task math does not go with this file: found .* in SQuAD's layout/) as string,
    });
  });
});

describe("published data (needs the workbench beside the project)", () => {
  it.skipIf(workbench === undefined)("gsm8k-format.jsonl is read as gsm8k with 200 samples", async () => {
    const path = join(workbench ?? "", "data", "gsm8k-format.jsonl");
    const loaded = await loadSamples(path, { kind: "math" });
    expect(loaded).toMatchObject({ format: "gsm8k", notes: [] });
    const rows = readFileSync(path, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as typeof apples);
    expect(loaded.samples.map(({ variables, references }) => ({ ...variables, references }))).toEqual(
      rows.map(({ question, answer }) => ({ question, references: [answer] })),
    );
    expect(loaded.samples).toHaveLength(200);
  });
});
