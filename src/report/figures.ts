import { defined } from "../assert.js";
import { points, pText } from "../choice/format-points.js";
import { nameIn } from "../run/entry-names.js";
import type { SweepResult } from "../run/result.js";

/** A paired difference of a result. */
export type Paired = SweepResult["confirmation"]["comparisons"][number]["chosenMinusFull"];

/** "76.5 to 93.2". */
export function range({ low, high }: { readonly low: number; readonly high: number }): string {
  return `${points(low)} to ${points(high)}`;
}

/** The p value that decides, in words. Results of earlier versions hold none: there it is that which they showed. */
export function pOf({ p }: Pick<Paired, "p">): string {
  return pText(p.value ?? p.mcnemar ?? p.randomization);
}

/** "1 sample", "85 samples". */
export function counted(count: number, one: string, several = `${one}s`): string {
  return `${thousands(count)} ${count === 1 ? one : several}`;
}

/** Whether anything was generated for the selection part; otherwise only references were weighed. */
export function hasAnswers({ candidates }: Pick<SweepResult, "candidates">): boolean {
  return candidates.some(({ selection }) => (selection?.answers.count ?? 0) > 0);
}

/** Mean length of the answers in tokens; nothing where there are none. */
export function answerLength({
  answers,
}: {
  readonly answers: { readonly count: number; readonly meanTokens: number };
}): string {
  return answers.count > 0 ? answers.meanTokens.toFixed(1) : "";
}

/** 1,234,567. */
export function thousands(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** Bytes in a unit that keeps them short: 459 kB, 1.2 MB (powers of 1000). */
export function shortBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const at = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** at;
  return `${at > 0 && value < 10 ? value.toFixed(1) : value.toFixed(0)} ${defined(units[at], "a unit")}`;
}

/** A time for a reader: 42 s, 9 min 33 s, 2 h 5 min. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  return whole < 3600
    ? `${Math.floor(whole / 60)} min ${whole % 60} s`
    : `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** {@link confirmationTitle} with what the choice gains where it was confirmed by the samples that made it. */
export function confirmationText(result: SweepResult): string {
  const flattered = result.confirmation.part === "selection" ? ", which flatters the choice" : "";
  return confirmationTitle(result) + flattered;
}

/** The samples that confirm, in words: they chose nothing, chose K too, or were each answered by the choice of others. */
export function confirmationTitle({ confirmation, candidates, strategy }: SweepResult): string {
  const { part, samples, foldBoundaries } = confirmation;
  switch (part) {
    case "holdout":
      return `Holdout: ${samples} samples that chose nothing`;
    case "folds":
      return `Cross-validation: ${samples} samples, each by the choice of the other folds (${strategy ? "" : "K="}${(foldBoundaries ?? []).map((boundary) => (strategy ? nameIn({ candidates, strategy }, boundary) : boundary)).join(", ")})`;
    case "selection":
      return `In-sample: the ${samples} samples that also chose${strategy ? "" : " K"} (no holdout)`;
  }
}

/** Heading of a metric. */
export function labelOf({ labels }: SweepResult, metric: string): string {
  return labels[metric] ?? metric;
}

/** Names of the metrics, the primary one first. */
export function metricsOf({ metric, confirmation }: SweepResult): string[] {
  const names = confirmation.comparisons.map((comparison) => comparison.metric);
  return [metric, ...names.filter((name) => name !== metric)];
}
