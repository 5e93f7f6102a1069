import { z } from "zod";

/** Characters that a terminal acts upon or that nobody sees: controls, formats such as changes of direction, line separators. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** A text of at most so many characters that can be shown as it is. */
export function printable(characters: number): z.ZodString {
  return z
    .string()
    .max(characters)
    .regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]*$/u, "characters that cannot be shown");
}

/** A text made {@link printable}: what cannot be shown becomes "?", what is too long ends in "…". */
export function shortened(text: string, characters: number): string {
  const clean = text.slice(0, 2 * characters).replace(UNPRINTABLE, "?");
  return clean.length <= characters ? clean : `${clean.slice(0, characters - 1)}…`;
}
