import { describe, expect, it } from "vitest";
import { UsageError } from "../../src/errors.js";
import { parseMap } from "../../src/samples/field-map.js";
import { loadSamples } from "../../src/samples/load.js";
import { jsonl, temporaryFiles } from "./files.js";

const file = temporaryFiles();

describe("parseMap", () => {
  it("reads pairs, with space around them", () => {
    expect(parseMap("question=q, answers = gold.text ")).toEqual({ question: "q", answers: "gold.text" });
  });
  it.each([
    ["question", '"question"'],
    ["question=q,,answers=a", '""'],
    ["=q", '"=q"'],
    ["question=", '"question="'],
    ["a b=c", '"a b=c"'],
    ["question=q,question=r", '"question=r"'],
  ])("quotes the piece at fault of %j", (text, piece) => {
    expect(() => parseMap(text)).toThrow(UsageError);
    expect(() => parseMap(text)).toThrow(`found ${piece}`);
  });
});

describe("a mapped file", () => {
  it("takes question and references from the named fields, nested ones too", async () => {
    const path = await file(
      "nested.jsonl",
      jsonl({ q: "Who?", meta: { gold: [{ text: "Ann" }] }, "a.b": "c", answer: "not this" }),
    );
    const map = parseMap("question=q,answer=meta.gold.0.text,context=a.b");
    expect((await loadSamples(path, { map })).samples).toEqual([
      {
        id: "line-1",
        variables: { question: "Who?", context: "c", q: "Who?", meta: { gold: [{ text: "Ann" }] }, "a.b": "c" },
        references: ["Ann"],
      },
    ]);
  });

  it("keeps the mapped references from the prompt", async () => {
    const path = await file("gold.jsonl", jsonl({ question: "Who?", gold: ["Ann"] }));
    const [sample] = (await loadSamples(path, { map: { answers: "gold" } })).samples;
    expect(sample).toEqual({ id: "line-1", variables: { question: "Who?" }, references: ["Ann"] });
  });

  it("maps ids, and gives further variables a second name", async () => {
    const path = await file("ids.jsonl", jsonl({ question: "Who?", answer: "Ann", key: 5, lang: "en" }));
    const [sample] = (await loadSamples(path, { map: { id: "key", language: "lang" } })).samples;
    expect(sample).toMatchObject({ id: "5", variables: { language: "en", lang: "en" } });
  });

  it("names the row's fields and the nearest one for a field that is not there", async () => {
    const path = await file("absent.jsonl", jsonl({ query: "Who?", answer: "Ann", meta: { gold: "Ann" } }));
    await expect(loadSamples(path, { map: { question: "quary" } })).rejects.toThrow(
      /line 1: the field "quary" that --map names for "question" does not exist: found query, answer, meta\. Did you mean question=query\?/,
    );
    await expect(loadSamples(path, { map: { question: "query", answer: "meta.glod" } })).rejects.toThrow(
      /found gold in meta\. Did you mean answer=meta\.gold\?/,
    );
  });

  it("does not go with a SQuAD document", async () => {
    const squad = {
      version: "1.1",
      data: [{ paragraphs: [{ context: "c", qas: [{ id: "1", question: "q", answers: [{ text: "a" }] }] }] }],
    };
    const path = await file("squad.json", JSON.stringify(squad));
    await expect(loadSamples(path, { map: { question: "q" } })).rejects.toThrow(UsageError);
  });
});
