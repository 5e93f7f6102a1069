import { appendFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FileError, FormatError } from "../../src/errors.js";
import { JudgeCache, questionKey } from "../../src/judge/cache.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { fakeJudge } from "./fake-judge.js";

const folder = temporaryFolder();
let files = 0;
const newPath = (): string => join(folder.path, `cache-${files++}.jsonl`);
const reply = { text: 'Score:\n"8" \u2028 漢字', cut: true, usage: { promptTokens: 9, completionTokens: 2 } };

describe("a cache of answers", () => {
  it("gives back what was kept, in this run and in the next", async () => {
    const path = newPath();
    const cache = await JudgeCache.open(path);
    const writing = cache.add("k1", "j", reply);
    expect(cache.get("k1")).toEqual(reply);
    await writing;
    expect((await readFile(path, "utf8")).trimEnd().split("\n")).toHaveLength(1);
    await cache.add("k2", "j", { text: "8", cut: false });
    await cache.add("k1", "j", { text: "other", cut: false });
    await cache.close();
    const again = await JudgeCache.open(path);
    expect([again.get("k1"), again.get("k2"), again.get("k3")]).toEqual([reply, { text: "8", cut: false }, undefined]);
    await again.close();
    expect((await readFile(path, "utf8")).trimEnd().split("\n")).toHaveLength(2);
  });

  it("forgets in memory", async () => {
    const cache = JudgeCache.inMemory();
    await cache.add("k", "j", reply);
    expect(cache.get("k")).toEqual(reply);
    await cache.close();
    expect(JudgeCache.inMemory().get("k")).toBeUndefined();
  });

  it("loses only the last line to a crash, wherever that was cut, and goes on behind it", async () => {
    const path = newPath();
    const first = JSON.stringify({ key: "a", judge: "j", text: "8", cut: false });
    const second = Buffer.from(`${JSON.stringify({ key: "b", judge: "j", text: "漢字", cut: false })}\n`);
    for (let cut = 0; cut < second.length; cut += 7) {
      await writeFile(path, `${first}\n`);
      await appendFile(path, second.subarray(0, cut));
      const cache = await JudgeCache.open(path);
      expect([cache.get("a")?.text, cache.get("b")]).toEqual(["8", undefined]);
      await cache.add("c", "j", { text: "9", cut: false });
      await cache.close();
      const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
      expect(lines.map((line) => (JSON.parse(line) as { key: string }).key)).toEqual(["a", "c"]);
    }
  });

  it.each([
    ["no JSON", "{"],
    ["an empty line", ""],
    ["a field too few", '{"key":"a","judge":"j","text":"8"}'],
    ["a field too many", '{"key":"a","judge":"j","text":"8","cut":false,"apiKey":"x"}'],
  ])("names a damaged line: %s", async (_what, line) => {
    const path = newPath();
    await writeFile(path, `${line}\n${JSON.stringify({ key: "a", judge: "j", text: "8", cut: false })}\n`);
    const error = await failureOf(FormatError, () => JudgeCache.open(path));
    expect(error.message).toMatch(/line 1 of the judges' answers is damaged.*Delete that line/);
  });

  it("names a path that cannot be used", async () => {
    const path = newPath();
    await mkdir(path);
    expect((await failureOf(FileError, () => JudgeCache.open(path))).message).toContain(`cannot read ${path}`);
    const nowhere = join(folder.path, "nowhere", "cache.jsonl");
    expect((await failureOf(FileError, () => JudgeCache.open(nowhere))).message).toContain(`cannot write ${nowhere}`);
  });
});

describe("the key of a question", () => {
  const judge = fakeJudge("j", () => "8", { identity: { model: "m", seed: 0 } });
  it("is the same whatever the order of the settings and the judge's name", () => {
    const other = fakeJudge("other name", () => "8", { identity: { seed: 0, model: "m" } });
    expect(questionKey(other, "q")).toBe(questionKey(judge, "q"));
    expect(questionKey(judge, "q")).toMatch(/^[0-9a-f]{64}$/);
  });
  it("changes with the question and with every setting", () => {
    const others = [
      { model: "m", seed: 1 },
      { model: "n", seed: 0 },
      { model: "m", seed: 0, url: "u" },
    ];
    const keys = [questionKey(judge, "q"), questionKey(judge, "q ")].concat(
      others.map((identity) => questionKey({ ...judge, identity }, "q")),
    );
    expect(new Set(keys).size).toBe(5);
  });
});
