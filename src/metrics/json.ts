import { isDeepStrictEqual } from "node:util";
import { parsedJson } from "../parsed-json.js";
import { meanMetric, type Metric } from "./metric.js";
import { assertReferences } from "./references.js";

/** 1 where the answer is JSON, white space around it aside. */
export function jsonValidMetric(): Metric {
  return rightOrWrong("json-valid", "JSON", (prediction) => parsedJson(prediction) !== undefined);
}

/** 1 where the answer is the JSON value that a reference is: the order of keys and white space do not count, that of lists does. */
export function jsonEqualMetric(): Metric {
  return rightOrWrong("json-equal", "JSON equal", equalBy(parsedJson));
}

/** 1 where the answer calls the tools that a reference calls, in its order, whatever it gives them. */
export function toolNameMetric(): Metric {
  return rightOrWrong(
    "tool-name",
    "Tool",
    equalBy((text) => toolCallsIn(text)?.map(({ name }) => name)),
  );
}

/** 1 where the answer calls the tools that a reference calls, in its order and with equal arguments. */
export function toolArgumentsMetric(): Metric {
  return rightOrWrong("tool-arguments", "Tool + args", equalBy(toolCallsIn));
}

type IsRight = (prediction: string, references: readonly string[]) => boolean;

function rightOrWrong(name: string, label: string, isRight: IsRight): Metric {
  const perSample = (prediction: string, references: readonly string[]): number => {
    assertReferences(references);
    return isRight(prediction, references) ? 1 : 0;
  };
  return meanMetric({ name, label, isBinary: true, perSample });
}

/** Right where something is read out of the answer, and a reference holds the same. */
function equalBy(read: (text: string) => unknown): IsRight {
  return (prediction, references) => {
    const value = read(prediction);
    return value !== undefined && references.some((reference) => isDeepStrictEqual(value, read(reference)));
  };
}

/** A call of a tool. */
export interface ToolCall {
  readonly name: string;
  /** Parsed where they are JSON in a text. */
  readonly arguments: unknown;
}

/** What chat templates put around calls. Sources: the templates of Qwen, Hermes, Llama 3.1, Mistral, Granite and Command R. */
const MARKS = /<\/?tool_calls?>|<\|\/?tool_calls?\|>|\[TOOL_CALLS\]|<\|python_tag\|>|<\/?function_calls?>/g;

/** The calls in an answer, as any of the usual chat templates writes them, or as OpenAI's API does; undefined where it is no call. */
export function toolCallsIn(text: string): readonly ToolCall[] | undefined {
  const pieces = text
    .split(MARKS)
    .map((piece) => piece.trim())
    .filter((piece) => piece !== "");
  const values = pieces.flatMap((piece): unknown[] => [parsedJson(piece)].flat());
  const calls = values.map(callOf);
  return calls.length > 0 && calls.every((call) => call !== undefined) ? calls : undefined;
}

function callOf(value: unknown): ToolCall | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { function: inner, name, arguments: given, parameters } = value as Readonly<Record<string, unknown>>;
  if (typeof inner === "object") return callOf(inner);
  if (typeof name !== "string") return undefined;
  const args = given ?? parameters ?? {};
  return { name, arguments: typeof args === "string" ? (parsedJson(args) ?? args) : args };
}
