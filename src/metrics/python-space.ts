/**
 * What Python takes for whitespace in `str.split()` and `str.strip()`, as ranges of code units, both ends included. JavaScript's
 * `\s` lacks U+001C-1F and U+0085 and has U+FEFF besides.
 */
const pythonSpaceRanges: readonly (readonly [first: number, last: number])[] = [
  [0x09, 0x0d],
  [0x1c, 0x20],
  [0x85, 0x85],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
];

const pythonSpaceClass = pythonSpaceRanges
  .map(([first, last]) => `${String.fromCharCode(first)}-${String.fromCharCode(last)}`)
  .join("");
const pythonSpaces = new RegExp(`[${pythonSpaceClass}]+`);

/** Python's `str.isspace()` of one character, given as its code unit or code point. */
export function isPythonSpace(code: number): boolean {
  if (code > 0x20 && code < 0x80) return false;
  return pythonSpaceRanges.some(([first, last]) => code >= first && code <= last);
}

/** Python's `str.split()`: the runs between whitespace, none of them empty. */
export function splitAtSpaces(text: string): readonly string[] {
  return text.split(pythonSpaces).filter((run) => run !== "");
}

/** Python's `str.lstrip()`. */
export function withoutLeadingSpaces(text: string): string {
  let start = 0;
  while (start < text.length && isPythonSpace(text.charCodeAt(start))) start += 1;
  return text.slice(start);
}

/** Python's `str.rstrip()`. */
export function withoutTrailingSpaces(text: string): string {
  let end = text.length;
  while (end > 0 && isPythonSpace(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(0, end);
}
