import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { FileError, SampleError, UsageError } from "../../src/errors.js";
import { loadSamples } from "../../src/samples/load.js";
import { jsonl, temporaryFiles } from "./files.js";

const file = temporaryFiles();

describe("our JSONL", () => {
  it("reads question, context, answers, id and further fields", async () => {
    const text = jsonl(
      { id: "x", question: "Who?", context: "Ann.", answers: ["Ann", "ann"], topic: { name: "people" } },
      { id: 7, question: "When?", answer: "1999" },
      { question: "Where?", answers: "Rome", context: null, id: null },
    );
    const path = await file("full.jsonl", text);
    expect(await loadSamples(path)).toEqual({
      format: "jsonl",
      path,
      sha256: createHash("sha256").update(text).digest("hex"),
      notes: [],
      samples: [
        {
          id: "x",
          variables: { question: "Who?", context: "Ann.", topic: { name: "people" } },
          references: ["Ann", "ann"],
        },
        { id: "7", variables: { question: "When?" }, references: ["1999"] },
        { id: "line-3", variables: { question: "Where?" }, references: ["Rome"] },
      ],
    });
  });

  it("bears a byte order mark, CRLF and blank lines, and counts lines as an editor does", async () => {
    const path = await file(
      "windows.jsonl",
      '\ufeff\r\n{"question":"a","answer":"b"}\r\n  \r\n{"question":"c","answer":"d"}',
    );
    const { samples } = await loadSamples(path);
    expect(samples.map(({ id }) => id)).toEqual(["line-2", "line-4"]);
  });

  it("reads a JSON array, in a line or pretty-printed, and a single pretty-printed sample", async () => {
    const rows = [
      { question: "a", answer: "b" },
      { question: "c", answer: "d" },
    ];
    const flat = await loadSamples(await file("flat.json", JSON.stringify(rows)));
    const pretty = await loadSamples(await file("pretty.json", JSON.stringify(rows, null, 2)));
    expect(flat.samples).toEqual(pretty.samples);
    expect(flat.samples.map(({ id }) => id)).toEqual(["sample-1", "sample-2"]);
    const single = await loadSamples(await file("single.json", JSON.stringify(rows[0], null, 2)));
    expect(single.samples).toEqual([{ id: "sample-1", variables: { question: "a" }, references: ["b"] }]);
  });

  it("reads the answers of the hub's SQuAD rows; empty lists mean no answer", async () => {
    const path = await file(
      "hub.jsonl",
      jsonl(
        { id: "1", question: "a", answers: { text: ["b", "c"], answer_start: [1, 2] } },
        { id: "2", question: "d", answers: { text: [], answer_start: [] } },
      ),
    );
    expect((await loadSamples(path)).samples.map(({ references }) => references)).toEqual([["b", "c"], [""]]);
  });

  it("lets answers count where there is answer as well, and keeps both from the prompt", async () => {
    const path = await file("both.jsonl", jsonl({ question: "a", answer: "b", answers: ["c"] }));
    expect((await loadSamples(path)).samples[0]).toEqual({
      id: "line-1",
      variables: { question: "a" },
      references: ["c"],
    });
  });

  it("keeps a field named __proto__ as a plain field", async () => {
    const path = await file("proto.jsonl", '{"question":"a","answer":"b","__proto__":{"polluted":1}}\n');
    const { samples } = await loadSamples(path);
    expect(Object.keys(samples[0]!.variables)).toContain("__proto__");
    expect("polluted" in samples[0]!.variables).toBe(false);
  });

  it("keeps the first samples under a limit, and checks the others all the same", async () => {
    const row = { question: "a", answer: "b" };
    const path = await file("limit.jsonl", jsonl(row, row, row));
    expect((await loadSamples(path, { limit: 2 })).samples).toHaveLength(2);
    expect((await loadSamples(path, { limit: 9 })).samples).toHaveLength(3);
    await expect(loadSamples(path, { limit: 0 })).rejects.toThrow(UsageError);
    const bad = await file("limit-bad.jsonl", jsonl(row, row, {}));
    await expect(loadSamples(bad, { limit: 1 })).rejects.toThrow(/line 3/);
  });
});

describe("faults of JSONL", () => {
  const good = '{"question":"a","answer":"b"}\n';

  it.each([
    [
      "a missing question",
      { answer: "b", qestion: "a" },
      /line 2: field "question" is missing: found answer, qestion.*--map question=qestion/,
    ],
    [
      "an empty question",
      { question: "  ", answer: "b" },
      /line 2: field "question" is wrong: found " {2}", expected a text that is not empty/,
    ],
    ["a question that is no text", { question: ["x"], answer: "b" }, /field "question" is wrong: found \["x"\]/],
    [
      "a context that is no text",
      { question: "a", answer: "b", context: 5 },
      /field "context" is wrong: found 5, expected a text/,
    ],
    ["an answer that is no text", { question: "a", answer: 42 }, /field "answer" is wrong: found 42, expected a text/],
    [
      "an empty answer",
      { question: "a", answer: "" },
      /field "answer" is wrong: found "", expected a text that is not empty/,
    ],
    [
      "an empty list of answers",
      { question: "a", answers: [] },
      /field "answers" is wrong: found \[\], expected a list of at least one text/,
    ],
    ["answers that are no texts", { question: "a", answers: ["x", 1] }, /field "answers" is wrong: found \["x",1\]/],
    [
      "hub answers without texts",
      { question: "a", answers: { text: [], answer_start: [3] } },
      /line 2: the sample has no reference/,
    ],
    [
      "an id of another kind",
      { question: "a", answer: "b", id: {} },
      /field "id" is wrong: found \{\}, expected a text or a number/,
    ],
    [
      "no reference",
      { question: "a", gold: "b" },
      /line 2: the sample has no reference: found question, gold.*--map answers=gold/,
    ],
    ["a list for a row", ["a"], /line 2: not an object: found \["a"\]/],
  ])("%s", async (name, row, message) => {
    const path = await file(`${name.replaceAll(" ", "-")}.jsonl`, good + jsonl(row));
    const error = await loadSamples(path).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(SampleError);
    expect(error).toMatchObject({ path, line: 2 });
    expect((error as SampleError).message).toMatch(message);
    expect((error as SampleError).message).toContain(path);
  });

  it("shortens long values", async () => {
    const path = await file(
      "long.jsonl",
      jsonl({ question: 0, answer: "b" }, {}).replace("0", `["${"x".repeat(500)}"]`),
    );
    await expect(loadSamples(path)).rejects.toThrow(/found \["x{55}\.\.\., expected/);
  });

  it.each([
    ["a missing brace", '{"question":"a"', /line 2: invalid JSON at column 16 \(/],
    ["single quotes", "{'question':'a'}", /line 2: invalid JSON at column 2 \(/],
    ["text", "What?", /line 2: invalid JSON at column 1 \(Unexpected token 'W'\)/],
  ])("invalid JSON: %s", async (name, line, message) => {
    const path = await file(`invalid-${name.replaceAll(" ", "-")}.jsonl`, `${good}${line}\n${good}`);
    const error = await loadSamples(path).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ name: "SampleError", path, line: 2 });
    expect((error as SampleError).message).toMatch(message);
  });

  it("two samples with one id", async () => {
    const path = await file(
      "twice.jsonl",
      jsonl({ id: 1, question: "a", answer: "b" }, { id: "1", question: "c", answer: "d" }),
    );
    await expect(loadSamples(path)).rejects.toThrow(/two samples have one id: found "1" in line 1 and in line 2/);
  });

  it.each([
    ["", "empty.jsonl"],
    ["\ufeff \r\n\n", "blank.jsonl"],
    ["[]", "empty.json"],
  ])("a file without samples: %j", async (content, name) => {
    await expect(loadSamples(await file(name, content))).rejects.toThrow(/holds no samples/);
  });

  it("bytes that are no text, and files that are not there", async () => {
    const path = await file("packed.jsonl", new Uint8Array([0x80, 0x8b, 8, 0, 0xff]));
    await expect(loadSamples(path)).rejects.toThrow(/not a text file in UTF-8/);
    await expect(loadSamples(`${path}.none`)).rejects.toThrow(FileError);
    await expect(loadSamples(`${path}.none`)).rejects.toThrow(/no such file/);
  });
});
