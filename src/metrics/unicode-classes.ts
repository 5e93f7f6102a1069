/**
 * Classes of characters for patterns with the `u` flag, as of Unicode 18 in every version of Node.js: the engine's own class and what
 * Unicode 17 and 18 added to Unicode 16, which is what Node.js 20.19 knows. No character has left these classes since.
 */

const addedPunctuation = "2e60-2e63 10ed0";
const addedNumbers = "11de0-11de9 1246f 12475-1247f 12550-12686 16ff4-16ff6";
const addedSymbols = `
20c1-20c4 2b96 fbc3-fbd2 fd90-fd91 fdc8-fdce 10ec9-10eca 10ed1-10ed8 1ccfa-1ccfc 1ceba-1ced0
1ced2-1ced4 1cedd-1cefd 1d1eb-1d1ff 1d253-1d25a 1d25d-1d25e 1d260-1d27f 1db00-1db1c 1f1ae
1f6d8-1f6d9 1f777-1f77a 1f7da-1f7db 1f7f1-1f7ff 1f8d0-1f8d8 1fa54-1fa57 1fa8a-1fa8e 1fac8
1facc-1facd 1fadd 1faea-1faeb 1faef 1faf9-1fafa 1fbfa`;

/** General category P, punctuation. */
export const punctuation = `[\\p{P}${ranges(addedPunctuation)}]`;

/** Any character but those of general category N, numbers. */
export const notNumeric = `[^\\p{N}${ranges(addedNumbers)}]`;

/** General category S, symbols. */
export const symbol = `[\\p{S}${ranges(addedSymbols)}]`;

/** Writes a list of code points as the inside of a character class: "2e60-2e63 10ed0" as `\u{2e60}-\u{2e63}\u{10ed0}`. */
function ranges(list: string): string {
  return list.replaceAll(/[0-9a-f]+/g, "\\u{$&}").replaceAll(/\s/g, "");
}
