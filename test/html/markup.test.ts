import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { escapeText, markup } from "../../src/html/markup.js";
import { textOf } from "../report/tags.js";

describe("markup", () => {
  it("escapes texts, leaves markup, joins lists, drops what is not there", () => {
    const parts = ["<a>", markup`<b>${"&"}</b>`, 7];
    expect(markup`<p title="${'"x"'}">${parts}${undefined}${false}</p>`.text).toBe(
      '<p title="&quot;x&quot;">&lt;a&gt;<b>&amp;</b>7</p>',
    );
  });

  it("leaves no character of any text that could end a text or an attribute, and loses none", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        const escaped = escapeText(text);
        expect(escaped).not.toMatch(/[<>"']/);
        const printable = text.replace(/\p{Cc}/gu, "").replace(/[\u202a-\u202e\u2066-\u2069]/g, "");
        if (printable === text) expect(textOf(`${escaped}.`)).toBe(`${text}.`.replace(/\s+/g, " ").trim());
      }),
    );
  });

  it("shows what a page may not hold: controls as pictures, the rest as U+FFFD; tabs and line ends stay", () => {
    expect(escapeText("a\0\u001b[31m\t\r\n\rb")).toBe("a␀␛[31m\t\n\nb");
    expect(escapeText("\u007f\u0085\ud800x\udc00\u202etxt\u2066")).toBe("\ufffd\ufffd\ufffdx\ufffd\ufffdtxt\ufffd");
    expect(escapeText("😀")).toBe("😀");
  });
});
