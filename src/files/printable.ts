import { defined } from "../assert.js";

/** Longest part of a foreign name that a message shows, in characters: enough to find a tensor or key by. */
const LONGEST_SHOWN = 120;

/**
 * A name out of a file, fit for a message: at most 120 characters, with control, invisible and unpaired characters as escapes,
 * so that no file can write to the terminal or flood it.
 */
export function printable(name: string): string {
  const cut = name.length > LONGEST_SHOWN ? `${name.slice(0, LONGEST_SHOWN)}…` : name;
  return cut.replace(
    /\p{C}/gu,
    (character) => `\\u{${defined(character.codePointAt(0), "a code point").toString(16)}}`,
  );
}
