import type { Candidate } from "../adapter/mask.js";
import type { Comparison, Confirmation, PairedDifference } from "./confirm.js";

/** The answer in words. */
export interface Verdict {
  readonly kind: "trim" | "keep-everything" | "adapter-does-not-help";
  /** Sentences, the most important first. */
  readonly sentences: readonly string[];
}

/** What the verdict is about. */
export interface VerdictInput {
  readonly chosen: Candidate;
  readonly full: Candidate;
  readonly layerCount: number;
  /** The primary metric's name. */
  readonly primary: string;
  readonly confirmation: Confirmation;
}

/** Says in words what was chosen and what the holdout makes of it; also when the honest answer is that nothing helps. */
export function verdict(input: VerdictInput): Verdict {
  const { chosen, full, confirmation, primary } = input;
  const main = confirmation.comparisons.find(({ metric }) => metric === primary);
  if (!main) throw new RangeError(`the primary metric ${primary} was not confirmed`);
  const beside = confirmation.comparisons.filter((comparison) => comparison !== main);
  const where =
    confirmation.part === "holdout"
      ? `On ${countOf(confirmation.samples, "holdout ")}`
      : `In-sample (no holdout, so this flatters the choice), on ${countOf(confirmation.samples)}`;
  if (chosen.mask.size === 0) {
    return {
      kind: "adapter-does-not-help",
      sentences: [
        "The adapter does not help at all: no boundary scored higher than the base model. Use the base model without it.",
        `${where}: ${primary} ${points(main.base)} for the base, ${points(main.full)} for the full adapter${trustOfBase(main)}.`,
        ...besideSentences(beside, "the full adapter", (comparison) => comparison.chosenMinusFull),
      ],
    };
  }
  if (chosen.keptModules === full.keptModules) {
    return {
      kind: "keep-everything",
      sentences: [
        `No boundary helps: keep everything (K=${full.boundary}).`,
        `${where}: ${primary} ${points(main.full)} for the full adapter, ${points(main.base)} for the base ${interval(main.chosenMinusBase)}.`,
        ...besideSentences(beside, "the base", (comparison) => comparison.chosenMinusBase),
      ],
    };
  }
  return {
    kind: "trim",
    sentences: [
      headline(input),
      `${where}: ${againstBoth(primary, main)}.`,
      trust(main, confirmation),
      ...losses(beside),
    ],
  };
}

function headline({ chosen, full, layerCount }: VerdictInput): string {
  const share = Math.round(100 * (1 - chosen.bytes / full.bytes));
  const kept = chosen.boundary === 1 ? "layer 0" : `layers 0 to ${chosen.boundary - 1}`;
  return `Keep the adapter in ${kept} and drop it above (K=${chosen.boundary} of ${layerCount}): ${share} % of its tensors' bytes go.`;
}

function againstBoth(primary: string, main: Comparison): string {
  const full = `${points(main.full)} for the full adapter ${interval(main.chosenMinusFull)}`;
  const base = `${points(main.base)} for the base ${interval(main.chosenMinusBase)}`;
  return `${primary} ${points(main.chosen)}, against ${full} and ${base}`;
}

function trust({ chosenMinusFull }: Comparison, { part, samples }: Confirmation): string {
  if (chosenMinusFull.high < 0)
    return "The holdout contradicts the choice: it is worse than the full adapter. Keep everything.";
  if (chosenMinusFull.low > 0) {
    return part === "holdout"
      ? "The holdout confirms it: better than the full adapter."
      : "Better than the full adapter on the samples that chose it; only a holdout could confirm that.";
  }
  const { worse, low } = chosenMinusFull;
  // Where no sample got worse, the bootstrap sees no loss at all; the rule of three bounds what so many samples can miss.
  const unseen = worse === 0 ? Math.min(100, 300 / samples) : Math.max(0, -low);
  return `No difference to the full adapter that ${countOf(samples)} can show; a loss of up to ${points(unseen)} points is not ruled out.`;
}

function countOf(samples: number, kind = ""): string {
  return `${samples} ${kind}sample${samples === 1 ? "" : "s"}`;
}

function trustOfBase({ chosenMinusFull }: Comparison): string {
  return chosenMinusFull.high < 0
    ? ". The holdout contradicts that: there the full adapter is better"
    : ` ${interval(chosenMinusFull)}`;
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
    const verb =
      Math.abs(change) < 0.05 ? "stays the same" : change > 0 ? `gains ${points(change)}` : `loses ${points(-change)}`;
    return `${label(comparison.metric)} ${verb} (${range(difference)})`;
  });
  return [`Against ${against}, ${parts.join(", ")}.`];
}

function interval(difference: PairedDifference): string {
  return `(${signed(difference.difference)}, 95 % interval ${range(difference)})`;
}

function range({ low, high }: PairedDifference): string {
  return `${signed(low)} to ${signed(high)}`;
}

function label(metric: string): string {
  return /^(em|f1)$/.test(metric) ? metric.toUpperCase() : metric;
}

function points(value: number): string {
  return value.toFixed(1);
}

function signed(value: number): string {
  const text = value.toFixed(1);
  return value > 0 && text !== "0.0" ? `+${text}` : text.replace(/^-0\.0$/, "0.0");
}
