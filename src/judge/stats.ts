import { printable } from "../files/printable.js";
import type { Asked } from "./ask.js";
import type { JudgeCache } from "./cache.js";
import { JudgeError, questionFailures, type JudgeFailureKind, type JudgeModel } from "./judge-model.js";

/** Answers shown as examples of those that are no verdict. */
const MOST_EXAMPLES = 5;

/** What came of asking one judge. `questions` = `answered` + `unparseable` + all `failures` + `notAsked`. */
export interface JudgeStats {
  readonly judge: string;
  readonly questions: number;
  /** Answers that are a verdict. */
  readonly answered: number;
  /** Answers that are none: counted, never guessed at. */
  readonly unparseable: number;
  /** Some of them, shortened. */
  readonly unparseableExamples: readonly string[];
  /** Questions without an answer, by reason. */
  readonly failures: Readonly<Partial<Record<JudgeFailureKind, number>>>;
  /** Questions left because the judge was given up. */
  readonly notAsked: number;
  /** Why it was given up. */
  readonly gaveUp?: JudgeError;
  /** Questions put to it in this run. */
  readonly asked: number;
  /** Answers out of the cache, or to an equal question of this run. */
  readonly reused: number;
  /** Answers that the limit of tokens cut off. */
  readonly cut: number;
  /** Of this run's answers, as the endpoint counts them. */
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Of this run in the currency of the prices; absent without prices, or where some answer came without its count of tokens. */
  readonly cost?: number;
  readonly notes: readonly string[];
}

/** Sums up one judge's outcomes; `isVerdict` says for each whether its answer is one. */
export function judgeStats(
  { judge, outcomes, asked, gaveUp }: Asked,
  isVerdict: (answer: string) => boolean,
): JudgeStats {
  const failures: Partial<Record<JudgeFailureKind, number>> = {};
  const unparseable: string[] = [];
  const counts = { answered: 0, notAsked: 0, reused: 0, cut: 0, promptTokens: 0, completionTokens: 0, uncounted: 0 };
  for (const outcome of outcomes) {
    if (outcome.kind === "not-asked") counts.notAsked += 1;
    if (outcome.kind === "failed") failures[outcome.error.kind] = (failures[outcome.error.kind] ?? 0) + 1;
    if (outcome.kind !== "reply") continue;
    const { reply, isReused } = outcome;
    if (isVerdict(reply.text)) counts.answered += 1;
    else unparseable.push(reply.text);
    if (reply.cut) counts.cut += 1;
    if (isReused) counts.reused += 1;
    else if (reply.usage === undefined) counts.uncounted += 1;
    else {
      counts.promptTokens += reply.usage.promptTokens;
      counts.completionTokens += reply.usage.completionTokens;
    }
  }
  const { uncounted, ...shown } = counts;
  return {
    judge: judge.name,
    questions: outcomes.length,
    ...shown,
    unparseable: unparseable.length,
    unparseableExamples: [...new Set(unparseable)].slice(0, MOST_EXAMPLES).map(printable),
    failures,
    ...(gaveUp === undefined ? {} : { gaveUp }),
    asked,
    ...(judge.prices === undefined || uncounted > 0 ? {} : { cost: costOf(counts, judge.prices) }),
    notes: [...judge.notes],
  };
}

function costOf(
  { promptTokens, completionTokens }: { promptTokens: number; completionTokens: number },
  prices: NonNullable<JudgeModel["prices"]>,
): number {
  return (promptTokens * prices.promptPerMillion + completionTokens * prices.completionPerMillion) / 1e6;
}

/**
 * The error that says which judges left questions open that a rerun may close, and what was kept; undefined where there are none.
 * Refusals and questions that are too long are not among them: asked again they give the same.
 */
export function openQuestions(
  all: readonly Asked[],
  stats: readonly JudgeStats[],
  cache: JudgeCache,
): JudgeError | undefined {
  const failed = all.flatMap((asked) => {
    const error = asked.gaveUp ?? firstFailure(asked);
    return error === undefined ? [] : [{ name: asked.judge.name, error }];
  });
  const [first] = failed;
  if (first === undefined) return undefined;
  const { what, actual, fix = "" } = first.error.parts;
  const kept = stats.reduce((sum, { answered, unparseable }) => sum + answered + unparseable, 0);
  const questions = stats.reduce((sum, one) => sum + one.questions, 0);
  const others = failed.slice(1).map(({ name }) => name);
  const where = cache.path === undefined ? "" : ` in ${cache.path}`;
  return new JudgeError(first.error, {
    what: others.length === 0 ? what : `${what} (questions to ${others.join(", ")} are open too)`,
    ...(actual === undefined ? {} : { actual }),
    fix: `${fix} ${kept} of ${questions} answers are kept${where}, and all other results stand: run the judge again, it asks only what is missing.`.trim(),
    cause: first.error,
  });
}

function firstFailure({ outcomes }: Asked): JudgeError | undefined {
  for (const outcome of outcomes) {
    if (outcome.kind === "failed" && !questionFailures.has(outcome.error.kind)) return outcome.error;
  }
  return undefined;
}
