import { placedError, shown, type Place } from "../place.js";

/** Where a chat template puts the answer, and what ends it. Sources: the templates of chatml, Llama 3, Gemma, Zephyr and Phi-3, Mistral and Llama 2, Alpaca, Vicuna. */
const ANSWER_MARKS: readonly (readonly [begin: string, end: string])[] = [
  ["<|im_start|>assistant\n", "<|im_end|>"],
  ["<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>"],
  ["<start_of_turn>model\n", "<end_of_turn>"],
  ["<|assistant|>\n", "<|end|>"],
  ["[/INST]", "</s>"],
  ["### Response:\n", "### Instruction:"],
  ["### Response:", "### Instruction:"],
  ["### Assistant:", "### Human:"],
  ["ASSISTANT:", "</s>"],
  ["\nAssistant:", "\nHuman:"],
];

/** Ends of texts in any template, which no answer has in it. */
const TEXT_ENDS = [
  "</s>",
  "<|endoftext|>",
  "<|im_end|>",
  "<|eot_id|>",
  "<|end|>",
  "<end_of_turn>",
  "<eos>",
  "<|end_of_text|>",
];

/** A text in two: what the model is given as it stands, and the answer that it should give. */
interface TwoParts {
  readonly text: string;
  readonly references: readonly string[];
  /** What ends an answer. */
  readonly stop: readonly string[];
}

/**
 * Splits a text before its last answer.
 * @param mark what stands before the answer, where the user says it; otherwise the marks of the known chat templates are looked for.
 * @throws SampleError that names the row where there is no such mark, and where nothing follows it.
 */
export function splitText(place: Place, text: string, mark?: string): TwoParts {
  const found = mark === undefined ? ANSWER_MARKS.find(([begin]) => text.includes(begin)) : ([mark, ""] as const);
  const at = found === undefined ? -1 : text.lastIndexOf(found[0]);
  if (found === undefined || at < 0) {
    throw placedError(place, {
      what: "one text, and nothing in it says where the answer begins",
      actual: shown(text),
      expected:
        mark === undefined
          ? 'a mark of a chat template, such as "<|im_start|>assistant" or "### Response:"'
          : `${shown(mark)}, the end of the --prompt file`,
      fix: "Give a --prompt FILE that ends in what stands before each answer, such as `{{ text }}### Answer:`.",
    });
  }
  const [begin, end] = found;
  const stop = end === "" ? [] : [end];
  const behind = text.slice(at + begin.length);
  const ends = [...stop, ...TEXT_ENDS].map((one) => behind.indexOf(one)).filter((place) => place >= 0);
  const answer = behind.slice(0, Math.min(behind.length, ...ends));
  // White space before the answer is the template's, as far as the answer is cut out of a text; a line break belongs to the mark.
  const space = /^\s*/.exec(answer)?.[0] ?? "";
  if (answer.trim() === "") {
    throw placedError(place, {
      what: "nothing follows the mark of the answer",
      actual: shown(text.slice(-60)),
      expected: "an answer",
    });
  }
  return { text: text.slice(0, at + begin.length) + (space === " " ? "" : space), references: [answer.trim()], stop };
}

/** What ends the answer to a prompt that ends in the mark of a chat template; undefined for a prompt without any. */
export function stopOfMarked(prompt: string): readonly string[] | undefined {
  const end = prompt.trimEnd();
  const found = ANSWER_MARKS.find(([begin]) => end.endsWith(begin.trim()));
  return found && [found[1]];
}
