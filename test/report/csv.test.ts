import { describe, expect, it } from "vitest";
import { reportCsv } from "../../src/report/csv.js";
import { sweepResult } from "../support/sweep-result.js";

/** The rows of a CSV text by their head. Fields in quotes may hold commas, quotes and line ends. */
function parse(text: string): Record<string, string>[] {
  const rows = [...text.matchAll(/((?:"(?:[^"]|"")*"|[^",\r\n]*)(?:,(?:"(?:[^"]|"")*"|[^",\r\n]*))*)\r\n/g)];
  expect(rows.map(([row]) => row).join("")).toBe(text);
  const fields = rows.map(([, row]) =>
    [...(row ?? "").matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))/g)].map(([, quoted, plain]) =>
      quoted === undefined ? (plain ?? "") : quoted.replaceAll('""', '"'),
    ),
  );
  const [head = [], ...body] = fields;
  return body.map((row) => {
    expect(row).toHaveLength(head.length);
    return Object.fromEntries(head.map((name, i) => [name, row[i] ?? ""]));
  });
}

describe("the numbers as CSV", () => {
  const result = sweepResult();
  const rows = parse(reportCsv([{ name: "first", result }]));

  it("are a row for each candidate, part and metric, not rounded", () => {
    expect(rows.map((row) => [row["boundary"], row["part"], row["metric"]])).toEqual(
      [0, 2, 4].flatMap((boundary) => ["em", "contains"].map((metric) => [String(boundary), "selection", metric])),
    );
    const { method, ...score } = result.candidates[1]!.selection!.scores["contains"]!;
    expect(rows[3]).toEqual({
      run: "first",
      boundary: "2",
      boundaries: "2",
      role: "chosen",
      kept_modules: "2",
      adapter_bytes: "1234567",
      part: "selection",
      group: "",
      metric: "contains",
      ...Object.fromEntries(Object.entries(score).map(([name, value]) => [name, String(value)])),
      interval: method,
      mean_tokens: "3.25",
      prefill_tokens_per_second: "1002.4",
      decode_tokens_per_second: "52.6",
    });
  });

  it("name the boundaries that a candidate stands for", () => {
    expect(rows.at(-1)).toMatchObject({ boundary: "4", boundaries: "4 to 6", role: "full" });
  });

  it("have groups in rows of their own, without intervals", () => {
    const [first] = result.candidates;
    const groups = { "a,b": { em: { value: 25, n: 4 } } };
    const grouped = { ...first!, selection: { ...first!.selection!, groups }, holdout: first!.selection! };
    const all = parse(reportCsv([{ name: "x", result: { ...result, candidates: [grouped] } }]));
    expect(all.map(({ part, group, metric, value, low, n }) => [part, group, metric, value, low, n])).toEqual([
      ["selection", "", "em", "10", "5", "20"],
      ["selection", "", "contains", "11", "5", "20"],
      ["selection", "a,b", "em", "25", "", "4"],
      ["holdout", "", "em", "10", "5", "20"],
      ["holdout", "", "contains", "11", "5", "20"],
    ]);
    // Speeds are a boundary's, whatever the part.
    expect(all[3]?.["decode_tokens_per_second"]).toBe(all[0]?.["decode_tokens_per_second"]);
  });

  it("of several runs stand below one head", () => {
    const both = parse(
      reportCsv([
        { name: 'a "b"\n,c', result },
        { name: "second", result },
      ]),
    );
    expect(both.map(({ run }) => run)).toEqual([...rows.map(() => 'a "b"\n,c'), ...rows.map(() => "second")]);
  });
});
