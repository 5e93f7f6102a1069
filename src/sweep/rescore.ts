import { boundaryName, type Candidate } from "../adapter/mask.js";
import { RunFolderError, UsageError } from "../errors.js";
import type { Sample } from "../samples/sample.js";
import { taskByName } from "../tasks/task.js";
import { chooseBoundary } from "../choice/choose.js";
import { foldKeys } from "../choice/clusters.js";
import { conclude } from "../choice/conclude.js";
import { ruleSettings } from "./inputs/scoring.js";
import { recipe, redactedConfig, settingsFromFile, sweepConfigSchema } from "./config.js";
import { resolveSettings, type GivenSettings } from "../settings.js";
import {
  candidateEntries,
  choiceEntry,
  confirmationEntry,
  labelsOf,
  perplexityNotes,
  PERPLEXITY,
} from "../run/to-result.js";
import { isFullEntry } from "../run/entry-names.js";
import type { Part } from "../samples/split.js";
import { loadRun, thoughtsOfRun, type FinishedRun } from "../run/load-run.js";
import { sweepResultSchema, type SweepResult } from "../run/result.js";
import { parseStrategy } from "../strategy/strategy.js";
import { needsFull } from "../choice/rules.js";
import { scoreAnswers, type CandidateScores } from "../choice/scores.js";
import { scoringOf } from "./inputs/scoring.js";
import { verdict } from "../choice/verdict.js";

/**
 * Scores a finished run again, under other metrics, groups or another rule, from its folder alone: no model, no engine, nothing generated,
 * nothing written. Where another K is chosen than the run's, its answers to the holdout may not be there: then it is judged in-sample, and a
 * note says how to have it confirmed.
 * @param flags settings that decide how answers are scored; those not given are the run's own.
 * @throws RunFolderError when the folder holds no finished run; UsageError for settings that cannot be.
 */
export async function rescore(folder: string, flags: GivenSettings): Promise<SweepResult> {
  const run = await loadRun(folder);
  const { result } = run;
  const config = resolveSettings(sweepConfigSchema, "score", [
    flags,
    settingsFromFile(result.config, `${folder}/result.json`),
    { out: folder },
  ]);
  const { format, targetLanguage } = result.data;
  const data = { format, thoughts: thoughtsOfRun(result), ...(targetLanguage === undefined ? {} : { targetLanguage }) };
  const scoring = { ...scoringOf(config, taskByName(config.task ?? "qa"), data), groupBy: config.groupBy };
  const settings = ruleSettings(config, scoring, {
    strategy: parseStrategy(config.strategy ?? "prefix", result.choice.layers),
    layerCount: result.choice.layers,
  });

  const samplesOf = (part: Part): Sample[] =>
    run.samples.filter((one) => one.part === part).map(({ sample }) => sample);
  const scoredAs = (entry: Entry, part: Part): CandidateScores | undefined =>
    scoreEntry(run, entry, part, samplesOf(part), scoring);
  const selection = result.candidates.flatMap((entry) => (entry.selection ? (scoredAs(entry, "selection") ?? []) : []));
  // Base and full were answered to be compared with, also where they were not among the boundaries to choose from.
  const [baseEntry, fullEntry] = [baseOf(result), fullOf(result)];
  const [base, full] = [scoredAs(baseEntry, "selection"), scoredAs(fullEntry, "selection")];
  if (!full && (needsFull(config.rule) || scoring.floors.length > 0)) {
    throw new UsageError({
      what: `${folder} has no answers of the full adapter to its selection`,
      fix: "Choose with --rule best or one-se, without --floor.",
    });
  }
  const choiceInput = { ...settings, scored: selection, full: full ?? mustLast(folder, selection) };
  const choice = chooseBoundary(choiceInput);
  const { chosen } = choice;
  const holdout = result.candidates.flatMap((entry) => (entry.holdout ? (scoredAs(entry, "holdout") ?? []) : []));
  const confirmed = {
    chosen: holdout.find(({ candidate }) => candidate.number === chosen.candidate.number),
    full: scoredAs(fullEntry, "holdout"),
    base: scoredAs(baseEntry, "holdout"),
  };
  const onHoldout = complete(confirmed);
  const inSample = complete({ chosen, full, base });
  const compared = onHoldout ?? inSample;
  if (!compared) {
    throw new RunFolderError(folder, {
      what: `${folder} has no answers of base and full on the samples that ${chosen.candidate.name} answered`,
      fix: "Run the sweep again with the rule that you want: kept answers are not generated twice.",
    });
  }
  const confirmation = conclude({
    part: onHoldout ? "holdout" : "selection",
    compared,
    choice: choiceInput,
    folds: config.folds,
    seed: config.seed,
    clusters: foldKeys(
      samplesOf("selection"),
      run.samples.filter(({ part }) => part === "selection").map(({ prompt }) => prompt),
    ),
  });
  const isChosenOtherwise = (["rule", "margin", "floor", "metric", "extract", "strip-thoughts"] as const).some(
    (name) => {
      return redactedConfig(config)[name] !== result.config[name];
    },
  );
  const isUnconfirmed = holdout.length > 0 && !onHoldout;
  const again = `${chosen.candidate.name} has not answered the holdout: the same sweep with --rule ${config.rule} and --metric ${settings.metric} would have it confirmed.`;
  return sweepResultSchema.parse({
    ...result,
    command: recipe(config),
    config: redactedConfig(config),
    metric: settings.metric,
    labels: labelsOf(scoring.metrics),
    candidates: candidateEntries(selection, holdout, config.seed, result.candidates),
    choice: choiceEntry(choice, { margin: config.margin, floors: scoring.floors, layers: result.choice.layers }),
    confirmation: confirmationEntry(confirmation),
    verdict: verdict({
      chosen: chosen.candidate,
      full: compared.full.candidate,
      layerCount: result.choice.layers,
      primary: settings.metric,
      rule: config.rule,
      reasons: choice.reasons,
      confirmation,
    }),
    notes: [
      ...result.notes.filter((note) => !note.startsWith(PERPLEXITY)),
      ...(isUnconfirmed ? [again] : []),
      ...(isChosenOtherwise ? onlyFinished(result) : []),
      ...perplexityNotes(confirmation, chosen.candidate.name),
    ],
    trimmed: chosen.candidate.number === result.choice.boundary ? result.trimmed : null,
  });
}

/** A race dropped what its own rule could not choose; another rule or metric might have. */
function onlyFinished({ race, screen, candidates }: SweepResult): string[] {
  const left = candidates.filter(({ selection }) => selection).map(({ boundary }) => boundary);
  if ((!race && !screen) || left.length === candidates.length) return [];
  return [
    `K is chosen among those that answered every sample (${left.join(", ")}): the sweep left the others out under its own rule and metric.`,
  ];
}

type Entry = SweepResult["candidates"][number];

function scoreEntry(
  run: FinishedRun,
  entry: Entry,
  part: Part,
  samples: readonly Sample[],
  scoring: Parameters<typeof scoreAnswers>[2],
): CandidateScores | undefined {
  const rows = run.answers(entry.boundary, part);
  return rows && scoreAnswers({ candidate: candidateOf(entry), rows }, samples, scoring);
}

/** A run does not keep the names of modules; what tells its candidates apart is their number. */
function candidateOf({ boundary, boundaries, name, keeps, keptModules, bytes }: Entry): Candidate {
  const mask = new Map(Array.from({ length: keptModules }, (_, i) => [`${boundary}: module ${i}`, 1]));
  const words = keeps === undefined ? {} : { keeps };
  return { number: boundary, boundaries, name: name ?? boundaryName(boundary), ...words, keptModules, bytes, mask };
}

function baseOf({ candidates }: SweepResult): Entry {
  return (
    candidates.find(({ keptModules }) => keptModules === 0) ?? {
      boundary: 0,
      boundaries: [0],
      keptModules: 0,
      bytes: 0,
    }
  );
}

function fullOf({ candidates, adapter, choice }: SweepResult): Entry {
  const { modules: keptModules, bytes } = adapter;
  return (
    candidates.find((entry) => isFullEntry(entry, { adapter })) ?? {
      boundary: choice.layers,
      boundaries: [choice.layers],
      keptModules,
      bytes,
    }
  );
}

function complete(
  all: Readonly<Record<"chosen" | "full" | "base", CandidateScores | undefined>>,
): Record<"chosen" | "full" | "base", CandidateScores> | undefined {
  const { chosen, full, base } = all;
  return chosen && full && base ? { chosen, full, base } : undefined;
}

function mustLast(folder: string, selection: readonly CandidateScores[]): CandidateScores {
  const last = selection.at(-1);
  if (last) return last;
  throw new RunFolderError(folder, { what: `${folder} has no answers`, fix: "Run the same sweep command again." });
}
