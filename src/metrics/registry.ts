import { closest } from "fastest-levenshtein";
import { UsageError } from "../errors.js";
import type { Metric } from "./metric.js";
import { containsMetric, exactMatchMetric, f1Metric, type QaRules } from "./qa.js";

/** What decides a metric where its name leaves something open. */
export interface MetricContext {
  readonly rules: QaRules;
}

type MetricMaker = (context: MetricContext) => Metric;

const makers: ReadonlyMap<string, MetricMaker> = new Map<string, MetricMaker>([
  ["em", ({ rules }) => exactMatchMetric(rules)],
  ["f1", ({ rules }) => f1Metric(rules)],
  ["contains", () => containsMetric("token")],
  ["contains-plain", () => containsMetric("plain")],
]);

/** Names of the metrics, best known first. */
export const metricNames: readonly string[] = [...makers.keys()];

/** The metric of that name. Throws {@link UsageError} for an unknown name, with the nearest one. */
export function metricByName(name: string, rules: QaRules): Metric {
  const make = makers.get(name);
  if (make !== undefined) return make({ rules });
  throw new UsageError({
    what: "unknown metric",
    actual: JSON.stringify(name),
    expected: `one of ${metricNames.join(", ")}`,
    fix: `Did you mean ${closest(name, [...metricNames])}?`,
  });
}
