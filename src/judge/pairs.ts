import { at } from "../assert.js";
import type { Sample } from "../samples/sample.js";
import { askAll, type Asked, type Outcome } from "./ask.js";
import { pairQuestion } from "./judge-prompt.js";
import type { JudgeError, JudgeModel } from "./judge-model.js";
import type { JudgeOptions } from "./scores.js";
import { judgeStats, openQuestions, type JudgeStats } from "./stats.js";
import { parsePreference, type Preference } from "./verdict.js";

/** Two answers to one sample, without the thoughts of reasoning models. */
export interface JudgedPair {
  readonly sample: Sample;
  readonly a: string;
  readonly b: string;
}

/**
 * What one judge makes of a pair, asked in both orders: `a` or `b` where it chose the same answer twice; `first` or `second` where it
 * chose the same place twice, so that order decided; `identical` where the answers are one text and nobody was asked.
 */
export type PairVerdict = "a" | "b" | "first" | "second" | "identical";

/** Which answer is better; a tie where order decided, the answers are identical, or the judges cancel each other out. */
export type PairPreference = "a" | "b" | "tie";

/** What some judges make of two candidates' answers. */
export interface JudgedPairs {
  readonly promptSha8: string;
  readonly judges: readonly string[];
  /** In the order of the items. */
  readonly samples: readonly JudgedPairSample[];
  readonly counts: Readonly<Record<PairPreference | "identical" | "missing", number>>;
  readonly stats: readonly PairStats[];
  /** Set where questions are open that a rerun may close. The rest of the result stands all the same. */
  readonly failure?: JudgeError;
}

/** What the judges make of one pair. */
export interface JudgedPairSample {
  readonly sampleId: string;
  /** One for each judge, undefined where one of its two answers is missing or no verdict. */
  readonly verdicts: readonly (PairVerdict | undefined)[];
  /** That of more judges than its opposite; undefined unless every judge has a verdict. */
  readonly preference: PairPreference | undefined;
}

/** What came of asking one judge; its questions are two for each pair of different answers. */
export interface PairStats extends JudgeStats {
  /** Verdicts by kind. `first` + `second` are those where order decided. */
  readonly verdicts: Readonly<Record<PairVerdict, number>>;
  /** Percentage of its verdicts on different answers where order decided, 0-100; absent without such verdicts. */
  readonly orderBias?: number;
}

/**
 * Has every judge choose between two answers to each sample, in both orders, so that a liking for a place cancels out. Identical answers
 * are a tie and not asked about. What fails is left open and told in `failure`, not thrown.
 * @throws SampleError when the prompt fails on a sample, InterruptedError when the signal fires, FileError when the cache cannot be written.
 *
 * Source: arXiv 2503.23360, appendix A.2; the swap: Wang et al., Large Language Models are not Fair Evaluators (arXiv 2305.17926).
 */
export async function judgePairs(
  judges: readonly JudgeModel[],
  items: readonly JudgedPair[],
  options: JudgeOptions,
): Promise<JudgedPairs> {
  const { prompt, dataPath, cache } = options;
  const questions = items
    .filter(({ a, b }) => a !== b)
    .flatMap(({ sample, a, b }) => [
      pairQuestion(prompt, sample, [a, b], dataPath),
      pairQuestion(prompt, sample, [b, a], dataPath),
    ]);
  const asked = await askAll(judges, questions, options);
  const verdicts = asked.map((one) => verdictsOf(items, one));
  const samples = items.map(({ sample }, index) => {
    const own = verdicts.map((list) => list[index]);
    return { sampleId: sample.id, verdicts: own, preference: preferenceOf(own) };
  });
  const stats = asked.map((one, judge) => pairStats(one, at(verdicts, judge)));
  const failure = openQuestions(asked, stats, cache);
  return {
    promptSha8: prompt.sha8,
    judges: judges.map(({ name }) => name),
    samples,
    counts: {
      ...counted(
        ["a", "b", "tie"],
        samples.map(({ preference }) => preference),
      ),
      identical: items.filter(({ a, b }) => a === b).length,
      missing: samples.filter(({ preference }) => preference === undefined).length,
    },
    stats,
    ...(failure === undefined ? {} : { failure }),
  };
}

/** One verdict an item, out of two outcomes for each item whose answers differ. */
function verdictsOf(items: readonly JudgedPair[], { outcomes }: Asked): (PairVerdict | undefined)[] {
  let next = 0;
  return items.map(({ a, b }) => {
    if (a === b) return "identical";
    const [straight, swapped] = [preferred(outcomes[next]), preferred(outcomes[next + 1])];
    next += 2;
    if (straight === undefined || swapped === undefined) return undefined;
    if (straight === swapped) return straight === "A" ? "first" : "second";
    return straight === "A" ? "a" : "b";
  });
}

function preferred(outcome: Outcome | undefined): Preference | undefined {
  return outcome?.kind === "reply" ? parsePreference(outcome.reply.text) : undefined;
}

function preferenceOf(verdicts: readonly (PairVerdict | undefined)[]): PairPreference | undefined {
  if (verdicts.length === 0 || verdicts.includes(undefined)) return undefined;
  const balance = verdicts.filter((one) => one === "a").length - verdicts.filter((one) => one === "b").length;
  if (balance === 0) return "tie";
  return balance > 0 ? "a" : "b";
}

function pairStats(asked: Asked, verdicts: readonly (PairVerdict | undefined)[]): PairStats {
  const counts = counted(["a", "b", "first", "second", "identical"], verdicts);
  const byOrder = counts.first + counts.second;
  const different = counts.a + counts.b + byOrder;
  return {
    ...judgeStats(asked, (answer) => parsePreference(answer) !== undefined),
    verdicts: counts,
    ...(different === 0 ? {} : { orderBias: (100 * byOrder) / different }),
  };
}

function counted<K extends string>(kinds: readonly K[], values: readonly (K | undefined)[]): Record<K, number> {
  const counts = kinds.map((kind) => [kind, values.filter((value) => value === kind).length] as const);
  return Object.fromEntries(counts) as Record<K, number>;
}
