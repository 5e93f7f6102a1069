import { basename, join, resolve } from "node:path";
import { z } from "zod";
import { at } from "../assert.js";
import { readVotes, votesPath } from "../vote/vote-file.js";
import { voteResult, type VoteResult } from "../vote/vote-result.js";
import { strategiesResultSchema, type StrategiesResult } from "../compare/strategies-result.js";
import { FormatError, RunFolderError } from "../errors.js";
import { readWholeText } from "../files/read-whole.js";
import { exists } from "../files/atomic-file.js";
import { kneeMethods } from "../probe/knee.js";
import { pairedSchema, type SweepResult } from "../run/result.js";
import { loadRun, type FinishedRun } from "../run/load-run.js";
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
      wins: z.object({ ...share.shape, p: z.number().optional() }).optional(),
      stats: z.array(judgeStats),
    }),
  ),
  failure: z.string().optional(),
});

const layerPoint = z.object({ layer: count, mean: z.number(), low: z.number(), high: z.number() });
const layerCurve = z.object({ token: count, samples: count, points: z.array(layerPoint) });
const kneeSchema = z.object({
  method: z.enum(kneeMethods),
  layer: count,
  boundary: count,
  interval: z.object({ low: z.number(), high: z.number() }).optional(),
  risingShare: z.number(),
});

/** `probe.json`, as far as a report shows it. */
const probeSchema = z.object({
  layers: count,
  samples: count,
  truth: z.array(layerCurve),
  /** Absent in probes of earlier versions. */
  training: z.object({ highest: z.number(), least: z.number(), underTrained: z.boolean() }).optional(),
  knees: z.array(kneeSchema.nullable()),
  confidence: z.array(z.object({ boundary: count, curves: z.array(layerCurve) })),
  differences: z.array(z.object({ boundary: count, curve: layerCurve })),
  ranking: z.array(count).optional(),
  notes: z.array(z.string()),
});

/** What a probe of a model's layers found, as `boundary probe` leaves it. */
export type ProbeMarks = z.output<typeof probeSchema>;

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
  /** What the layers show, where a probe was left in the run's folder or named. */
  readonly probe?: ProbeMarks;
  /** Strategies side by side, likewise. */
  readonly strategies?: StrategiesResult;
}

/** What a report shows besides what the run's folder holds. */
export interface ReportExtras {
  /** In place of the votes in its votes.jsonl. */
  readonly votes?: VoteResult;
  /** Folders of a probe and of a comparison of strategies; the run's own by default. */
  readonly probe?: string;
  readonly strategies?: string;
}

/**
 * Reads what a report needs from the folder of a finished run.
 * @throws RunFolderError when the folder holds no finished run; FormatError when its judge.json or votes.jsonl is damaged; FileError when it
 * cannot be read.
 */
export async function loadReport(folder: string, extras: ReportExtras = {}): Promise<RunReport> {
  const run = await loadRun(folder);
  const samples = compareSamples(run);
  const judge = await readJudgeMarks(join(folder, "judge.json"));
  const preferred = extras.votes ?? (await readVoteResult(run));
  const probe = await readExtra("probe", probeSchema, folder, extras.probe);
  const strategies = await readExtra("strategies", strategiesResultSchema, folder, extras.strategies);
  return {
    name: at(runNames([folder]), 0),
    result: run.result,
    ...(samples === undefined ? {} : { samples }),
    ...(judge === undefined ? {} : { judge }),
    ...(preferred === undefined ? {} : { votes: preferred }),
    ...(probe === undefined ? {} : { probe }),
    ...(strategies === undefined ? {} : { strategies }),
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

/**
 * The JSON that another command left in a folder: the one that was named, which must have it, or the run's own.
 * @throws RunFolderError where a named folder has none.
 */
async function readExtra<S extends z.ZodType>(
  command: "probe" | "strategies",
  schema: S,
  run: string,
  named: string | undefined,
): Promise<z.output<S> | undefined> {
  const path = join(named ?? run, `${command}.json`);
  if (!(await exists(path))) {
    if (named === undefined) return undefined;
    throw new RunFolderError(named, {
      what: `${named} has no ${command}.json`,
      fix: `Give the --out folder of \`boundary ${command}\`.`,
    });
  }
  const text = await readWholeText(path);
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new FormatError(path, {
      what: `${path} is damaged, or was not written by this version of boundary`,
      fix: `Run boundary ${command} again, or delete the file to leave it out.`,
      cause,
    });
  }
}

async function readJudgeMarks(path: string): Promise<JudgeMarks | undefined> {
  if (!(await exists(path))) return undefined;
  const text = await readWholeText(path);
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
