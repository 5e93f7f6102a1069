import { at, defined } from "../assert.js";
import { UsageError } from "../errors.js";
import type { Metric, Score } from "../metrics/metric.js";
import type { Sample } from "../samples/sample.js";
import { scoreIntervals } from "../statistics/interval.js";
import { pairedDifference } from "../choice/confirm.js";
import { redactedConfig } from "../sweep/config.js";
import { answerFacts, scoreTexts, type AnswerScoring, type TextScores } from "../choice/scores.js";
import { scoringOf } from "../sweep/inputs/scoring.js";
import { answerText } from "../tasks/answer-text.js";
import type { ThoughtMarks } from "../tasks/thoughts.js";
import { taskByName } from "../tasks/task.js";
import { version } from "../version.js";
import { answerLive, type CompareHooks, type SystemAnswers } from "./answers.js";
import { asSweep, type CompareConfig } from "./config.js";
import { analyseErrors } from "./error-analysis.js";
import { failsOn, parseFailCondition, type FailCondition } from "./fail-if.js";
import { COMPARISON_SCHEMA_VERSION, comparisonSchema, type ComparisonResult } from "./result.js";
import { runAnswers, type RunAnswers } from "./run-answers.js";
import { parseSystems, type System } from "./systems.js";

/** The metric whose falls are analysed, where it is among the metrics: the paper's. */
const ERROR_METRIC = "f1";

/**
 * Compares systems on the same samples: each with its scores, each but the first paired with the first. With an adapter and no other first
 * system, the full adapter is the first.
 * @throws a BoundaryError for anything a user can mend; InterruptedError when the signal fired.
 */
export async function compare(config: CompareConfig, hooks: CompareHooks = {}): Promise<ComparisonResult> {
  const systems = parseSystems(
    config.adapter === undefined || config.against.includes("full") ? config.against : ["full", ...config.against],
    config.adapter !== undefined,
  );
  const names = systems.map(({ name }) => name);
  const conditionsOn = (metrics: readonly Metric[]): FailCondition[] => {
    const known = metrics.map(({ name }) => name);
    return config.failIf.map((text) => parseFailCondition(text, known, names));
  };
  // Conditions are read twice, so that a slip in one is told before anything is generated.
  const gathered = await gather(config, systems, hooks, ({ metrics }) => void conditionsOn(metrics));
  const { scoring, primary, samples } = gathered;
  const conditions = conditionsOn(scoring.metrics);
  const scored = gathered.answers.map((own) => {
    const texts = own.rows.map(({ output }) => answerText(output, scoring.reading));
    return { ...own, texts, ...scoreTexts(texts, samples, scoring, own.rows) };
  });
  const valueOf = (metric: string, system: string): number =>
    mustGet(
      defined(
        scored.find(({ name }) => name === system),
        "a system",
      ).scores,
      metric,
    ).value;
  return comparisonSchema.parse({
    schemaVersion: COMPARISON_SCHEMA_VERSION,
    tool: { name: "boundary", version },
    config: redactedConfig(config),
    metric: primary.name,
    labels: Object.fromEntries(scoring.metrics.map(({ name, label }) => [name, label])),
    samples: samples.length,
    systems: systemEntries(scored, samples, scoring.metrics, config.seed),
    changed: mostChanged(scored, samples, primary.name, config.show),
    failures: conditions.filter((condition) => failsOn(condition, valueOf)).map(({ text }) => ({ condition: text })),
    notes: gathered.notes,
  });
}

interface Gathered {
  readonly samples: readonly Sample[];
  /** In the order of the systems. */
  readonly answers: readonly SystemAnswers[];
  readonly scoring: AnswerScoring;
  readonly primary: Metric;
  readonly notes: readonly string[];
}

/** The answers of all systems to the samples that they share. */
async function gather(
  config: CompareConfig,
  systems: readonly System[],
  hooks: CompareHooks,
  check: (scoring: Pick<AnswerScoring, "metrics">) => void,
): Promise<Gathered> {
  const runs = await Promise.all(systems.flatMap((system) => (system.kind === "run" ? [runAnswers(system)] : [])));
  const live = systems.flatMap((system) => (system.kind === "run" ? [] : [system]));
  const [firstRun] = runs;
  if (live.length === 0 && firstRun) {
    const task = taskByName(config.task ?? firstRun.task);
    const { primary, ...scoring } = scoringOf(config, task, { ...firstRun, thoughts: jointThoughts(runs) });
    assertSameSamples(firstRun.samples, runs);
    return aligned(runs, firstRun.samples, { ...scoring, groupBy: config.groupBy }, primary, []);
  }
  const anyAdapter = config.adapter ?? live.flatMap((system) => (system.kind === "adapter" ? [system.path] : []))[0];
  if (config.model === undefined || config.data === undefined || anyAdapter === undefined) {
    throw new UsageError({
      what: "the model, an adapter or the data are missing",
      expected: "--model, --data and --adapter, unless only finished runs are compared",
    });
  }
  const sweepConfig = asSweep(config, { model: config.model, data: config.data, adapter: anyAdapter });
  const { inputs, samples, answers } = await answerLive(sweepConfig, live, hooks, check);
  assertSameSamples(samples, runs);
  const all = systems.flatMap(({ name }) => [...answers, ...runs].filter((own) => own.name === name));
  const notes = inputs.notes.filter((note) => !note.includes("holdout"));
  const thoughts = jointThoughts([...runs, inputs.reading]);
  const scoring = scoringOf(sweepConfig, inputs.task, { ...inputs.data, thoughts });
  return aligned(all, samples, { ...scoring, groupBy: inputs.groupBy }, scoring.primary, notes);
}

/** The thoughts of all that are compared: what one of them does not score, none does. */
function jointThoughts(all: readonly { readonly thoughts: readonly ThoughtMarks[] }[]): readonly ThoughtMarks[] {
  return [...new Set(all.flatMap(({ thoughts }) => thoughts))];
}

/** @throws UsageError where a run answered another sample under an id of these. */
function assertSameSamples(samples: readonly Sample[], runs: readonly RunAnswers[]): void {
  const known = new Map(samples.map(({ id, references }) => [id, references.join("\0")]));
  for (const run of runs) {
    const other = run.samples.find(
      ({ id, references }) => (known.get(id) ?? references.join("\0")) !== references.join("\0"),
    );
    if (!other) continue;
    throw new UsageError({
      what: "the systems answered different samples under the same ids",
      actual: `${run.name} has other references for ${other.id}`,
      expected: "answers to the same samples",
      fix: "Compare runs over the same data, or give the samples ids of their own.",
    });
  }
}

/** Keeps the samples that every system answered, in the order of the first. */
function aligned(
  answers: readonly SystemAnswers[],
  samples: readonly Sample[],
  scoring: AnswerScoring,
  primary: Metric,
  notes: readonly string[],
): Gathered {
  const byId = answers.map(({ rows }) => new Map(rows.map((row) => [row.sampleId, row])));
  const common = samples.filter(({ id }) => byId.every((rows) => rows.has(id)));
  if (common.length === 0) {
    throw new UsageError({
      what: "the systems have no sample in common",
      actual: answers.map(({ name, rows }) => `${name}: ${rows.length} samples`).join(", "),
      expected: "answers to the same samples, by their ids",
    });
  }
  const left = samples.length - common.length;
  return {
    samples: common,
    answers: answers.map((own, i) => ({
      ...own,
      rows: common.map(({ id }) => defined(at(byId, i).get(id), "an answer that every system has")),
    })),
    scoring,
    primary,
    notes: left > 0 ? [...notes, `${left} samples were not answered by every system and are left out.`] : notes,
  };
}

type ScoredSystem = SystemAnswers & TextScores & { readonly texts: readonly string[] };

function systemEntries(
  systems: readonly ScoredSystem[],
  samples: readonly Sample[],
  metrics: readonly Metric[],
  seed: number,
): ComparisonResult["systems"] {
  const [first] = systems;
  if (!first) throw new RangeError("nothing to compare");
  const intervals = new Map(
    metrics.map(({ name }) => [
      name,
      scoreIntervals(
        systems.map(({ scores }) => mustGet(scores, name)),
        { seed },
      ),
    ]),
  );
  return systems.map((system, at) => {
    const scores = [...system.scores].map(([name, { value, n, signature }]) => {
      const { low, high } = intervals.get(name)?.[at] ?? { low: value, high: value };
      return [name, { value, low, high, n, signature }] as const;
    });
    const groups = [...system.groups].map(([group, own]) => {
      return [group, Object.fromEntries([...own].map(([name, { value, n }]) => [name, { value, n }]))] as const;
    });
    return {
      name: system.name,
      ...(system.adapterBytes === undefined ? {} : { adapterBytes: system.adapterBytes }),
      answers: answerFacts(system.rows, system.texts),
      scores: Object.fromEntries(scores),
      groups: Object.fromEntries(groups),
      ...(system === first ? {} : againstFirst(system, first, samples, seed)),
    };
  });
}

function againstFirst(
  system: ScoredSystem,
  first: ScoredSystem,
  samples: readonly Sample[],
  seed: number,
): Pick<ComparisonResult["systems"][number], "against" | "errors"> {
  const against = [...system.scores].map(([name, score]) => {
    return [name, pairedDifference(score, mustGet(first.scores, name), seed)] as const;
  });
  const metric = system.scores.has(ERROR_METRIC) ? ERROR_METRIC : at([...system.scores.keys()], 0);
  const errors = analyseErrors(
    { system: mustGet(system.scores, metric).perSample, reference: mustGet(first.scores, metric).perSample },
    { system: system.texts, reference: first.texts },
    samples.map(({ references }) => references),
  );
  return { against: Object.fromEntries(against), errors: { metric, ...errors } };
}

/** The samples whose value changes most between two systems, largest change first; equal ones in their order. */
function mostChanged(
  systems: readonly ScoredSystem[],
  samples: readonly Sample[],
  metric: string,
  count: number,
): ComparisonResult["changed"] {
  const changes = samples.map((sample, i) => {
    const values = systems.map(({ scores }) => at(mustGet(scores, metric).perSample, i));
    return { sample, i, values, spread: Math.max(...values) - Math.min(...values) };
  });
  return changes
    .filter(({ spread }) => spread > 0)
    .sort((a, b) => b.spread - a.spread || a.i - b.i)
    .slice(0, count)
    .map(({ sample, i, values }) => ({
      sampleId: sample.id,
      references: [...sample.references],
      answers: Object.fromEntries(systems.map(({ name, texts }) => [name, at(texts, i)])),
      values: Object.fromEntries(systems.map(({ name }, at) => [name, defined(values[at], "a value")])),
    }));
}

function mustGet(scores: ReadonlyMap<string, Score>, name: string): Score {
  const found = scores.get(name);
  if (!found) throw new RangeError(`no score for ${name}`);
  return found;
}
