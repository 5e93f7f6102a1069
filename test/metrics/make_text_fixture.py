"""Makes fixtures/text.jsonl: random texts, drawn from a seed, with what the official implementations make of them.

    pip install rouge-score==0.1.2 nltk==3.10.4 lm-eval==0.4.13
    python make_text_fixture.py

Each line is one object with a `kind`:
- "rouge": `RougeScorer.score_multi` without and with the stemmer, per type as [precision, recall, fmeasure], and the prediction's tokens;
- "gsm8k": the filters and the exact match of lm-eval's task gsm8k, version 3.0;
- "porter": `PorterStemmer().stem` of many words.
"""

import json
import random
import string
from collections.abc import Callable
from pathlib import Path

from lm_eval.api.metrics import exact_match_hf_evaluate
from lm_eval.filters.extraction import RegexFilter
from nltk.stem.porter import PorterStemmer
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenize import tokenize

SEED = 20
ROUGE_ROWS, GSM8K_ROWS, PORTER_WORDS = 90, 200, 2500
TYPES = ["rouge1", "rouge2", "rougeL", "rougeLsum"]

# gsm8k.yaml of lm_eval 0.4.13
STRICT = RegexFilter(regex_pattern="#### (\\-?[0-9\\.\\,]+)")
FLEXIBLE = RegexFilter(group_select=-1, regex_pattern="(-?[$0-9.,]{2,})|(-?[0-9]+)")
IGNORED = [",", "\\$", "(?s).*#### ", "\\.$"]

STEMMER = PorterStemmer()
SCORERS = {"no": RougeScorer(TYPES), "yes": RougeScorer(TYPES, use_stemmer=True)}

WORDS = (
    "the cat cats running runs ran happily happy dying lies skies flies enjoy enjoyment yyyy sayyed 1 22 1900s nationally "
    "troubled hopping sized feed agreed \u0130stanbul \u212aelvin \u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2 na\u00efve \u4f60\u597d don't "
    "e-mail U.S. x\u00b2 \u00df \ufb01ne \uff46ull \u0663 relational theologically fulfilly aalli"
).split()
GAPS = [" "] * 14 + list("\n\n\t\r\x0b\x1c\x85\u00a0\u2028\ufeff\0-._") + ["\n\n", " \n ", "\r\n", ", "]
SUFFIXES = (
    "s es ies sses ss ed eed ied ing ational tional enci anci izer bli abli alli entli eli ousli ization ation ator alism "
    "iveness fulness ousness aliti iviti biliti fulli logi icate ative alize iciti ical ful ness al ance ence er ic able "
    "ible ant ement ment ent ion sion tion ou ism ate iti ous ive ize e l ll ally y ly at bl iz ted led"
).split()


def _text(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.05:
        return rng.choice(["", " ", "\n", "\n \n", "...", "\u4f60\u597d", "a"])
    words = WORDS if kind < 0.45 else list("abcd") if kind < 0.8 else [str(number) for number in range(30)]
    gaps = GAPS if kind < 0.6 else [" "] * rng.choice([1, 4, 12, 40]) + ["\n"]
    count = rng.randint(1, rng.choice([3, 8, 20, 45, 90]))
    text = "".join(word + rng.choice(gaps) for word in rng.choices(words, k=count))
    return "".join(letter.upper() if rng.random() < 0.2 else letter for letter in text)


def _near(rng: random.Random, text: str) -> str:
    words = text.split(" ")
    for _ in range(rng.randint(0, 5)):
        words.insert(rng.randint(0, len(words)), rng.choice(WORDS))
        words.pop(rng.randrange(len(words)))
        at, other = rng.randrange(len(words)), rng.randrange(len(words))
        words[at], words[other] = words[other], words[at] + rng.choice(["", "s", "ed", "ing"])
    return " ".join(words)


def _rouge(rng: random.Random) -> dict:
    prediction = _text(rng)
    references = [_near(rng, prediction) if rng.random() < 0.5 else _text(rng) for _ in range(rng.choice([1, 1, 2, 3]))]
    scores = {name: scorer.score_multi(references, prediction) for name, scorer in SCORERS.items()}
    return {
        "kind": "rouge",
        "prediction": prediction,
        "references": references,
        "scores": {name: {key: list(map(float, value)) for key, value in per.items()} for name, per in scores.items()},
        "tokens": {"no": tokenize(prediction, None), "yes": tokenize(prediction, STEMMER)},
    }


def _number(rng: random.Random) -> str:
    sign = rng.choice(["", "", "-", "--", "$", "-$", "$-"])
    digits = ["5", "18", "1,234", "1,234.50", "12.", "...", "3.14", "\u0663\u0664", "\u00b2", "\uff11\uff12", "0", "$$"]
    tails = [""] * 5 + [".", ".\n", "..", "\n", "\n\n", " ", "\0", ".\0", "\0.", "$", ",", "$\0,", " dollars", "\r", ".\r\n", ".\u2028"]
    return sign + rng.choice([*digits, "1 000", "5%", "[invalid]", "[INVALID]"]) + rng.choice(tails)


def _marker(rng: random.Random) -> str:
    return rng.choice(["#### ", "#### ", "####", "####  ", "##### ", "### ", "####\n", "####\u00a0", "####\t"])


def _response(rng: random.Random) -> str:
    fillers = [" ", "\n", "so ", "<<1+2=3>>", "The answer is ", ". ", "\r\n"]
    parts: list[Callable[[], str]] = [
        lambda: _number(rng),
        lambda: _marker(rng),
        lambda: _marker(rng) + _number(rng),
        lambda: rng.choice(fillers),
    ]
    return "".join(rng.choice(parts)() for _ in range(rng.randint(0, 6)))


def _filtered(by: RegexFilter, response: str) -> str:
    return list(by.apply([[response]], [{}]))[0][0]


def _match(answer: str, reference: str) -> float:
    result = exact_match_hf_evaluate(
        [answer], [reference], regexes_to_ignore=IGNORED, ignore_case=True, ignore_punctuation=False
    )
    return float(result["exact_match"])


def _gsm8k(rng: random.Random) -> dict:
    response = _response(rng)
    strict, flexible = _filtered(STRICT, response), _filtered(FLEXIBLE, response)
    right = rng.choice([strict, flexible]) + rng.choice(["", "", ".", "\n", ".\n", "\0", " "])
    reference = rng.choice(["", "#### ", "a\n#### "]) + right if rng.random() < 0.5 else _response(rng)
    return {
        "kind": "gsm8k",
        "response": response,
        "reference": reference,
        "strict": strict,
        "flexible": flexible,
        "strictMatch": _match(strict, reference),
        "flexibleMatch": _match(flexible, reference),
    }


def _word(rng: random.Random) -> str:
    letters = rng.choice(["aeiouybcdlstz1", string.ascii_lowercase + string.digits, "y"])
    return "".join(rng.choices(letters, k=rng.randint(0, 7))) + "".join(rng.choices(SUFFIXES, k=rng.randint(0, 3)))


def main() -> None:
    rng = random.Random(SEED)
    words = sorted({_word(rng) for _ in range(PORTER_WORDS)} - {""})
    rows = [_rouge(rng) for _ in range(ROUGE_ROWS)] + [_gsm8k(rng) for _ in range(GSM8K_ROWS)]
    rows.append({"kind": "porter", "stems": {word: STEMMER.stem(word) for word in words}})
    lines = [json.dumps(row, separators=(",", ":")) + "\n" for row in rows]
    (Path(__file__).parent / "fixtures" / "text.jsonl").write_text("".join(lines))


if __name__ == "__main__":
    main()
