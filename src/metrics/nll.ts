import { at } from "../assert.js";
import { UsageError } from "../errors.js";
import type { Metric } from "./metric.js";

/**
 * How probable the model finds the first reference, teacher-forced: 100 times the mean log-likelihood of a token, natural logarithm, over all
 * tokens of the samples. More is better, 0 is certainty, and a point is 0.01 nats: about 1 % of perplexity, which is exp(-value / 100).
 * Nothing is generated. The negative log-likelihood of a token, as training logs it, is -value / 100.
 */
export function nllMetric(): Metric {
  return {
    name: "nll",
    label: "-NLL",
    signatureParts: [
      ["unit", "0.01nat/token"],
      ["ref", "first"],
    ],
    isBinary: false,
    isUnbounded: true,
    statistics: () => {
      throw new UsageError({
        what: "nll weighs references with a model, and there are only outputs here",
        fix: "Name it in a sweep or a comparison with --model: --metric nll.",
      });
    },
    ofLikelihood: ({ logProbability, tokens }) => [logProbability, tokens],
    sampleValue: (statistics) => at(statistics, 0) / at(statistics, 1),
    corpusValue: (sums) => (100 * at(sums, 0)) / at(sums, 1),
  };
}
