import { maskKey, type Candidate } from "../adapter/mask.js";
import { writePieces, type Piece } from "../adapter/pieces.js";
import type { Engine } from "../engine/engine.js";
import { workBetween } from "../engine/work.js";
import { withTemporaryFolder } from "../files/temporary-folder.js";
import { answerSelection } from "./economy/answer-selection.js";
import { assertChangesSomething, withEffects } from "./effects/assert-adapter-has-effect.js";
import { chooseBoundary } from "../choice/choose.js";
import { conclude } from "../choice/conclude.js";
import { ruleSettings } from "./inputs/scoring.js";
import { redactedConfig, type SweepConfig } from "./config.js";
import { estimateCost, type CostEstimate } from "./estimate.js";
import { evaluate, type Evaluation } from "./evaluate.js";
import type { SweepInputs } from "./inputs/inputs.js";
import { Journal, type JournalRow } from "../run/journal.js";
import { LikelihoodFile } from "../run/likelihood-file.js";
import { candidatesOf, decidingSettings, hash, type PlannedSample, type SweepPlan } from "./plan.js";
import { rankLayers, type LayerRanking } from "./ranking/rank-layers.js";
import { recordSweep } from "./record.js";
import type { SweepResult } from "../run/result.js";
import { RunFolder, type RunFingerprint } from "../run/run-folder.js";
import { answerText } from "../tasks/answer-text.js";
import { scoreAnswers, type Answers, type CandidateScores } from "../choice/scores.js";
import { measureSpeeds } from "./speeds.js";
import { planSession, withSession } from "./session.js";
import { answeringCandidates, distinct, triedCandidates } from "./candidates-to-answer.js";
import { verdict } from "../choice/verdict.js";

/** How a caller follows a sweep. */
export interface SweepHooks {
  /** Once, before the first answer. */
  readonly onPlan?: (plan: SweepPlan, inputs: SweepInputs) => void;
  /** While the layers are ranked: how many passes are done. */
  readonly onRanking?: (done: number, total: number) => void;
  /** For every answer. */
  readonly onProgress?: (progress: SweepProgress) => void;
  /** What the queue of a sweep with `redis` has to say, a line each. */
  readonly onNote?: (line: string) => void;
  /** Stops the sweep; finished answers stay in the journal. */
  readonly signal?: AbortSignal;
}

/** Where a sweep is. */
export interface SweepProgress {
  readonly part: "selection" | "holdout";
  readonly boundary: number;
  /** What the candidate is called: `K=12`. */
  readonly name: string;
  readonly done: number;
  /** Answers in this sweep; the holdout's are counted from the start. It falls as a race drops candidates. */
  readonly total: number;
  readonly row: JournalRow;
  /** False for an answer that an earlier run left in the journal. */
  readonly generatedNow: boolean;
  /** The primary metric of this candidate on this part so far, 0-100. */
  readonly runningScore: number;
}

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
  const session = async (given: SweepInputs, engine: Engine): Promise<SweepResult> => {
    const laidOut = await planSession(engine, config, given);
    const inputs = await withEffects(given, engine);
    const folder = await RunFolder.take(config.out, runFingerprint(config, inputs, laidOut, engine), {
      fresh: options.fresh ?? false,
    });
    try {
      const { plan, ranking } = await rankedPlan(laidOut, { config, inputs, engine, folder, hooks });
      hooks.onPlan?.(plan, inputs);
      const masks = [...plan.candidates, plan.base, plan.full].map(({ mask }) => mask);
      const pieces = await writePieces(inputs.adapter, masks, folder.file("pieces"));
      await assertChangesSomething(engine, plan, pieces, inputs.adapter.givenPath);
      const journal = await Journal.open(folder.file("journal"));
      try {
        return await run({ config, inputs, plan, ranking, engine, folder, journal, pieces, hooks, started });
      } finally {
        await journal.close();
      }
    } finally {
      await folder.release();
    }
  };
  return withSession(config, hooks.signal, session, hooks.onNote);
}

/** A plan whose layers are ranked, where its strategy asks for that: only then are its masks known. */
async function rankedPlan(
  plan: SweepPlan,
  { config, inputs, engine, folder, hooks }: Pick<Run, "config" | "inputs" | "engine" | "folder" | "hooks">,
): Promise<{ plan: SweepPlan; ranking: LayerRanking | undefined }> {
  const ranking = await rankLayers(inputs.strategy, {
    config,
    inputs,
    plan,
    engine,
    likelihoods: await LikelihoodFile.open(folder.file("likelihoods")),
    pieces: folder.file("pieces"),
    signal: hooks.signal,
    onPass: hooks.onRanking,
  });
  return { plan: ranking ? { ...plan, ...candidatesOf(inputs, ranking.layers) } : plan, ranking };
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
        tried: answering,
        confirming: answeringCandidates(plan, tried).holdout,
        startSeconds,
      });
      return { plan, inputs, cost, engine: engine.info };
    });
  });
}

/** Settings that only say where inputs lie (their content counts) or how answers are scored (the same answers can be scored again). */
const NOT_IDENTITY = new Set([
  "sequences",
  ...["adapter", "data", "model", "prompt", "references"],
  ...["extract", "floor", "group-by", "margin", "metric", "metrics", "qa-script", "rule", "strip-thoughts"],
  // Fewer answers, but each of them the same.
  ...["race", "screen"],
]);

/** What makes a folder's answers those of this call. */
export function runFingerprint(
  config: SweepConfig,
  inputs: SweepInputs,
  plan: SweepPlan,
  engine: Engine,
): RunFingerprint {
  const settings = Object.entries(redactedConfig(config)).filter(([name]) => !NOT_IDENTITY.has(name));
  const asked = [...plan.selection, ...plan.holdout].map(({ part, prompt }) => [part, prompt.id, prompt.tokens]);
  return {
    ...Object.fromEntries(settings.map(([name, value]) => [name, String(value)])),
    adapter: inputs.adapter.sha256,
    data: inputs.data.sha256,
    engine: JSON.stringify(engine.info),
    generation: JSON.stringify(decidingSettings(plan.generation)),
    holdout: inputs.holdoutData?.sha256 ?? String(config.holdout),
    model: inputs.model.sha256,
    prompt: hash(inputs.prompt.source),
    prompts: hash(asked),
  };
}

interface Run {
  readonly config: SweepConfig;
  readonly inputs: SweepInputs;
  readonly plan: SweepPlan;
  readonly ranking: LayerRanking | undefined;
  readonly engine: Engine;
  readonly folder: RunFolder;
  readonly journal: Journal;
  readonly pieces: readonly Piece[];
  readonly hooks: SweepHooks;
  readonly started: number;
}

async function run(context: Run): Promise<SweepResult> {
  const { config, inputs, plan, engine, folder } = context;
  const tried = triedCandidates(config, inputs.floors, plan);
  const trials = await engine.work();
  const counts = { generated: 0, reused: 0, total: totalAnswers(plan, tried) };
  const evaluation = evaluationOf(context, counts);
  const settings = ruleSettings(config, inputs, plan.layerCount);
  const answered = await answerSelection(evaluation, tried, {
    config,
    settings,
    inputs,
    likelihoods: folder.file("likelihoods"),
    onSpared: (answers) => {
      counts.total -= answers;
    },
  });
  const selectionAnswers = answered.answers;
  const selection = scoreAll(selectionAnswers, plan.selection, inputs);
  const choiceInput = {
    ...settings,
    scored: selection,
    full: selection.find(({ candidate }) => isSame(candidate, plan.full)) ?? mustLast(selection),
  };
  const choice = chooseBoundary(choiceInput);
  const chosen = choice.chosen.candidate;

  // Without a holdout, chosen is still set beside full and base: on the selection part, and said to be in-sample.
  const part = plan.holdout.length > 0 ? "holdout" : "selection";
  const samples = part === "holdout" ? plan.holdout : plan.selection;
  const known = part === "holdout" ? [] : selectionAnswers;
  const missing = distinct([plan.base, plan.full, chosen]).filter(
    (one) => !known.some(({ candidate }) => isSame(candidate, one)),
  );
  const confirmAnswers = [...known, ...(await evaluate(evaluation, missing, samples))];
  const confirmScores = scoreAll(confirmAnswers, samples, inputs);
  const scoredAs = (candidate: Candidate): CandidateScores => {
    const found = confirmScores.find((scored) => isSame(scored.candidate, candidate));
    if (!found) throw new RangeError(`candidate ${candidate.name} was not confirmed`);
    return found;
  };
  const compared = { chosen: scoredAs(chosen), full: scoredAs(plan.full), base: scoredAs(plan.base) };
  const confirmation = conclude({
    part,
    compared,
    choice: choiceInput,
    folds: config.folds,
    seed: config.seed,
    clusters: plan.selection.map(({ prompt }) => prompt.tokens.join(" ")),
  });
  const work = workBetween(trials, await engine.work());
  const speeds = await measureSpeeds(plan, engine, context.pieces, chosen);
  return recordSweep(
    {
      config,
      inputs,
      info: engine.info,
      plan,
      ranking: context.ranking,
      economy: answered.economy,
      selection,
      holdout: part === "holdout" ? confirmScores : [],
      choice,
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
      answers:
        part === "holdout"
          ? { selection: selectionAnswers, holdout: confirmAnswers }
          : { selection: confirmAnswers.sort((a, b) => a.candidate.number - b.candidate.number), holdout: [] },
      timings: {
        wallSeconds: (performance.now() - context.started) / 1000,
        answersGenerated: counts.generated,
        answersReused: counts.reused,
        enginePeakBytes: await engine.peakMemory(),
        ownPeakBytes: process.resourceUsage().maxRSS * 1024,
        speeds,
        ...(work ? { work } : {}),
      },
    },
    folder,
  );
}

function totalAnswers(plan: SweepPlan, tried: readonly Candidate[]): number {
  const { selection, holdout } = answeringCandidates(plan, tried);
  return selection * plan.selection.length + holdout * plan.holdout.length;
}

interface AnswerCounts {
  generated: number;
  reused: number;
  /** Answers that are to be given, with those given already. */
  total: number;
}

function evaluationOf(context: Run, counts: AnswerCounts): Evaluation {
  const { plan, engine, journal, pieces, hooks, inputs } = context;
  const references = new Map(
    [...plan.selection, ...plan.holdout].map(({ part, sample }) => [`${part}\0${sample.id}`, sample.references]),
  );
  const running = new Map<string, { sums: readonly number[]; count: number }>();
  return {
    plan,
    engine,
    journal,
    pieces,
    signal: hooks.signal,
    onRow: (row, candidate, generatedNow) => {
      counts[generatedNow ? "generated" : "reused"] += 1;
      const key = `${row.part}\0${candidate.number}`;
      const tally = running.get(key) ?? { sums: [], count: 0 };
      const expected = references.get(`${row.part}\0${row.sampleId}`) ?? [""];
      const statistics = inputs.primary.statistics(answerText(row.output, inputs.reading), expected);
      tally.sums = statistics.map((value, i) => value + (tally.sums[i] ?? 0));
      tally.count += 1;
      running.set(key, tally);
      hooks.onProgress?.({
        part: row.part,
        boundary: candidate.number,
        name: candidate.name,
        done: counts.generated + counts.reused,
        total: counts.total,
        row,
        generatedNow,
        runningScore: inputs.primary.corpusValue(tally.sums, tally.count),
      });
    },
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

function mustLast<T>(items: readonly T[]): T {
  const last = items.at(-1);
  if (last === undefined) throw new RangeError("nothing to choose from");
  return last;
}
