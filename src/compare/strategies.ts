import { rm } from "node:fs/promises";
import { join } from "node:path";
import { at } from "../assert.js";
import { maskKey, type Candidate } from "../adapter/mask.js";
import { writePieces, type Piece } from "../adapter/pieces.js";
import { trimAdapter } from "../adapter/trim.js";
import type { Engine } from "../engine/engine.js";
import { UsageError } from "../errors.js";
import { ensureFolder, writeTextAtomic } from "../files/atomic-file.js";
import { stableJson } from "../files/stable-json.js";
import type { Score } from "../metrics/metric.js";
import { scoreInterval } from "../statistics/interval.js";
import { shuffle } from "../statistics/random.js";
import { maskWords } from "../strategy/mask-words.js";
import { chooseBoundary } from "../choice/choose.js";
import { ruleSettings } from "../sweep/inputs/scoring.js";
import { redactedConfig, type SweepConfig } from "../sweep/config.js";
import { pairedDifference } from "../choice/confirm.js";
import { evaluate } from "../sweep/evaluate.js";
import type { JournalledAnswers } from "../run/journal.js";
import { withStrategy, type SweepInputs } from "../sweep/inputs/inputs.js";
import { Journal } from "../run/journal.js";
import { layerTokens } from "../run/layer-tokens.js";
import { LikelihoodFile } from "../run/likelihood-file.js";
import { assertChangesSomething, withEffects } from "../sweep/effects/assert-adapter-has-effect.js";
import { candidatesOf, type PlannedSample, type SweepPlan } from "../sweep/plan.js";
import { rankingPasses, rankLayers, type LayerRanking } from "../sweep/ranking/rank-layers.js";
import { RunFolder } from "../run/run-folder.js";
import { scoreOf, type CandidateScores } from "../choice/scores.js";
import { planSession, withSession } from "../sweep/session.js";
import { runFingerprint } from "../sweep/run-fingerprint.js";
import { scoreAll } from "../sweep/sweep.js";
import { distinct } from "../sweep/candidates-to-answer.js";
import { version } from "../version.js";
import { strategiesResultSchema, type StrategiesResult, type StrategyRow } from "./strategies-result.js";

/** Samples that a strategy must be able to afford: fewer choose next to nothing. */
const FEWEST_SAMPLES = 8;

/** How a caller follows the comparison. */
export interface StrategiesHooks {
  readonly onProgress?: (progress: { strategy: string; done: number; total: number }) => void;
  readonly signal?: AbortSignal;
}

/** What each strategy may spend: layer-tokens, or a multiple of what all boundaries cost on the whole selection. */
export type Budget = { readonly layerTokens: number } | { readonly sweeps: number };

/**
 * Runs strategies on the selection part, each within the same budget, and sets what they chose side by side on the holdout, which none of them
 * has seen. Written to `config.out`: `strategies.json`, the chosen masks' adapters in `trimmed/`, and a journal, so that the same call resumes.
 * @param config its strategy and boundaries do not count.
 * @throws UsageError without a holdout, or for a strategy that cannot be read; what a sweep throws.
 */
export async function compareStrategies(
  config: SweepConfig,
  strategies: readonly string[],
  budget: Budget,
  hooks: StrategiesHooks = {},
): Promise<StrategiesResult> {
  return withSession(config, hooks.signal, async (given, engine) => {
    const named: SweepInputs[] = [];
    for (const text of new Set(strategies)) named.push(await withStrategy(config, given, text));
    const plan = await planSession(engine, config, given);
    if (plan.holdout.length === 0) {
      throw new UsageError({
        what: "strategies are compared on samples that none of them has seen",
        actual: "no holdout",
        fix: "Give --holdout, a share of the samples or a file.",
      });
    }
    const inputs = await withEffects(given, engine);
    const identity = { ...runFingerprint(config, inputs, plan, engine), command: "strategies" };
    const folder = await RunFolder.take(config.out, identity, { fresh: false });
    try {
      const likelihoods = await LikelihoodFile.open(folder.file("likelihoods"));
      const journal = await Journal.open(folder.file("journal"));
      try {
        const result = await run({ config, inputs, plan, engine, folder, journal, likelihoods, hooks }, named, budget);
        await writeTextAtomic(folder.file("strategies"), stableJson(result));
        return result;
      } finally {
        await journal.close();
        await likelihoods.close();
      }
    } finally {
      await folder.release();
    }
  });
}

interface Session {
  readonly config: SweepConfig;
  readonly inputs: SweepInputs;
  readonly plan: SweepPlan;
  readonly engine: Engine;
  readonly folder: RunFolder;
  readonly journal: Journal;
  readonly likelihoods: LikelihoodFile;
  readonly hooks: StrategiesHooks;
}

/** What a strategy came to on the selection. */
interface Outcome {
  readonly inputs: SweepInputs;
  readonly chosen: CandidateScores;
  readonly masks: number;
  readonly samples: number;
  readonly ranking: LayerRanking | undefined;
  readonly answersCost: number;
}

async function run(session: Session, named: readonly SweepInputs[], budget: Budget): Promise<StrategiesResult> {
  const { config, inputs, plan, engine, folder } = session;
  const ends = [plan.base, plan.full];
  const pieces = await piecesFor(session, ends);
  await assertChangesSomething(engine, plan, pieces, inputs.adapter.givenPath);
  // In a fixed random order, of which a strategy that cannot afford all takes the beginning.
  const samples = shuffle(config.seed, plan.selection);
  const full = await answer(session, [plan.full], samples, "full");
  const cost = samples.map((_, i) => layerTokens(plan.layerCount, at(full, 0).rows.slice(i, i + 1)));
  const allowed = budgetOf(budget, plan, cost);
  const outcomes: Outcome[] = [];
  const left: { strategy: string; reason: string }[] = [];
  for (const own of named) {
    const outcome = await attempt(session, own, { samples, cost, allowed });
    if (typeof outcome === "string") left.push({ strategy: own.strategyText, reason: outcome });
    else outcomes.push(outcome);
  }
  const finalists = distinct([...ends, ...outcomes.map(({ chosen }) => chosen.candidate)]);
  const final = scoreAll(await answer(session, finalists, plan.holdout, "final part"), plan.holdout, inputs);
  const scoreAt = (candidate: Candidate): Score => {
    const found = final.find((one) => maskKey(one.candidate.mask) === maskKey(candidate.mask));
    if (!found) throw new RangeError(`${candidate.name} has not answered the final part`);
    return scoreOf(found, inputs.primary.name);
  };
  const rows: StrategyRow[] = [];
  for (const outcome of outcomes) {
    const { candidate } = outcome.chosen;
    const trimmed = await writeTrimmed(session, outcome);
    rows.push({
      strategy: outcome.inputs.strategyText,
      chosen: candidate.name,
      keeps: maskWords(candidate.mask, inputs.adapter.modules, plan.layerCount),
      keptModules: candidate.keptModules,
      bytes: candidate.bytes,
      masks: outcome.masks,
      samples: outcome.samples,
      selection: scoreOf(outcome.chosen, inputs.primary.name).value,
      final: intervalOf(scoreAt(candidate), config.seed),
      finalMinusFull: pairedDifference(scoreAt(candidate), scoreAt(plan.full), config.seed),
      spent: { ranking: outcome.ranking?.layerTokens ?? 0, answers: outcome.answersCost },
      ...(outcome.ranking ? { ranking: [...outcome.ranking.layers] } : {}),
      ...(trimmed === undefined ? {} : { trimmed }),
    });
  }
  await ensureFolder(folder.path);
  return strategiesResultSchema.parse({
    schemaVersion: 1,
    tool: { name: "boundary", version },
    config: redactedConfig(config),
    model: { sha256: inputs.model.sha256, layers: plan.layerCount },
    adapter: { sha256: inputs.adapter.sha256, modules: inputs.adapter.modules.length, bytes: plan.full.bytes },
    metric: inputs.primary.name,
    label: inputs.primary.label,
    rule: config.rule,
    budget: Math.round(allowed),
    selectionSamples: plan.selection.length,
    finalSamples: plan.holdout.length,
    base: intervalOf(scoreAt(plan.base), config.seed),
    full: intervalOf(scoreAt(plan.full), config.seed),
    rows,
    left,
    notes: [
      ...inputs.notes,
      "What a strategy would spend was estimated with the lengths of the full adapter's answers; what it came to is under `spent`.",
      `Each interval is a 95 % one by itself: of ${rows.length} strategies the best on the final part is flattered by having been picked there.`,
    ],
  });
}

/** @returns why it cannot be done, where it cannot. */
async function attempt(
  session: Session,
  inputs: SweepInputs,
  { samples, cost, allowed }: { samples: readonly PlannedSample[]; cost: readonly number[]; allowed: number },
): Promise<Outcome | string> {
  const { config, engine, folder, hooks } = session;
  const { strategy, strategyText, adapter } = inputs;
  const passes = rankingPasses(strategy, adapter.coverage.length);
  const mean = cost.reduce((sum, one) => sum + one, 0) / cost.length;
  const ranked = Math.min(passes.samples, samples.length);
  const expected = passes.passes === 0 ? 0 : passes.passes * ranked * mean;
  if (expected > allowed) return tooDear(expected, allowed, "ranking its layers");
  const unranked = { ...session.plan, ...candidatesOf(inputs) };
  const ranking = await rankLayers(strategy, {
    config,
    inputs,
    plan: unranked,
    engine,
    likelihoods: session.likelihoods,
    pieces: folder.file("pieces"),
    signal: hooks.signal,
    onPass: (done, total) => hooks.onProgress?.({ strategy: `${strategyText}, ranking`, done, total }),
  });
  const plan = { ...session.plan, ...candidatesOf(inputs, ranking?.layers) };
  const candidates = distinct([...plan.candidates, plan.full]);
  const share = allowed - (ranking?.layerTokens ?? 0);
  const count = affordable(cost, share / candidates.length);
  if (count < Math.min(FEWEST_SAMPLES, samples.length)) {
    return tooDear(
      candidates.length * FEWEST_SAMPLES * mean,
      share,
      `${candidates.length} masks on ${FEWEST_SAMPLES} samples`,
    );
  }
  const answers = await answer({ ...session, inputs, plan }, candidates, samples.slice(0, count), strategyText);
  const scored = scoreAll(answers, samples.slice(0, count), inputs);
  const full = scored.find(({ candidate }) => maskKey(candidate.mask) === maskKey(plan.full.mask));
  if (!full) throw new RangeError("the full adapter is always among the candidates");
  const settings = ruleSettings(config, inputs, { strategy, layerCount: plan.layerCount });
  const { chosen } = chooseBoundary({ ...settings, scored, full });
  const answersCost = answers.reduce((sum, { rows }) => sum + layerTokens(plan.layerCount, rows), 0);
  return { inputs, chosen, masks: candidates.length, samples: count, ranking, answersCost };
}

function tooDear(needed: number, allowed: number, what: string): string {
  return `${what} takes about ${Math.round(needed)} layer-tokens, ${Math.round(allowed)} are allowed`;
}

/** How many of the samples fit, from the first. */
function affordable(cost: readonly number[], each: number): number {
  let spent = 0;
  for (const [i, one] of cost.entries()) {
    spent += one;
    // Half a token's rounding must not cost a sample.
    if (spent > each * (1 + 1e-9)) return i;
  }
  return cost.length;
}

function budgetOf(budget: Budget, { layerCount, candidates }: SweepPlan, cost: readonly number[]): number {
  if ("layerTokens" in budget) return budget.layerTokens;
  const boundaries = Math.max(candidates.length, layerCount + 1);
  return budget.sweeps * boundaries * cost.reduce((sum, one) => sum + one, 0);
}

async function piecesFor({ inputs, folder }: Session, candidates: readonly Candidate[]): Promise<Piece[]> {
  const masks = candidates.map(({ mask }) => mask);
  return writePieces(inputs.adapter, masks, folder.file("pieces"));
}

async function answer(
  session: Session,
  candidates: readonly Candidate[],
  samples: readonly PlannedSample[],
  name: string,
): Promise<JournalledAnswers[]> {
  const { plan, engine, journal, hooks } = session;
  const total = candidates.length * samples.length;
  let done = 0;
  return evaluate(
    {
      // Only the masks of boundaries have a common part below.
      plan: session.inputs.strategy.kind === "prefix" && name !== "final part" ? plan : withoutSharing(plan),
      inputs: session.inputs,
      engine,
      journal,
      pieces: await piecesFor(session, candidates),
      signal: hooks.signal,
      onRow: () => hooks.onProgress?.({ strategy: name, done: ++done, total }),
    },
    candidates,
    samples,
  );
}

function withoutSharing(plan: SweepPlan): SweepPlan {
  return { ...plan, shortcuts: { ...plan.shortcuts, sharedLayers: false } };
}

async function writeTrimmed({ config, folder }: Session, { inputs, chosen }: Outcome): Promise<string | undefined> {
  const { mask } = chosen.candidate;
  if (mask.size === 0) return undefined;
  await ensureFolder(join(folder.path, "trimmed"));
  const file = join("trimmed", `${inputs.strategyText.replace(/[^\w.-]+/g, "-")}.gguf`);
  const provenance = {
    sourceSha256: inputs.adapter.sha256,
    boundary: inputs.strategy.kind === "prefix" ? chosen.candidate.number : undefined,
    layers: inputs.model.layerCount,
    command: `boundary strategies, ${inputs.strategyText}, --rule ${config.rule}`,
  };
  const path = join(folder.path, file);
  await inputs.files.writeFrom(
    () => trimAdapter(inputs.adapter, mask, path, provenance, { overwrite: true }),
    () => rm(path, { force: true }),
  );
  return file;
}

function intervalOf(score: Score, seed: number): StrategiesResult["full"] {
  const { low, high, method } = scoreInterval(score, { seed });
  return { value: score.value, low, high, method };
}
