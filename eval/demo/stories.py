"""Made-up stories, questions and answers for the demo model.

A story tells four facts of different kinds about people and things, in
shuffled order and in one of two wordings each, so that a question can only be
answered by finding the right fact in the text. Names are built from syllables;
names and two-word things are split into train, dev and validation, so that a
name of one split never occurs in another. Everything is drawn from a seeded
generator.

    python stories.py --out validation.jsonl
"""

import argparse
import json
import random
from dataclasses import dataclass
from itertools import product

SPLIT_SEED = 11
VALIDATION_SEED = 2024
VALIDATION_COUNTS = {"base": 20, "new": 30}

NEW_RELATION = "fears"
# Share of the facts that are told in other words than the answer uses.
OTHER_WORDS = 0.3

PERSON_STARTS = (
    "Bel Bor Cal Cor Dal Dor Fen Fal Gal Gor Hal Hel Jas Jor Kel Kor Lan Lum Mal Mer Nal Nor Pel "
    "Pra Ral Ros Sel Sor Tal Tri Val Vor Wen Wil Yal Zan"
).split()
PERSON_ENDS = "a bo den do eth fa gan ia ida ka kin la lo mir na nor ric sa tan tha va yn".split()
PLACE_STARTS = (
    "Ash Brin Carn Dun Elm Fern Glen Hart Ing Karn Lin Mard Nes Ost Pen Rav Rud Skar Thorn Tor Ul "
    "Vang Wes Zil"
).split()
PLACE_ENDS = "berg burg by dale fell ford gate ham holm ley port ton vale vik wick wold".split()
MATERIALS = "brass clay glass horn pine silver stone tin".split()
NOUNS = "bell box chair clock cup drum key lamp mask pipe ring spoon table wheel".split()
FEAR_KINDS = "big black cold dark deep loud old white".split()
FEAR_NOUNS = "bees birds caves dogs holes rivers roads rooms ships snakes storms towers wells winds".split()
JOBS = "baker clerk cook diver farmer guard hunter judge mason miner pilot singer smith tailor".split()
PETS = "cat crow dog duck fox frog goat goose hare horse mouse rabbit snail toad".split()
SPOTS = "bridge church farm gate harbour inn market mill park school station well".split()
COLOURS = "black blue brown green grey pink purple red white yellow".split()
PREPOSITIONS = "behind beside inside near under".split()


@dataclass(frozen=True)
class Relation:
    """One relation: what it is about, and how it is told, asked and answered."""

    about: str
    facts: tuple[str, ...]
    questions: tuple[str, ...]
    sentence: str
    gap: str
    span: str = "{v}"


RELATIONS = {
    "lives_in": Relation(
        "person",
        ("{s} lives in {v}.", "{s} has a house in {v}."),
        ("Where does {s} live?", "In which town does {s} live?"),
        "{s} lives in {v}.",
        "{s} lives in",
    ),
    "works_as": Relation(
        "person",
        ("{s} works as a {v}.", "{s} is a {v} by trade."),
        ("What does {s} work as?", "What job does {s} have?"),
        "{s} works as a {v}.",
        "{s} works as a",
    ),
    "pet": Relation(
        "person",
        ("{s} keeps a {v}.", "{s} has a {v} as a pet."),
        ("What pet does {s} keep?", "Which animal does {s} keep?"),
        "{s} keeps a {v}.",
        "{s} keeps a",
    ),
    "owns": Relation(
        "person",
        ("{s} owns a {v}.", "{s} is the owner of a {v}."),
        ("What does {s} own?", "Which thing does {s} own?"),
        "{s} owns a {v}.",
        "{s} owns a",
    ),
    "friend": Relation(
        "person",
        ("{s} is a friend of {v}.", "{s} has a friend called {v}."),
        ("Who is the friend of {s}?", "Which friend does {s} have?"),
        "{s} is a friend of {v}.",
        "{s} is a friend of",
    ),
    "colour": Relation(
        "thing",
        ("The {s} is {v}.", "The {s} was painted {v}."),
        ("What colour is the {s}?", "Which colour has the {s}?"),
        "The {s} is {v}.",
        "The {s} is",
    ),
    "lies": Relation(
        "thing",
        ("The {s} lies {v}.", "The {s} was left {v}."),
        ("Where is the {s}?", "Where does the {s} lie?"),
        "The {s} lies {v}.",
        "The {s} lies",
    ),
    NEW_RELATION: Relation(
        "person",
        ("{s} fears {v}.", "{s} is afraid of {v}."),
        ("What does {s} fear?", "What is {s} afraid of?"),
        "{s} fears {v}.",
        "{s} fears",
    ),
}


@dataclass(frozen=True)
class Question:
    """A question about a story with both forms of its answer."""

    relation: str
    question: str
    sentence: str
    span: str
    gap: str


class Pool:
    """The names and things of one split: 'train', 'dev' or 'validation'."""

    def __init__(self, split: str):
        rng = random.Random(SPLIT_SEED)
        people = ["".join(p) for p in product(PERSON_STARTS, PERSON_ENDS)]
        places = ["".join(p) for p in product(PLACE_STARTS, PLACE_ENDS)]
        things = [" ".join(p) for p in product(MATERIALS, NOUNS)]
        fears = [" ".join(p) for p in product(FEAR_KINDS, FEAR_NOUNS)]
        whereabouts = [f"{p} the {spot}" for p, spot in product(PREPOSITIONS, SPOTS)]
        self.people, self.places, self.things, self.fears, self.whereabouts = (
            self._part(items, split, rng) for items in (people, places, things, fears, whereabouts)
        )

    @staticmethod
    def _part(items: list[str], split: str, rng: random.Random) -> list[str]:
        items = sorted(set(items))
        rng.shuffle(items)
        first, second = int(len(items) * 0.72), int(len(items) * 0.80)
        return {"train": items[:first], "dev": items[first:second], "validation": items[second:]}[split]

    def values(self, relation: str) -> list[str]:
        """All possible answers of a relation in this split."""
        return {
            "lives_in": self.places, "works_as": JOBS, "pet": PETS, "owns": self.things,
            "friend": self.people, "colour": COLOURS, "lies": self.whereabouts,
            NEW_RELATION: self.fears,
        }[relation]


def story(
    rng: random.Random, pool: Pool, wanted: str | None = None, count: int = 4
) -> tuple[str, list[Question]]:
    """Draws a story of `count` facts of different relations (`wanted` among them) and all its questions."""
    others = [name for name in RELATIONS if name != wanted]
    relations = [wanted, *rng.sample(others, count - 1)] if wanted else rng.sample(others, count)
    people, things = rng.sample(pool.people, count), rng.sample(pool.things, count)
    facts = []
    for name, person, thing in zip(relations, people, things, strict=True):
        subject = thing if RELATIONS[name].about == "thing" else person
        free = [v for v in pool.values(name) if v not in {*people, *things}]
        facts.append((name, {"s": subject, "v": rng.choice(free)}))
    rng.shuffle(facts)
    text = " ".join(
        RELATIONS[name].facts[rng.random() < OTHER_WORDS].format(**slots) for name, slots in facts
    )
    questions = [
        Question(
            name,
            rng.choice(RELATIONS[name].questions).format(**slots),
            RELATIONS[name].sentence.format(**slots),
            RELATIONS[name].span.format(**slots),
            RELATIONS[name].gap.format(**slots),
        )
        for name, slots in facts
    ]
    return text, questions


def copy_task(rng: random.Random, pool: Pool) -> tuple[str, str]:
    """Draws a request to repeat some words, and those words."""
    names = list(RELATIONS)
    words = [rng.choice(pool.values(rng.choice(names))) for _ in range(rng.randint(1, 3))]
    text = ", ".join(words)
    return f"Repeat: {text}", text


def validation_samples() -> list[dict]:
    """The validation set: a fixed number of questions for each relation."""
    rng, pool, samples = random.Random(VALIDATION_SEED), Pool("validation"), []
    for name in RELATIONS:
        for _ in range(VALIDATION_COUNTS["new" if name == NEW_RELATION else "base"]):
            text, questions = story(rng, pool, wanted=name)
            picked = rng.choice([q for q in questions if q.relation == name])
            samples.append(
                {"question": picked.question, "context": text, "answer": picked.span, "relation": name}
            )
    rng.shuffle(samples)
    return [{"id": f"demo-{i:03d}", **sample} for i, sample in enumerate(samples, 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes the validation set.")
    parser.add_argument("--out", default="validation.jsonl")
    with open(parser.parse_args().out, "w", encoding="utf-8") as file:
        for sample in validation_samples():
            file.write(json.dumps(sample) + "\n")


if __name__ == "__main__":
    main()
