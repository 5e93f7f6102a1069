import { describe, expect, it } from "vitest";
import { loadSamples } from "../../src/samples/load.js";
import { jsonl, temporaryFiles } from "./files.js";

const file = temporaryFiles();
const kind = "summary";

describe("SAMSum", () => {
  const rows = [
    { id: "1", summary: "Ann is late.", dialogue: "Ann: Late!\r\nBob: Fine." },
    { id: "2", summary: "Bob cooks.", dialogue: "Bob: I cook." },
  ];

  it("reads the published array and lines alike; the dialogue stays as it is", async () => {
    for (const [name, content] of [
      ["samsum.json", JSON.stringify(rows, null, 1)],
      ["samsum.jsonl", jsonl(...rows)],
    ] as const) {
      const loaded = await loadSamples(await file(name, content), { kind });
      expect(loaded.format).toBe("samsum");
      expect(loaded.samples).toEqual([
        { id: "1", variables: { dialogue: "Ann: Late!\r\nBob: Fine." }, references: ["Ann is late."] },
        { id: "2", variables: { dialogue: "Bob: I cook." }, references: ["Bob cooks."] },
      ]);
    }
  });

  it("takes further fields as variables, and a list as several references", async () => {
    const path = await file("more.jsonl", jsonl({ ...rows[0], summary: ["a", "b"], scene: "phone", reference: "r" }));
    expect((await loadSamples(path, { kind })).samples).toEqual([
      { id: "1", variables: { dialogue: rows[0]?.dialogue, scene: "phone" }, references: ["a", "b"] },
    ]);
  });

  it("reads mapped fields", async () => {
    const path = await file("news.jsonl", jsonl({ article: "Long.", highlights: "Short.", id: 4 }));
    const loaded = await loadSamples(path, { kind, map: { dialogue: "article", summary: "highlights" } });
    expect(loaded).toMatchObject({ format: "jsonl", samples: [{ id: "4", references: ["Short."] }] });
    expect(loaded.samples[0]?.variables).toEqual({ dialogue: "Long.", article: "Long." });
  });
});

describe("DialogSum", () => {
  const row = { fname: "test_1", dialogue: "#Person1#: Hi.\n#Person2#: Hello." };

  it("takes the numbered summaries as references in their order, and the topics as labels only", async () => {
    const numbered = {
      summary10: "j",
      topic1: "greeting",
      summary1: "a",
      summary2: "b",
      topic2: "hello",
      summary3: "c",
    };
    const loaded = await loadSamples(await file("test.jsonl", jsonl({ ...row, ...numbered })), { kind });
    expect(loaded.format).toBe("dialogsum");
    expect(loaded.samples).toEqual([
      {
        id: "test_1",
        variables: { dialogue: row.dialogue },
        references: ["a", "b", "c", "j"],
        group: { topic1: "greeting", topic2: "hello" },
      },
    ]);
  });

  it("reads the training layout, and the hub's with id", async () => {
    const train = await file("train.jsonl", jsonl({ ...row, summary: "They greet.", topic: "greeting" }));
    const hub = await file(
      "hub.jsonl",
      jsonl({ id: "test_1", dialogue: row.dialogue, summary: "They greet.", topic: "greeting" }),
    );
    const expected = [
      {
        id: "test_1",
        variables: { dialogue: row.dialogue },
        references: ["They greet."],
        group: { topic: "greeting" },
      },
    ];
    for (const path of [train, hub]) {
      const loaded = await loadSamples(path, { kind });
      expect(loaded).toMatchObject({ format: "dialogsum", samples: expected });
      expect(loaded.samples).toEqual(expected);
    }
  });

  it("refuses two rows of one name", async () => {
    const twice = await file("twice.jsonl", jsonl({ ...row, summary: "a" }, { ...row, summary: "b" }));
    await expect(loadSamples(twice, { kind })).rejects.toThrow(
      /two samples have one id: found "test_1" in line 1 and in line 2/,
    );
  });
});

describe("faults of summaries", () => {
  it.each([
    [
      "a missing dialogue",
      { dialog: "a", summary: "b" },
      "dialogue",
      /line 2: field "dialogue" is missing: found dialog, summary.*--map dialogue=dialog/,
    ],
    [
      "an empty dialogue",
      { dialogue: "\n", summary: "b" },
      "dialogue",
      /line 2: field "dialogue" is wrong: found "\\n"/,
    ],
    [
      "a missing summary",
      { dialogue: "a", sumary: "b" },
      "summary",
      /line 2: the sample has no reference: found dialogue, sumary, expected "summary", .*--map summary=sumary/,
    ],
    [
      "an empty summary",
      { dialogue: "a", summary: "" },
      "summary",
      /line 2: field "summary" is wrong: found "", expected a text that is not empty/,
    ],
    [
      "one empty summary of several",
      { dialogue: "a", summary1: "x", summary2: "" },
      "summary2",
      /line 2: field "summary2" is wrong/,
    ],
    [
      "a summary of another kind",
      { dialogue: "a", summary: { de: "x" } },
      "summary",
      /line 2: field "summary" is wrong: found \{"de":"x"\}/,
    ],
    ["null for a summary", { dialogue: "a", summary: null }, "summary", /line 2: the sample has no reference/],
    [
      "a dialogue in turns",
      { dialogue: ["a"], summary: "b" },
      "dialogue",
      /line 2: field "dialogue" is wrong: found \["a"\]/,
    ],
    [
      "an id of another kind",
      { dialogue: "a", summary: "b", id: true },
      "id",
      /line 2: field "id" is wrong: found true/,
    ],
  ])("%s", async (name, row, field, message) => {
    const path = await file(`${name}.jsonl`, jsonl({ dialogue: "a", summary: "b" }, row));
    await expect(loadSamples(path, { kind })).rejects.toMatchObject({
      name: "SampleError",
      path,
      line: 2,
      field,
      message: expect.stringMatching(message) as string,
    });
  });
});
