import { stripVTControlCharacters } from "node:util";
import pc from "picocolors";
import { describe, expect, it, vi } from "vitest";
import { forTerminal, oneLine, paint } from "../../src/report/paint.js";
import { plainTable } from "../../src/report/table.js";

const HOSTILE = "x\u001b[2Jy\u009b31mz\u0007\r\u007f\u202eabc\u2066";
const INERT = "x\\u001b[2Jy\\u009b31mz\\u0007\\r\\u007f\\u202eabc\\u2066";

describe("what goes to a terminal", () => {
  it("has no control characters but line breaks and tabs, and no overrides of direction", () => {
    expect(forTerminal(HOSTILE)).toBe(INERT);
    expect(forTerminal("a\n\tb é 日本 👩‍👩‍👧 عربي")).toBe("a\n\tb é 日本 👩‍👩‍👧 عربي");
    for (let code = 0; code < 0xa0; code++) {
      const character = String.fromCharCode(code);
      const isPlain = (code >= 0x20 && code < 0x7f) || "\n\t".includes(character);
      expect(forTerminal(character) === character).toBe(isPlain);
    }
  });

  it("stays JSON where it was JSON", () => {
    const value = { [HOSTILE]: `${HOSTILE}\n"\\` };
    const shown = forTerminal(JSON.stringify(value));
    expect(JSON.parse(shown)).toEqual(value);
    expect(/[\p{Cc}\u202e]/u.test(shown)).toBe(false);
  });

  it("has our own colours, and nobody else's", () => {
    vi.spyOn(pc, "isColorSupported", "get").mockReturnValue(true);
    const text = paint.red(`error: ${HOSTILE}\u001b[32mgreen\u001b]0;title\u0007`);
    expect(forTerminal(text)).toBe(`\u001b[31merror: ${INERT}\\u001b[32mgreen\\u001b]0;title\\u0007\u001b[39m`);
    expect(forTerminal(oneLine(`${paint.bold("a")}\nb`))).toBe("\u001b[1ma\u001b[22m\\nb");
    // What was printed once does not come back as ours.
    expect(forTerminal(forTerminal(paint.bold("a")))).toBe("\\u001b[1ma\\u001b[22m");
    vi.restoreAllMocks();
  });

  it("keeps its columns: cells are escaped before they are measured", () => {
    const table = plainTable(["name", "value"]);
    table.push([`a\nforged line ${HOSTILE}`, "1"], ["b", paint.green("22")]);
    const lines = stripVTControlCharacters(forTerminal(table.toString())).split("\n");
    expect(lines).toHaveLength(3);
    expect(lines[1]).toContain(`a\\nforged line ${INERT}`);
    expect(new Set(lines.map(({ length }) => length)).size).toBe(1);
  });
});
