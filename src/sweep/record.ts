import { defined } from "../assert.js";
import { redact } from "../files/redact.js";
import { exists, writeFileAtomic, writeTextAtomic } from "../files/atomic-file.js";
import { sha256File } from "../files/file-source.js";
import { rm, stat } from "node:fs/promises";
import { ollamaModelfile } from "../adapter/modelfile.js";
import { peftSha256 } from "../adapter/load-peft-adapter.js";
import { trimAdapter } from "../adapter/trim.js";
import { needsBase, peftScales, trimPeftAdapter } from "../adapter/trim-peft.js";
import { isBatchInvariant, type EngineInfo } from "../engine/engine.js";
import { version } from "../version.js";
import { recipe, redactedConfig, type SweepConfig } from "./config.js";
import type { Choice } from "../choice/choose.js";
import type { Confirmation } from "../choice/confirm.js";
import type { LeftOut } from "./economy/answer-selection.js";
import { isNested } from "../strategy/strategy.js";
import { candidateEntries, choiceEntry, confirmationEntry, labelsOf, perplexityNotes } from "../run/to-result.js";
import type { JournalledAnswers } from "../run/journal.js";
import type { SweepInputs } from "./inputs/inputs.js";
import { hash, type SweepPlan } from "./plan.js";
import { RESULT_SCHEMA_VERSION, sweepResultSchema, type SweepResult } from "../run/result.js";
import { stableJson } from "../files/stable-json.js";
import type { LayerRanking } from "./ranking/rank-layers.js";
import type { RunFolder } from "../run/run-folder.js";
import type { CandidateScores } from "../choice/scores.js";
import { thoughtMarksOf } from "../tasks/thoughts.js";
import type { Verdict } from "../choice/verdict.js";

/** All that a finished sweep leaves behind. */
export interface SweepRecord {
  readonly config: SweepConfig;
  readonly inputs: SweepInputs;
  readonly info: EngineInfo;
  readonly plan: SweepPlan;
  readonly ranking: LayerRanking | undefined;
  /** What was left unanswered. */
  readonly leftOut: LeftOut;
  readonly selection: readonly CandidateScores[];
  readonly holdout: readonly CandidateScores[];
  readonly choice: Choice;
  readonly confirmation: Confirmation;
  readonly verdict: Verdict;
  readonly answers: {
    readonly selection: readonly JournalledAnswers[];
    readonly holdout: readonly JournalledAnswers[];
  };
  readonly timings: SweepResult["timings"];
}

/**
 * Writes `outputs.jsonl`, `trimmed.gguf` (unless nothing of the adapter is kept) and, last, `result.json`, each atomically.
 * @throws InputChangedError when model or adapter is not what was evaluated: neither of the last two is there then.
 * @returns the result as written.
 */
export async function recordSweep(record: SweepRecord, folder: RunFolder): Promise<SweepResult> {
  await writeOutputs(record, folder.file("outputs"));
  await writeSamples(record, folder.file("samples"));
  const trimmed = await record.inputs.files.writeFrom(
    () => writeTrimmed(record, folder),
    () => removeTrimmed(folder),
  );
  const result = sweepResultSchema.parse(asResult(record, trimmed));
  await writeTextAtomic(folder.file("result"), stableJson(result));
  return result;
}

async function writeOutputs({ answers }: SweepRecord, path: string): Promise<void> {
  const rows = [...answers.selection, ...answers.holdout].flatMap((answer) => answer.rows);
  await writeFileAtomic(
    path,
    async (handle) => {
      for (const { boundary, sampleId, part, output, tokens, likelihood, isWeighed } of rows) {
        const said = { ...(isWeighed ? {} : { output, tokens }), ...(likelihood ? { likelihood } : {}) };
        await handle.appendFile(`${JSON.stringify({ boundary, sampleId, part, ...said })}\n`);
      }
    },
    { overwrite: true },
  );
}

/** The samples as they were asked, so that a run can be looked at and scored again without its data files. */
async function writeSamples({ plan, inputs }: SweepRecord, path: string): Promise<void> {
  const texts = new Map(inputs.samples.map(({ part, sample, text }) => [`${part}\0${sample.id}`, text]));
  await writeFileAtomic(
    path,
    async (handle) => {
      for (const { part, sample } of [...plan.selection, ...plan.holdout]) {
        const row = { part, ...sample, prompt: defined(texts.get(`${part}\0${sample.id}`), "the prompt of a sample") };
        await handle.appendFile(`${JSON.stringify(row)}\n`);
      }
    },
    { overwrite: true },
  );
}

function trimmedFiles(folder: RunFolder): readonly [adapter: string, peft: string, modelfile: string] {
  return [folder.file("trimmed"), folder.file("trimmedPeft"), folder.file("modelfile")];
}

async function removeTrimmed(folder: RunFolder): Promise<void> {
  for (const path of trimmedFiles(folder)) await rm(path, { recursive: true, force: true });
}

async function writeTrimmed(record: SweepRecord, folder: RunFolder): Promise<SweepResult["trimmed"]> {
  const { choice, inputs, config, confirmation, plan } = record;
  const chosen = choice.chosen.candidate;
  const [path, peftFolder, modelfile] = trimmedFiles(folder);
  // A run scored again under another metric may choose nothing where it chose something before.
  await removeTrimmed(folder);
  if (chosen.mask.size === 0) return null;
  const scores = confirmation.comparisons.map(({ metric, chosen: value, full, base }) => {
    return [metric, { base, chosen: value, full }] as const;
  });
  const provenance = {
    sourceSha256: inputs.peft ? peftSha256(inputs.peft, inputs.adapter.sources) : inputs.adapter.sha256,
    boundary: inputs.strategy.kind === "prefix" ? chosen.number : undefined,
    layers: plan.layerCount,
    command: recipe({ ...config, ...inputs.decided }),
    scores: JSON.stringify(Object.fromEntries(scores)),
  };
  await trimAdapter(inputs.adapter, chosen.mask, path, provenance, { overwrite: true });
  if (inputs.peft) {
    const scales = peftScales(inputs.peft, inputs.model, chosen.mask);
    if (scales && !needsBase([...scales.keys()]))
      await trimPeftAdapter(inputs.peft, [...scales.keys()], plan.layerCount, peftFolder, { overwrite: true, scales });
  }
  await writeTextAtomic(modelfile, ollamaModelfile(config.out, config.model, "trimmed.gguf"));
  return {
    file: "trimmed.gguf",
    sha256: await sha256File(path),
    bytes: (await stat(path)).size,
    ...((await exists(peftFolder)) ? { peft: "trimmed-peft" } : {}),
  };
}

function asResult(record: SweepRecord, trimmed: SweepResult["trimmed"]): SweepResult {
  const { config, inputs, info, plan, choice, confirmation, verdict } = record;
  const { model, adapter, data, holdoutData } = inputs;
  const { context, maxTokens, stop, invariantTokens } = plan.generation;
  return {
    schemaVersion: RESULT_SCHEMA_VERSION,
    tool: { name: "boundary", version },
    command: recipe({ ...config, ...inputs.decided }),
    config: redactedConfig({ ...config, ...inputs.decided }),
    engine: {
      backend: info.backend,
      devices: [...info.devices],
      gpuLayers: info.gpuLayers,
      threads: info.threads,
      llamaCpp: info.llamaCpp,
      nodeLlamaCpp: info.nodeLlamaCpp,
    },
    generation: {
      ...context,
      ...(isBatchInvariant(plan.generation) ? { batchedCells: invariantTokens } : {}),
      maxTokens,
      stop: [...stop],
      template: inputs.template,
      thoughts: thoughtMarksOf(inputs.chatTemplate).map(({ open }) => open),
      key: plan.generationKey,
    },
    model: {
      path: redact(config.model),
      sha256: model.sha256,
      ...(model.name === undefined ? {} : { name: model.name }),
      architecture: model.architecture,
      layers: model.layerCount,
      bytes: model.byteLength,
    },
    adapter: {
      path: redact(config.adapter),
      sha256: adapter.sha256,
      alpha: adapter.alpha,
      ranks: [...new Set(adapter.modules.map(({ rank }) => rank))].sort((a, b) => a - b),
      modules: adapter.modules.length,
      coverage: [...adapter.coverage],
      bytes: adapter.byteLength,
      ...withoutEffectEntry(inputs),
    },
    data: {
      path: redact(config.data),
      sha256: data.sha256,
      format: data.format,
      ...(data.targetLanguage === undefined ? {} : { targetLanguage: data.targetLanguage }),
      ...(holdoutData ? { holdoutPath: redact(holdoutData.path), holdoutSha256: holdoutData.sha256 } : {}),
      promptSha256: hash(inputs.askedBy),
      selection: plan.selection.map(({ sample }) => sample.id),
      holdout: plan.holdout.map(({ sample }) => sample.id),
      skipped: [...plan.skipped],
    },
    metric: inputs.primary.name,
    ...strategyEntry(record),
    candidates: candidateEntries(record.selection, record.holdout, config.seed, record.leftOut.unscored),
    ...(record.leftOut.race ? { race: record.leftOut.race } : {}),
    ...(record.leftOut.screen ? { screen: record.leftOut.screen } : {}),
    labels: labelsOf(inputs.metrics),
    choice: choiceEntry(choice, { margin: config.margin, floors: inputs.floors, layers: plan.layerCount }),
    confirmation: confirmationEntry(confirmation),
    verdict: { kind: verdict.kind, sentences: [...verdict.sentences] },
    notes: [
      ...inputs.notes,
      ...(record.ranking?.notes ?? []),
      ...record.leftOut.notes,
      ...perplexityNotes(confirmation, choice.chosen.candidate.name),
    ],
    trimmed,
    timings: record.timings,
  };
}

function withoutEffectEntry({ effects }: SweepInputs): Pick<SweepResult["adapter"], "withoutEffect"> {
  const found = effects?.withoutEffect ?? [];
  return found.length === 0 ? {} : { withoutEffect: found.map((kind) => ({ ...kind, layers: [...kind.layers] })) };
}

/** Nothing for boundaries: their numbers say it all. */
function strategyEntry({ inputs, ranking }: SweepRecord): Pick<SweepResult, "strategy"> {
  const { strategy, strategyText } = inputs;
  if (strategy.kind === "prefix") return {};
  const own = ranking ? { ranking: rankingEntry(ranking) } : {};
  return { strategy: { name: redact(strategyText), nested: isNested(strategy), ...own } };
}

function rankingEntry({ by, layers, values, samples, layerTokens }: LayerRanking) {
  return { by, layers: [...layers], values: [...values], samples, layerTokens };
}
