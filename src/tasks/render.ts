import { Template } from "@huggingface/jinja";
import { withTimeLimit } from "../formats/time-limit.js";

/**
 * A jinja template from its source, which may be as hostile as any file.
 * @throws TimeLimitError where parsing takes longer than two seconds, and whatever the parser throws.
 */
export function parseTemplate(source: string): Template {
  return withTimeLimit(() => new Template(source));
}

/**
 * What a jinja template makes of its values. A template may come from a stranger's file, and loops: it has two seconds.
 * @throws TimeLimitError after them, and whatever the template throws.
 */
export function renderTemplate(template: Template, values: Record<string, unknown>): string {
  return withTimeLimit(() => template.render(values));
}
