import { describe, expect, it } from "vitest";
import { loadSamples } from "../../src/samples/load.js";
import { jsonl, temporaryFiles } from "./files.js";

const file = temporaryFiles();
const kind = "translation";
const languages = { source_language: "English", target_language: "Chinese" };

describe("translations in JSONL", () => {
  it("reads source and target, several targets too; other fields are variables", async () => {
    const path = await file(
      "pairs.jsonl",
      jsonl(
        { source: "One.", target: "一。", domain: "news" },
        { id: "b", source: "Two.", targets: ["二。", "贰。"] },
        { source: "Three.", translation: "三。" },
        { source: "Four.", references: ["四。"], answer: "x" },
      ),
    );
    expect(await loadSamples(path, { kind })).toMatchObject({ format: "jsonl", notes: [] });
    expect((await loadSamples(path, { kind })).samples).toEqual([
      { id: "line-1", variables: { source: "One.", domain: "news" }, references: ["一。"] },
      { id: "b", variables: { source: "Two." }, references: ["二。", "贰。"] },
      { id: "line-3", variables: { source: "Three." }, references: ["三。"] },
      { id: "line-4", variables: { source: "Four." }, references: ["四。"] },
    ]);
  });

  it("reads the hub's rows in the direction of the options, of one of them, or of the file's name", async () => {
    const rows = jsonl({ translation: { zh: "一。", en: "One." }, id: 3 });
    const plain = await file("hub.jsonl", rows);
    const named = await file("opus.en-zh.jsonl", rows);
    const expected = [{ id: "3", variables: { source: "One.", ...languages }, references: ["一。"] }];
    for (const [path, options] of [
      [plain, { sourceLanguage: "en", targetLanguage: "zh" }],
      [plain, { sourceLanguage: "en" }],
      [plain, { targetLanguage: "zh" }],
      [named, {}],
    ] as const) {
      const loaded = await loadSamples(path, { kind, ...options });
      expect(loaded).toMatchObject({ format: "hub-translation", sourceLanguage: "en", targetLanguage: "zh" });
      expect(loaded.samples).toEqual(expected);
    }
    const reversed = await loadSamples(named, { kind, sourceLanguage: "zh" });
    expect(reversed).toMatchObject({ sourceLanguage: "zh", targetLanguage: "en", samples: [{ references: ["One."] }] });
  });

  it("finds a language under a tag with a region, and fields of the row itself", async () => {
    const region = await file("region.jsonl", jsonl({ translation: { en: "One.", "zh-CN": "一。" } }));
    expect(await loadSamples(region, { kind, targetLanguage: "zh" })).toMatchObject({
      samples: [{ references: ["一。"] }],
    });
    const flat = await file("flat.jsonl", jsonl({ id: "x", en: "One.", zh: "一。", domain: "news" }));
    const loaded = await loadSamples(flat, { kind, sourceLanguage: "en" });
    expect(loaded.samples).toEqual([
      { id: "x", variables: { source: "One.", domain: "news", ...languages }, references: ["一。"] },
    ]);
  });

  it("keeps the whole of a nested field with the mapped reference from the prompt, and learns the language from it", async () => {
    const path = await file("nested.jsonl", jsonl({ pair: { en: "One.", zh: "一。" } }));
    const loaded = await loadSamples(path, { kind, map: { source: "pair.en", target: "pair.zh" } });
    expect(loaded).toMatchObject({ format: "jsonl", targetLanguage: "zh" });
    expect(loaded.samples).toEqual([
      { id: "line-1", variables: { source: "One.", ...languages }, references: ["一。"] },
    ]);
  });

  it("refuses to guess the direction", async () => {
    const path = await file("which.jsonl", jsonl({ translation: { de: "Eins.", fr: "Un." } }));
    await expect(loadSamples(path, { kind })).rejects.toMatchObject({
      name: "UsageError",
      message: expect.stringMatching(/found texts in de, fr,.*--source-language de --target-language fr/) as string,
    });
    const three = await file("three.jsonl", jsonl({ translation: { de: "Eins.", fr: "Un.", en: "One." } }));
    await expect(loadSamples(three, { kind, sourceLanguage: "de" })).rejects.toThrow(/found texts in de, fr, en/);
  });

  it("notes an empty reference", async () => {
    const path = await file("gap.jsonl", jsonl({ source: "a", target: "b" }, { source: "c", target: "" }));
    const loaded = await loadSamples(path, { kind });
    expect(loaded.samples[1]?.references).toEqual([""]);
    expect(loaded.notes).toEqual(["1 of 2 samples have an empty reference, the first is line-2."]);
  });

  it("notes rows in several target languages, and names none for the file", async () => {
    const rows = [
      { source: "One.", target: "一。", target_language: "Chinese" },
      { source: "One.", target: "Eins.", target_language: "German" },
    ];
    const mixed = await loadSamples(await file("mixed.en-zh.jsonl", jsonl(...rows)), { kind });
    expect(mixed.notes).toEqual([expect.stringMatching(/2 target languages \(Chinese, German\)/)]);
    expect(mixed).not.toHaveProperty("targetLanguage");
    expect(mixed.samples[1]?.variables).toEqual({
      source: "One.",
      source_language: "English",
      target_language: "German",
    });
    const single = await file("single.jsonl", jsonl({ source: "One.", target: "一。", target_language: "zh" }));
    expect(await loadSamples(single, { kind })).toMatchObject({ targetLanguage: "zh", notes: [] });
  });

  it.each([
    [
      "a missing source",
      { src: "a", target: "b" },
      "source",
      /line 2: field "source" is missing: found src, target.*--map source=src/,
    ],
    ["an empty source", { source: " ", target: "b" }, "source", /line 2: field "source" is wrong: found " "/],
    [
      "a missing target",
      { source: "a", tgt: "b" },
      "target",
      /line 2: the sample has no reference: found source, tgt.*--map target=tgt/,
    ],
    [
      "an empty list of targets",
      { source: "a", targets: [] },
      "targets",
      /line 2: field "targets" is wrong: found \[\]/,
    ],
  ])("names line and field of %s", async (name, row, field, message) => {
    const path = await file(`${name}.jsonl`, jsonl({ source: "a", target: "b" }, row));
    await expect(loadSamples(path, { kind })).rejects.toMatchObject({
      line: 2,
      field,
      message: expect.stringMatching(message) as string,
    });
  });

  it.each([
    [
      "another language",
      { translation: { en: "One.", de: "Eins." } },
      "translation.zh",
      /field "translation\.zh" is missing: found en, de/,
    ],
    [
      "an empty source",
      { translation: { en: "", zh: "一" } },
      "translation.en",
      /field "translation\.en" is wrong: found ""/,
    ],
    [
      "a text of another kind",
      { translation: { en: "One.", zh: 1 } },
      "translation.zh",
      /field "translation\.zh" is wrong: found 1/,
    ],
    ["no translation", { text: "One." }, "translation", /field "translation" is missing: found text/],
  ])("names line and field of hub rows: %s", async (name, row, field, message) => {
    const path = await file(`hub-${name}.en-zh.jsonl`, jsonl({ translation: { en: "One.", zh: "一" } }, row));
    await expect(loadSamples(path, { kind })).rejects.toMatchObject({
      line: 2,
      field,
      message: expect.stringMatching(message) as string,
    });
  });
});

describe("translations in a table", () => {
  it("reads two columns, and columns that the first line names", async () => {
    const bare = await file("bare.tsv", '"One" [1].\t一。\r\n\r\nTwo.\t\r\n');
    const loaded = await loadSamples(bare, { kind, targetLanguage: "zh" });
    expect(loaded).toMatchObject({ format: "tsv", targetLanguage: "zh", notes: [expect.stringContaining("line-3")] });
    expect(loaded.samples).toEqual([
      { id: "line-1", variables: { source: '"One" [1].', target_language: "Chinese" }, references: ["一。"] },
      { id: "line-3", variables: { source: "Two.", target_language: "Chinese" }, references: [""] },
    ]);
    const named = await file("named.tsv", "domain\tsource\ttarget\nnews\tOne.\t一。\n");
    expect((await loadSamples(named, { kind })).samples).toEqual([
      { id: "line-2", variables: { domain: "news", source: "One." }, references: ["一。"] },
    ]);
    const codes = await file("codes.tsv", "zh\ten\n一。\tOne.\n");
    expect((await loadSamples(codes, { kind, sourceLanguage: "en" })).samples).toEqual([
      { id: "line-2", variables: { source: "One.", ...languages }, references: ["一。"] },
    ]);
    const mapped = await file("mapped.tsv", "src\tgold\nOne.\t一。\n");
    expect((await loadSamples(mapped, { kind, map: { source: "src", target: "gold" } })).samples).toEqual([
      { id: "line-2", variables: { src: "One.", source: "One." }, references: ["一。"] },
    ]);
  });

  it("tells a table from JSON by its content where the extension says nothing", async () => {
    const table = await file("bracket.txt", "[1] One.\t一。\n");
    expect(await loadSamples(table, { kind })).toMatchObject({ format: "tsv", samples: [{ references: ["一。"] }] });
    const json = await file("json.txt", '{"source":"a",\t"target":"b"}\n');
    expect(await loadSamples(json, { kind })).toMatchObject({ format: "jsonl", samples: [{ references: ["b"] }] });
    await expect(loadSamples(await file("bad.jsonl", "One.\t一。\n"), { kind })).rejects.toThrow(
      /line 1: invalid JSON/,
    );
  });

  it.each([
    [
      "one column too many",
      "a\tb\nc\td\te\n",
      /line 2: another number of columns: found 3 \("c\\td\\te"\), expected 2, with tabs between them: source, target/,
    ],
    ["one column too few", "a\tb\nc\n", /line 2: another number of columns: found 1/],
    ["an empty source", "a\tb\n\td\n", /line 2: field "source" is wrong: found ""/],
    ["a header alone", "source\ttarget\n", /holds no samples/],
    [
      "a header in other letters",
      "Source\tTarget\na\tb\n",
      /line 2: field "source" is missing: found Source, Target.*--map source=Source/,
    ],
    ["plain text", "One.\nTwo.\n", /has texts to translate but no translations.*--references FILE/],
    ["nothing but line ends", "\n \n", /holds no samples/],
  ])("names the line of %s", async (name, content, message) => {
    await expect(loadSamples(await file(`${name}.tsv`, content), { kind })).rejects.toThrow(message);
  });
});
