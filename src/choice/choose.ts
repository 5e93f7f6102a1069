import { closest } from "fastest-levenshtein";
import { at } from "../assert.js";
import { UsageError } from "../errors.js";
import { Evidence } from "./evidence.js";
import {
  applyRule,
  paperBoundary,
  ruleByName,
  type Exclusion,
  type RuleSettings,
  type RuleStep,
  type Ruling,
} from "./rules.js";
import { points, pointsBeside, signed, signedBeside } from "./format-points.js";
import { scoreOf, type CandidateScores } from "./scores.js";

/** Scores on the selection part and the rule that is to choose among them. */
export interface ChoiceInput extends RuleSettings {
  /** By ascending K, at least one. */
  readonly scored: readonly CandidateScores[];
  /** The full adapter on the same samples. It takes part whether it is in `scored` or not: it is what is left where nothing else qualifies. */
  readonly full: CandidateScores;
}

/** A choice with its reasons. */
export interface Choice {
  readonly chosen: CandidateScores;
  readonly rule: string;
  /** Sentences for a reader, the most important first. */
  readonly reasons: readonly string[];
  /** K of the highest score among those that the floors leave. */
  readonly bestBoundary: number;
  readonly excluded: readonly Exclusion[];
  readonly steps: readonly RuleStep[];
}

/**
 * Chooses a boundary by a rule ({@link applyRule}). Nothing is drawn at random: the same scores give the same choice. Of candidates that
 * stand for several boundaries, the smallest names them.
 * @throws RangeError without candidates; UsageError for a rule or metric that there is not, or a margin below 0.
 */
export function chooseBoundary(input: ChoiceInput): Choice {
  assertSettings(input);
  const evidence = evidenceOf(input);
  const ruling = applyRule(evidence, input);
  return {
    chosen: evidence.candidate(ruling.chosen),
    rule: input.rule,
    reasons: [sentenceOf(evidence, ruling, input), ...exclusionSentences(evidence, ruling.excluded)],
    bestBoundary: evidence.boundary(ruling.best),
    excluded: ruling.excluded,
    steps: ruling.steps,
  };
}

/** The candidates as a rule looks at them, each sample once. */
export function evidenceOf({ scored, full, metric, floors }: ChoiceInput): Evidence {
  return Evidence.of(scored, full, [metric, ...floors.map((floor) => floor.metric)]);
}

/** @throws what {@link chooseBoundary} does. */
export function assertSettings({ rule, scored, full, metric, margin, floors }: ChoiceInput): void {
  if (scored.length === 0) throw new RangeError("nothing to choose from");
  ruleByName(rule);
  const names = [...full.scores.keys()];
  for (const name of [metric, ...floors.map((floor) => floor.metric)]) {
    if (names.length === 0) scoreOf(full, name);
    if (!names.includes(name)) throw unknown("metric", name, names);
  }
  if (rule !== "no-worse" || margin >= 0) return;
  throw new UsageError({
    what: "the margin of the rule no-worse is wrong",
    actual: String(margin),
    expected: "the points that K may lose against the full adapter, 0 or more",
  });
}

function unknown(what: string, name: string, names: readonly string[]): UsageError {
  return new UsageError({
    what: `unknown ${what}`,
    actual: JSON.stringify(name),
    expected: `one of ${names.join(", ")}`,
    fix: `Did you mean ${closest(name, [...names])}?`,
  });
}

function sentenceOf(evidence: Evidence, ruling: Ruling, input: ChoiceInput): string {
  const { metric } = input;
  const name = evidence.name(evidence.boundary(ruling.chosen));
  const score = `${metric} ${points(evidence.value(ruling.chosen, metric))}`;
  switch (input.rule) {
    case "best":
      return `${name} has the highest score, ${score}; of equal scores the smallest ${nounOf(name)} counts.`;
    case "one-se":
      return oneSeSentence(evidence, ruling, name, score);
    case "no-worse":
      return noWorseSentence(evidence, ruling, input);
    case "paper":
      return paperSentence(evidence, ruling, input.layerCount);
    default:
      return (
        ruleByName(input.rule).sentence?.(name, evidence, ruling, input) ??
        `The rule ${input.rule} chooses ${name}, ${score}.`
      );
  }
}

function oneSeSentence(evidence: Evidence, { chosen, best, steps }: Ruling, name: string, score: string): string {
  const last = steps.at(-1);
  if (chosen === best || !last) {
    return `${name} has the highest score, ${score}, and no smaller ${nounOf(name)} comes within one standard error of it.`;
  }
  return (
    `${name} is the smallest ${nounOf(name)} within one standard error of the best: ${score}, ${points(-last.difference)} below ` +
    `${evidence.name(evidence.boundary(best))}, whose lead has a standard error of ${points(-last.limit)}.`
  );
}

function noWorseSentence(evidence: Evidence, ruling: Ruling, input: ChoiceInput): string {
  const { metric, margin } = input;
  if (input.isNested === false) return noWorseApartSentence(evidence, ruling, input);
  const { chosen, steps } = ruling;
  const failed = steps.find(({ passed }) => !passed);
  const reached = steps.find(({ boundary, passed }) => passed && boundary === evidence.boundary(chosen));
  const noun = nounOf(evidence.name(evidence.boundary(chosen)));
  const stop = failed
    ? `at ${evidence.name(failed.boundary)} a loss of up to ${pointsBeside(-failed.low, margin)} is not ruled out (${signed(failed.difference)} points measured)`
    : evidence.boundary(chosen) === 0
      ? "the base model is the smallest"
      : `no smaller ${noun} was evaluated`;
  if (!reached) {
    const unseen = -evidence.differenceLow(evidence.full, evidence.full, metric);
    return (
      `Keep everything: no smaller ${noun} shows that it loses less than ${points(margin)} points of ${metric}; ${stop}.` +
      (unseen < margin
        ? ""
        : ` ${evidence.weights.total} samples cannot show it: even equal answers leave a loss of up to ${pointsBeside(unseen, margin)} possible.`)
    );
  }
  return (
    `${evidence.name(reached.boundary)} is the smallest ${noun} that shows, as all above it do, that it loses less than ${points(margin)} points of ${metric} ` +
    `against the full adapter: ${signed(reached.difference)} points, at worst ${signedBeside(reached.low, -margin)}; ${stop}.`
  );
}

function noWorseApartSentence(evidence: Evidence, { chosen, steps }: Ruling, { metric, margin }: ChoiceInput): string {
  const passed = steps.filter((step) => step.passed).length;
  const level = `each of ${steps.length} tested at 2.5 % / ${steps.length}`;
  const own = steps.find(({ boundary }) => boundary === evidence.boundary(chosen));
  if (!own) {
    return `Keep everything: no mask shows that it loses less than ${points(margin)} points of ${metric} (${level}).`;
  }
  return (
    `${evidence.name(own.boundary)} keeps the fewest bytes of the ${passed} masks that show that they lose less than ${points(margin)} points of ` +
    `${metric} against the full adapter (${level}): ${signed(own.difference)} points, at worst ${signedBeside(own.low, -margin)}.`
  );
}

/** What candidates of such names are. */
function nounOf(name: string): string {
  return name.startsWith("K=") ? "K" : "mask";
}

function paperSentence(evidence: Evidence, { chosen }: Ruling, layerCount: number): string {
  const wanted = paperBoundary(layerCount);
  const { number: boundary, boundaries } = evidence.candidate(chosen).candidate;
  const rule = `K=${wanted}, 15 of 32 layers scaled to ${layerCount}, without a look at the scores`;
  if (boundary === wanted) return `${rule}.`;
  return boundaries.includes(wanted)
    ? `${rule}; the adapter keeps the same tensors at K=${boundary}.`
    : `${rule}; the nearest that was evaluated and that the floors leave is K=${boundary}.`;
}

function exclusionSentences(evidence: Evidence, excluded: readonly Exclusion[]): string[] {
  const byMetric = new Map<string, Exclusion[]>();
  for (const one of excluded) byMetric.set(one.metric, [...(byMetric.get(one.metric) ?? []), one]);
  return [...byMetric].map(([metric, all]) => {
    const list = all.map(({ boundary, difference }) => `${evidence.name(boundary)} (${signed(difference)})`).join(", ");
    return `Not eligible, as ${metric} must be at least ${signed(at(all, 0).floor)} points against the full adapter: ${list}.`;
  });
}
