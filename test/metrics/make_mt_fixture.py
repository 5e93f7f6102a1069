"""Writes rows of random small corpora with the values that sacreBLEU 2.6.0 gives for them, as JSON lines to standard output.

    pip install sacrebleu==2.6.0 regex==2026.11.15
    python test/metrics/make_mt_fixture.py > test/metrics/fixtures/mt.jsonl
    python test/metrics/make_mt_fixture.py --rows 5000 --seed 9   # more of them, to compare outside the test suite

A row has `hypotheses`, `references` (a list for each hypothesis), and for some random options of each metric under `bleu` and `chrf`
the `options`, `statistics` (a list for each hypothesis), `corpus` and `sentences` (0-100), `signature` (without the version); BLEU
has `tokens` of the first hypothesis too. The text is made up of random pieces.
"""

import argparse
import json
import random

from sacrebleu.metrics import BLEU, CHRF

WORDS = "the a cat sat on mat The Mat CAT don't e-mail co-op well-known U.S. Mr. naïve café Straße ΟΔΟΣ Σ ΑΣ. İstanbul ǅ ﬁne".split()
NUMBERS = "1 12 1,000 1,000.50 3.14 .5 5. 1990. 1990-1995 10% $5 €7 -3 +4 12:30 1/2 ½ ² Ⅷ ٣٫٥ 1.٣ 三.五 9-x x-9 #1 1.a a.1".split()
ENTITIES = "&quot; &amp; &lt; &gt; &amp;lt; &amp;quot; &apos; &#39; &nbsp; & <skipped> <SKIPPED> &QUOT; &amp;amp;gt; <skip<skipped>ped>".split()
CJK = list("我们的大熊猫喜欢吃竹子。，、“”！？《》（）：；——……ｶﾀＡ１％㐀䶵䶶一龥龻龼豈㈠㍿⺀⼀⿰〇々「」ㄅㆠ㇀︐︰") + ["\U00020000", "\U0002a6d6", "\U0002f800"]
KANA_HANGUL = list("ひらがなカタカナー・한국어조선ㄱㅏ") + ["가"]
EMOJI = ["😀", "👍🏽", "👨\u200d👩\u200d👧", "🇩🇪", "❤\ufe0f", "☀", "✂", "⁉", "1\ufe0f\u20e3", "🫨"]
COMBINING = ["e\u0301", "\u0301", "a\u0308\u0323", "\u20dd", "क्षि", "\u0345", "\u034f"]
CONTROL = [chr(c) for c in (0, 1, 7, 8, 0x1B, 0x7F, 0x80, 0x9F, 0xAD)] + ["\u200b", "\u200d", "\u2060", "\ufeff", "\ufffd", "\u061c"]
SPACES = [" ", "  ", "\t", "\n", "-\n", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x1f", "\x85", "\xa0"] + [
    chr(c) for c in (0x1680, 0x180E, 0x2000, 0x2003, 0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)
]
MARKS = list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") + list("«»„‚’‘–—…•·§¶©®°±×÷¬¦¿¡€£¥₿₹→∑√≠♥★†‰№˚´¨¯¸^") + ["...", "--", "?!", "(hi)", "\"quoted\"", "''"]
GREEK = ["Σ", "ΑΣ", "ΑΣΑ", "Α\u0301Σ", "ΑΣ\u0301", "ΑΣ.Α", "ΑΣ'", "1Σ", "\xadΣ", "Aʰ\u0301Σ"]
POOLS = [WORDS, NUMBERS, ENTITIES, CJK, KANA_HANGUL, EMOJI, COMBINING, CONTROL, SPACES, MARKS, GREEK]

# Letters that got a lower case after Unicode 14, the version of Python 3.11's str.lower().
LATER_CAPITALS = {0x1C89, 0xA7CB, 0xA7CC, 0xA7CE, 0xA7D2, 0xA7D4, 0xA7DA, 0xA7DC, *range(0x10D50, 0x10D66), *range(0x16EA0, 0x16EB9)}


def code_point(rng):
    highest = rng.choice([0x80, 0x250, 0x3100, 0x10000, 0x20000, 0x110000])
    while True:
        code = rng.randrange(highest)
        if not 0xD800 <= code < 0xE000 and code not in LATER_CAPITALS:
            return chr(code)


def piece(rng, pools):
    return code_point(rng) if rng.random() < 0.05 else rng.choice(rng.choice(pools))


def text(rng):
    """Pieces of a few kinds, mostly with spaces between them where words are concerned."""
    pools = rng.sample(POOLS, rng.randint(1, 4)) + ([WORDS] if rng.random() < 0.6 else [])
    glue = rng.choice([0.1, 0.5, 0.9])
    length = rng.choice([0, 1, 2, 3, 4, 5, 8, 12, 20])
    return "".join(piece(rng, pools) + (" " if rng.random() < glue else "") for _ in range(length))


def altered(rng, source):
    """The text with a few characters or words dropped, doubled, moved, re-cased or put in."""
    for _ in range(rng.randint(0, 4)):
        parts = source.split(" ") if rng.random() < 0.5 else list(source)
        joint = " " if source.split(" ") == parts else ""
        at = rng.randrange(len(parts) + 1)
        change = rng.randrange(5)
        if change == 0:
            parts[at : at + 1] = []
        elif change == 1:
            parts[at:at] = parts[at : at + 1]
        elif change == 2:
            parts = parts[at:] + parts[:at]
        elif change == 3:
            parts[at : at + 1] = [part.upper() for part in parts[at : at + 1]]
        else:
            parts.insert(at, piece(rng, POOLS))
        source = joint.join(parts)
    return "".join(c for c in source if ord(c) not in LATER_CAPITALS)


def bleu_options(rng):
    method = rng.choice(["exp", "exp", "floor", "add-k", "none"])
    options = {
        "tokenizer": rng.choice(["13a", "13a", "zh", "intl", "char", "none"]),
        "smoothing": method,
        "lowercase": rng.random() < 0.4,
        "effectiveOrder": rng.random() < 0.3,
    }
    if method in ("floor", "add-k") and rng.random() < 0.6:
        options["smoothValue"] = rng.choice([0, 0.01, 0.125, 0.375, 0.5, 1, 2.675, 3])
    return options


def chrf_options(rng):
    return {
        "characterOrder": rng.choice([6, 6, 6, 1, 4, 8]),
        "wordOrder": rng.choice([0, 2, 2, 1, 3]),
        "beta": rng.choice([2, 2, 1, 3]),
        "lowercase": rng.random() < 0.4,
        "whitespace": rng.random() < 0.3,
        "epsSmoothing": rng.random() < 0.3,
    }


def bleu_metric(options, effective_order):
    return BLEU(
        tokenize=options["tokenizer"],
        smooth_method=options["smoothing"],
        smooth_value=options.get("smoothValue"),
        lowercase=options["lowercase"],
        effective_order=effective_order,
        force=True,
    )


def chrf_metric(options):
    return CHRF(
        char_order=options["characterOrder"],
        word_order=options["wordOrder"],
        beta=options["beta"],
        lowercase=options["lowercase"],
        whitespace=options["whitespace"],
        eps_smoothing=options["epsSmoothing"],
    )


def scored(options, corpus_metric, sentence_metric, hypotheses, references):
    width = max(map(len, references))
    streams = [[row[k] if k < len(row) else None for row in references] for k in range(width)]
    statistics = corpus_metric._extract_corpus_statistics(hypotheses, streams)
    result = {
        "options": options,
        "statistics": [list(row) for row in statistics],
        "corpus": corpus_metric.corpus_score(hypotheses, streams).score,
        "sentences": [sentence_metric.sentence_score(h, r).score for h, r in zip(hypotheses, references)],
    }
    corpus_metric.corpus_score(hypotheses, streams)
    result["signature"] = str(corpus_metric.get_signature()).rsplit("|", 1)[0]
    return result


def row(rng):
    references, hypotheses = [], []
    count = rng.choice([None, 1, 1, 2, 3])
    for _ in range(rng.randint(1, 3)):
        first = text(rng)
        more = (count or rng.randint(1, 3)) - 1
        references.append([first] + [altered(rng, first) if rng.random() < 0.7 else text(rng) for _ in range(more)])
        hypotheses.append(altered(rng, rng.choice(references[-1])) if rng.random() < 0.9 else text(rng))
    result = {"hypotheses": hypotheses, "references": references}

    options = bleu_options(rng)
    metric = bleu_metric(options, options["effectiveOrder"])
    result["bleu"] = scored(options, metric, bleu_metric(options, True), hypotheses, references)
    result["bleu"]["tokens"] = metric._preprocess_segment(hypotheses[0]).split()
    options = chrf_options(rng)
    metric = chrf_metric(options)
    result["chrf"] = scored(options, metric, metric, hypotheses, references)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    for _ in range(arguments.rows):
        print(json.dumps(row(rng), separators=(",", ":")))


if __name__ == "__main__":
    main()
