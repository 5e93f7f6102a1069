import { closest } from "fastest-levenshtein";
import { UsageError } from "../errors.js";

/** A condition on scores that makes a comparison fail: `em@trimmed < em@full - 1.0`. */
export interface FailCondition {
  /** As the user wrote it. */
  readonly text: string;
  readonly left: ScoreName;
  readonly operator: "<" | "<=" | ">" | ">=";
  /** Another score, or undefined when the right side is a number alone. */
  readonly right: ScoreName | undefined;
  /** Points added to the right side; the whole right side where `right` is undefined. */
  readonly points: number;
}

/** A metric of a system; without a system, that of the system under test. */
interface ScoreName {
  readonly metric: string;
  readonly system: string;
}

const GRAMMAR = /^\s*(\S+?)\s*(<=|>=|<|>)\s*(\S.*?)\s*$/;
/** A right side with points added or taken off. */
const OFFSET = /^(\S+?)\s*([+-])\s*(\d+(?:\.\d+)?)$/;

/**
 * Reads a condition: `METRIC[@SYSTEM] < NUMBER` or `METRIC[@SYSTEM] < SYSTEM [+- POINTS]`, where the right side may also be
 * `METRIC@SYSTEM`. Scores are on the 0-100 scale.
 * @param metrics names of the metrics that are computed.
 * @param systems names of the systems compared; the last is the one under test.
 * @throws UsageError that quotes the condition and names the nearest metric or system.
 */
export function parseFailCondition(
  text: string,
  metrics: readonly string[],
  systems: readonly string[],
): FailCondition {
  const match = GRAMMAR.exec(text);
  const [, leftText = "", operator = "", whole = ""] = match ?? [];
  // A name may end like a subtraction, as `trimmed-2` does: what is a name as it stands is one.
  const isName = systems.includes(whole) || systems.includes(whole.slice(whole.indexOf("@") + 1));
  const [, rightText = whole, sign, offset] = (isName ? null : OFFSET.exec(whole)) ?? [];
  if (!match || !isOperator(operator) || /\s/.test(rightText)) {
    throw new UsageError({
      what: "the condition of --fail-if cannot be read",
      actual: JSON.stringify(text),
      expected: '"METRIC < SYSTEM - POINTS" or "METRIC < NUMBER", such as "em < full - 1.0"',
    });
  }
  const left = scoreName(leftText, systems.at(-1) ?? "", text, metrics, systems);
  const points = offset === undefined ? 0 : Number(`${sign ?? "+"}${offset}`);
  const number = Number(rightText);
  if (rightText !== "" && Number.isFinite(number)) {
    return { text, left, operator, right: undefined, points: number + points };
  }
  const isSystem = systems.includes(rightText);
  const right = isSystem
    ? { metric: left.metric, system: rightText }
    : rightText.includes("@")
      ? scoreName(rightText, "", text, metrics, systems)
      : unknown("system", rightText, text, systems);
  return { text, left, operator, right, points };
}

/** Whether the condition holds, so that the comparison fails. @param value the score of a metric of a system, 0-100. */
export function failsOn(condition: FailCondition, value: (metric: string, system: string) => number): boolean {
  const { left, operator, right, points } = condition;
  const one = value(left.metric, left.system);
  const other = (right === undefined ? 0 : value(right.metric, right.system)) + points;
  switch (operator) {
    case "<":
      return one < other;
    case "<=":
      return one <= other;
    case ">":
      return one > other;
    case ">=":
      return one >= other;
  }
}

function isOperator(text: string): text is FailCondition["operator"] {
  return ["<", "<=", ">", ">="].includes(text);
}

function scoreName(
  text: string,
  otherwise: string,
  condition: string,
  metrics: readonly string[],
  systems: readonly string[],
): ScoreName {
  const at = text.indexOf("@");
  const metric = at < 0 ? text : text.slice(0, at);
  const system = at < 0 ? otherwise : text.slice(at + 1);
  if (!metrics.includes(metric)) return unknown("metric", metric, condition, metrics);
  if (!systems.includes(system)) return unknown("system", system, condition, systems);
  return { metric, system };
}

function unknown(kind: "metric" | "system", name: string, condition: string, known: readonly string[]): never {
  throw new UsageError({
    what: `--fail-if ${JSON.stringify(condition)} names an unknown ${kind}`,
    actual: JSON.stringify(name),
    expected: known.join(", "),
    fix: `Did you mean ${closest(name, [...known])}?`,
  });
}
