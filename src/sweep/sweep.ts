import { defined } from "../assert.js";
import { maskKey, type Candidate } from "../adapter/mask.js";
import { writePieces } from "../adapter/pieces.js";
import { chooseBoundary, type Choice, type ChoiceInput } from "../choice/choose.js";
import { foldKeys } from "../choice/clusters.js";
import { conclude } from "../choice/conclude.js";
import type { Confirmation } from "../choice/confirm.js";
import { scoreAnswers, type Answers, type CandidateScores } from "../choice/scores.js";
import { verdict } from "../choice/verdict.js";
import type { Engine } from "../engine/engine.js";
import { workBetween } from "../engine/work.js";
import { withTemporaryFolder } from "../files/temporary-folder.js";
import type { JournalledAnswers } from "../run/journal.js";
import type { SweepResult } from "../run/result.js";
import { answeringCandidates, distinct, triedCandidates } from "./candidates-to-answer.js";
import type { SweepConfig } from "./config.js";
import { answerSelection, type AnsweredSelection } from "./economy/answer-selection.js";
import { withEffects } from "./effects/assert-adapter-has-effect.js";
import { estimateCost, type CostEstimate } from "./estimate.js";
import { evaluate } from "./evaluate.js";
import type { Evaluation } from "./evaluation.js";
import { AnswerCounter, type SweepHooks } from "./follow-sweep.js";
import type { SweepInputs } from "./inputs/inputs.js";
import { ruleSettings, timesOf } from "./inputs/scoring.js";
import { planSweep, withOpenSweep, type PlannedSweep } from "./open-sweep.js";
import type { PlannedSample, SweepPlan } from "./plan.js";
import { recordSweep } from "./record.js";
import { planSession, withSession } from "./session.js";
import { measureSpeeds } from "./speeds.js";

export type { SweepHooks, SweepProgress } from "./follow-sweep.js";

/**
 * Sweeps the boundary: every candidate answers the selection part, the best is chosen, base, full and chosen answer the holdout, and
 * `result.json`, `outputs.jsonl` and `trimmed.gguf` are written into `config.out`. The same call resumes from the journal.
 * @param options.fresh deletes an earlier run in the folder first.
 * @throws a BoundaryError for anything a user can mend; InterruptedError when the signal fired.
 */
export async function sweep(
  config: SweepConfig,
  hooks: SweepHooks = {},
  options: { fresh?: boolean } = {},
): Promise<SweepResult> {
  const started = performance.now();
  return withOpenSweep(config, hooks, { fresh: options.fresh ?? false }, async (open) => {
    const planned = await planSweep(open);
    const trials = await planned.engine.work();
    const answered = await evaluateSelection(planned);
    const chosen = chooseOne(planned, answered);
    const confirmed = await confirmChoice(planned, answered, chosen);
    const work = workBetween(trials, await planned.engine.work());
    const timings = {
      speeds: await measureSpeeds(planned.plan, planned.engine, planned.pieces, chosen.choice.chosen.candidate),
      wallSeconds: (performance.now() - started) / 1000,
      answersGenerated: answered.counter.generated,
      answersReused: answered.counter.reused,
      enginePeakBytes: await planned.engine.peakMemory(),
      ownPeakBytes: process.resourceUsage().maxRSS * 1024,
      ...(work ? { work } : {}),
    };
    const info = planned.engine.info;
    return recordSweep({ ...planned, ...answered, ...chosen, ...confirmed, info, timings }, planned.folder);
  });
}

/** Lays out a sweep and measures what it would cost. Leaves nothing behind. */
export async function planOnly(
  config: SweepConfig,
  hooks: SweepHooks = {},
): Promise<{ plan: SweepPlan; inputs: SweepInputs; cost: CostEstimate; engine: Engine["info"] }> {
  const started = performance.now();
  return withSession(config, hooks.signal, async (given, engine) => {
    const plan = await planSession(engine, config, given);
    const inputs = await withEffects(given, engine);
    return withTemporaryFolder("plan", async (folder) => {
      const tried = triedCandidates(config, inputs.floors, plan);
      const answering = plan.holdout.length > 0 ? tried : distinct([...tried, plan.base, plan.full]);
      const masks = [...answering, plan.base, plan.full].map(({ mask }) => mask);
      const pieces = await writePieces(inputs.adapter, masks, folder);
      const startSeconds = (performance.now() - started) / 1000;
      const cost = await estimateCost(plan, engine, pieces, {
        model: inputs.model,
        inputs,
        tried: answering,
        confirming: answeringCandidates(plan, tried).holdout,
        startSeconds,
      });
      return { plan, inputs, cost, engine: engine.info };
    });
  });
}

/** The selection part, answered and scored. */
interface EvaluatedSelection extends AnsweredSelection {
  readonly evaluation: Evaluation;
  readonly counter: AnswerCounter;
  readonly selection: readonly CandidateScores[];
}

async function evaluateSelection(planned: PlannedSweep): Promise<EvaluatedSelection> {
  const { config, inputs, plan, hooks, likelihoods } = planned;
  const tried = triedCandidates(config, inputs.floors, plan);
  const answering = answeringCandidates(plan, tried);
  const { needs } = inputs;
  const total =
    answering.selection * plan.selection.length * timesOf(needs.selection) +
    answering.holdout * plan.holdout.length * timesOf(needs.holdout);
  const counter = new AnswerCounter(plan, inputs, hooks.onProgress, total);
  const evaluation = { ...planned, signal: hooks.signal, onRow: counter.onRow };
  const answered = await answerSelection(evaluation, tried, {
    ...{ config, inputs, likelihoods },
    settings: ruleSettings(config, inputs, { strategy: inputs.strategy, layerCount: plan.layerCount }),
    onSpared: (answers) => {
      counter.spare(answers);
    },
  });
  return { ...answered, evaluation, counter, selection: scoreAll(answered.answers, plan.selection, inputs) };
}

/** What the rule decided, and what it was given. */
interface ChosenBoundary {
  readonly choice: Choice;
  readonly choiceInput: ChoiceInput;
}

function chooseOne({ config, inputs, plan }: PlannedSweep, { selection }: EvaluatedSelection): ChosenBoundary {
  const full = selection.find(({ candidate }) => isSame(candidate, plan.full)) ?? selection.at(-1);
  const choiceInput = {
    ...ruleSettings(config, inputs, { strategy: inputs.strategy, layerCount: plan.layerCount }),
    scored: selection,
    full: defined(full, "a candidate to choose from"),
  };
  return { choice: chooseBoundary(choiceInput), choiceInput };
}

/** What the choice is worth, and the answers that show it. */
interface ConfirmedChoice {
  readonly confirmation: Confirmation;
  readonly verdict: ReturnType<typeof verdict>;
  readonly holdout: readonly CandidateScores[];
  readonly answers: Readonly<Record<"selection" | "holdout", readonly JournalledAnswers[]>>;
}

/** Without a holdout, chosen is still set beside full and base: on the selection part, and said to be in-sample. */
async function confirmChoice(
  { config, inputs, plan }: PlannedSweep,
  { evaluation, answers: selectionAnswers }: EvaluatedSelection,
  { choice, choiceInput }: ChosenBoundary,
): Promise<ConfirmedChoice> {
  const chosen = choice.chosen.candidate;
  const part = plan.holdout.length > 0 ? "holdout" : "selection";
  const samples = part === "holdout" ? plan.holdout : plan.selection;
  const known = part === "holdout" ? [] : selectionAnswers;
  const missing = distinct([plan.base, plan.full, chosen]).filter(
    (candidate) => !known.some((answered) => isSame(answered.candidate, candidate)),
  );
  const answers = [...known, ...(await evaluate(evaluation, missing, samples))];
  const scores = scoreAll(answers, samples, inputs);
  const scoredAs = (candidate: Candidate): CandidateScores =>
    defined(
      scores.find((scored) => isSame(scored.candidate, candidate)),
      `the scores of ${candidate.name}`,
    );
  const confirmation = conclude({
    part,
    compared: { chosen: scoredAs(chosen), full: scoredAs(plan.full), base: scoredAs(plan.base) },
    choice: choiceInput,
    folds: config.folds,
    seed: config.seed,
    clusters: foldKeys(
      plan.selection.map(({ sample }) => sample),
      plan.selection.map(({ prompt }) => prompt.tokens.join(" ")),
    ),
  });
  return {
    confirmation,
    verdict: verdict({
      chosen,
      full: plan.full,
      layerCount: plan.layerCount,
      primary: inputs.primary.name,
      rule: config.rule,
      reasons: choice.reasons,
      confirmation,
    }),
    holdout: part === "holdout" ? scores : [],
    answers:
      part === "holdout"
        ? { selection: selectionAnswers, holdout: answers }
        : { selection: answers.sort((a, b) => a.candidate.number - b.candidate.number), holdout: [] },
  };
}

/** Scores of all candidates on the samples that they answered. */
export function scoreAll(
  answers: readonly Answers[],
  samples: readonly PlannedSample[],
  inputs: SweepInputs,
): CandidateScores[] {
  const plain = samples.map(({ sample }) => sample);
  return answers.map((answer) => scoreAnswers(answer, plain, inputs));
}

function isSame(a: Candidate, b: Candidate): boolean {
  return maskKey(a.mask) === maskKey(b.mask);
}
