import { describe, expect, it } from "vitest";
import { loadSamples } from "../../src/samples/load.js";
import { jsonl, temporaryFiles } from "./files.js";

const file = temporaryFiles();
const kind = "yes-no";

describe("labels in JSONL", () => {
  it("makes yes and no of 1, 0, true and false, and leaves texts as they are", async () => {
    const labels = [1, 0, true, false, "1", "0", "yes", "No", "maybe", "true"];
    const path = await file("labels.jsonl", jsonl(...labels.map((label) => ({ question: "Is it?", label }))));
    const loaded = await loadSamples(path, { kind });
    expect(loaded.format).toBe("jsonl");
    const expected = ["yes", "no", "yes", "no", "yes", "no", "yes", "No", "maybe", "true"];
    expect(loaded.samples.map(({ references }) => references)).toEqual(expected.map((label) => [label]));
    expect(loaded.samples.map(({ group }) => group?.["label"])).toEqual(expected);
  });

  it("takes a text as the question, and keeps the label from the prompt", async () => {
    const path = await file(
      "texts.jsonl",
      jsonl(
        { text: "Nice.", label: "yes", id: 4, lang: "en" },
        { question: "Is snow white?", text: "Snow.", context: "c", answer: true, reference: "x" },
      ),
    );
    expect((await loadSamples(path, { kind })).samples).toEqual([
      {
        id: "4",
        variables: { question: "Nice.", text: "Nice.", lang: "en" },
        references: ["yes"],
        group: { label: "yes" },
      },
      {
        id: "line-2",
        variables: { question: "Is snow white?", text: "Snow.", context: "c" },
        references: ["yes"],
        group: { label: "yes" },
      },
    ]);
  });

  it("reads mapped fields, and hides those", async () => {
    const path = await file("mapped.jsonl", jsonl({ sentence: "Nice.", gold: 1, label: "z" }));
    const { samples } = await loadSamples(path, { kind, map: { question: "sentence", label: "gold" } });
    expect(samples).toEqual([
      {
        id: "line-1",
        variables: { question: "Nice.", sentence: "Nice." },
        references: ["yes"],
        group: { label: "yes" },
      },
    ]);
  });

  it.each([
    [
      "no label",
      { question: "a", labl: 1 },
      "label",
      /line 2: the sample has no reference: found question, labl, expected "label", .*--map label=labl/,
    ],
    [
      "no question",
      { query: "a", label: 1 },
      "question",
      /line 2: field "question" is missing: found query, label.*--map question=query/,
    ],
    ["an empty text", { text: " ", label: 1 }, "question", /line 2: field "question" is wrong: found " "/],
    [
      "the label of sets without labels",
      { text: "a", label: -1 },
      "label",
      /line 2: field "label" is wrong: found -1, expected 1 or true for yes/,
    ],
    ["a class by number", { text: "a", label: 2 }, "label", /line 2: field "label" is wrong: found 2.*--task custom/],
    ["an empty label", { text: "a", label: "" }, "label", /line 2: field "label" is wrong: found ""/],
  ])("names line and field of %s", async (name, row, field, message) => {
    const path = await file(`${name}.jsonl`, jsonl({ text: "a", label: 0 }, row));
    await expect(loadSamples(path, { kind })).rejects.toMatchObject({
      name: "SampleError",
      line: 2,
      field,
      message: expect.stringMatching(message) as string,
    });
  });
});

describe("labels in a table", () => {
  const samples = [
    {
      id: "line-1",
      variables: { question: 'It is "good".', text: 'It is "good".' },
      references: ["yes"],
      group: { label: "yes" },
    },
    { id: "line-2", variables: { question: "Bad.", text: "Bad." }, references: ["no"], group: { label: "no" } },
  ];

  it.each([
    ["text and label", 'It is "good".\t1\nBad.\t0\n', ".tsv"],
    ["label and text", '1\tIt is "good".\r\n0\tBad.\r\n', ".tsv"],
    ["text labels", '\ufeffIt is "good".\tyes\nBad.\tno', ".txt"],
  ])("reads two columns without a header: %s", async (name, content, extension) => {
    const loaded = await loadSamples(await file(`${name}${extension}`, content), { kind });
    expect(loaded).toMatchObject({ format: "tsv-label", samples });
    expect(loaded.samples).toEqual(samples);
  });

  it("reads columns that the first line names, in any order and number", async () => {
    const path = await file("glue.tsv", "index\tlabel\tquestion\n0\t1\tIs it?\n1\tno\tIs it not?\n");
    const loaded = await loadSamples(path, { kind });
    expect(loaded.format).toBe("tsv-label");
    expect(loaded.samples).toMatchObject([
      { id: "line-2", variables: { index: "0", question: "Is it?" }, references: ["yes"] },
      { id: "line-3", variables: { index: "1", question: "Is it not?" }, references: ["no"] },
    ]);
    const mapped = await file("mapped.tsv", "sentence\tgold\nNice.\t1\n");
    expect(await loadSamples(mapped, { kind, map: { question: "sentence", label: "gold" } })).toMatchObject({
      samples: [{ id: "line-2", variables: { question: "Nice." }, references: ["yes"] }],
    });
  });

  it("does not take a first text for a header, nor a text with numbers for a label", async () => {
    const first = await file("first.tsv", "What is the label?\tyes\nAnd you?\tno\n");
    expect((await loadSamples(first, { kind })).samples).toHaveLength(2);
    const numbers = await file("numbers.tsv", "1\t0\n0\t1\n");
    expect(await loadSamples(numbers, { kind })).toMatchObject({
      samples: [
        { variables: { question: "1" }, references: ["no"] },
        { variables: { question: "0" }, references: ["yes"] },
      ],
    });
    const bracket = await file("bracket.txt", "[Music] Nice.\t1\n");
    expect(await loadSamples(bracket, { kind })).toMatchObject({ samples: [{ references: ["yes"] }] });
  });

  it.each([
    [
      "another number of columns",
      "a\tyes\nb\n",
      /line 2: another number of columns: found 1 \("b"\), expected 2, with tabs between them: text, label/,
    ],
    [
      "three columns without a header",
      "a\tb\tyes\n",
      /line 1: another number of columns: found 3.*name them in a first line, "label" among them/,
    ],
    [
      "a line shorter than its header",
      "text\tlabel\tid\na\tyes\n",
      /line 2: another number of columns: found 2 .*expected 3, with tabs between them: text, label, id/,
    ],
    [
      "a header in other letters",
      "Text\tLabel\na\tyes\n",
      /line 2: field "question" is missing: found Text, Label.*--map question=Text/,
    ],
    ["an empty text", "a\tyes\n\tno\n", /line 2: field "question" is wrong: found ""/],
    ["an empty label", "a\tyes\nb\t\n", /line 2: field "label" is wrong: found ""/],
    ["a class by number", "a\t1\nb\t3\n", /line 2: field "label" is wrong: found "3"/],
    ["a header alone", "text\tlabel\n", /holds no samples/],
    [
      "a mapped column that is not there",
      "text\tlabel\na\tyes\n",
      /line 1: the field "gold" that --map names for "label" does not exist/,
    ],
  ])("names the line of %s", async (name, content, message) => {
    const options = name.startsWith("a mapped") ? ({ kind, map: { label: "gold" } } as const) : ({ kind } as const);
    await expect(loadSamples(await file(`${name}.tsv`, content), options)).rejects.toThrow(message);
  });
});

describe("response selection", () => {
  it("asks whether the last text fits the dialogue before it", async () => {
    const path = await file("test.txt", "1\t你 好\t在 吗\t在 的\n0\thi\tbye\r\n");
    const loaded = await loadSamples(path, { kind });
    expect(loaded.format).toBe("response-selection");
    expect(loaded.samples).toEqual([
      {
        id: "line-1",
        variables: {
          context: "你 好\n在 吗\n\nResponse: 在 的",
          question: "Does the response fit as the next turn of the dialogue?",
          utterances: ["你 好", "在 吗"],
          response: "在 的",
        },
        references: ["yes"],
        group: { label: "yes" },
      },
      {
        id: "line-2",
        variables: {
          context: "hi\n\nResponse: bye",
          question: "Does the response fit as the next turn of the dialogue?",
          utterances: ["hi"],
          response: "bye",
        },
        references: ["no"],
        group: { label: "no" },
      },
    ]);
  });

  it.each([
    ["another label", "1\ta\tb\n2\ta\tb\n", "label", /line 2: field "label" is wrong: found "2", expected 0 or 1/],
    ["no label", "1\ta\tb\nhello\ta\n", "label", /line 2: field "label" is wrong: found "hello"/],
    ["no utterance", "1\ta\tb\n0\tb\n", "response", /line 2: field "response" is missing: found "0\\tb"/],
    ["an empty response", "1\ta\tb\n0\ta\t \n", "response", /line 2: field "response" is missing/],
  ])("names line and field of %s", async (name, content, field, message) => {
    await expect(loadSamples(await file(`${name}.txt`, content), { kind })).rejects.toMatchObject({
      name: "SampleError",
      line: 2,
      field,
      message: expect.stringMatching(message) as string,
    });
  });

  it("takes no map", async () => {
    const path = await file("mapped.txt", "1\ta\tb\n");
    await expect(loadSamples(path, { kind, map: { label: "x" } })).rejects.toMatchObject({ name: "UsageError" });
  });
});
