import { describe, expect, it } from "vitest";
import { style } from "../../src/html/style.js";

/** The colours of a block of the style sheet by their names, as red, green, blue from 0 to 255. */
function colours(block: string | undefined): Map<string, readonly number[]> {
  const found = [...(block ?? "").matchAll(/--([\w-]+): #([0-9a-f]{6})/g)];
  return new Map(
    found.map(([, name = "", hex = ""]) => [name, [0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16))]),
  );
}

const blocks = style.split(":root {").slice(1);
const themes = { light: colours(blocks[0]?.split("}")[0]), dark: colours(blocks[1]?.split("}")[0]) };

/** Relative luminance, 0 to 1 (WCAG 2.2). */
function luminance(colour: readonly number[]): number {
  const [red = 0, green = 0, blue = 0] = colour.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** Contrast of two colours, 1 to 21 (WCAG 2.2). */
function contrast(a: readonly number[], b: readonly number[]): number {
  const [darker = 0, lighter = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (lighter + 0.05) / (darker + 0.05);
}

describe.each(Object.entries(themes))("the colours of the %s theme", (_, theme) => {
  const of = (name: string): readonly number[] => theme.get(name) ?? [];

  it("have the same names in both themes", () => {
    expect([...theme.keys()].sort()).toEqual([...themes.light.keys()].sort());
    expect(theme.size).toBeGreaterThan(15);
  });

  it.each([
    ["ink", "paper"],
    ["ink", "raised"],
    ["ink", "marked"],
    ["muted", "paper"],
    ["muted", "raised"],
    ["muted", "marked"],
    ["link", "paper"],
    ["ins", "ins-back"],
    ["del", "del-back"],
  ])("set text in %s off against %s", (text, back) => {
    expect(contrast(of(text), of(back))).toBeGreaterThanOrEqual(4.5);
  });

  it("set curves and marks off against the page", () => {
    const drawn = [...theme.keys()].filter((name) => name.startsWith("curve-") || name === "chosen");
    expect(drawn).toHaveLength(9);
    for (const name of drawn) expect([name, contrast(of(name), of("paper")) >= 3]).toEqual([name, true]);
  });
});
