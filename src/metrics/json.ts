import { isDeepStrictEqual } from "node:util";
import { meanMetric, type Metric } from "./metric.js";
import { assertReferences } from "./references.js";

/** 1 where the answer is JSON, white space around it aside. */
export function jsonValidMetric(): Metric {
  return meanMetric({
    name: "json-valid",
    label: "JSON",
    isBinary: true,
    perSample: (prediction, references) => {
      assertReferences(references);
      return parsed(prediction) === undefined ? 0 : 1;
    },
  });
}

/** 1 where the answer is the JSON value that a reference is: the order of keys and white space do not count, that of lists does. */
export function jsonEqualMetric(): Metric {
  return meanMetric({
    name: "json-equal",
    label: "JSON equal",
    isBinary: true,
    perSample: (prediction, references) => {
      assertReferences(references);
      const value = parsed(prediction);
      if (value === undefined) return 0;
      return references.some((reference) => isDeepStrictEqual(value, parsed(reference))) ? 1 : 0;
    },
  });
}

/** 1 where the answer calls the tools that a reference calls, in its order, whatever it gives them. */
export function toolNameMetric(): Metric {
  return callMetric("tool-name", "Tool", ({ name }) => name);
}

/** 1 where the answer calls the tools that a reference calls, in its order and with equal arguments. */
export function toolArgumentsMetric(): Metric {
  return callMetric("tool-arguments", "Tool + args", (call) => call);
}

function callMetric(name: string, label: string, what: (call: ToolCall) => unknown): Metric {
  return meanMetric({
    name,
    label,
    isBinary: true,
    perSample: (prediction, references) => {
      assertReferences(references);
      const calls = toolCallsIn(prediction)?.map(what);
      if (calls === undefined) return 0;
      return references.some((reference) => isDeepStrictEqual(calls, toolCallsIn(reference)?.map(what))) ? 1 : 0;
    },
  });
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
  const values = pieces.flatMap((piece): unknown[] => [parsed(piece)].flat());
  const calls = values.map(callOf);
  return calls.length > 0 && calls.every((call) => call !== undefined) ? calls : undefined;
}

function callOf(value: unknown): ToolCall | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { function: inner, name, arguments: given, parameters } = value as Readonly<Record<string, unknown>>;
  if (typeof inner === "object") return callOf(inner);
  if (typeof name !== "string") return undefined;
  const args = given ?? parameters ?? {};
  return { name, arguments: typeof args === "string" ? (parsed(args) ?? args) : args };
}

/** Whether a text is JSON. */
export function isJson(text: string): boolean {
  return parsed(text) !== undefined;
}

/** A JSON value, or undefined for what is none; null stays null. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
