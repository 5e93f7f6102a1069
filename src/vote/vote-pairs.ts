import { defined } from "../assert.js";
import { digest } from "../files/digest.js";
import { UsageError } from "../errors.js";
import { stableJson } from "../files/stable-json.js";
import type { Sample } from "../samples/sample.js";
import { nameIn } from "../run/entry-names.js";
import type { Part } from "../samples/split.js";
import { thoughtsOfRun, type FinishedRun } from "../run/load-run.js";
import { withoutThoughts } from "../tasks/thoughts.js";
import { boundaryOf } from "../run/entry-names.js";

/** Two systems of a run by their names, the one that is looked at first: chosen before K=..., full and base. */
export type SystemPair = readonly [system: string, against: string];

/** Two different answers to one sample. */
export interface VotePair {
  /** Hash of all that a voter judges: sample, systems and both answers. A vote with another key was given to something else. */
  readonly key: string;
  readonly sample: Sample;
  /** In the order of the systems, without the thoughts of reasoning models. */
  readonly texts: readonly [string, string];
}

/** What people can vote on. */
export interface VotePairs {
  readonly systems: SystemPair;
  readonly part: Part;
  /** Samples of the part, with those that are not asked about. */
  readonly samples: number;
  /** Samples whose two answers are the same text: they are not asked about. */
  readonly identical: number;
  readonly pairs: readonly VotePair[];
}

/** Names of systems, as `--systems` takes them. */
export const systemPattern = /^(base|full|chosen|K=\d{1,6})$/;

/** The pair in its one order, whichever way round it was named. */
export function systemPair(first: string, other: string): SystemPair {
  const [a, b] = [rank(first), rank(other)];
  return a > b || (a === b && boundaryText(first) > boundaryText(other)) ? [other, first] : [first, other];
}

function rank(name: string): number {
  return ["chosen", "K", "full", "base"].indexOf(name.split("=")[0] ?? "");
}

function boundaryText(name: string): number {
  return Number(name.slice(2));
}

/** The part that people are asked about: the holdout where there is one, since answers that chose K flatter it. */
export function votePart({ result }: Pick<FinishedRun, "result">): Part {
  return result.data.holdout.length > 0 ? "holdout" : "selection";
}

/**
 * Sets the answers of two systems side by side, in the order of the samples.
 * @throws UsageError when both are one candidate, or one of them did not answer that part.
 */
export function votePairs(run: FinishedRun, systems: SystemPair, part: Part): VotePairs {
  const boundaries = [boundaryOf(run, systems[0]), boundaryOf(run, systems[1])] as const;
  if (boundaries[0] === boundaries[1]) {
    throw new UsageError({
      what: `${systems.join(" and ")} are one candidate of ${run.folder}`,
      actual: `${nameIn(run.result, boundaries[0])} for both`,
      fix: "Name two that differ, such as --systems base,full.",
    });
  }
  const answers = [answersOf(run, boundaries[0], part), answersOf(run, boundaries[1], part)] as const;
  const samples = run.samples.filter((sampled) => sampled.part === part).map(({ sample }) => sample);
  const all = samples.map((sample, at): VotePair => {
    const texts = [defined(answers[0][at], "an answer"), defined(answers[1][at], "an answer")] as const;
    const judged = systems.map((name, i) => ({ name, boundary: boundaries[i], text: texts[i] }));
    const { id, variables, references } = sample;
    return { key: digest(stableJson({ part, id, variables, references, judged })), sample, texts };
  });
  const pairs = all.filter(({ texts }) => texts[0] !== texts[1]);
  return { systems, part, samples: all.length, identical: all.length - pairs.length, pairs };
}

function answersOf(run: FinishedRun, boundary: number, part: Part): readonly string[] {
  const rows = run.answers(boundary, part);
  if (rows) return rows.map(({ output }) => withoutThoughts(output, thoughtsOfRun(run.result)));
  const there = run.result.candidates
    .filter((candidate) => run.answers(candidate.boundary, part))
    .map((candidate) => candidate.boundary);
  throw new UsageError({
    what: `${run.folder} has no answers of ${nameIn(run.result, boundary)} to its ${part}`,
    expected: there.length === 0 ? "another part" : there.map((boundary) => nameIn(run.result, boundary)).join(", "),
    fix: "Name others with --systems or --part.",
  });
}
