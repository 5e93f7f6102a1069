import { join } from "node:path";
import { writeTextAtomic } from "../../files/atomic-file.js";
import { loadReport, type ReportExtras } from "../report-input.js";
import { compareRuns } from "../run-curves.js";

/** Where a report goes and what it shows besides the run. */
export interface ReportOptions extends ReportExtras {
  /** Path of the page; `report.html` in the run's folder by default. */
  readonly out?: string;
}

/**
 * Writes the page of a finished run, atomically, and returns its path. An earlier page is replaced.
 * @throws RunFolderError when the folder holds no finished run; FormatError when its judge.json or votes.jsonl is damaged; FileError when something cannot
 * be read or written.
 */
export async function writeReport(folder: string, { out, ...extras }: ReportOptions = {}): Promise<string> {
  const path = out ?? join(folder, "report.html");
  const report = await loadReport(folder, extras);
  // The chart library takes longer to load than most runs need to be shown, so it is loaded only now.
  const { runPage } = await import("./run-page.js");
  await writeTextAtomic(path, runPage(report));
  return path;
}

/**
 * Writes one page of several finished runs, atomically.
 * @param margin points that a boundary may lose against its run's full adapter to be good for it.
 * @throws as {@link writeReport}.
 */
export async function writeRunsReport(folders: readonly string[], path: string, margin: number): Promise<void> {
  const comparison = await compareRuns(folders, margin);
  const { runsPage } = await import("./runs-page.js");
  await writeTextAtomic(path, runsPage(comparison));
}
