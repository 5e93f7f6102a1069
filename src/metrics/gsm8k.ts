import { meanMetric, type Metric } from "./metric.js";
import { bestOverReferences } from "./references.js";

/** What lm-evaluation-harness's filters give for a response without an answer. */
const noAnswer = "[invalid]";

/** The number behind the first "#### " (one space exactly), or "[invalid]". Source: filter `strict-match` of lm_eval 0.4.13, gsm8k.yaml. */
export function extractStrict(response: string): string {
  return /#### (-?[0-9.,]+)/.exec(response)?.[1] ?? noAnswer;
}

/**
 * The last thing that looks like a number, or "[invalid]": two or more characters of `$0-9.,`, or digits alone, each with or without a
 * minus sign; so "..." is one. Source: filter `flexible-extract` of lm_eval 0.4.13, gsm8k.yaml.
 */
export function extractFlexible(response: string): string {
  return response.match(/-?[$0-9.,]{2,}|-?[0-9]+/g)?.at(-1) ?? noAnswer;
}

/**
 * An answer as it is compared: commas and dollar signs deleted, everything up to the last "#### " deleted, a full stop at the end
 * deleted (also in front of a final line break), lower case. White space stays and "92.0" stays apart from "92".
 *
 * Source: `regexes_to_ignore` and `ignore_case` of lm_eval 0.4.13, gsm8k.yaml, as `exact_match_hf_evaluate` of api/metrics.py applies
 * them: its numpy strings lose NUL characters at their ends, before the full stop and after it.
 */
export function normalizeNumber(answer: string): string {
  const bare = withoutFinalNuls(answer.replace(/[,$]/g, ""));
  const marker = bare.lastIndexOf("#### ");
  const tail = marker < 0 ? bare : bare.slice(marker + "#### ".length);
  return withoutFinalNuls(tail.replace(/\.(?=\n?$)/, "")).toLowerCase();
}

/**
 * Exact match of the final number in answers to GSM8K, by lm-evaluation-harness 0.4.13, task gsm8k version 3.0. References hold the data
 * set's answers, which end in "#### N"; one without "#### " is the number itself. The task's stop strings are the generation's matter.
 */
export function gsm8kMetric(filter: "strict" | "flexible"): Metric {
  const extract = filter === "strict" ? extractStrict : extractFlexible;
  return meanMetric({
    name: `gsm8k-${filter}`,
    label: `EM (${filter})`,
    signatureParts: [
      ["rules", "lm-eval-gsm8k-v3.0"],
      ["filter", filter === "strict" ? "strict-match" : "flexible-extract"],
    ],
    isBinary: true,
    perSample: (prediction, references) => {
      const answer = normalizeNumber(extract(prediction));
      return bestOverReferences(references, (reference) => (normalizeNumber(reference) === answer ? 1 : 0));
    },
  });
}

function withoutFinalNuls(text: string): string {
  let end = text.length;
  while (end > 0 && text.charCodeAt(end - 1) === 0) end -= 1;
  return text.slice(0, end);
}
