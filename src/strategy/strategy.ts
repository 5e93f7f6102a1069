import type { Adapter } from "../adapter/adapter.js";
import type { Mask } from "../adapter/mask.js";
import { UsageError } from "../errors.js";
import { Registry } from "../registry.js";
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
  | { readonly kind: "masks"; readonly path: string }
  | { readonly kind: "registered"; readonly own: OwnStrategy; readonly detail: string };

/** A mask with the name under which it is reported. */
export interface NamedMask {
  readonly name: string;
  readonly mask: Mask;
}

/** What a strategy of the user's own is made of. */
export interface OwnStrategy {
  /** Its name, as `strategy` and `--strategy` take it. */
  readonly name: string;
  /** Whether each mask keeps all that the one before it keeps, so that a race and the descent of the rule `no-worse` make sense; false by default. */
  readonly isNested?: boolean;
  /**
   * The masks that are tried besides base and full, in their order: a scale for each module that is kept, by its name. Called once a sweep, before
   * anything is generated.
   */
  readonly masks: (facts: StrategyFacts) => readonly NamedMask[];
}

/** What a strategy may go by. */
export interface StrategyFacts {
  /** Its modules, with shapes and layers, and the layers that it covers. */
  readonly adapter: Adapter;
  /** L. */
  readonly layerCount: number;
  /** K's that were asked for as `boundaries`, ascending; all by default. */
  readonly boundaries: readonly number[];
  /** What stands behind the name and a colon: `5` in `mine:5`. */
  readonly detail: string;
}

/** How the strategies of boundary itself are written. */
const forms: readonly string[] = [
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

/** How strategies are written, for help texts and errors: those of boundary itself, then those registered. */
export function strategyForms(): readonly string[] {
  return [...forms, ...strategies.names.slice(forms.length)];
}

/** Factors that `scale` tries where none are given. */
const SCALES = [0.25, 0.5, 0.75];

/**
 * Reads a strategy: {@link strategyForms}. N is a list such as `5`, `5,10` or `5-25:5`, or `all`.
 * @param layerCount L; an N lies in 1..L.
 * @throws UsageError for an unknown strategy, with the nearest, or one whose numbers cannot be read.
 */
export function parseStrategy(text: string, layerCount: number): Strategy {
  const [name = "", ...rest] = text.trim().split(":");
  const parse = strategies.get(name, strategyForms());
  return parse({ detail: rest.join(":"), isDetailed: rest.length > 0, layerCount, text });
}

/** Adds a strategy, which is from then on taken by its name as `strategy`. @throws UsageError for a name that is taken or cannot stand in a flag. */
export function registerStrategy(own: OwnStrategy): void {
  strategies.register(own.name, ({ detail }) => ({ kind: "registered", own, detail }));
}

/** A strategy as it was written. */
interface Written {
  /** What stands behind the name and a colon. */
  readonly detail: string;
  readonly isDetailed: boolean;
  readonly layerCount: number;
  readonly text: string;
}

type Parse = (written: Written) => Strategy;

const plain = (kind: "prefix" | "suffix" | "leave-one-out" | "leave-one-in"): readonly [string, Parse] => [
  kind,
  ({ isDetailed, text }) => {
    if (isDetailed) throw unreadable(text, `${kind} takes nothing behind a colon`);
    return { kind };
  },
];

const strategies = new Registry<Parse>("strategy", [
  plain("prefix"),
  plain("suffix"),
  ["window", ({ detail, layerCount, text }) => ({ kind: "window", sizes: parseCounts(detail, layerCount, text) })],
  plain("leave-one-out"),
  plain("leave-one-in"),
  ["top", parseTop],
  [
    "greedy",
    ({ detail, layerCount, text }) => ({
      kind: "greedy",
      step: detail === "" ? 1 : parseStep(detail, layerCount, text),
    }),
  ],
  [
    "modules",
    ({ detail, text }) => ({
      kind: "modules",
      families: detail === "" ? moduleFamilies : detail.split(",").map((word) => familyOf(word, text)),
    }),
  ],
  [
    "scale",
    ({ detail, text }) => ({
      kind: "scale",
      scales: detail === "" ? SCALES : detail.split(",").map((word) => parseScale(word, text)),
    }),
  ],
  [
    "masks",
    ({ detail, text }) => {
      if (detail === "") throw unreadable(text, "masks:FILE, a YAML file with the masks");
      return { kind: "masks", path: detail };
    },
  ],
]);

/** Whether each mask of a strategy keeps all that the one before it keeps, so that "the smallest" follows one line from base to full. */
export function isNested(strategy: Strategy): boolean {
  if (strategy.kind === "registered") return strategy.own.isNested ?? false;
  return ["prefix", "suffix", "top", "greedy"].includes(strategy.kind);
}

/** Whether the layers must be ranked before a strategy has masks. */
export function isRanking({ kind }: Strategy): boolean {
  return kind === "top" || kind === "greedy";
}

function parseTop({ detail, layerCount, text }: Written): Strategy {
  const words = detail.split(":");
  const counts = words.slice(0, -1).join(":");
  const ranking = rankings.find((name) => name === words.at(-1));
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
