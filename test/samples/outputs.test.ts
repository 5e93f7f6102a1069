import { describe, expect, it } from "vitest";
import { joinOutputs, loadOutputs, type OutputRow } from "../../src/samples/outputs.js";
import type { Sample } from "../../src/samples/sample.js";
import { jsonl, temporaryFiles } from "./files.js";

const file = temporaryFiles();

const sample = (id: string, reference: string): Sample => ({
  id,
  variables: { question: id },
  references: [reference],
  group: { type: "bridge" },
});
const row = (boundary: number, sampleId: string, output: string, part: OutputRow["part"] = "selection"): OutputRow => ({
  boundary,
  sampleId,
  part,
  output,
});

describe("loadOutputs", () => {
  it("reads the rows of a run with their lines", async () => {
    const path = await file(
      "outputs.jsonl",
      `${jsonl({ ...row(0, "a", ""), tokens: [1, 2] })}\n${jsonl(row(30, "b", "x", "holdout"))}`,
    );
    expect(await loadOutputs(path)).toEqual([
      { ...row(0, "a", ""), line: 1 },
      { ...row(30, "b", "x", "holdout"), line: 3 },
    ]);
  });

  it.each([
    ["a boundary below 0", { ...row(-1, "a", "") }, "boundary", /line 2: field "boundary" is wrong: found -1/],
    ["a boundary in parts", { ...row(1.5, "a", "") }, "boundary", /line 2: field "boundary" is wrong: found 1.5/],
    [
      "another part",
      { ...row(1, "a", ""), part: "test" },
      "part",
      /line 2: field "part" is wrong: found "test", expected "selection" or "holdout"/,
    ],
    ["no output", { boundary: 1, sampleId: "a", part: "holdout" }, "output", /line 2: field "output" is missing/],
    [
      "a number for an id",
      { ...row(1, "a", ""), sampleId: 1 },
      "sampleId",
      /line 2: field "sampleId" is wrong: found 1/,
    ],
    ["another row", "x", undefined, /line 2: not a sample: found "x", expected an answer of a run/],
  ])("names line and field of %s", async (name, bad, field, message) => {
    const path = await file(`${name}.jsonl`, jsonl(row(0, "a", ""), bad));
    const error = await loadOutputs(path).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ name: "SampleError", path, line: 2, ...(field === undefined ? {} : { field }) });
    expect((error as Error).message).toMatch(message);
  });

  it("refuses a data set", async () => {
    const path = await file("squad.json", JSON.stringify({ version: "1.1", data: [] }));
    await expect(loadOutputs(path)).rejects.toThrow(/field "boundary" is missing/);
  });
});

describe("joinOutputs", () => {
  const selection = [sample("a", "A"), sample("b", "B")];
  // Ids of two files may be the same for different samples.
  const holdout = [sample("a", "other A")];

  it("joins by part and id, in the samples' order, boundaries ascending", () => {
    const rows = [
      row(10, "b", "b10"),
      row(10, "a", "a10"),
      row(2, "a", "a2", "holdout"),
      row(2, "a", "a2"),
      row(2, "b", ""),
      row(2, "b", ""),
    ];
    expect(joinOutputs("outputs.jsonl", rows, { selection, holdout })).toEqual([
      {
        boundary: 2,
        part: "selection",
        predictions: [
          { ...selection[0], prediction: "a2" },
          { ...selection[1], prediction: "" },
        ],
      },
      { boundary: 2, part: "holdout", predictions: [{ ...holdout[0], prediction: "a2" }] },
      {
        boundary: 10,
        part: "selection",
        predictions: [
          { ...selection[0], prediction: "a10" },
          { ...selection[1], prediction: "b10" },
        ],
      },
    ]);
  });

  it("refuses an answer to a sample that is not there, and two answers to one", () => {
    expect(() => joinOutputs("o.jsonl", [{ ...row(1, "c", ""), line: 7 }], { selection, holdout })).toThrow(
      /o\.jsonl, line 7: an answer to a sample that the data does not have: found "c", expected an id of the 2 samples given for the selection/,
    );
    expect(() => joinOutputs("o.jsonl", [row(1, "b", "", "holdout")], { selection, holdout })).toThrow(
      /for the holdout/,
    );
    expect(() => joinOutputs("o.jsonl", [row(1, "a", "x"), row(1, "a", "y")], { selection, holdout })).toThrow(
      /o\.jsonl: two different answers to one sample: found a second one to "a" at K=1/,
    );
  });
});
