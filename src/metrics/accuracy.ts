import { meanMetric, type Metric } from "./metric.js";
import { bestOverReferences } from "./references.js";

/** What may end a sentence, ASCII and full width. No brackets, `#`, `%`, `*` or quotes: "C#" and "50%" are labels. */
const finalMarks: ReadonlySet<string> = new Set(".,:;!?\u2026\u3002\uff0c\uff0e\uff1a\uff1b\uff01\uff1f\u3001\uff61");

/**
 * A label or a short answer as {@link accuracyMetric} compares it: case folded (upper case, then lower case, so that "ß" is "SS"),
 * canonically composed (Unicode NFC), runs of white space made one space, and white space at both ends and `. , : ; ! ? …` and their
 * full-width forms at the end taken away. A text of such marks alone keeps them. Nothing else is deleted: "A", "the" and "-1" survive.
 */
export function normalizeLabel(text: string): string {
  const folded = text.toUpperCase().toLowerCase().normalize("NFC").replace(/\s+/g, " ").trim();
  let end = folded.length;
  while (end > 0 && (folded[end - 1] === " " || finalMarks.has(folded[end - 1] ?? ""))) end -= 1;
  return end === 0 ? folded : folded.slice(0, end);
}

/**
 * Accuracy of classification by generated labels, such as yes/no or the choice of a response: 1 when the answer is one of the reference
 * labels, both by {@link normalizeLabel}, else 0. An answer that goes on after the label is wrong: see {@link longerThanLabelMetric}.
 *
 * There is no official script; the rule is in the signature.
 */
export function accuracyMetric(): Metric {
  return meanMetric({
    name: "accuracy",
    label: "accuracy",
    signatureParts: [["normalize", "label"]],
    isBinary: true,
    perSample: (prediction, references) => {
      const answer = normalizeLabel(prediction);
      return bestOverReferences(references, (reference) => (normalizeLabel(reference) === answer ? 1 : 0));
    },
  });
}

/**
 * Share of answers that say more than the label, whether right or wrong: 1 when the answer has more code points than every reference
 * label, both by {@link normalizeLabel}, else 0. **Lower is better.**
 *
 * Source: the answers "longer than the label" that arXiv 2503.23360 counts; it gives no script.
 */
export function longerThanLabelMetric(): Metric {
  return meanMetric({
    name: "over-long",
    label: "over-long",
    signatureParts: [["normalize", "label"]],
    isBinary: true,
    lowerIsBetter: true,
    perSample: (prediction, references) => {
      const length = labelLength(prediction);
      return 1 - bestOverReferences(references, (reference) => (length <= labelLength(reference) ? 1 : 0));
    },
  });
}

/** In code points. */
function labelLength(text: string): number {
  return Array.from(normalizeLabel(text)).length;
}
