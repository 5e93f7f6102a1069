import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { groupOf } from "../../src/samples/grouping.js";
import { loadPredictions } from "../../src/samples/predictions.js";
import { jsonl, temporaryFiles } from "./files.js";

const file = temporaryFiles();

describe("predictions in JSONL", () => {
  it("reads prediction, references under any of their names, and fields to group by", async () => {
    const text = jsonl(
      { id: "x", prediction: "Ann", references: ["Ann", "ann"], type: "bridge" },
      { prediction: "", reference: "" },
      { prediction: " 1\n", answers: { text: ["1"], answer_start: [0] }, answer: "one" },
      { prediction: "p", answer: "a" },
    );
    const path = await file("all.jsonl", text);
    await expect(loadPredictions(path)).rejects.toThrow(
      /line 3: the sample has no reference: .*expected "references" or "reference"/,
    );
    const same = jsonl(
      { id: "x", prediction: "Ann", references: ["Ann", "ann"], type: "bridge" },
      { prediction: "", reference: "" },
    );
    const loaded = await loadPredictions(await file("same.jsonl", same));
    expect(loaded).toMatchObject({
      format: "jsonl",
      notes: [],
      sha256: createHash("sha256").update(same).digest("hex"),
    });
    expect(loaded.predictions).toEqual([
      { id: "x", variables: { type: "bridge" }, references: ["Ann", "ann"], prediction: "Ann" },
      { id: "line-2", variables: {}, references: [""], prediction: "" },
    ]);
    expect(loaded.predictions.map((prediction) => groupOf(prediction, "type"))).toEqual(["bridge", undefined]);
    const answers = jsonl(
      { prediction: " 1\n", answers: { text: ["1"] }, answer: "one" },
      { prediction: "p", answer: "a" },
    );
    expect((await loadPredictions(await file("answers.jsonl", answers))).predictions).toEqual([
      { id: "line-1", variables: {}, references: ["1"], prediction: " 1\n" },
      { id: "line-2", variables: {}, references: ["a"], prediction: "p" },
    ]);
  });

  it("reads mapped fields, nested ones too, and a JSON array", async () => {
    const path = await file(
      "mapped.json",
      JSON.stringify([{ output: "o", meta: { gold: ["g"] }, answer: "kept apart" }], null, 2),
    );
    const { predictions } = await loadPredictions(path, { map: { prediction: "output", references: "meta.gold" } });
    expect(predictions).toEqual([
      { id: "sample-1", variables: { answer: "kept apart" }, references: ["g"], prediction: "o" },
    ]);
  });

  it("bears outputs of 100,000 characters", async () => {
    const long = "嗯 ".repeat(50_000);
    const { predictions } = await loadPredictions(
      await file("long.jsonl", jsonl({ prediction: long, reference: "r" })),
    );
    expect(predictions[0]?.prediction).toBe(long);
  });

  it.each([
    [
      "a missing prediction",
      { predicton: "a", references: ["b"] },
      "prediction",
      /line 2: field "prediction" is missing: found predicton, references.*--map prediction=predicton/,
    ],
    [
      "a prediction that is no text",
      { prediction: 5, reference: "b" },
      "prediction",
      /line 2: field "prediction" is wrong: found 5, expected a text/,
    ],
    [
      "null for a prediction",
      { prediction: null, reference: "b" },
      "prediction",
      /line 2: field "prediction" is wrong: found null/,
    ],
    [
      "a missing reference",
      { prediction: "a", gold: "b" },
      "references",
      /line 2: the sample has no reference: found prediction, gold.*--map references=gold/,
    ],
    [
      "no references in the list",
      { prediction: "a", references: [] },
      "references",
      /line 2: field "references" is wrong: found \[\]/,
    ],
    [
      "an object as a reference",
      { prediction: "a", reference: {} },
      "reference",
      /line 2: field "reference" is wrong: found \{\}/,
    ],
  ])("names line and field of %s", async (name, row, field, message) => {
    const path = await file(`${name}.jsonl`, jsonl({ prediction: "a", reference: "b" }, row));
    await expect(loadPredictions(path)).rejects.toMatchObject({
      name: "SampleError",
      path,
      line: 2,
      field,
      message: expect.stringMatching(message) as string,
    });
  });

  it("asks which field is meant, names the nearest one, and refuses one id twice and other files", async () => {
    const both = await file("both.jsonl", jsonl({ prediction: "a", references: ["b"], answers: ["c"] }));
    await expect(loadPredictions(both)).rejects.toThrow(
      /line 1: more than one field may hold the reference: found references, answers/,
    );
    expect((await loadPredictions(both, { map: { references: "answers" } })).predictions[0]?.references).toEqual(["c"]);
    await expect(loadPredictions(both, { map: { prediction: "predicton" } })).rejects.toThrow(
      /Did you mean prediction=prediction\?/,
    );
    const row = { id: 1, prediction: "a", reference: "b" };
    await expect(loadPredictions(await file("twice.jsonl", jsonl(row, row)))).rejects.toThrow(
      /two samples have one id/,
    );
    const squad = await file("squad.json", JSON.stringify({ version: "1.1", data: [] }));
    await expect(loadPredictions(squad)).rejects.toThrow(/has no predictions: found questions in SQuAD's layout/);
    await expect(loadPredictions(await file("empty.jsonl", ""))).rejects.toThrow(/holds no samples/);
  });
});

describe("predictions in lines of text", () => {
  it("reads an output a line beside its references; both may be empty", async () => {
    const outputs = await file("hyp.txt", "a\r\n\r\nc\u2028d\r\n");
    const first = await file("ref.txt", "x\ny\nz\n");
    const second = await file("ref2.txt", "x2\n\nz2");
    expect(await loadPredictions(outputs, { references: [first, second] })).toMatchObject({
      format: "parallel",
      referencePaths: [first, second],
      notes: [`1 of the 3 references in ${second} are empty, the first on line 2.`],
      predictions: [
        { id: "line-1", variables: {}, references: ["x", "x2"], prediction: "a" },
        { id: "line-2", references: ["y", ""], prediction: "" },
        { id: "line-3", references: ["z", "z2"], prediction: "c\u2028d" },
      ],
    });
  });

  it("refuses other numbers of lines, no references, and a map", async () => {
    const outputs = await file("short.txt", "a\n");
    const reference = await file("long.txt", "x\ny\n");
    await expect(loadPredictions(outputs, { references: [reference] })).rejects.toThrow(
      /same number of lines: found 1 and 2/,
    );
    await expect(loadPredictions(outputs, { references: [] })).rejects.toThrow(/has no references/);
    const mapped = loadPredictions(outputs, { references: [reference], map: { prediction: "x" } });
    await expect(mapped).rejects.toThrow(/--references does not go with --map/);
  });
});
