/** Tags between which reasoning models put what is not part of the answer. */
const TAGS = ["think", "thinking", "reasoning"] as const;

/**
 * The answer without the model's thoughts: complete thoughts are cut out, everything up to a lone closing tag goes (the prompt had
 * opened it), and a thought that never ends leaves no answer at all.
 */
export function withoutThoughts(output: string): string {
  let text = output;
  for (const tag of TAGS) {
    text = text.replace(new RegExp(`<${tag}>[\\s\\S]*?</${tag}>`, "g"), "");
    const closing = text.lastIndexOf(`</${tag}>`);
    if (closing >= 0) text = text.slice(closing + tag.length + 3);
    const opening = text.indexOf(`<${tag}>`);
    if (opening >= 0) text = text.slice(0, opening);
  }
  return text.trim();
}
