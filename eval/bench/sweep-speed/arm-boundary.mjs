import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { runProcess } from "./process.mjs";
import { root } from "./root.mjs";

/**
 * Arm a: `boundary sweep` as a process, from a fresh run folder. The pure sweep is the time from the journal's birth to its last line: contexts
 * and prefills and decodes and the writing of answers, but neither the start of the processes nor the loading of the model.
 * @param settings { model, sweep: flags, boundaries: list as in --boundaries, out: folder, flags: more flags }
 */
export function sweepProcess({ model, sweep, boundaries, out, flags = [] }) {
  const own = ["--model", model, "--boundaries", boundaries, "--out", out, "--fresh", "--json", ...flags];
  const main = join(root, "dist/cli/main.js");
  const measured = runProcess(process.execPath, [main, "sweep", ...sweep, ...own]);
  const result = JSON.parse(readFileSync(join(out, "result.json"), "utf8"));
  const { timings } = result;
  const { birthtimeMs, mtimeMs } = statSync(join(out, "journal.jsonl"));
  const sweepSeconds = timings.sweepSeconds ?? (mtimeMs - birthtimeMs) / 1e3;
  return {
    ...measured,
    sweepSeconds,
    peakBytes: timings.enginePeakBytes + timings.ownPeakBytes,
    enginePeakBytes: timings.enginePeakBytes,
    ownPeakBytes: timings.ownPeakBytes,
    work: timings.work,
    engine: result.engine,
    sequences: result.generation.sequences,
    boundaries: answersByBoundary(out),
  };
}

function answersByBoundary(out) {
  const lines = readFileSync(join(out, "outputs.jsonl"), "utf8").trim().split("\n");
  const boundaries = new Map();
  for (const { boundary, sampleId, tokens } of lines.map((line) => JSON.parse(line))) {
    const entry = boundaries.get(boundary) ?? { boundary, answers: [] };
    boundaries.set(boundary, entry);
    entry.answers.push({ id: sampleId, tokens });
  }
  return [...boundaries.values()];
}
