import { closest } from "fastest-levenshtein";
import { BoundaryError, UsageError } from "../errors.js";
import { version } from "../version.js";
import { containsPlain, containsTokens } from "./contains.js";
import { hotpotF1 } from "./hotpot.js";
import { squad2ExactMatch, squad2F1, squadExactMatch, squadF1 } from "./squad.js";

/** Names of the metrics, best known first. */
export const metricNames = ["em", "f1", "contains", "contains-plain"] as const;

/** Name of a metric, as flags and results spell it. `contains` is the token form. */
export type MetricName = (typeof metricNames)[number];

/** Whose evaluation script decides exact match and F1: SQuAD v1.1, SQuAD v2.0 or HotpotQA. */
export type QaRules = "squad" | "squad2" | "hotpotqa";

/** A metric that compares one prediction with the references of its sample. */
export interface Metric {
  readonly name: MetricName;
  /** Heading of the metric's column in a table, such as "EM". */
  readonly label: string;
  /** The metric's own options as signature fields in their order, such as `["rules", "squad-v1.1"]`. */
  readonly signatureParts: readonly (readonly [key: string, value: string])[];
  /** 0-1; the best over the references, of which there must be at least one. */
  perSample(prediction: string, references: readonly string[]): number;
}

type PerSample = Metric["perSample"];

interface RulesEntry {
  readonly signature: string;
  readonly exactMatch: PerSample;
  readonly f1: PerSample;
}

const rulesTable: Readonly<Record<QaRules, RulesEntry>> = {
  squad: { signature: "squad-v1.1", exactMatch: squadExactMatch, f1: squadF1 },
  squad2: { signature: "squad-v2.0", exactMatch: squad2ExactMatch, f1: squad2F1 },
  hotpotqa: { signature: "hotpotqa-v1", exactMatch: squadExactMatch, f1: hotpotF1 },
};

/** The metric of that name under those rules; the contains metrics are the same under all. Throws {@link UsageError} for an unknown name. */
export function metricByName(name: string, rules: QaRules): Metric {
  const { signature, exactMatch, f1 } = rulesTable[rules];
  const rulesPart = ["rules", signature] as const;
  const normalizePart = ["normalize", "squad-v1.1"] as const;
  switch (knownMetricName(name)) {
    case "em":
      return { name: "em", label: "EM", signatureParts: [rulesPart], perSample: exactMatch };
    case "f1":
      return { name: "f1", label: "F1", signatureParts: [rulesPart], perSample: f1 };
    case "contains":
      return {
        name: "contains",
        label: "contains",
        signatureParts: [["form", "token"], normalizePart],
        perSample: containsTokens,
      };
    case "contains-plain":
      return {
        name: "contains-plain",
        label: "contains (plain)",
        signatureParts: [["form", "plain"], normalizePart],
        perSample: containsPlain,
      };
  }
}

function knownMetricName(name: string): MetricName {
  const known = metricNames.find((candidate) => candidate === name);
  if (known !== undefined) return known;
  throw new UsageError({
    what: "unknown metric",
    actual: JSON.stringify(name),
    expected: `one of ${metricNames.join(", ")}`,
    fix: `Did you mean ${closest(name, metricNames)}?`,
  });
}

/** A metric's value over a set of samples, with what is needed to judge and repeat it. */
export interface Score {
  readonly metric: MetricName;
  /** Mean of {@link perSample}, on the 0-100 scale. */
  readonly value: number;
  /** Number of samples, at least 1. */
  readonly n: number;
  /** Such as `nrefs:1|rules:squad-v1.1|version:0.1.0`, after sacreBLEU; `nrefs:var` when samples differ in their number of references. */
  readonly signature: string;
  /** 0-1 for each sample, in the order of the samples. */
  readonly perSample: readonly number[];
}

/**
 * Scores predictions against the references at the same places.
 * Throws {@link BoundaryError} without predictions, when the lengths differ, or when a sample has no reference.
 */
export function score(
  metric: Metric,
  predictions: readonly string[],
  references: readonly (readonly string[])[],
): Score {
  if (predictions.length !== references.length) {
    throw new BoundaryError({
      what: "predictions and references do not belong together",
      actual: `${predictions.length} predictions and ${references.length} lists of references`,
      expected: "as many of the one as of the other",
    });
  }
  if (predictions.length === 0) {
    throw new BoundaryError({
      what: `${metric.label} of no predictions is not defined`,
      actual: "0 predictions",
      expected: "at least 1",
    });
  }
  const perSample = predictions.map((prediction, index) => metric.perSample(prediction, references[index] ?? []));
  const sum = perSample.reduce((total, value) => total + value, 0);
  return {
    metric: metric.name,
    value: (100 * sum) / perSample.length,
    n: perSample.length,
    signature: signatureOf(metric, references),
    perSample,
  };
}

function signatureOf(metric: Metric, references: readonly (readonly string[])[]): string {
  const counts = new Set(references.map((list) => list.length));
  const [count] = counts;
  const nrefs = counts.size === 1 && count !== undefined ? String(count) : "var";
  return [["nrefs", nrefs], ...metric.signatureParts, ["version", version]].map((part) => part.join(":")).join("|");
}
