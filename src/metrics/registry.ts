import { UsageError } from "../errors.js";
import { Registry } from "../registry.js";
import { accuracyMetric, longerThanLabelMetric } from "./accuracy.js";
import { bleuTokenizers, type BleuTokenizer } from "./bleu-tokenizers.js";
import { bleuMetric, type BleuSmoothing } from "./bleu.js";
import { chrfMetric } from "./chrf.js";
import { gsm8kMetric } from "./gsm8k.js";
import { jsonEqualMetric, jsonValidMetric, toolArgumentsMetric, toolNameMetric } from "./json.js";
import { nllMetric } from "./nll.js";
import type { Metric } from "./metric.js";
import { OptionReader } from "./metric-options.js";
import { containsMetric, exactMatchMetric, f1Metric, overlapMetric, type QaRules } from "./qa.js";
import { rougeMetric, rougeTypes, type RougeType } from "./rouge.js";

/** What decides a metric where its name leaves something open. */
export interface MetricContext {
  /** Whose script decides em and f1. */
  readonly rules: QaRules;
  /** Language of the references as a BCP 47 tag, where it is known; it decides how BLEU splits into tokens. */
  readonly targetLanguage?: string | undefined;
}

/** How a metric is made from the options behind its name. */
interface MetricEntry {
  readonly options: readonly string[];
  readonly make: (options: OptionReader, context: MetricContext) => Metric;
}

const smoothings: readonly BleuSmoothing[] = ["exp", "floor", "add-k", "none"];
const tokenizers = Object.keys(bleuTokenizers) as readonly BleuTokenizer[];

/**
 * Languages that BLEU's default tokenizer cannot split. sacreBLEU takes MeCab for Japanese and Korean, which needs its dictionaries;
 * characters are its own alternative for both.
 */
const tokenizerOfLanguage: Readonly<Record<string, BleuTokenizer>> = { zh: "zh", ja: "char", ko: "char" };

const rouge = (type: RougeType): MetricEntry => ({
  options: ["stemmer"],
  make: (options) => rougeMetric({ type, stemmer: options.flag("stemmer") }),
});

const metrics = new Registry<MetricEntry>("metric", [
  ["em", { options: [], make: (_, { rules }) => exactMatchMetric(rules) }],
  ["f1", { options: [], make: (_, { rules }) => f1Metric(rules) }],
  ["precision", { options: [], make: () => overlapMetric("precision") }],
  ["recall", { options: [], make: () => overlapMetric("recall") }],
  ["contains", { options: [], make: () => containsMetric("token") }],
  ["contains-plain", { options: [], make: () => containsMetric("plain") }],
  ["gsm8k-strict", { options: [], make: () => gsm8kMetric("strict") }],
  ["gsm8k-flexible", { options: [], make: () => gsm8kMetric("flexible") }],
  ...rougeTypes.map((type) => [type, rouge(type)] as const),
  ["json-equal", { options: [], make: () => jsonEqualMetric() }],
  ["json-valid", { options: [], make: () => jsonValidMetric() }],
  ["tool-arguments", { options: [], make: () => toolArgumentsMetric() }],
  ["tool-name", { options: [], make: () => toolNameMetric() }],
  ["nll", { options: [], make: () => nllMetric() }],
  ["bleu", { options: ["tok", "smooth", "smooth-value", "lowercase", "effective-order"], make: makeBleu }],
  [
    "chrf",
    { options: ["char-order", "word-order", "beta", "lowercase", "whitespace", "eps-smoothing"], make: makeChrf },
  ],
  ["accuracy", { options: [], make: () => accuracyMetric() }],
  ["over-long", { options: [], make: () => longerThanLabelMetric() }],
]);

/** Names of the metrics without options, best known first. */
export function metricNames(): readonly string[] {
  return metrics.names;
}

/**
 * Adds a metric, which is from then on taken by its name wherever a metric is named: as `metrics`, `metric` or `floor` of a sweep, in `boundary
 * score`, and in reports.
 * @throws UsageError for a name that is taken, or that cannot stand in a list.
 */
export function registerMetric(metric: Metric): void {
  metrics.register(metric.name, { options: [], make: () => metric });
}

/**
 * The metric that a specification names: `em`, `bleu:tok=zh`, `chrf:word-order=2`, `rouge1:stemmer=yes`.
 * @throws UsageError for an unknown name or option, with the nearest one, and for a value that the option does not take.
 */
export function metricByName(specification: string, context: MetricContext): Metric {
  const [name = "", ...options] = specification.trim().split(":");
  const entry = metrics.get(name);
  return entry.make(new OptionReader(name, options, entry.options), context);
}

/**
 * The metrics of a list such as `em,f1,bleu:tok=zh`, each once.
 * @throws UsageError as {@link metricByName}, and for an empty list.
 */
export function metricsByList(list: string, context: MetricContext): Metric[] {
  const names = list.split(",").filter((name) => name.trim() !== "");
  if (names.length === 0) {
    throw new UsageError({
      what: "no metric is named",
      actual: JSON.stringify(list),
      expected: metrics.names.join(", "),
    });
  }
  const named = names.map((name) => metricByName(name, context));
  return [...new Map(named.map((metric) => [metric.name, metric])).values()];
}

function makeBleu(options: OptionReader, { targetLanguage }: MetricContext): Metric {
  const ofLanguage = tokenizerOfLanguage[targetLanguage?.split("-")[0]?.toLowerCase() ?? ""] ?? "13a";
  const smoothValue = options.number("smooth-value");
  return bleuMetric({
    tokenizer: options.choice("tok", tokenizers, ofLanguage),
    smoothing: options.choice("smooth", smoothings, "exp"),
    ...(smoothValue === undefined ? {} : { smoothValue }),
    lowercase: options.flag("lowercase"),
    effectiveOrder: options.flag("effective-order"),
  });
}

function makeChrf(options: OptionReader): Metric {
  return chrfMetric({
    characterOrder: options.number("char-order") ?? 6,
    wordOrder: options.number("word-order") ?? 0,
    beta: options.number("beta") ?? 2,
    lowercase: options.flag("lowercase"),
    whitespace: options.flag("whitespace"),
    epsSmoothing: options.flag("eps-smoothing"),
  });
}
