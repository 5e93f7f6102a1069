import { describe, expect, it } from "vitest";
import { bleuTokenizers, type BleuTokenizer } from "../../src/metrics/bleu-tokenizers.js";

describe("bleuTokenizers", () => {
  // Right column: what sacreBLEU 2.6.0 gives, joined with spaces.
  it.each<[BleuTokenizer, string, string]>([
    ["13a", "Hello, world! It's 1,000.50 (or 3-4).", "Hello , world ! It's 1,000.50 ( or 3 - 4 ) ."],
    ["13a", "&quot;a&quot; &amp;lt;b&gt; &apos;", '" a " < b > & apos ;'],
    ["13a", "co-<skipped>op word-\nwrap new\nline end-\n", "co-op wordwrap new line end-"],
    ["13a", "1990. 5.a a.5 .5", "1990 . 5 . a a . 5 . 5"],
    ["13a", ".5 1990.", ". 5 1990 ."],
    ["zh", " .5 1990. \n", ".5 1990."],
    ["intl", " .5 1990. \n", ". 5 1990."],
    ["13a", "x\u001cy\u0085z\ufeffw", "x y z\ufeffw"],
    ["zh", "我爱NLP，2024年。", "我 爱 NLP ， 2024 年 。"],
    ["zh", "ひら カナ 한국", "ひら カナ 한국"],
    ["zh", "“q”—…→\u{20000}\u{2f800}", "“ q ” — … → \u{20000}\u{2f800}"],
    ["zh", ".5 5. 1990.", ".5 5 . 1990."],
    ["intl", "1990. 3.14, x.5 $5 €7 a+b", "1990 . 3.14 , x . 5 $ 5 € 7 a + b"],
    ["intl", "¿Qué? «sí» 10% ½,x 5.", "¿ Qué ? « sí » 10 % ½ , x 5."],
    [
      "intl",
      "a\u{2e60}b \u{20c2}5 x\u{1246f},1 x\u{11de0},1 x\u{10ed0}y",
      "a \u2e60 b \u20c2 5 x\u{1246f},1 x\u{11de0},1 x \u{10ed0} y",
    ],
    ["char", "a 😀e\u0301\u2003大", "a 😀 e \u0301 大"],
    ["none", " Hello,  world.\u3000x ", "Hello, world. x"],
  ])("%s: %j", (tokenizer, line, tokens) => {
    expect(bleuTokenizers[tokenizer](line).join(" ")).toBe(tokens);
  });

  it.each(Object.entries(bleuTokenizers))("%s gives no token for a text of whitespace", (_, tokenize) => {
    expect(tokenize("")).toEqual([]);
    expect(tokenize(" \u001c\u0085\u3000\n")).toEqual([]);
  });
});
