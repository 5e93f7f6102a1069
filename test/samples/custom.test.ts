import { describe, expect, it } from "vitest";
import { loadSamples } from "../../src/samples/load.js";
import { jsonl, temporaryFiles } from "./files.js";

const file = temporaryFiles();
const kind = "custom";

describe("rows of any layout", () => {
  it.each(["answers", "answer", "references", "reference", "target", "label", "output", "completion"])(
    "takes the field %s for the reference, and all others for variables",
    async (name) => {
      const path = await file(`${name}.jsonl`, jsonl({ id: 1, text: "a", tags: ["x"], n: 2, gone: null, [name]: "r" }));
      const loaded = await loadSamples(path, { kind });
      expect(loaded).toMatchObject({ format: "jsonl", notes: [] });
      expect(loaded.samples).toEqual([
        { id: "1", variables: { text: "a", tags: ["x"], n: 2, gone: null }, references: ["r"] },
      ]);
    },
  );

  it("takes numbers, truth values, lists, the hub's answers, and passes over null", async () => {
    const path = await file(
      "values.jsonl",
      jsonl(
        { text: "a", answer: 3, label: null },
        { text: "b", answer: false },
        { text: "c", answers: ["x", "", 1] },
        { text: "d", answers: { text: ["y"], answer_start: [0] } },
        { text: "e", answers: { text: [], answer_start: [] } },
        { text: "f", answer: "not this", answers: "z" },
      ),
    );
    const { samples } = await loadSamples(path, { kind });
    expect(samples.map(({ references }) => references)).toEqual([["3"], ["false"], ["x", "", "1"], ["y"], [""], ["z"]]);
    expect(samples.every(({ variables }) => !("answer" in variables) && !("answers" in variables))).toBe(true);
  });

  it("takes the mapped field, whatever others there are", async () => {
    const path = await file("mapped.jsonl", jsonl({ text: "a", target: "b", label: "c", meta: { gold: "d", x: 1 } }));
    expect((await loadSamples(path, { kind, map: { answers: "label" } })).samples).toEqual([
      { id: "line-1", variables: { text: "a", target: "b", meta: { gold: "d", x: 1 } }, references: ["c"] },
    ]);
    const nested = await loadSamples(path, { kind, map: { reference: "meta.gold", extra: "meta.x" } });
    expect(nested.samples).toEqual([
      { id: "line-1", variables: { text: "a", target: "b", label: "c", extra: 1 }, references: ["d"] },
    ]);
    const named = { answers: "target", label: "label" };
    await expect(loadSamples(path, { kind, map: named })).rejects.toThrow(
      /--map names the references twice: found answers=target,label=label/,
    );
  });

  it("reads SQuAD and HotpotQA as they are published", async () => {
    const qas = [{ id: "1", question: "q", answers: [{ text: "a" }] }];
    const squad = await file(
      "squad.json",
      JSON.stringify({ version: "1.1", data: [{ paragraphs: [{ context: "c", qas }] }] }),
    );
    expect((await loadSamples(squad, { kind })).format).toBe("squad1.1");
    const hotpot = { _id: "1", question: "q", answer: "a", supporting_facts: [["T", 0]], context: [["T", ["s"]]] };
    const path = await file("hotpot.json", JSON.stringify([hotpot]));
    expect(await loadSamples(path, { kind })).toMatchObject({
      format: "hotpotqa",
      samples: [{ variables: { context: "T | s" } }],
    });
    const turns = await file("turns.jsonl", jsonl({ context: ["a", "b"], answer: "c" }));
    expect(await loadSamples(turns, { kind })).toMatchObject({
      format: "jsonl",
      samples: [{ variables: { context: ["a", "b"] } }],
    });
  });

  it("asks which field is meant where several could be, with the map to write", async () => {
    const path = await file("several.jsonl", jsonl({ text: "a", label: "b" }, { text: "a", label: "b", output: "c" }));
    await expect(loadSamples(path, { kind })).rejects.toMatchObject({
      name: "SampleError",
      line: 2,
      message: expect.stringMatching(
        /line 2: more than one field may hold the reference: found label, output, .*--map answers=label or --map answers=output/,
      ) as string,
    });
  });

  it.each([
    [
      "no reference",
      { text: "a", gold: "b" },
      /line 2: the sample has no reference: found text, gold, expected .*--map answers=gold/,
    ],
    [
      "another field than the rows above",
      { text: "a", output: "b" },
      /line 2: the sample has no reference: found text, output, expected "label"/,
    ],
    ["an empty reference", { text: "a", label: "" }, /line 2: field "label" is wrong: found ""/],
    ["an object as a reference", { text: "a", label: { x: 1 } }, /line 2: field "label" is wrong: found \{"x":1\}/],
    [
      "nothing but the reference",
      { id: 1, label: "b" },
      /line 2: the sample has nothing to put into a prompt: found id, label/,
    ],
    ["a list for a row", ["a"], /line 2: not an object: found \["a"\]/],
  ])("names the line of %s", async (name, row, message) => {
    const path = await file(`${name}.jsonl`, jsonl({ text: "a", label: "b" }, row));
    const error = await loadSamples(path, { kind }).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ name: "SampleError", line: 2 });
    expect((error as Error).message).toMatch(message);
  });

  it("names the nearest field for a mapped one that is not there", async () => {
    const path = await file("near.jsonl", jsonl({ text: "a", gold: "b" }));
    await expect(loadSamples(path, { kind, map: { answers: "glod" } })).rejects.toThrow(/Did you mean answers=gold\?/);
  });
});
