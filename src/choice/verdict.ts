import type { Candidate } from "../adapter/mask.js";
import type { Comparison, Confirmation, PairedDifference } from "./confirm.js";
import { points, pointsBeside, signed, signedRange } from "./format-points.js";

/** The answer in words. */
export interface Verdict {
  readonly kind: "trim" | "keep-everything" | "adapter-does-not-help";
  /** Sentences, the most important first. */
  readonly sentences: readonly string[];
}

/** What the verdict needs of a candidate. */
type CandidateFacts = Pick<Candidate, "number" | "keeps" | "keptModules" | "bytes">;

/** What the verdict is about. */
export interface VerdictInput {
  readonly chosen: CandidateFacts;
  readonly full: CandidateFacts;
  readonly layerCount: number;
  /** The primary metric's name. */
  readonly primary: string;
  readonly rule: string;
  /** Why that K: the rule's sentences, the most important first. */
  readonly reasons: readonly string[];
  readonly confirmation: Confirmation;
}

const WHERE: Readonly<Record<Confirmation["part"], (samples: number) => string>> = {
  holdout: (samples) => `On ${countOf(samples, "holdout ")}`,
  folds: (samples) => `By cross-validation over ${countOf(samples)}, each answered by the choice of the other folds`,
  selection: (samples) => `In-sample (no holdout, so this flatters the choice), on ${countOf(samples)}`,
};

/** Says in words what was chosen and what the holdout makes of it; also when the honest answer is that nothing helps. */
export function verdict(input: VerdictInput): Verdict {
  const { chosen, full, confirmation, primary } = input;
  const main = confirmation.comparisons.find(({ metric }) => metric === primary);
  if (!main) throw new RangeError(`the primary metric ${primary} was not confirmed`);
  const beside = confirmation.comparisons.filter((comparison) => comparison !== main);
  const where = WHERE[confirmation.part](confirmation.samples);
  // What the folds chose is pooled: its score is neither that of base nor that of full.
  const isPooled = confirmation.part === "folds";
  if (chosen.keptModules === 0) {
    return {
      kind: "adapter-does-not-help",
      sentences: [
        baseHeadline(input),
        ...input.reasons,
        ...(isPooled
          ? [`${where}: ${againstBoth(main)}.`, trust(main, confirmation)]
          : [
              `${where}: ${main.label} ${points(main.base)} for the base, ${points(main.full)} for the full adapter${trustOfBase(main, confirmation)}.`,
            ]),
        ...besideSentences(beside, "the full adapter", (comparison) => comparison.chosenMinusFull),
      ],
    };
  }
  if (chosen.number === full.number) {
    return {
      kind: "keep-everything",
      sentences: [
        keepHeadline(input),
        ...input.reasons,
        ...(isPooled
          ? [`${where}: ${againstBoth(main)}.`, trust(main, confirmation)]
          : [
              `${where}: ${main.label} ${points(main.full)} for the full adapter, ${points(main.base)} for the base ${interval(main.chosenMinusBase)}.`,
            ]),
        ...besideSentences(beside, "the base", (comparison) => comparison.chosenMinusBase),
      ],
    };
  }
  return {
    kind: "trim",
    sentences: [
      headline(input),
      ...input.reasons,
      `${where}: ${againstBoth(main)}.`,
      trust(main, confirmation),
      ...corrected(confirmation, main),
      ...losses(beside),
    ],
  };
}

/** K=0 by the highest score says that the adapter is useless; by another rule, that it is not worth its cost. */
function baseHeadline({ rule, chosen }: VerdictInput): string {
  return rule === "best"
    ? `The adapter does not help at all: no ${chosen.keeps === undefined ? "boundary" : "mask"} scored higher than the base model. Use the base model without it.`
    : `The base model without the adapter is good enough by this rule: drop the adapter${chosen.keeps === undefined ? " (K=0)" : ""}.`;
}

function keepHeadline({ rule, full }: VerdictInput): string {
  const everything = full.keeps === undefined ? `keep everything (K=${full.number})` : "keep everything";
  const what = full.keeps === undefined ? "boundary" : "mask";
  return rule === "no-worse"
    ? `No smaller ${what} is shown to be as good: ${everything}.`
    : `No ${what} helps: ${everything}.`;
}

function headline({ chosen, full, layerCount }: VerdictInput): string {
  const share = Math.round(100 * (1 - chosen.bytes / full.bytes));
  if (chosen.keeps !== undefined) {
    // A mask that only shrinks keeps every byte.
    if (chosen.keptModules === full.keptModules)
      return `Keep of the adapter ${chosen.keeps}: no bytes go, but part of it is scaled down.`;
    return `Keep the adapter in ${chosen.keeps} and drop the rest: ${share} % of its tensors' bytes go.`;
  }
  const kept = chosen.number === 1 ? "layer 0" : `layers 0 to ${chosen.number - 1}`;
  return `Keep the adapter in ${kept} and drop it above (K=${chosen.number} of ${layerCount}): ${share} % of its tensors' bytes go.`;
}

function againstBoth(main: Comparison): string {
  const full = `${points(main.full)} for the full adapter ${interval(main.chosenMinusFull)}`;
  const base = `${points(main.base)} for the base ${interval(main.chosenMinusBase)}`;
  return `${main.label} ${points(main.chosen)}, against ${full} and ${base}`;
}

function trust({ chosenMinusFull, label }: Comparison, { part, samples }: Confirmation): string {
  const { high, low, smallestDetectable } = chosenMinusFull;
  const place = part === "folds" ? "Cross-validation" : "The holdout";
  if (high < 0) {
    return part === "selection"
      ? "It is worse than the full adapter even on the samples that chose it: keep everything."
      : `${place} contradicts the choice: it is worse than the full adapter. Keep everything.`;
  }
  if (low > 0) {
    return part === "selection"
      ? "Better than the full adapter on the samples that chose it; only a holdout could confirm that."
      : `${place} confirms it: better than the full adapter.`;
  }
  const power =
    smallestDetectable === undefined
      ? ""
      : ` A true difference of ${points(smallestDetectable)} points in ${label} would have been found four times in five.`;
  const loss = low < 0 ? `; a loss of up to ${pointsBeside(-low, 0)} points is not ruled out` : "";
  return `No difference to the full adapter that ${countOf(samples)} can show${loss}.${power}`;
}

function corrected({ corrected: own }: Confirmation, { label }: Comparison): string[] {
  if (own === undefined) return [];
  return [
    `Corrected for having been picked, ${label} differs from the full adapter's by ${signed(own.difference)} points.`,
  ];
}

function countOf(samples: number, kind = ""): string {
  return `${samples} ${kind}sample${samples === 1 ? "" : "s"}`;
}

function trustOfBase({ chosenMinusFull }: Comparison, { part }: Confirmation): string {
  if (chosenMinusFull.high >= 0) return ` ${interval(chosenMinusFull)}`;
  return part === "holdout"
    ? ". The holdout contradicts that: there the full adapter is better"
    : ". These samples contradict that: on them the full adapter is better";
}

function losses(beside: readonly Comparison[]): string[] {
  return besideSentences(beside, "the full adapter", (comparison) => comparison.chosenMinusFull);
}

function besideSentences(
  beside: readonly Comparison[],
  against: string,
  differenceOf: (comparison: Comparison) => PairedDifference,
): string[] {
  if (beside.length === 0) return [];
  const parts = beside.map((comparison) => {
    const difference = differenceOf(comparison);
    const change = difference.difference;
    // Not "gains" and "loses": of some metrics less is better.
    const way = change > 0 ? "rises" : "falls";
    const verb = Math.abs(change) < 0.05 ? "stays the same" : `${way} by ${points(Math.abs(change))}`;
    return `${comparison.label} ${verb} (${signedRange(difference)})`;
  });
  return [`Against ${against}, ${parts.join(", ")}.`];
}

function interval(difference: PairedDifference): string {
  return `(${signed(difference.difference)}, 95 % interval ${signedRange(difference)})`;
}
