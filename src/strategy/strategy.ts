import { closest } from "fastest-levenshtein";
import { UsageError } from "../errors.js";
import { ckaRankings, type CkaRanking } from "./layer-importance.js";

/** What layers can be ranked by. */
export type Ranking = CkaRanking | "norm" | "energy" | "nll" | "random";
export const rankings: readonly Ranking[] = [
  ...(Object.keys(ckaRankings) as CkaRanking[]),
  "norm",
  "energy",
  "nll",
  "random",
];

/** Which half of the modules a mask of `modules` keeps, and on which side of K. */
export const moduleFamilies = ["attention-above", "mlp-above", "attention-below", "mlp-below"] as const;
export type ModuleFamily = (typeof moduleFamilies)[number];

/** A way to choose which part of an adapter is kept: it names the masks that are tried. */
export type Strategy =
  | { readonly kind: "prefix" | "suffix" | "leave-one-out" | "leave-one-in" }
  | { readonly kind: "window"; readonly sizes: readonly number[] }
  | { readonly kind: "top"; readonly counts: readonly number[]; readonly ranking: Ranking }
  | { readonly kind: "greedy"; readonly step: number }
  | { readonly kind: "modules"; readonly families: readonly ModuleFamily[] }
  | { readonly kind: "scale"; readonly scales: readonly number[] }
  | { readonly kind: "masks"; readonly path: string };

/** How strategies are written, for help texts and errors. */
export const strategyForms: readonly string[] = [
  "prefix",
  "suffix",
  "window:N",
  "leave-one-out",
  "leave-one-in",
  `top:N:${rankings.join("|")}`,
  "greedy",
  "modules",
  "scale",
  "masks:FILE",
];

/** Factors that `scale` tries where none are given. */
const SCALES = [0.25, 0.5, 0.75];

/**
 * Reads a strategy: {@link strategyForms}. N is a list such as `5`, `5,10` or `5-25:5`, or `all`.
 * @param layerCount L; an N lies in 1..L.
 * @throws UsageError for an unknown strategy, with the nearest, or one whose numbers cannot be read.
 */
export function parseStrategy(text: string, layerCount: number): Strategy {
  const [kind = "", ...rest] = text.trim().split(":");
  const detail = rest.join(":");
  switch (kind) {
    case "prefix":
    case "suffix":
    case "leave-one-out":
    case "leave-one-in":
      if (rest.length > 0) throw unreadable(text, `${kind} takes nothing behind a colon`);
      return { kind };
    case "window":
      return { kind, sizes: parseCounts(detail, layerCount, text) };
    case "top":
      return parseTop(rest, layerCount, text);
    case "greedy":
      return { kind, step: detail === "" ? 1 : parseStep(detail, layerCount, text) };
    case "modules":
      return { kind, families: detail === "" ? moduleFamilies : detail.split(",").map((word) => familyOf(word, text)) };
    case "scale":
      return { kind, scales: detail === "" ? SCALES : detail.split(",").map((word) => parseScale(word, text)) };
    case "masks":
      if (detail === "") throw unreadable(text, "masks:FILE, a YAML file with the masks");
      return { kind, path: detail };
    default:
      throw new UsageError({
        what: "unknown strategy",
        actual: JSON.stringify(text),
        expected: strategyForms.join(", "),
        fix: `Did you mean ${closest(
          kind,
          strategyForms.map((form) => form.replace(/:.*/, "")),
        )}?`,
      });
  }
}

/** Whether each mask of a strategy keeps all that the one before it keeps, so that "the smallest" follows one line from base to full. */
export function isNested({ kind }: Strategy): boolean {
  return ["prefix", "suffix", "top", "greedy"].includes(kind);
}

/** Whether the layers must be ranked before a strategy has masks. */
export function isRanking({ kind }: Strategy): boolean {
  return kind === "top" || kind === "greedy";
}

function parseTop(words: readonly string[], layerCount: number, text: string): Strategy {
  const counts = words.slice(0, -1).join(":");
  const ranking = rankings.find((one) => one === words.at(-1));
  if (counts === "" || ranking === undefined) {
    throw unreadable(text, `top:N:BY with BY one of ${rankings.join(", ")}, such as top:10:cka`);
  }
  return { kind: "top", counts: parseCounts(counts, layerCount, text), ranking };
}

/** Counts of layers, ascending, without repeats. */
function parseCounts(list: string, layerCount: number, text: string): number[] {
  if (list === "all") return Array.from({ length: layerCount }, (_, i) => i + 1);
  const counts = list.split(",").flatMap((part) => {
    const match = /^(\d+)(?:-(\d+)(?::(\d+))?)?$/.exec(part.trim());
    const [first, last, step] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1]), Number(match?.[3] ?? 1)];
    if (!(first >= 1 && last >= first && last <= layerCount && step >= 1)) {
      throw unreadable(
        text,
        `a number of layers from 1 to ${layerCount}, a list such as 5,10, a range such as 5-25:5, or all`,
      );
    }
    return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, i) => first + i * step);
  });
  return [...new Set(counts)].sort((a, b) => a - b);
}

function parseStep(word: string, layerCount: number, text: string): number {
  const step = /^\d+$/.test(word) ? Number(word) : Number.NaN;
  if (step >= 1 && step <= layerCount) return step;
  throw unreadable(text, `greedy:D, with D layers dropped at a time, from 1 to ${layerCount}`);
}

function parseScale(word: string, text: string): number {
  const scale = /^\d*\.?\d+$/.test(word.trim()) ? Number(word) : Number.NaN;
  if (scale > 0 && scale < 1) return scale;
  throw unreadable(
    text,
    "scale:S with factors between 0 and 1, such as scale:0.25,0.5 (0 is prefix, 1 the full adapter)",
  );
}

function familyOf(word: string, text: string): ModuleFamily {
  const family = moduleFamilies.find((one) => one === word.trim());
  if (family !== undefined) return family;
  throw unreadable(text, `modules, or modules:FAMILY with ${moduleFamilies.join(", ")}`);
}

function unreadable(text: string, expected: string): UsageError {
  return new UsageError({ what: "cannot read the strategy", actual: JSON.stringify(text), expected });
}
