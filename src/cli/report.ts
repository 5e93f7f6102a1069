import { Command, InvalidArgumentError, Option } from "commander";
import { at } from "../assert.js";
import { UsageError } from "../errors.js";
import { reportCsv } from "../report/csv.js";
import { writeReport, writeRunsReport } from "../report/html/write-report.js";
import { reportMarkdown, runsMarkdown } from "../report/markdown.js";
import { loadReport, runNames } from "../report/report-input.js";
import { compareRuns } from "../report/run-curves.js";
import { loadRun } from "../run/load-run.js";
import { takesImports } from "./import-modules.js";
import { print } from "./output.js";

/** Points that a boundary may lose in any run, as in the default of `sweep --margin`. */
const DEFAULT_MARGIN = 2;

interface ReportFlags {
  readonly out?: string;
  readonly md?: boolean;
  readonly csv?: boolean;
  readonly margin?: number;
  readonly probe?: string;
  readonly strategies?: string;
}

/** `boundary report`: a page of a finished run, or of several runs' curves on one chart; Markdown and CSV. */
export function reportCommand(): Command {
  return takesImports(new Command("report"))
    .description("write a finished run as one HTML page, or several runs' curves on one chart; Markdown and CSV too")
    .argument("<runs...>", "folders of finished sweeps")
    .addOption(new Option("-o, --out <file>", "the page (default: report.html in the run, ./report.html for several)"))
    .addOption(new Option("--md", "print Markdown for a pull request instead").conflicts(["out", "csv"]))
    .addOption(new Option("--csv", "print the numbers as CSV instead").conflicts(["out", "md"]))
    .addOption(
      new Option(
        "--margin <points>",
        `several runs: what a boundary may lose in each (default ${DEFAULT_MARGIN})`,
      ).argParser(marginOf),
    )
    .option(
      "--probe <folder>",
      "one run: show the layers' curves of this `boundary probe --out` (default: the run's own)",
    )
    .option(
      "--strategies <folder>",
      "one run: show the table of this `boundary strategies --out` (default: the run's own)",
    )
    .action(async (runs: readonly string[], flags: ReportFlags) => {
      print(await report(runs, flags));
    });
}

/** What goes to stdout. */
async function report(
  runs: readonly string[],
  { out, md, csv, margin, probe, strategies }: ReportFlags,
): Promise<string> {
  const [first = "", second] = runs;
  if (margin !== undefined && (second === undefined || csv)) {
    throw new UsageError({
      what: "--margin says which boundaries are good for several runs",
      actual: csv ? "--csv" : "one run",
      fix: "Leave it out; `boundary score RUN --margin` chooses again with another one.",
    });
  }
  if (csv) {
    const [names, loaded] = [runNames(runs), await Promise.all(runs.map((folder) => loadRun(folder)))];
    return reportCsv(loaded.map(({ result }, i) => ({ name: at(names, i), result })));
  }
  if ((second !== undefined || md) && (probe ?? strategies) !== undefined) {
    throw new UsageError({
      what: "--probe and --strategies belong to the page of one run",
      actual: md ? "--md" : `${runs.length} runs`,
      fix: "Leave them out.",
    });
  }
  if (second !== undefined) return reportRuns(runs, { md, out, margin: margin ?? DEFAULT_MARGIN });
  if (md) return `${reportMarkdown(await loadReport(first))}\n`;
  const extras = { ...(probe === undefined ? {} : { probe }), ...(strategies === undefined ? {} : { strategies }) };
  return `${await writeReport(first, { ...extras, ...(out === undefined ? {} : { out }) })}\n`;
}

async function reportRuns(
  runs: readonly string[],
  { md, out = "report.html", margin }: { md: boolean | undefined; out: string | undefined; margin: number },
): Promise<string> {
  if (md) return `${runsMarkdown(await compareRuns(runs, margin))}\n`;
  await writeRunsReport(runs, out, margin);
  return `${out}\n`;
}

function marginOf(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value < 0 || value > 100) {
    throw new InvalidArgumentError("It must be a number of points from 0 to 100.");
  }
  return value;
}
