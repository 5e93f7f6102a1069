import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { parseMap } from "../../src/samples/field-map.js";
import { loadSamples } from "../../src/samples/load.js";
import type { Sample, SampleKind } from "../../src/samples/sample.js";
import { jsonl, temporaryFiles } from "./files.js";

const file = temporaryFiles();

const ASKED = ['What is "blue", $5 or `x`?', "Où est la lampe ?\nDis-le!"];
const ANSWERED = ["the sky", "à l'étage"];
const at = (list: readonly string[], index: number): string => list[index] ?? "";
const each = (row: (question: string, answer: string, index: number) => unknown): string =>
  jsonl(row(at(ASKED, 0), at(ANSWERED, 0), 0), row(at(ASKED, 1), at(ANSWERED, 1), 1));
const user = (content: unknown) => ({ role: "user", content });
const assistant = (content: unknown) => ({ role: "assistant", content });
const system = { role: "system", content: "Be brief." };
const hello = [user("hello"), assistant("hi")];
const call = { role: "assistant", content: null, tool_calls: [{ id: "c" }] };
const tool = { role: "tool", tool_call_id: "c", content: "x" };

/** Does what a refusal advises, command and options, and returns the samples that come of it. */
async function followed(
  path: string,
  kind: SampleKind,
): Promise<{ readonly said: string; readonly samples: readonly Sample[] }> {
  const refusal: unknown = await loadSamples(path, { kind }).then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(refusal).toMatchObject({ name: "SampleError" });
  const said = (refusal as Error).message;
  const command = /`((?:node|python3|gunzip|iconv) [^`]*)`/.exec(said)?.[1];
  const map = /--map ([^ `]+)/.exec(said)?.[1];
  const options = { kind, ...(map === undefined ? {} : { map: parseMap(map) }) };
  if (command === undefined) return { said, samples: (await loadSamples(path, options)).samples };
  execFileSync("sh", ["-c", command], { cwd: dirname(path) });
  const output = /--data ([^ `]+)/.exec(said)?.[1];
  const converted = output === undefined ? path.replace(/\.gz$/, "") : join(dirname(path), output);
  return { said, samples: (await loadSamples(converted, options)).samples };
}

const layouts: readonly (readonly [what: string, named: RegExp, content: string])[] = [
  ["OpenAI's messages", /chat layout/, each((q, a) => ({ messages: [user(q), assistant(a)] }))],
  [
    "messages, some with a system message",
    /system messages/,
    each((q, a, i) => ({ messages: [...(i > 0 ? [system] : []), user(q), assistant(a)] })),
  ],
  ["messages of several turns", /earlier turns/, each((q, a) => ({ messages: [...hello, user(q), assistant(a)] }))],
  [
    "messages with calls of tools",
    /calls of tools/,
    each((q, a) => ({ messages: [user(q), call, tool, assistant(a)], tools: [] })),
  ],
  [
    "messages, some with calls of tools",
    /calls of tools/,
    each((q, a, i) => ({ messages: [user(q), ...(i > 0 ? [call, tool] : []), assistant(a)] })),
  ],
  [
    "messages of all these kinds",
    /earlier turns, calls of tools/,
    each((q, a, i) => ({
      messages: [...(i > 0 ? [system] : hello), user(q), ...(i > 0 ? [call, tool] : []), assistant(a)],
    })),
  ],
  [
    "messages in parts",
    /chat layout/,
    each((q, a) => ({ messages: [user([{ type: "text", text: q }]), assistant([{ type: "text", text: a }])] })),
  ],
  [
    "messages in several parts",
    /chat layout/,
    each((q, a) => ({
      messages: [
        user([
          { type: "text", text: q.slice(0, 3) },
          { type: "text", text: q.slice(3) },
        ]),
        assistant(a),
      ],
    })),
  ],
  [
    "Gemini's contents",
    /"contents"/,
    each((q, a) => ({
      contents: [
        { role: "user", parts: [{ text: q }] },
        { role: "model", parts: [{ text: a }] },
      ],
    })),
  ],
  [
    "ShareGPT's conversations",
    /ShareGPT/,
    each((q, a) => ({
      conversations: [
        { from: "human", value: q },
        { from: "gpt", value: a },
      ],
    })),
  ],
  [
    "ShareGPT with a system turn",
    /ShareGPT/,
    each((q, a) => ({
      id: 7,
      conversations: [
        { from: "system", value: "s" },
        { from: "human", value: q },
        { from: "gpt", value: a },
      ],
    })).replace('"id":7', '"id":8'),
  ],
  ["Alpaca's rows without input", /Alpaca/, each((q, a) => ({ instruction: q, input: "", output: a }))],
  ["Alpaca's rows without the field", /Alpaca/, each((q, a) => ({ output: a, instruction: q }))],
  ["instructions and responses", /Alpaca/, each((q, a) => ({ response: a, instruction: q }))],
  ["prompts and completions", /prompts and completions/, each((q, a) => ({ completion: a, prompt: q }))],
  [
    "prompts and completions in turns",
    /prompts and completions/,
    each((q, a) => ({ prompt: [system, user(q)], completion: [assistant(a)] })),
  ],
  ["preferences", /preferences/, each((q, a) => ({ rejected: "no", chosen: a, prompt: q }))],
  [
    "preferences in turns",
    /preferences/,
    each((q, a) => ({ prompt: q, chosen: [user(q), assistant(a)], rejected: [user(q), assistant("no")] })),
  ],
  [
    "preferences without a prompt",
    /preferences/,
    each((q, a) => ({ chosen: [user(q), assistant(a)], rejected: [user(q), assistant("no")] })),
  ],
  [
    "preferences as transcripts",
    /preferences/,
    each((q, a) => ({
      chosen: `\n\nHuman: hi\n\nAssistant: ho\n\nHuman: ${q}\n\nAssistant: ${a}`,
      rejected: "\n\nHuman: x\n\nAssistant: no",
    })),
  ],
  [
    "KTO's rows",
    /KTO.*calls bad/,
    each((q, a) => ({ prompt: q, completion: a, label: true })) +
      jsonl({ prompt: "p", completion: "bad", label: false }),
  ],
  ["KTO's rows that are all good", /KTO/, each((q, a) => ({ label: true, prompt: q, completion: a }))],
];

describe("rows in layouts that people train with", () => {
  it.each(layouts)("%s are named, and the advice leads to question and answer", async (what, named, content) => {
    const path = await file(`${what.replaceAll(/\W/g, "-")}.jsonl`, content);
    for (const kind of ["qa", "math", "summary", "translation", "custom"] as const) {
      const isRead = kind === "custom" && !/KTO/.test(what) && /"(output|completion)":"/.test(content);
      if (isRead) continue;
      const { said, samples } = await followed(path, kind);
      expect(said).toMatch(named);
      const asked = {
        qa: "question",
        math: "question",
        custom: "question",
        summary: "dialogue",
        translation: "source",
      }[kind];
      expect([said, samples.map(({ variables }) => variables[asked])]).toEqual([said, ASKED]);
      expect(samples.map(({ references }) => references)).toEqual(ANSWERED.map((answer) => [answer]));
    }
  });

  it("Alpaca's rows with an input give it as context, or as the text that the instruction is about", async () => {
    const path = await file(
      "inputs.jsonl",
      each((q, a, i) => ({ instruction: q, input: `text ${i}`, output: a })),
    );
    const { samples } = await followed(path, "qa");
    expect(samples.map(({ variables }) => [variables["question"], variables["context"]])).toEqual([
      [at(ASKED, 0), "text 0"],
      [at(ASKED, 1), "text 1"],
    ]);
    const translated = await followed(path, "translation");
    expect(translated.samples.map(({ variables: { source }, references: [target] }) => [source, target])).toEqual([
      ["text 0", at(ANSWERED, 0)],
      ["text 1", at(ANSWERED, 1)],
    ]);
  });

  it("one text with the marks of a chat template is cut at its last mark", async () => {
    const content = each((q, a) => ({
      text: `<|im_start|>user\n${q}<|im_end|>\n<|im_start|>assistant\n${a}<|im_end|>\n`,
    }));
    const { samples } = await followed(await file("text.jsonl", content), "qa");
    expect(samples.map(({ variables: { question }, references: [answer] }) => [question, answer])).toEqual(
      ASKED.map((asked, i) => [`<|im_start|>user\n${asked}<|im_end|>\n<|im_start|>assistant\n`, at(ANSWERED, i)]),
    );
  });

  it("turns that a map takes from the wrong speaker are refused in any row", async () => {
    const path = await file(
      "odd.jsonl",
      jsonl({ messages: [user("a"), assistant("b")] }, { messages: [assistant("b"), user("a")] }),
    );
    const map = parseMap("question=messages.0.content,answers=messages.1.content");
    await expect(loadSamples(path, { map })).rejects.toThrow(
      /line 2: --map question=messages\.0\.content takes what the assistant says/,
    );
    const last = await file("last.jsonl", jsonl({ q: "a", messages: [assistant("b"), user("a")] }));
    await expect(loadSamples(last, { map: { question: "q", answers: "messages.-1.content" } })).rejects.toThrow(
      /takes what the user says/,
    );
  });
});

describe("files that wrap their rows", () => {
  const rows = ASKED.map((question, i) => ({ question, answer: at(ANSWERED, i) }));
  it.each([
    ["data", { data: rows }],
    ["a version and data", { version: "0.1", data: rows }],
    ["rows", { rows }],
    ["the viewer's rows", { features: [], rows: rows.map((row, i) => ({ row_idx: i, row, truncated_cells: [] })) }],
    ["a part", { validation: rows }],
    [
      "columns and data",
      { columns: ["question", "answer"], index: [0, 1], data: rows.map((row) => Object.values(row)) },
    ],
    ["lists by column", { question: ASKED, answer: ANSWERED }],
    [
      "cells by column",
      { question: Object.fromEntries(ASKED.entries()), answer: Object.fromEntries(ANSWERED.entries()) },
    ],
    ["rows by id", { a: rows[0], b: rows[1] }],
  ])("are read: %s", async (name, document) => {
    for (const text of [JSON.stringify(document), JSON.stringify(document, null, 1)]) {
      const { samples } = await loadSamples(await file(`${name}.json`, text));
      expect(samples.map(({ variables: { question }, references: [answer] }) => [question, answer])).toEqual(
        ASKED.map((asked, i) => [asked, at(ANSWERED, i)]),
      );
    }
  });

  it("are refused where cells are cut off or several lists could be meant, and pages are noted", async () => {
    const cut = { rows: rows.map((row) => ({ row, truncated_cells: ["answer"] })) };
    await expect(loadSamples(await file("cut.json", JSON.stringify(cut)))).rejects.toThrow(
      /sample 1: .*viewer cut off/,
    );
    const parts = { train: rows, test: rows };
    await expect(loadSamples(await file("parts.json", JSON.stringify(parts)))).rejects.toThrow(
      /several lists of samples: found train, test/,
    );
    const page = { rows: rows.map((row) => ({ row })), num_rows_total: 500 };
    expect((await loadSamples(await file("page.json", JSON.stringify(page)))).notes).toEqual([
      expect.stringContaining("2 of 500 rows"),
    ]);
  });
});

describe("files that are not JSON", () => {
  const hasPython = ((): boolean => {
    try {
      execFileSync("python3", ["--version"]);
      return true;
    } catch {
      return false;
    }
  })();
  const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  const table = (separator: string): string =>
    [["question", "answer"], ...ASKED.map((asked, i) => [quoted(asked), quoted(at(ANSWERED, i))])]
      .map((cells) => cells.join(separator))
      .join("\n");

  it.skipIf(!hasPython).each([
    ["comma.csv", ","],
    ["semicolon.csv", ";"],
    ["tabs.tsv", "\t"],
  ])("tables are named, and the advice converts them: %s", async (name, separator) => {
    const { samples } = await followed(await file(name, `\uFEFF${table(separator)}\n`), "qa");
    expect(samples.map(({ variables }) => variables["question"])).toEqual(ASKED);
    expect(samples.map(({ references }) => references)).toEqual(ANSWERED.map((answer) => [answer]));
  });

  it.skipIf(!hasPython)("rows as Python prints them are named, and the advice converts them", async () => {
    const { samples } = await followed(await file("repr.jsonl", "{'question': 'a', 'answer': 'b'}\n"), "qa");
    expect(samples).toEqual([{ id: "line-1", variables: { question: "a" }, references: ["b"] }]);
  });

  it.skipIf(process.platform === "win32")("compressed files are named, and the advice unpacks them", async () => {
    const path = await file("packed.jsonl.gz", gzipSync(each((question, answer) => ({ question, answer }))));
    const { said, samples } = await followed(path, "qa");
    expect(said).toMatch(/is not a text file in UTF-8.*compressed with gzip/);
    expect(samples).toHaveLength(2);
    expect((await readFile(path)).length).toBeGreaterThan(0);
  });

  it.each([
    ["PAR1\u0015\u0004", /a Parquet file.*read_parquet/],
    ["ARROW1\u0000\u0000", /an Arrow file.*read_feather/],
    ["GGUF\u0003", /a GGUF file/],
    ["version https://git-lfs.github.com/spec/v1\noid sha256:0\n", /pointer of Git LFS.*git lfs pull/],
    ["<!DOCTYPE html>\n<html></html>\n", /a page of a web site/],
  ])("are named: %j", async (content, said) => {
    await expect(loadSamples(await file("other.jsonl", content))).rejects.toThrow(said);
  });

  it.each([
    [{ peft_type: "LORA", r: 8 }, /configuration of an adapter/],
    [{ tool: { name: "boundary", version: "0" }, verdict: {} }, /result of a run.*boundary score/],
    [{ architectures: ["X"], model_type: "llama" }, /configuration of a model/],
    [{ results: { gsm8k: {} }, configs: {} }, /scores of an evaluation/],
  ])("and JSON that cannot be meant is refused with what it is: %j", async (document, said) => {
    for (const space of [0, 2]) {
      const path = await file("known.json", JSON.stringify(document, null, space));
      await expect(loadSamples(path)).rejects.toThrow(said);
      await expect(loadSamples(path, { kind: "custom" })).rejects.toThrow(said);
    }
  });
});
