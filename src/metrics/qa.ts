import { containsPlain, containsTokens } from "./contains.js";
import { hotpotF1, hotpotPrecision, hotpotRecall } from "./hotpot.js";
import { meanMetric, type MeanMetricParts, type Metric } from "./metric.js";
import { squad2ExactMatch, squad2F1, squadExactMatch, squadF1 } from "./squad.js";

/** Whose evaluation script decides exact match and F1: SQuAD v1.1, SQuAD v2.0 or HotpotQA. */
export type QaRules = "squad" | "squad2" | "hotpotqa";

interface RulesEntry {
  readonly signature: string;
  readonly exactMatch: MeanMetricParts["perSample"];
  readonly f1: MeanMetricParts["perSample"];
}

const rulesTable: Readonly<Record<QaRules, RulesEntry>> = {
  squad: { signature: "squad-v1.1", exactMatch: squadExactMatch, f1: squadF1 },
  squad2: { signature: "squad-v2.0", exactMatch: squad2ExactMatch, f1: squad2F1 },
  hotpotqa: { signature: "hotpotqa-v1", exactMatch: squadExactMatch, f1: hotpotF1 },
};

/** Exact match of short answers. */
export function exactMatchMetric(rules: QaRules): Metric {
  const { signature, exactMatch } = rulesTable[rules];
  return meanMetric({
    name: "em",
    label: "EM",
    signatureParts: [["rules", signature]],
    isBinary: true,
    perSample: exactMatch,
  });
}

/** Token F1 of short answers. */
export function f1Metric(rules: QaRules): Metric {
  const { signature, f1 } = rulesTable[rules];
  return meanMetric({
    name: "f1",
    label: "F1",
    signatureParts: [["rules", signature]],
    isBinary: false,
    perSample: f1,
  });
}

/** Token precision or recall of short answers, which HotpotQA's script reports beside F1; by its rules whatever the others are. */
export function overlapMetric(side: "precision" | "recall"): Metric {
  return meanMetric({
    name: side,
    label: side,
    signatureParts: [["rules", rulesTable.hotpotqa.signature]],
    isBinary: false,
    perSample: side === "precision" ? hotpotPrecision : hotpotRecall,
  });
}

/** Whether the label stands in the answer, as whole tokens or plainly; the same under all rules. */
export function containsMetric(form: "token" | "plain"): Metric {
  return meanMetric({
    name: form === "token" ? "contains" : "contains-plain",
    label: form === "token" ? "contains" : "contains (plain)",
    signatureParts: [
      ["form", form],
      ["normalize", "squad-v1.1"],
    ],
    isBinary: true,
    perSample: form === "token" ? containsTokens : containsPlain,
  });
}
