import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, it } from "vitest";
import { SampleError } from "../../src/errors.js";
import { loadSamples } from "../../src/samples/load.js";
import type { LoadOptions, Sample } from "../../src/samples/sample.js";
import { failureOf } from "../support/failure.js";
import { jsonl, temporaryFiles } from "./files.js";

const file = temporaryFiles();
const fixture = (name: string): string => fileURLToPath(new URL(`../oracle/columnar/${name}`, import.meta.url));

const ASKED = ['What is "blue", $5; or `x`?', "Où est la lampe ?\nDis-le!", "c"];
const ANSWERED = ["the sky", "à l'étage", "d"];
const rows = ASKED.map((question, i) => ({ question, answer: ANSWERED[i] ?? "" }));
const pairs = (samples: readonly Sample[]) =>
  samples.map(({ variables, references: [answer] }) => [variables["question"], answer]);
const expected = ASKED.map((asked, i) => [asked, ANSWERED[i]]);
const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
const table = (separator: string, end = "\n"): string =>
  [["question", "answer"], ...rows.map((row) => [quoted(row.question), quoted(row.answer)])]
    .map((cells) => cells.join(separator) + end)
    .join("");
const utf16 = (text: string, isBig: boolean): Buffer => {
  const bytes = Buffer.from(`\uFEFF${text}`, "utf16le");
  return isBig ? bytes.swap16() : bytes;
};

describe("tables and other forms of files", () => {
  it.each<[name: string, content: string | Uint8Array]>([
    ["comma.csv", table(",")],
    ["semicolon.csv", table(";")],
    ["tab.csv", table("\t")],
    ["tabs.tsv", table("\t")],
    ["marked.csv", `\uFEFF${table(",")}`],
    ["windows.csv", table(",", "\r\n")],
    ["packed.csv.gz", gzipSync(table(","))],
    ["packed.tsv.gz", gzipSync(table("\t"))],
    ["packed.jsonl.gz", gzipSync(jsonl(...rows))],
    ["packed-without-a-name", gzipSync(jsonl(...rows))],
    ["packed.json.gz", gzipSync(JSON.stringify(rows, null, 1))],
    ["marked.jsonl", `\uFEFF${jsonl(...rows)}`],
    ["windows.jsonl", jsonl(...rows).replaceAll("\n", "\r\n")],
    ["little.jsonl", utf16(jsonl(...rows), false)],
    ["big.jsonl", utf16(jsonl(...rows), true)],
    ["little.csv", utf16(table(","), false)],
    ["list.json", JSON.stringify(rows)],
    ["data.json", JSON.stringify({ data: rows })],
    ["viewer.json", JSON.stringify({ features: [], rows: rows.map((row) => ({ row })) })],
  ])("are read: %s", async (name, content) => {
    const { samples } = await loadSamples(await file(name, content));
    expect(pairs(samples)).toEqual(expected);
  });

  it("fields are named as in any file, and several answers are a list", async () => {
    const path = await file("fields.csv", 'q,answers\nwhat?,"[""a"", ""b""]"\nwho?,c\n');
    const { samples } = await loadSamples(path, { map: { question: "q" } });
    expect(samples.map(({ id, references }) => [id, references])).toEqual([
      ["line-2", ["a", "b"]],
      ["line-3", ["c"]],
    ]);
  });

  it("layouts of training data are recognised in columns", async () => {
    const messages = [
      { role: "user", content: "q" },
      { role: "assistant", content: "a" },
    ];
    const path = await file("chat.csv", `messages,n\n${quoted(JSON.stringify(messages))},1\n`);
    const [sample] = (await loadSamples(path)).samples;
    expect([sample?.references, sample?.variables]).toEqual([
      ["a"],
      { n: "1", question: "q", messages: messages.slice(0, 1), turns: 1 },
    ]);
    const alpaca = await loadSamples(await file("alpaca.csv", "instruction,input,output\ni,,o\n"));
    expect([alpaca.format, alpaca.samples[0]?.references]).toEqual(["alpaca", ["o"]]);
  });

  it("a line with other cells than the first one names is refused with its number", async () => {
    const error = await failureOf(SampleError, async () =>
      loadSamples(await file("odd.csv", "question,answer\na,b\nc\n")),
    );
    expect(error.message).toMatch(/odd\.csv, line 3: this table cannot be read/);
    const none = await failureOf(SampleError, async () => loadSamples(await file("none.csv", "question,answer\n")));
    expect(none.message).toContain("holds no samples");
  });

  it.each(["none.parquet", "snappy.parquet", "gzip.parquet", "zstd.parquet", "stream.arrow", "file.arrow"])(
    "columns are read as rows: %s",
    async (name) => {
      const { samples, format } = await loadSamples(fixture(name));
      expect(format).toBe("openai");
      expect(samples).toHaveLength(20);
      const [, second] = samples;
      expect(second).toMatchObject({ id: "1", references: ["ici 1"] });
      expect(second?.variables).toMatchObject({ question: "Où est 1?\n", tags: ["a", null], weight: 0.5 });
      const some = await loadSamples(fixture(name), { limit: 11 });
      expect(some.samples).toEqual(samples.slice(0, 11));
    },
  );

  it("a damaged file of columns is refused, with the way out", async () => {
    const error = await failureOf(SampleError, async () =>
      loadSamples(await file("cut.parquet", "PAR1 and then nothing")),
    );
    expect(error.message).toMatch(/is a Parquet file that cannot be read.*read_parquet/);
  });
});

describe("the first samples of a large file", () => {
  const long = "x".repeat(2000);
  const many = Array.from({ length: 9_000 }, (_, i) => ({
    id: i,
    question: `q\n${i}`,
    context: long,
    answer: `a${i}`,
  }));
  const whole = async (name: string, content: string | Uint8Array, options: LoadOptions = {}) => {
    const path = await file(name, content);
    const { samples } = await loadSamples(path, { ...options, limit: 300 });
    expect(samples).toEqual((await loadSamples(path, options)).samples.slice(0, 300));
    expect(samples.at(-1)?.references).toEqual(["a299"]);
  };

  it("are those of the whole: rows a line, packed, a table", async () => {
    await whole("large.jsonl", jsonl(...many));
    const noise = many.map((row) => ({ ...row, context: Buffer.from(String(row.id).repeat(700)).toString("base64") }));
    await whole("large.jsonl.gz", gzipSync(jsonl(...noise), { level: 0 }));
    const lines = many.map(({ question, context, answer }) => `"${question}",${context},${answer}\n`);
    await whole("large.csv", `question,context,answer\n${lines.join("")}`);
  });

  it("are those of the whole where not every row gives a sample", async () => {
    const rowsOf = many.flatMap(({ question, context, answer }) => [
      { prompt: question, completion: "bad", label: false, context },
      { prompt: question, completion: answer, label: true },
    ]);
    await whole("large-kto.jsonl", jsonl(...rowsOf));
  });

  it("are those of the whole: one group of rows in Parquet, lists of any length", async () => {
    const messages = many.map(({ answer }, i) => [
      ...Array.from({ length: i % 60 === 7 ? 200 : 0 }, (_, n) => ({
        role: n % 2 === 0 ? "user" : "assistant",
        content: long.slice(n),
      })),
      { role: "user", content: `q ${i} ${long}` },
      { role: "assistant", content: answer },
    ]);
    const columns = [
      { name: "id", data: many.map(({ id }) => id), type: "INT32" as const },
      { name: "messages", data: messages.map((turns) => JSON.stringify(turns)), type: "STRING" as const },
    ];
    await whole("large.parquet", new Uint8Array(parquetWriteBuffer({ columnData: columns, codec: "UNCOMPRESSED" })));
  });
});
