import { SampleError } from "../errors.js";
import { chatLayout, textPath, TURN_TEXT, type Way } from "./chat-layout.js";
import { nodeConversion } from "./convert-command.js";
import type { FieldMap } from "./field-map.js";
import { mapOption } from "./map-advice.js";
import { isRecord, type PlacedRow } from "./place.js";
import type { SampleKind } from "./sample.js";

/** A layout of training data that tasks do not read by themselves, and how its rows become samples. */
interface Layout {
  readonly name: string;
  readonly way: Way;
  /** Field of our `context`, where the layout has one. */
  readonly context?: string;
  /** What of the rows is not part of question and answer. */
  readonly leftOut?: readonly string[];
  /** Whether the prompt is the question as it stands, marks of its chat template and all. */
  readonly isRaw?: boolean;
}

type Row = Readonly<Record<string, unknown>>;

/** What each task calls the question and the answer. */
const names: Readonly<Record<SampleKind, readonly [question: string, answer: string]>> = {
  qa: ["question", "answers"],
  math: ["question", "answers"],
  "yes-no": ["question", "label"],
  summary: ["dialogue", "summary"],
  translation: ["source", "target"],
  custom: ["question", "answers"],
};

/**
 * The error for rows in a layout that people train with and that the task does not read: it names the layout and says how to read it.
 * Undefined for rows of no such layout.
 */
export function layoutError(
  path: string,
  rows: readonly PlacedRow[],
  kind: SampleKind,
  cause: unknown,
): SampleError | undefined {
  const values = rows.map(({ value }) => value);
  const [first] = rows;
  if (first === undefined || !values.every(isRecord)) return undefined;
  const layout = layoutOf(path, values, kind);
  if (layout === undefined) return undefined;
  const [question, answer] = names[kind];
  const leftOut = layout.leftOut ?? [];
  return new SampleError(
    { path, ...(first.place.line === undefined ? {} : { line: first.place.line }) },
    {
      what: `${path}, ${first.place.label}: rows in ${layout.name}, which --task ${kind} does not read by itself`,
      fix: [
        adviceOf(layout, kind, { question, answer }),
        ...(leftOut.length > 0 ? [`That leaves out ${leftOut.join(", ")}.`] : []),
        promptAdvice(layout, kind, question),
      ]
        .filter((sentence) => sentence !== "")
        .join(" "),
      cause,
    },
  );
}

function adviceOf(
  layout: Layout,
  kind: SampleKind,
  { question, answer }: { question: string; answer: string },
): string {
  const { way, context } = layout;
  if (way.kind === "map") {
    const map: FieldMap = {
      [question]: way.question,
      ...(context === undefined ? {} : { context }),
      [answer]: way.answer,
    };
    return `Name the fields: \`${mapOption(map)}\`.`;
  }
  const { command, output } = way.conversion;
  const fields = {
    [question]: "question",
    ...(kind === "summary" || kind === "translation" ? { [answer]: "answer" } : {}),
  };
  const needsMap = question !== "question";
  return `Convert the file: \`${command}\`, then give \`--data ${output}${needsMap ? ` ${mapOption(fields)}` : ""}\`.`;
}

function promptAdvice({ isRaw, context }: Layout, kind: SampleKind, question: string): string {
  const variables = context === undefined ? `{{ ${question} }}` : `{{ ${question} }} and {{ context }}`;
  if (isRaw === true)
    return `The prompt has the marks of its chat template in it: add \`--task custom --template raw --prompt FILE\`, with {{ ${question} }} in FILE.`;
  if (kind === "custom") return `The prompt file can then use ${variables}.`;
  return `To ask in the words that the adapter was trained on, add \`--task custom --prompt FILE\`, with ${variables} in FILE.`;
}

function layoutOf(path: string, rows: readonly Row[], kind: SampleKind): Layout | undefined {
  return (
    chatLayout(path, rows) ??
    kto(path, rows) ??
    preferences(path, rows) ??
    completions(path, rows) ??
    alpaca(rows, kind) ??
    oneText(path, rows)
  );
}

/** Alpaca's rows: the instruction asks, and the input is what it is about. Source: github.com/tatsu-lab/stanford_alpaca. */
function alpaca(rows: readonly Row[], kind: SampleKind): Layout | undefined {
  const answer = ["output", "response"].find((name) => everyText(rows, name));
  if (answer === undefined || !everyText(rows, "instruction")) return undefined;
  const inputs = rows.map(({ input }) => (typeof input === "string" && input.trim() !== "" ? "text" : typeof input));
  const isAlways = inputs.every((input) => input === "text");
  const isNever = !inputs.includes("text");
  const name = `Alpaca's layout (instruction, ${rows.some((row) => "input" in row) ? "input, " : ""}${answer})`;
  const leftOut = [
    ...(rows.some(({ history }) => Array.isArray(history) && history.length > 0) ? ['earlier turns ("history")'] : []),
    ...(rows.some(({ system }) => typeof system === "string" && system !== "")
      ? ["system messages (--system gives one to all)"]
      : []),
  ];
  const way = (question: string): Way => ({ kind: "map", question, answer });
  if (isNever) return { name, way: way("instruction"), leftOut };
  // Of a text to be summed up or translated, the instruction is the command; elsewhere it is what is asked.
  if (kind === "summary" || kind === "translation") return isAlways ? { name, way: way("input"), leftOut } : undefined;
  return rows.every((row) => typeof row["input"] === "string")
    ? { name, way: way("instruction"), context: "input", leftOut }
    : undefined;
}

/** Rows of a prompt and its completion, texts or lists of turns. Source: the layouts of TRL and of OpenAI's older fine-tuning. */
function completions(path: string, rows: readonly Row[]): Layout | undefined {
  const answer = ["completion", "response"].find((name) =>
    rows.every((row) => textPath(name, row[name]) !== undefined),
  );
  if (answer === undefined || !("prompt" in (rows[0] ?? {}))) return undefined;
  return {
    name: `the layout of prompts and ${answer}s (prompt, ${answer})`,
    way: pairWay(path, rows, "prompt", answer, "true"),
  };
}

/** Completions that people liked or did not (Kahneman-Tversky optimisation): only those that they liked are answers. */
function kto(path: string, rows: readonly Row[]): Layout | undefined {
  if (!rows.every((row) => typeof row["label"] === "boolean" && "prompt" in row && "completion" in row))
    return undefined;
  const name = "KTO's layout (prompt, completion, label)";
  const isLiked = rows.every(({ label }) => label === true);
  if (isLiked) return { name, way: pairWay(path, rows, "prompt", "completion", "true") };
  const way: Way = { kind: "convert", conversion: pairConversion(path, "prompt", "completion", "x.label===true") };
  return { name, way, leftOut: ["completions that the label calls bad"] };
}

/** Pairs of answers of which one was preferred. Source: the layouts of TRL for DPO, with or without the prompt. */
function preferences(path: string, rows: readonly Row[]): Layout | undefined {
  if (!rows.every((row) => "chosen" in row && "rejected" in row)) return undefined;
  const leftOut = ["the rejected answers"];
  const asks = ["prompt", "question", "instruction", "input"].find((name) =>
    rows.every((row) => textPath(name, row[name]) !== undefined),
  );
  if (asks !== undefined) {
    return {
      name: `the layout of preferences (${asks}, chosen, rejected)`,
      way: pairWay(path, rows, asks, "chosen", "true"),
      leftOut,
    };
  }
  const name = "the layout of preferences (chosen, rejected)";
  const chosen = chatLayout(
    path,
    rows.map(({ chosen: value }) => ({ messages: value })),
  );
  if (chosen?.way.kind === "map") {
    const inChosen = (way: string): string => way.replace(/^messages/, "chosen");
    const way: Way = { kind: "map", question: inChosen(chosen.way.question), answer: inChosen(chosen.way.answer) };
    return { name, way, leftOut: [...leftOut, ...chosen.leftOut] };
  }
  // Transcripts such as those of Anthropic's hh-rlhf: "\n\nHuman: ...\n\nAssistant: ...".
  if (!rows.every(({ chosen: value }) => typeof value === "string" && value.includes("\n\nAssistant:")))
    return undefined;
  const marks =
    "b=String.fromCharCode(10,10)+'Assistant:',k=x.chosen.lastIndexOf(b),h=x.chosen.slice(0,k).split(/\\s*Human:/)";
  const pairs = `r.map(x=>{const ${marks};return{question:h.at(-1).trim(),answer:x.chosen.slice(k+b.length).trim()}})`;
  return {
    name,
    way: { kind: "convert", conversion: nodeConversion(path, pairs) },
    leftOut: [...leftOut, "earlier turns"],
  };
}

/** Where a chat template puts the answer, and what ends it. */
const ANSWER_MARKS: readonly (readonly [begin: string, end: string])[] = [
  ["<|im_start|>assistant\n", "<|im_end|>"],
  ["<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>"],
  ["<start_of_turn>model\n", "<end_of_turn>"],
  ["<|assistant|>\n", "</s>"],
  ["[/INST]", "</s>"],
  ["### Response:\n", "</s>"],
  ["### Assistant:", "</s>"],
  ["\nAssistant:", "</s>"],
];

/** Rows whose one text is prompt and answer, with the marks of a chat template between them. */
function oneText(path: string, rows: readonly Row[]): Layout | undefined {
  const texts = rows.map(({ text }) => text);
  if (!texts.every((text) => typeof text === "string")) return undefined;
  const mark = ANSWER_MARKS.find(([begin]) => texts.every((text) => text.includes(begin)));
  if (mark === undefined) return undefined;
  const [begin, end] = mark;
  const quoted = (text: string): string => JSON.stringify(text).slice(1, -1);
  const pairs =
    `r.map(x=>{const b='${quoted(begin)}',k=x.text.lastIndexOf(b)+b.length;` +
    `return{question:x.text.slice(0,k),answer:x.text.slice(k).split('${quoted(end)}')[0].trim()}})`;
  const way: Way = { kind: "convert", conversion: nodeConversion(path, pairs) };
  return { name: 'the layout of one text ("text", prompt and answer in one)', way, isRaw: true };
}

function pairWay(path: string, rows: readonly Row[], question: string, answer: string, condition: string): Way {
  const ways = (field: string): string[] => [...new Set(rows.map((row) => textPath(field, row[field]) ?? "?"))];
  const [questions, answers] = [ways(question), ways(answer)];
  const [q, a] = [questions[0], answers[0]];
  const isOne = questions.length === 1 && answers.length === 1 && q !== "?" && a !== "?";
  if (isOne && q !== undefined && a !== undefined) return { kind: "map", question: q, answer: a };
  return { kind: "convert", conversion: pairConversion(path, question, answer, condition) };
}

function pairConversion(path: string, question: string, answer: string, condition: string) {
  return nodeConversion(
    path,
    `r.flatMap(x=>{const ${TURN_TEXT},q=t(x['${question}']),a=t(x['${answer}']);return ${condition}&&q&&a?[{question:q,answer:a}]:[]})`,
  );
}

function everyText(rows: readonly Row[], name: string): boolean {
  return rows.every((row) => typeof row[name] === "string");
}
