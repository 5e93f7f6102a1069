import { appendFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FileError, FormatError } from "../../src/errors.js";
import { Journal, type JournalRow } from "../../src/run/journal.js";
import { failureOf } from "../support/failure.js";
import { journalRow } from "../support/journal-row.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const folder = temporaryFolder();
let files = 0;

const newPath = (): string => join(folder.path, `journal-${files++}.jsonl`);

/** A journal with these rows, closed again. Returns its path. */
async function written(...rows: readonly JournalRow[]): Promise<string> {
  const path = newPath();
  const journal = await Journal.open(path);
  await Promise.all(rows.map((row) => journal.append(row)));
  await journal.close();
  return path;
}

async function keysOf(path: string, candidates: readonly string[]): Promise<string[]> {
  const journal = await Journal.open(path);
  const known = candidates.filter((key) => journal.get(key) !== undefined);
  await journal.close();
  return known;
}

describe("a journal", () => {
  it("gives back what was written, whatever the text", async () => {
    const row = journalRow({
      key: "a",
      output: 'line\nbreak "quoted" \u2028 漢字 \ud83e\uddea',
      tokens: [],
      stop: "length",
    });
    const path = await written(row);
    const journal = await Journal.open(path);
    expect(journal.get("a")).toEqual(row);
    expect(journal.get("b")).toBeUndefined();
    await journal.close();
    expect((await readFile(path, "utf8")).split("\n")).toHaveLength(2);
  });

  it("starts empty where there is no file, and knows a row before it is written", async () => {
    const path = newPath();
    const journal = await Journal.open(path);
    const writing = journal.append(journalRow({ key: "a" }));
    expect(journal.get("a")?.output).toBe("Rome");
    await writing;
    expect(await readFile(path, "utf8")).toBe(`${JSON.stringify(journalRow({ key: "a" }))}\n`);
    await journal.close();
  });

  it("writes thousands of rows in the order of the calls, a line each", async () => {
    const rows = Array.from({ length: 3000 }, (_, i) => journalRow({ key: `k${i}`, output: "x".repeat(i % 300) }));
    const path = await written(...rows);
    const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line) as JournalRow)).toEqual(rows);
    expect(await keysOf(path, ["k0", "k1500", "k2999", "k3000"])).toEqual(["k0", "k1500", "k2999"]);
  });

  it("keeps the first row of a key, and goes on behind the rows of an earlier run", async () => {
    const path = await written(journalRow({ key: "a", output: "first" }), journalRow({ key: "a", output: "second" }));
    const journal = await Journal.open(path);
    await journal.append(journalRow({ key: "a", output: "third" }));
    await journal.append(journalRow({ key: "b" }));
    expect(journal.get("a")?.output).toBe("first");
    await journal.close();
    const keys = (await readFile(path, "utf8")).trimEnd().split("\n");
    expect(keys.map((line) => (JSON.parse(line) as JournalRow).key)).toEqual(["a", "b"]);
  });

  it("waits for what is still being written when it is closed", async () => {
    const path = newPath();
    const journal = await Journal.open(path);
    for (let i = 0; i < 50; i++) void journal.append(journalRow({ key: String(i) }));
    await journal.close();
    expect((await readFile(path, "utf8")).trimEnd().split("\n")).toHaveLength(50);
  });
});

describe("a journal that a crash cut off", () => {
  it("loses only its last line, wherever that was cut", async () => {
    const path = await written(journalRow({ key: "a" }), journalRow({ key: "b", output: "漢字" }));
    const whole = await readFile(path);
    const firstEnd = whole.indexOf(0x0a) + 1;
    for (let cut = firstEnd; cut < whole.length; cut++) {
      await writeFile(path, whole.subarray(0, cut));
      expect(await keysOf(path, ["a", "b"])).toEqual(["a"]);
      expect((await readFile(path)).length).toBe(firstEnd);
    }
    await writeFile(path, whole.subarray(0, firstEnd - 1));
    expect(await keysOf(path, ["a", "b"])).toEqual([]);
    expect((await readFile(path)).length).toBe(0);
  });

  it("goes on with a line of its own", async () => {
    const path = await written(journalRow({ key: "a" }));
    await appendFile(path, '{"key":"b","bound');
    const journal = await Journal.open(path);
    await journal.append(journalRow({ key: "c" }));
    await journal.close();
    const keys = (await readFile(path, "utf8")).trimEnd().split("\n");
    expect(keys.map((line) => (JSON.parse(line) as JournalRow).key)).toEqual(["a", "c"]);
  });
});

describe("reading a journal that nobody writes to", () => {
  it("gives its rows in the order of the file, the last of those with one key", async () => {
    const path = await written(journalRow({ key: "b" }), journalRow({ key: "a", output: "漢字" }));
    await appendFile(path, `${JSON.stringify(journalRow({ key: "b", output: "again" }))}\n`);
    expect((await Journal.read(path)).map(({ key, output }) => [key, output])).toEqual([
      ["b", "again"],
      ["a", "漢字"],
    ]);
  });

  it("leaves a line out that a crash cut off, and the file as it is", async () => {
    const path = await written(journalRow({ key: "a" }));
    await appendFile(path, '{"key":"b","bound');
    const before = await readFile(path, "utf8");
    expect((await Journal.read(path)).map(({ key }) => key)).toEqual(["a"]);
    expect(await readFile(path, "utf8")).toBe(before);
  });

  it("finds nothing where there is no file, and makes none", async () => {
    const path = newPath();
    expect(await Journal.read(path)).toEqual([]);
    const error = await failureOf(FileError, () => Journal.read(folder.path));
    expect(error.message).toContain(`cannot read ${folder.path}: found a folder`);
    await expect(readFile(path)).rejects.toThrow("ENOENT");
  });
});

describe("a damaged journal", () => {
  const good = JSON.stringify(journalRow({ key: "a" }));
  it.each([
    ["a line that is no JSON", '{"key": "b"'],
    ["an empty line", ""],
    ["a field that is missing", JSON.stringify({ ...journalRow({ key: "b" }), tokens: undefined })],
    ["a field of another type", JSON.stringify({ ...journalRow({ key: "b" }), boundary: "3" })],
    ["a field that nobody knows", JSON.stringify({ ...journalRow({ key: "b" }), extra: 1 })],
  ])("names the line: %s", async (_what, line) => {
    const path = newPath();
    await writeFile(path, `${good}\n${line}\n${good}\n`);
    await failureOf(FormatError, () => Journal.read(path));
    const error = await failureOf(FormatError, () => Journal.open(path));
    expect(error.message).toContain(`${path}: line 2 of the journal is damaged`);
    expect(error.message).toContain("Delete that line to have its answer generated again, or pass --fresh");
    expect(error).toMatchObject({ path, exitCode: 1 });
    expect(error.cause).toBeInstanceOf(Error);
    expect(await readFile(path, "utf8")).toBe(`${good}\n${line}\n${good}\n`);
  });

  it("names a path that is a folder or lies nowhere", async () => {
    const path = newPath();
    await mkdir(path);
    const error = await failureOf(FileError, () => Journal.open(path));
    expect(error.message).toContain(`cannot read ${path}: found a folder`);
    const nowhere = join(folder.path, "nowhere", "journal.jsonl");
    const missing = await failureOf(FileError, () => Journal.open(nowhere));
    expect(missing.message).toContain(`cannot write ${nowhere}: found no such file or folder`);
  });
});
