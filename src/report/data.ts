import { paint } from "./paint.js";
import type { DataView, Lengths } from "../sweep/data-view.js";

/** What chat templates put between texts, in the forms that special tokens have. */
const SPECIAL =
  /<\|[^|>\n]{1,60}\|>|<\/?s>|<(?:bos|eos|start_of_turn|end_of_turn)>|\[\/?INST\]|<<\/?SYS>>|<\/?think>|<\/?tool_call>/g;

/** What was understood of a file of samples, for a terminal. */
export function dataReport(view: DataView): string {
  const { path, layout, samples, task, roles, referenceWords, primary, notes, shown, asked } = view;
  const spoken = Object.entries(roles).map(([role, count]) => `${count} ${role}`);
  const facts: [string, string][] = [
    ["layout", layout],
    ["samples", String(samples)],
    ...(spoken.length > 0 ? [["messages", spoken.join(", ")] satisfies [string, string]] : []),
    ["task", task],
    ["references", lengths(referenceWords, "words")],
    ...(asked
      ? ([
          ["template", asked.template === "chat" ? "the chat template" : "none: texts go in as they are"],
          ["prompts", lengths(asked.promptTokens, "tokens")],
          ["answers", lengths(asked.referenceTokens, "tokens")],
          [
            "stop",
            asked.stop.length > 0
              ? asked.stop.map((text) => JSON.stringify(text)).join(", ")
              : "the model's own end of a turn",
          ],
        ] satisfies [string, string][])
      : []),
  ];
  const width = Math.max(...facts.map(([name]) => name.length));
  const lines = facts.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
  const words = [...(primary === undefined ? [] : [primary]), ...notes];
  return [
    paint.bold(path),
    ...lines,
    ...(words.length > 0 ? ["", ...words] : []),
    "",
    ...(asked
      ? [paint.bold(`Sample ${shown.id}, as the model reads it:`), visible(asked.begin + asked.prompt), ""]
      : [`Sample ${shown.id}; --model shows it as the model reads it.`]),
    paint.bold(shown.references.length === 1 ? "Its reference:" : `Its ${shown.references.length} references:`),
    ...shown.references.map(visible),
  ].join("\n");
}

function lengths({ min, median, p95, max }: Lengths, unit: string): string {
  return `median ${median} ${unit} (${min} to ${max}; 95 % have at most ${p95})`;
}

/** Special tokens stand out where the terminal has colours. */
function visible(text: string): string {
  return text.replace(SPECIAL, (mark) => paint.green(mark));
}
