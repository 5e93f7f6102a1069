import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { expect, it } from "vitest";
import { writeReport } from "../../src/report/html/write-report.js";
import { reportMarkdown } from "../../src/report/markdown.js";
import { loadReport } from "../../src/report/report-input.js";
import { sweepReport } from "../../src/report/terminal.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeFinishedRun } from "./finished-run.js";

const folder = temporaryFolder();

/** The rows of the table whose head begins with "metric". */
function tableRows(text: string, cellsOf: (line: string) => string[]): string[][] {
  const lines = text.split("\n");
  const head = lines.findIndex((line) => cellsOf(line)[0] === "metric");
  const below = lines.slice(head + 1);
  const rows = below
    .slice(
      0,
      below.findIndex((line) => line.trim() === ""),
    )
    .map(cellsOf);
  return rows.filter((cells) => !cells.every((cell) => /^[-:]+$/.test(cell)));
}

it("terminal, Markdown and page give the same figures under the same labels, the primary metric first", async () => {
  const path = join(folder.path, "run");
  const result = await writeFinishedRun(path);
  const terminal = tableRows(stripVTControlCharacters(sweepReport(result)), (line) => {
    return line.trim().split(/ {2,}/);
  });
  const markdown = tableRows(reportMarkdown(await loadReport(path)), (line) => {
    return line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim());
  });
  expect(result.confirmation.comparisons[0]?.metric).not.toBe(result.metric);
  expect(terminal[0]?.[0]).toBe(result.labels[result.metric]);
  expect(terminal.length).toBe(result.confirmation.comparisons.length);
  const ranges = (cells: readonly string[]): string[] => cells.map((cell) => cell.replaceAll("−", "-"));
  expect(terminal.map(ranges)).toEqual(markdown.map(ranges));

  await writeReport(path);
  const page = (await readFile(join(path, "report.html"), "utf8")).replace(/<[^>]+>/g, "\n").replaceAll("−", "-");
  for (const [label = "", ...cells] of terminal) {
    const row = page.slice(page.indexOf(`\n${label}\n`, page.indexOf("Holdout: ")));
    for (const cell of cells.slice(0, 4)) expect(row.slice(0, 600), `${label} ${cell}`).toContain(cell);
  }
});
