/** Marks around what a reasoning model thinks before it answers: how such a thought begins and ends. */
export interface ThoughtMarks {
  readonly open: string;
  readonly close: string;
}

const tag = (name: string): ThoughtMarks => ({ open: `<${name}>`, close: `</${name}>` });

/** Those that outputs of any model are searched for where nothing says which the model has. */
export const usualThoughtMarks: readonly ThoughtMarks[] = ["think", "thinking", "reasoning"].map(tag);

/** All that are known, as the chat templates of reasoning models write them. */
export const thoughtMarks: readonly ThoughtMarks[] = [
  ...usualThoughtMarks,
  ...["thought", "thoughts", "seed:think", "reflection"].map(tag),
  { open: "[THINK]", close: "[/THINK]" },
  { open: "◁think▷", close: "◁/think▷" },
  { open: "<|START_THINKING|>", close: "<|END_THINKING|>" },
];

/** The marks that a chat template has: only a model whose template knows thoughts is taken to think. None without a template. */
export function thoughtMarksOf(chatTemplate: string | undefined): readonly ThoughtMarks[] {
  return thoughtMarks.filter(
    ({ open, close }) => chatTemplate?.includes(open) === true || chatTemplate?.includes(close) === true,
  );
}

/** The known marks by how they begin, as results name them. */
export function thoughtMarksNamed(names: readonly string[]): readonly ThoughtMarks[] {
  return thoughtMarks.filter(({ open }) => names.includes(open));
}

/**
 * The answer without the model's thoughts: complete thoughts are cut out, everything up to a lone closing mark goes (the prompt had
 * opened it), and a thought that never ends leaves no answer at all. The white space behind a thought goes with it. A text without any
 * of the marks is returned as it is.
 */
export function stripThoughts(output: string, marks: readonly ThoughtMarks[]): string {
  let text = output;
  for (const { open, close } of marks) {
    if (!text.includes(open) && !text.includes(close)) continue;
    text = withoutComplete(text, open, close);
    const closing = text.lastIndexOf(close);
    if (closing >= 0) text = text.slice(closing + close.length).trimStart();
    const opening = text.indexOf(open);
    if (opening >= 0) text = text.slice(0, opening).trimEnd();
  }
  return text;
}

/** {@link stripThoughts} with the usual marks, and without white space at both ends: of judges' answers and where people read. */
export function withoutThoughts(output: string, marks: readonly ThoughtMarks[] = usualThoughtMarks): string {
  return stripThoughts(output, marks).trim();
}

/** A prompt whose last words open a thought for the model to fill, with that thought closed at once. Any other as it is. */
export function withThoughtClosed(prompt: string): string {
  const text = prompt.trimEnd();
  const marks = thoughtMarks.find(({ open }) => text.endsWith(open));
  return marks === undefined ? prompt : `${text}\n\n${marks.close}\n\n`;
}

/** Linear in the length of the text, whatever marks it holds. */
function withoutComplete(text: string, open: string, close: string): string {
  let kept = "";
  let at = 0;
  for (;;) {
    const from = text.indexOf(open, at);
    const to = from < 0 ? -1 : text.indexOf(close, from + open.length);
    if (to < 0) return kept + text.slice(at);
    kept += text.slice(at, from);
    const rest = text.slice(to + close.length);
    at = text.length - rest.trimStart().length;
  }
}
