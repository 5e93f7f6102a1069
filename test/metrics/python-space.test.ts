import { describe, expect, it } from "vitest";
import {
  isPythonSpace,
  splitAtSpaces,
  withoutLeadingSpaces,
  withoutTrailingSpaces,
} from "../../src/metrics/python-space.js";

// All code points of which CPython 3.11 says str.isspace().
const spaces = [
  ...[0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x1c, 0x1d, 0x1e, 0x1f, 0x20, 0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f],
  ...[0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200a, 0x3000],
];

describe("Python's whitespace", () => {
  it("is told from everything else", () => {
    const found = Array.from({ length: 0x110000 }, (_, code) => code).filter(isPythonSpace);
    expect(found).toEqual(spaces.toSorted((left, right) => left - right));
  });
  it("is what texts are split and stripped at", () => {
    const run = String.fromCodePoint(...spaces);
    expect(splitAtSpaces(`${run}a${run}b\ufeff${run}`)).toEqual(["a", "b\ufeff"]);
    expect(splitAtSpaces(run)).toEqual([]);
    expect(withoutLeadingSpaces(`${run}a${run}`)).toBe(`a${run}`);
    expect(withoutTrailingSpaces(`${run}a${run}`)).toBe(`${run}a`);
    expect(withoutTrailingSpaces(run)).toBe("");
  });
});
