import { readFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { z } from "zod";
import { readVotes, votesPath } from "../compare/vote-file.js";
import { voteResult, type VoteResult } from "../compare/vote-result.js";
import { FormatError, fileError } from "../errors.js";
import { exists } from "../formats/atomic-file.js";
import { pairedSchema, type SweepResult } from "../sweep/result.js";
import { loadRun, type FinishedRun } from "../sweep/load-run.js";
import { compareSamples, type ComparedSamples } from "./compared-samples.js";

const count = z.number().int();

const judgeStats = z.object({
  judge: z.string(),
  questions: count,
  answered: count,
  unparseable: count,
  failures: z.record(z.string(), count),
  notAsked: count,
  orderBias: z.number().optional(),
  notes: z.array(z.string()),
});

const share = z.object({ value: z.number(), low: z.number(), high: z.number(), n: count });

/** `judge.json`, as far as a report shows it. */
const judgeSchema = z.object({
  judges: z.array(z.string()),
  systems: z.array(
    z.object({
      name: z.string(),
      score: z.object({ ...share.shape, signature: z.string() }).optional(),
      against: pairedSchema.optional(),
      stats: z.array(judgeStats),
    }),
  ),
  pairs: z.array(
    z.object({
      system: z.string(),
      against: z.string(),
      counts: z.object({ a: count, b: count, tie: count, missing: count }),
      wins: share.optional(),
      stats: z.array(judgeStats),
    }),
  ),
  failure: z.string().optional(),
});

/** What judges said of a run, as `boundary judge` leaves it in the run's folder. Scores 0-100. */
export type JudgeMarks = z.output<typeof judgeSchema>;

export type { VoteResult };

/** All that a report of one run shows. */
export interface RunReport {
  /** Name of the run's folder, without the path to it. */
  readonly name: string;
  readonly result: SweepResult;
  /** Absent where the folder does not hold the answers of base, full and chosen to a part. */
  readonly samples?: ComparedSamples;
  readonly judge?: JudgeMarks;
  readonly votes?: VoteResult;
}

/**
 * Reads what a report needs from the folder of a finished run.
 * @param votes in place of those in its votes.jsonl.
 * @throws RunFolderError when the folder holds no finished run; FormatError when its judge.json or votes.jsonl is damaged; FileError when it
 * cannot be read.
 */
export async function loadReport(folder: string, votes?: VoteResult): Promise<RunReport> {
  const run = await loadRun(folder);
  const samples = compareSamples(run);
  const judge = await readJudgeMarks(join(folder, "judge.json"));
  const preferred = votes ?? (await readVoteResult(run));
  return {
    name: runNames([folder])[0] ?? "",
    result: run.result,
    ...(samples === undefined ? {} : { samples }),
    ...(judge === undefined ? {} : { judge }),
    ...(preferred === undefined ? {} : { votes: preferred }),
  };
}

/** Names of runs: those of their folders, a second one of the same name with a number. */
export function runNames(folders: readonly string[]): string[] {
  const taken = new Map<string, number>();
  return folders.map((folder) => {
    const name = basename(resolve(folder));
    const count = (taken.get(name) ?? 0) + 1;
    taken.set(name, count);
    return count === 1 ? name : `${name}-${count}`;
  });
}

/** Undefined where nobody has voted. */
async function readVoteResult(run: FinishedRun): Promise<VoteResult | undefined> {
  const votes = await readVotes(votesPath(run.folder));
  return votes.rows.length === 0 ? undefined : voteResult(run, votes);
}

async function readJudgeMarks(path: string): Promise<JudgeMarks | undefined> {
  if (!(await exists(path))) return undefined;
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw fileError(path, "read", cause);
  });
  try {
    return judgeSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new FormatError(path, {
      what: `${path} is damaged, or was not written by this version of boundary`,
      fix: "Run boundary judge again: kept answers are not asked for twice. Or delete the file to leave the marks out.",
      cause,
    });
  }
}
