import { randomBytes } from "node:crypto";
import pc from "picocolors";

/** Drawn at the start, so that no foreign text can contain a mark of ours. */
const NONCE = randomBytes(8).toString("hex");

/** A colour until it is printed: an escape sequence, which tables measure as nothing. Matching splits a text into foreign parts and codes. */
const MARK = new RegExp(`\\u001b\\]${NONCE};(\\d+)\\u0007`);

function painter(open: number, close: number): (text: string) => string {
  return (text) => (pc.isColorSupported ? `${mark(open)}${text}${mark(close)}` : text);
}

function mark(code: number | string): string {
  return `\u001b]${NONCE};${code}\u0007`;
}

/** Colours for what is printed, where the terminal has them. {@link forTerminal} turns them into what a terminal reads. */
export const paint = {
  bold: painter(1, 22),
  dim: painter(2, 22),
  red: painter(31, 39),
  green: painter(32, 39),
  yellow: painter(33, 39),
} as const;

/** What could move the cursor, colour, hide or reorder text: control characters and bidirectional overrides. */
const ACTIVE = /\r\n|[\p{Cc}\u{202a}-\u{202e}\u{2066}-\u{2069}]/gu;
const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r\n": "\\r\\n", "\r": "\\r", "\t": "\\t" };

/**
 * Text as it may go to a terminal: foreign control characters but line breaks and tabs are escaped as in JSON (`\u001b`), so that JSON
 * stays JSON; our own colours are put in. Everything that is printed goes through here.
 */
export function forTerminal(text: string): string {
  return inert(text, ["\n", "\r\n", "\t"], (code) => `\u001b[${code}m`);
}

/** Foreign text that must not end its line: a cell of a table, a note, an error. Line breaks become `\n`; our own colours stay marks. */
export function oneLine(text: string): string {
  return inert(text, [], mark);
}

/** @param kept control characters that stay. */
function inert(text: string, kept: readonly string[], colour: (code: string) => string): string {
  const escape = (character: string): string =>
    kept.includes(character)
      ? character
      : (SHORT[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
  // Split at a pattern with one group: texts stand at even places, codes of colours at odd ones.
  const parts = text.split(MARK);
  return parts.map((part, i) => (i % 2 === 0 ? part.replace(ACTIVE, escape) : colour(part))).join("");
}
