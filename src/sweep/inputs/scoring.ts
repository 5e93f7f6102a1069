import { defined } from "../../assert.js";
import { UsageError } from "../../errors.js";
import { onceAnAnswer } from "../../metrics/once.js";
import type { Metric } from "../../metrics/metric.js";
import type { QaRules } from "../../metrics/qa.js";
import { metricByName, metricsByList, type MetricContext } from "../../metrics/registry.js";
import type { LoadedSamples } from "../../samples/sample.js";
import type { Part } from "../../samples/split.js";
import { withReading, type AnswerReading } from "../../tasks/answer-text.js";
import { regexExtraction, taskExtraction } from "../../tasks/extraction.js";
import type { Task } from "../../tasks/task.js";
import { thoughtMarks, type ThoughtMarks } from "../../tasks/thoughts.js";
import type { Floor, RuleSettings } from "../../choice/rules.js";
import type { SweepConfig } from "../config.js";
import { isNested, type Strategy } from "../../strategy/strategy.js";

/** What answers are scored with. */
export interface Scoring {
  readonly rules: QaRules;
  readonly metrics: readonly Metric[];
  /** The metric that chooses the boundary. */
  readonly primary: Metric;
  readonly floors: readonly Floor[];
  /** What of an output is scored. */
  readonly reading: AnswerReading;
  /** What the metrics take of each part. */
  readonly needs: Readonly<Record<Part, Needs>>;
}

/** What metrics take: answers, or how probable the references are, or both. */
export interface Needs {
  readonly answers: boolean;
  readonly likelihoods: boolean;
}

/**
 * What the metrics take of each part.
 * @param isConfirming whether only the holdout has answers, so that the selection is weighed alone.
 */
function needsOf(metrics: readonly Pick<Metric, "ofLikelihood">[], isConfirming: boolean): Record<Part, Needs> {
  const likelihoods = metrics.some(({ ofLikelihood }) => ofLikelihood !== undefined);
  const answers = metrics.some(({ ofLikelihood }) => ofLikelihood === undefined);
  return { selection: { answers: answers && !isConfirming, likelihoods }, holdout: { answers, likelihoods } };
}

/** How often a sample is asked something under each candidate. */
export function timesOf({ answers, likelihoods }: Needs): number {
  return Number(answers) + Number(likelihoods);
}

/** What of the data and of the model decides how answers are scored. */
export interface ScoredData extends Pick<LoadedSamples, "format" | "targetLanguage"> {
  /** Marks of thoughts in the model's chat template. */
  readonly thoughts: readonly ThoughtMarks[];
}

/**
 * The metrics of a task and a configuration. The primary metric and those with a floor are among the metrics, asked for or not.
 * @throws UsageError for unknown metrics and options, for a primary metric of which less is better, and for floors that cannot be read.
 */
export function scoringOf(config: ScoringConfig, task: Task, data: ScoredData): Scoring {
  const rules = config.qaScript === "auto" ? rulesOfFormat(data.format) : config.qaScript;
  const context: MetricContext = { rules, targetLanguage: data.targetLanguage ?? config.targetLanguage };
  const byLikelihood = config.metric === "nll" ? ["nll", ...(config.confirm ?? "").split(",")].join(",") : undefined;
  if (config.confirm !== undefined && byLikelihood === undefined) {
    throw new UsageError({
      what: "--confirm names what the holdout is answered for where K is chosen by likelihood",
      actual: `--metric ${config.metric ?? task.primary}`,
      expected: "--metric nll",
      fix: "Leave --confirm out: the holdout is scored by every metric.",
    });
  }
  const asked = metricsByList(config.metrics ?? byLikelihood ?? task.metrics.join(","), context);
  const usual = metricByName(task.primary, context);
  const primary =
    config.metric === undefined
      ? (asked.find(({ name }) => name === usual.name) ?? asked.find(({ lowerIsBetter }) => !lowerIsBetter) ?? usual)
      : metricByName(config.metric, context);
  if (primary.lowerIsBetter) {
    throw new UsageError({
      what: `${primary.name} cannot choose a boundary: less of it is better`,
      fix: `Choose by another metric (--metric ${usual.name}) and name this one in --metrics.`,
    });
  }
  const floors = parseFloors(config.floor ?? "", context);
  const needed = [primary, ...floors.map(({ metric }) => metricByName(metric, context))];
  const missing = needed.filter(({ name }) => !asked.some((metric) => metric.name === name));
  const reading = readingOf(config, task, data.thoughts);
  const metrics = [...new Map([...asked, ...missing].map((metric) => [metric.name, metric])).values()];
  const read = withReading(metrics, reading).map(onceAnAnswer);
  const choosing = defined(
    read.find(({ name }) => name === primary.name),
    "the primary metric",
  );
  return {
    rules,
    metrics: read,
    primary: choosing,
    floors,
    reading,
    needs: needsOf(read, config.confirm !== undefined),
  };
}

/** Settings that decide how answers are scored, and nothing of how they are generated. */
export type ScoringConfig = Pick<
  SweepConfig,
  "qaScript" | "metric" | "metrics" | "confirm" | "floor" | "extract" | "stripThoughts" | "targetLanguage"
>;

function readingOf(
  { extract, stripThoughts }: ScoringConfig,
  task: Task,
  ofModel: readonly ThoughtMarks[],
): AnswerReading {
  return {
    thoughts: stripThoughts === undefined ? ofModel : stripThoughts ? thoughtMarks : [],
    extract: extract === undefined ? taskExtraction(task) : regexExtraction(extract),
    trim: true,
  };
}

function parseFloors(list: string, context: MetricContext): Floor[] {
  return list
    .split(",")
    .filter((piece) => piece.trim() !== "")
    .map((piece) => {
      // A metric's own options have equals signs too: the last one parts it from its points.
      const at = piece.lastIndexOf("=");
      const points = Number(piece.slice(at + 1));
      if (at < 1 || piece.slice(at + 1).trim() === "" || !Number.isFinite(points) || points > 0) {
        throw new UsageError({
          what: "a piece of --floor cannot be read",
          actual: JSON.stringify(piece),
          expected: "METRIC=-POINTS, such as f1=-1.0: at most one point below the full adapter",
        });
      }
      const metric = metricByName(piece.slice(0, at), context);
      if (!metric.lowerIsBetter) return { metric: metric.name, points };
      throw new UsageError({
        what: `${metric.name} cannot have a floor: less of it is better`,
        fix: "Leave it out of --floor.",
      });
    });
}

/** Whose script decides em and f1 unless it is named: that of the data's format, SQuAD v1.1's for any other data. */
export function rulesOfFormat(format: string): QaRules {
  if (format === "hotpotqa") return "hotpotqa";
  return format === "squad2.0" ? "squad2" : "squad";
}

/** What the rule is given, from the settings of a sweep. */
export function ruleSettings(
  { rule, margin }: Pick<SweepConfig, "rule" | "margin">,
  { primary, floors }: Pick<Scoring, "primary" | "floors">,
  { strategy, layerCount }: { readonly strategy: Strategy; readonly layerCount: number },
): RuleSettings {
  return { rule, margin, floors, metric: primary.name, isNested: isNested(strategy), layerCount };
}
