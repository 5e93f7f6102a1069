import { pairedJudgeScores, type JudgeScore } from "../judge/score.js";
import { judgePairs, type JudgedPairs } from "../judge/pairs.js";
import { judgeScores, type JudgeOptions, type JudgedScores } from "../judge/scores.js";
import type { JudgeError, JudgeModel } from "../judge/judge-model.js";
import { judgedTask, loadJudgePrompt } from "../judge/judge-prompt.js";
import { at } from "../assert.js";
import { UsageError } from "../errors.js";
import type { Sample } from "../samples/sample.js";
import { scoreInterval } from "../statistics/interval.js";
import { preferenceShare, type PreferenceShare } from "../statistics/preference.js";
import { pairedDifference, type PairedDifference } from "../choice/confirm.js";

/** Answers to be judged as they are, of one system, in the order of the samples. */
export interface JudgedSystem {
  readonly name: string;
  /** K of a run's answers. */
  readonly boundary?: number;
  readonly answers: readonly string[];
}

/** What is to be judged and how. */
export interface JudgeRunOptions extends Omit<JudgeOptions, "prompt" | "dataPath"> {
  readonly task: string;
  readonly samples: readonly Sample[];
  /** The first is what the others are compared with. */
  readonly systems: readonly JudgedSystem[];
  /** Whether pairs of answers are compared too: each system with the first. */
  readonly pairs: boolean;
  /** Jinja files in the place of the bundled questions. */
  readonly scorePrompt: string | undefined;
  readonly pairPrompt: string | undefined;
  readonly dataPath: string;
  readonly seed: number;
}

/** What judges made of some systems' answers. Scores 0-100. */
export interface JudgeResult {
  readonly judges: readonly string[];
  readonly systems: readonly {
    readonly name: string;
    readonly boundary?: number;
    /** Over the samples that every judge marked for every system; absent where there are none. */
    readonly score?: {
      readonly value: number;
      readonly low: number;
      readonly high: number;
      readonly n: number;
      readonly signature: string;
    };
    /** Against the first system; absent for the first. */
    readonly against?: PairedDifference;
    readonly stats: JudgedScores["stats"];
  }[];
  /** Which answer the judges prefer, each system against the first. */
  readonly pairs: readonly {
    readonly system: string;
    readonly against: string;
    readonly counts: JudgedPairs["counts"];
    /** Share of the `n` pairs with a preference in which the system wins; absent without preferences. */
    readonly wins?: PreferenceShare & { readonly n: number };
    readonly stats: JudgedPairs["stats"];
  }[];
  /** Set where questions are open that a rerun may close. Everything else stands all the same. */
  readonly failure?: JudgeError;
}

/**
 * Has judges mark every system's answers, and compare those of each system with the first's. What fails is left open and told in `failure`.
 * @throws UsageError without systems; SampleError when a prompt fails on a sample; InterruptedError when the signal fires.
 */
export async function judgeRun(judges: readonly JudgeModel[], options: JudgeRunOptions): Promise<JudgeResult> {
  const { samples, systems, seed, dataPath, task } = options;
  const [first] = systems;
  if (!first || samples.length === 0)
    throw new UsageError({ what: "there is nothing to judge", expected: "answers to at least one sample" });
  const prompt = await loadJudgePrompt("score", judgedTask(task), options.scorePrompt);
  const judged: JudgedScores[] = [];
  for (const system of systems) {
    const items = system.answers.flatMap((prediction, i) => (samples[i] ? [{ sample: samples[i], prediction }] : []));
    judged.push(await judgeScores(judges, items, { ...options, prompt, dataPath }));
  }
  const scores = commonScores(judged);
  const pairs: JudgeResult["pairs"][number][] = [];
  let failure = judged.find((one) => one.failure)?.failure;
  if (options.pairs) {
    const pairPrompt = await loadJudgePrompt("pair", judgedTask(task), options.pairPrompt);
    for (const system of systems.slice(1)) {
      const items = samples.map((sample, i) => ({ sample, a: at(system.answers, i), b: at(first.answers, i) }));
      const compared = await judgePairs(judges, items, { ...options, prompt: pairPrompt, dataPath });
      failure ??= compared.failure;
      pairs.push(pairEntry(system.name, first.name, compared));
    }
  }
  return {
    judges: judges.map(({ name }) => name),
    systems: systems.map(({ name, boundary }, place) => {
      const score = scores[place];
      const reference = scores[0];
      return {
        name,
        ...(boundary === undefined ? {} : { boundary }),
        ...(score === undefined ? {} : { score: scoreEntry(score, seed) }),
        ...(score === undefined || reference === undefined || place === 0
          ? {}
          : { against: pairedDifference(score, reference, seed) }),
        stats: at(judged, place).stats,
      };
    }),
    pairs,
    ...(failure === undefined ? {} : { failure }),
  };
}

/** Scores over the samples that were marked for all systems, none where there is no such sample. */
function commonScores(judged: readonly JudgedScores[]): readonly JudgeScore[] {
  const isMarked = judged[0]?.samples.some((_, i) => judged.every(({ samples }) => samples[i]?.value !== undefined));
  return isMarked ? pairedJudgeScores(judged) : [];
}

function scoreEntry(score: JudgeScore, seed: number): NonNullable<JudgeResult["systems"][number]["score"]> {
  const { low, high } = scoreInterval(score, { seed });
  return { value: score.value, low, high, n: score.n, signature: score.signature };
}

function pairEntry(system: string, against: string, { counts, stats }: JudgedPairs): JudgeResult["pairs"][number] {
  const share = preferenceShare(counts.a, counts.b);
  return {
    system,
    against,
    counts,
    ...(share === undefined ? {} : { wins: { ...share, n: counts.a + counts.b } }),
    stats,
  };
}
