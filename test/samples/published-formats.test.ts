import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { SampleError } from "../../src/errors.js";
import { loadSamples } from "../../src/samples/load.js";
import { workbench } from "../support/workbench.js";
import { jsonl, temporaryFiles } from "./files.js";

const file = temporaryFiles();

function squad(version: string | undefined, ...qas: readonly object[]): object {
  return { version, data: [{ title: "Rome", paragraphs: [{ context: "Rome is old.", qas }] }] };
}

describe("SQuAD", () => {
  const known = {
    id: "a",
    question: "What is old?",
    answers: [{ text: "Rome", answer_start: 0 }, { text: "Rome" }, { text: "rome" }],
  };
  const impossible = {
    id: "b",
    question: "Who?",
    answers: [],
    is_impossible: true,
    plausible_answers: [{ text: "x" }],
  };

  it("reads v1.1, in a line or pretty-printed", async () => {
    for (const indent of [0, 2]) {
      const path = await file("v1.json", JSON.stringify(squad("1.1", known), null, indent));
      const loaded = await loadSamples(path);
      expect(loaded.format).toBe("squad1.1");
      expect(loaded.samples).toEqual([
        {
          id: "a",
          variables: { question: "What is old?", context: "Rome is old.", title: "Rome" },
          references: ["Rome", "rome"],
          group: { title: "Rome" },
        },
      ]);
    }
  });

  it.each(["v2.0", undefined])(
    "reads v2.0 with version %s: impossible questions expect the empty answer",
    async (version) => {
      const loaded = await loadSamples(await file("v2.json", JSON.stringify(squad(version, known, impossible))));
      expect(loaded.format).toBe("squad2.0");
      expect(loaded.samples.map(({ references }) => references)).toEqual([["Rome", "rome"], [""]]);
    },
  );

  it("refuses a v1.1 question without answers, a document of another layout, and one without questions", async () => {
    const unanswered = await file("unanswered.json", JSON.stringify(squad("1.1", { ...known, answers: [] })));
    await expect(loadSamples(unanswered)).rejects.toThrow(/question 1: the sample a has no reference/);
    const other = await file("other.json", JSON.stringify(squad("1.1", { ...known, question: 5 })));
    await expect(loadSamples(other)).rejects.toThrow(
      /field "data\[0\]\.paragraphs\[0\]\.qas\[0\]\.question" is wrong: found 5, expected a text/,
    );
    const flat = await file("flat-data.json", JSON.stringify({ version: "1.1", data: [{ question: "q" }] }));
    await expect(loadSamples(flat)).rejects.toThrow(/field "data\[0\]\.paragraphs" is missing: found question/);
    const none = await file("none.json", JSON.stringify(squad("1.1")));
    await expect(loadSamples(none)).rejects.toThrow(/holds no samples/);
  });

  it("says where a document breaks off or goes wrong", async () => {
    const text = JSON.stringify(squad("1.1", known), null, 1);
    const cut = await file("cut.json", text.slice(0, 100));
    const error = await loadSamples(cut).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(SampleError);
    expect((error as SampleError).message).toMatch(
      /line 8: invalid JSON at column \d+ \(.*\): found the end of the file.*cut off/,
    );
    const wrong = await file("wrong.json", text.replace('"Rome is old."', "Rome"));
    await expect(loadSamples(wrong)).rejects.toThrow(/line 8: invalid JSON at column 17 \(Unexpected token 'R'\)/);
    const flat = await file("flat-cut.json", JSON.stringify(squad("1.1", known)).slice(0, 60));
    await expect(loadSamples(flat)).rejects.toThrow(/line 1: invalid JSON at column 61/);
  });
});

describe("HotpotQA", () => {
  const row = {
    _id: "h1",
    question: "Which is older?",
    answer: "Rome",
    type: "comparison",
    level: "hard",
    supporting_facts: [
      ["Rome", 1],
      ["Oslo", 0],
      ["Rome", 0],
      ["Oslo", 9],
    ],
    context: [
      ["Oslo", ["Oslo is new.", " It is cold."]],
      ["Paris", ["Paris is big."]],
      ["Rome", ["Rome is old.", " It is warm.", " It is big."]],
    ],
  };
  const supporting = "Oslo | Oslo is new.\nRome | Rome is old.\nRome | It is warm.";

  it("renders the supporting sentences, each on a line, and notes those that are not there", async () => {
    const loaded = await loadSamples(await file("hotpot.json", JSON.stringify([row])));
    expect(loaded.format).toBe("hotpotqa");
    expect(loaded.samples).toEqual([
      {
        id: "h1",
        variables: { question: "Which is older?", context: supporting, type: "comparison", level: "hard" },
        references: ["Rome"],
        group: { type: "comparison", level: "hard" },
      },
    ]);
    expect(loaded.notes).toEqual([expect.stringMatching(/^1 of 1 samples lack some of their supporting sentences:/)]);
  });

  it("renders all paragraphs, each on a line", async () => {
    const loaded = await loadSamples(await file("all.json", JSON.stringify([row])), { context: "all" });
    expect(loaded.samples[0]?.variables["context"]).toBe(
      "Oslo | Oslo is new. It is cold.\nParis | Paris is big.\nRome | Rome is old. It is warm. It is big.",
    );
    expect(loaded.notes).toEqual([]);
  });

  it("reads the hub's layout, as an array or as lines", async () => {
    const hub = {
      ...row,
      _id: undefined,
      id: "h1",
      supporting_facts: { title: ["Rome", "Oslo", "Rome"], sent_id: [1, 0, 0] },
      context: { title: row.context.map(([title]) => title), sentences: row.context.map(([, list]) => list) },
    };
    for (const content of [JSON.stringify([hub]), jsonl(hub)]) {
      const loaded = await loadSamples(await file("hub-hotpot.json", content));
      expect(loaded).toMatchObject({ format: "hotpotqa", notes: [] });
      expect(loaded.samples[0]).toMatchObject({ id: "h1", variables: { context: supporting } });
    }
  });

  it("refuses a row of the hub's layout with fewer paragraphs than titles", async () => {
    const torn = { ...row, context: { title: ["Oslo", "Paris"], sentences: [["Oslo is new."]] } };
    const path = await file("torn-hotpot.json", JSON.stringify([torn]));
    await expect(loadSamples(path, { context: "all" })).rejects.toThrow(/sample 1: field "context" is wrong/);
  });

  it("refuses rows of another layout, and supporting sentences where none are listed", async () => {
    const path = await file("bad-hotpot.json", JSON.stringify([row, { ...row, _id: "h2", context: "text" }]));
    await expect(loadSamples(path)).rejects.toThrow(
      /sample 2: field "context" is wrong: found "text", expected \[\[title/,
    );
    const bare = await file("bare.json", JSON.stringify([{ ...row, supporting_facts: undefined }]));
    await expect(loadSamples(bare)).rejects.toThrow(/"supporting_facts" is missing.*--context all/);
    expect((await loadSamples(bare, { context: "all" })).samples).toHaveLength(1);
  });
});

describe("published data (needs the workbench beside the project)", () => {
  it.skipIf(workbench === undefined).each([
    ["squad-official-format.json", "squad1.1", 205],
    ["hotpot-distractor-format.json", "hotpotqa", 60],
    ["hotpot-evidence.jsonl", "jsonl", 200],
    ["qa-selection.jsonl", "jsonl", 250],
    ["qa-holdout.jsonl", "jsonl", 250],
  ])("%s is read as %s with %d samples", async (name, format, count) => {
    const loaded = await loadSamples(join(workbench ?? "", "data", name));
    expect(loaded.format).toBe(format);
    expect(loaded.samples).toHaveLength(count);
    expect(loaded.samples.every(({ references }) => references.length > 0)).toBe(true);
  });

  it.skipIf(workbench === undefined)(
    "HotpotQA's supporting sentences are rendered as the evidence file has them",
    async () => {
      const evidence = await loadSamples(join(workbench ?? "", "data", "hotpot-evidence.jsonl"));
      const distractor = await loadSamples(join(workbench ?? "", "data", "hotpot-distractor-format.json"));
      const contexts = new Map(evidence.samples.map(({ variables }) => [variables["question"], variables["context"]]));
      const shared = distractor.samples.filter(({ variables }) => contexts.has(variables["question"]));
      expect(shared).toHaveLength(2);
      for (const { variables } of shared) {
        expect(lines(variables["context"])).toEqual(lines(contexts.get(variables["question"])));
      }
    },
  );
});

/** The evidence file has its lines in another order than the paragraphs. */
function lines(context: unknown): readonly string[] {
  return String(context).split("\n").sort();
}
