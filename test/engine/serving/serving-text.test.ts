import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AnswerText } from "../../../src/engine/serving/serving-text.js";

/** Bytes of each token: parts of words, spaces, apostrophes, and "é", "€" and "😀" cut into bytes. */
const pieces = [
  ...["a", "b", " ", "  ", "'", " '", "s", "v", "re", ".", " .", ",", "\n", "ab"].map((text) => [...Buffer.from(text)]),
  ...[...Buffer.from("é€😀")].map((byte) => [byte]),
];

/** llama.cpp's clean-up of spaces, on text of which the bytes are right already. Source: llama_vocab::impl::detokenize. */
function cleaned(text: string): string {
  return text
    .replace(/ ([?!.,])/g, "$1")
    .replace(/ ' /g, "'")
    .replace(/ ('(?:s|m|re|ve))/g, "$1");
}

const plain = (tokens: readonly number[]): string =>
  Buffer.from(tokens.flatMap((token) => pieces[token] ?? [])).toString("utf8");
const cleaning = (tokens: readonly number[]): string => cleaned(plain(tokens));

/** The pieces that come out, and whether a stop string ended them. */
function streamed(
  detokenize: (tokens: readonly number[]) => string,
  tokens: readonly number[],
  stop: readonly string[] = [],
): { pieces: string[]; read: number } {
  const text = new AnswerText(detokenize, stop);
  const out: string[] = [];
  for (const [i, token] of tokens.entries()) {
    const { text: piece, stopped } = text.push(token);
    out.push(piece);
    if (stopped) return { pieces: [...out, text.finish()], read: i + 1 };
  }
  return { pieces: [...out, text.finish()], read: tokens.length };
}

const someTokens = fc.array(fc.nat(pieces.length - 1), { maxLength: 200 });

describe("the text of an answer as its tokens come", () => {
  it("is in the end what all tokens together are, halves of characters included", () => {
    fc.assert(
      fc.property(someTokens, (tokens) => {
        expect(streamed(plain, tokens).pieces.join("")).toBe(plain(tokens));
      }),
    );
  });

  it("is so with a tokenizer that cleans up spaces", () => {
    const words = fc.array(fc.nat(13), { maxLength: 200 });
    fc.assert(
      fc.property(words, (tokens) => {
        expect(streamed(cleaning, tokens).pieces.join("")).toBe(cleaning(tokens));
      }),
    );
  });

  it("never shows half a character", () => {
    const whole = [...Buffer.from("€😀é")].map((byte) =>
      pieces.findIndex(([first, ...rest]) => first === byte && rest.length === 0),
    );
    expect(whole).not.toContain(-1);
    const { pieces: out } = streamed(plain, whole);
    expect(out.filter((piece) => piece !== "")).toEqual(["€", "😀", "é"]);
  });

  it("ends before the first stop string, wherever its borders lie, and holds back what may become one", () => {
    const stops = fc.uniqueArray(fc.constantFrom("ab", "a\n", "\n\n", "b a", ".", "bb"), {
      minLength: 1,
      maxLength: 3,
    });
    fc.assert(
      fc.property(someTokens, stops, (tokens, stop) => {
        const all = plain(tokens);
        const at = stop.map((string) => all.indexOf(string)).filter((found) => found >= 0);
        const { pieces: out, read } = streamed(plain, tokens, stop);
        if (at.length === 0) expect(out.join("")).toBe(all);
        else {
          expect(out.join("")).toBe(all.slice(0, Math.min(...at)));
          expect(stop.some((string) => plain(tokens.slice(0, read)).includes(string))).toBe(true);
        }
      }),
    );
  });

  it("hands text on as soon as no stop string can begin with it", () => {
    const [a, b] = [0, 1];
    expect(streamed(plain, [a, a, b], ["ab!"]).pieces).toEqual(["", "a", "", "ab"]);
    expect(streamed(plain, [a, b, a], ["ba"]).pieces).toEqual(["a", "", "", ""]);
  });

  it("does not read a long answer from its start at every token", () => {
    let read = 0;
    const counting = (tokens: readonly number[]): string => {
      read += tokens.length;
      return plain(tokens);
    };
    const tokens = Array.from({ length: 5000 }, (_, i) => i % 2);
    expect(streamed(counting, tokens).pieces.join("")).toBe(plain(tokens));
    expect(read).toBeLessThan(100 * tokens.length);
  });
});
