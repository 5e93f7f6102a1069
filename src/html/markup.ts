import { defined } from "../assert.js";

/** Markup that is safe to put into a page as it is. Text becomes it through {@link markup} alone, so it cannot pass for it. */
export class Html {
  constructor(readonly text: string) {}
}

/** What a template may hold: text is escaped, lists are joined without separator, `undefined` and `false` leave nothing. */
export type Content = Html | string | number | false | undefined | readonly Content[];

/**
 * A tagged template whose values are escaped unless they are {@link Html}: markup`<p>${output}</p>`. Values may stand between tags and
 * inside quoted attributes.
 */
export function markup(literals: TemplateStringsArray, ...values: readonly Content[]): Html {
  return new Html(literals.map((literal, i) => literal + textOf(values[i])).join(""));
}

function textOf(value: Content): string {
  if (value === undefined || value === false) return "";
  if (value instanceof Html) return value.text;
  if (typeof value === "string") return escapeText(value);
  return typeof value === "number" ? String(value) : value.map(textOf).join("");
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** First of the characters that stand for control characters, such as U+2400 "␀". */
const CONTROL_PICTURES = 0x2400;

/** Characters that turn the direction of whatever follows them, and so can make a text look like another. */
const TURNING = /[\u202a-\u202e\u2066-\u2069]/g;

/**
 * Text for markup and quoted attributes. Control characters, which a page may not hold, are shown as their pictures; C1 controls, halves of
 * surrogate pairs and characters that turn the direction of text as U+FFFD.
 */
export function escapeText(text: string): string {
  return text
    .replace(/\r\n?/g, "\n")
    .replace(/[\p{Cc}\p{Surrogate}]/gu, visibleControl)
    .replace(TURNING, "\ufffd")
    .replace(/[&<>"']/g, (character) => defined(ENTITIES[character], "an entity"));
}

function visibleControl(character: string): string {
  if (character === "\n" || character === "\t") return character;
  const code = character.charCodeAt(0);
  return code < 0x20 ? String.fromCharCode(CONTROL_PICTURES + code) : "\ufffd";
}
