import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseMap } from "../../src/samples/field-map.js";
import { loadSamples } from "../../src/samples/load.js";
import type { Sample, SampleKind } from "../../src/samples/sample.js";
import { jsonl, temporaryFiles } from "./files.js";

const file = temporaryFiles();

const ASKED = ['What is "blue", $5 or `x`?', "Où est la lampe ?\nDis-le!"];
const ANSWERED = ["the sky", "à l'étage"];
const at = (list: readonly string[], index: number): string => list[index] ?? "";
const user = (content: unknown) => ({ role: "user", content });
const assistant = (content: unknown) => ({ role: "assistant", content });

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

describe("rows in layouts that people train with", () => {
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
  it.skipIf(!hasPython)("rows as Python prints them are named, and the advice converts them", async () => {
    const { samples } = await followed(await file("repr.jsonl", "{'question': 'a', 'answer': 'b'}\n"), "qa");
    expect(samples).toEqual([{ id: "line-1", variables: { question: "a" }, references: ["b"] }]);
  });

  it.each([
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
