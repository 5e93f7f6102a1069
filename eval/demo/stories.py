"""Made-up stories, questions and answers for the demo model.

A story holds three relations, each stated for two or three subjects, in
shuffled order, so that a question can only be answered by finding the right
subject and the right relation in the text. Names are built from syllables;
names and two-word things are split into train, dev and validation, so that an
answer of one split never occurs in another. Everything is drawn from a seeded
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
VALIDATION_COUNTS = {"base": 15, "new": 30}

NEW_RELATION = "fears"

PERSON_STARTS = (
    "Bel Bor Bri Cal Cor Cre Dal Del Dor Dra Fen Fal Fro Gal Gor Gwe Hal Hel Jor Jas Kel "
    "Kor Kri Lan Lor Lum Mal Mer Mor Nal Ner Nor Par Pel Pra Quin Ral Ren Ros Sal Sel Sor "
    "Tal Tel Tri Ul Val Vel Vor Wen Wil Xan Yal Yor Zan Zel"
).split()
PERSON_ENDS = (
    "a ana bo ca da dan den di do dric en eth fa gan go ia ida ien il in io ith ka kin la lo "
    "ma mir na nor ra ric ro sa sha tan tha va wen yn"
).split()
PLACE_STARTS = (
    "Ash Bark Brin Cald Carn Dun Elm Esk Fals Fern Glen Gran Hart Holl Ing Jun Karn Lang Lin "
    "Mard Mil Nes Nord Ost Pen Quar Rav Rud Sand Skar Stel Thorn Tor Tul Ul Vang Wes Wold Yar Zil"
).split()
PLACE_ENDS = (
    "berg borg bury by dale dorf fell ford gate ham holm keld ley mouth ness port stead ton vale "
    "vik wick wold worth zell"
).split()
MATERIALS = "brass clay copper glass horn leather paper pine silver stone tin wooden".split()
NOUNS = (
    "bell bowl box button chair clock comb cup drum flute kettle key ladder lamp mask mirror pipe "
    "ring spoon wheel"
).split()
FEAR_KINDS = "big black cold dark deep loud old small strange white".split()
FEAR_NOUNS = (
    "bees birds caves clouds crowds dogs forests ghosts holes rivers rooms roads ships shadows "
    "snakes spiders storms towers wells winds"
).split()
JOBS = (
    "baker barber brewer butcher carpenter clerk cook diver doctor farmer fisher gardener guard "
    "hunter judge mason miller miner painter pilot porter sailor singer smith tailor teacher"
).split()
PETS = (
    "badger beetle canary cat crow dog donkey duck falcon ferret fox frog goat goose hare horse "
    "lizard mouse parrot pigeon rabbit raven snail toad"
).split()
FOODS = (
    "apples beans beets bread butter cabbage carrots cheese cherries cream eggs figs ham honey "
    "lentils mushrooms nuts olives onions pears peas plums rice soup"
).split()
SPOTS = (
    "bridge canal chapel church farm fair fountain gate harbour inn library market mill museum "
    "park school station tavern theatre well"
).split()
COLOURS = "black blue brown crimson cyan green grey pink purple red scarlet violet white yellow".split()
PREPOSITIONS = "behind beside in inside near under".split()


@dataclass(frozen=True)
class Relation:
    """One relation: what it is about, and how it is told, asked and answered."""

    about: str
    facts: tuple[str, ...]
    questions: tuple[str, ...]
    sentence: str
    span: str = "{v}"


RELATIONS = {
    "lives_in": Relation(
        "person",
        ("{s} lives in {v}.", "{s} has a house in {v}.", "{v} is the home of {s}."),
        ("Where does {s} live?", "In which town does {s} live?", "Where is the home of {s}?"),
        "{s} lives in {v}.",
    ),
    "works_as": Relation(
        "person",
        ("{s} works as a {v}.", "{s} is a {v} by trade.", "By trade {s} is a {v}."),
        ("What does {s} work as?", "What is the trade of {s}?", "What job does {s} have?"),
        "{s} works as a {v}.",
    ),
    "pet": Relation(
        "person",
        ("{s} keeps a {v}.", "{s} has a {v} as a pet.", "The pet of {s} is a {v}."),
        ("What pet does {s} keep?", "Which animal does {s} keep?", "What is the pet of {s}?"),
        "{s} keeps a {v}.",
    ),
    "owns": Relation(
        "person",
        ("{s} owns a {v}.", "{s} is the owner of a {v}.", "A {v} belongs to {s}."),
        ("What does {s} own?", "What belongs to {s}?", "Which thing does {s} own?"),
        "{s} owns a {v}.",
    ),
    "eats": Relation(
        "person",
        ("{s} likes to eat {v}.", "{s} eats {v} every day.", "The favourite food of {s} is {v}."),
        ("What does {s} like to eat?", "What is the favourite food of {s}?", "What does {s} eat?"),
        "{s} likes to eat {v}.",
    ),
    "friend": Relation(
        "person",
        ("The best friend of {s} is {v}.", "{s} has a friend called {v}.", "{s} is a friend of {v}."),
        ("Who is the friend of {s}?", "Who is the best friend of {s}?", "Which friend does {s} have?"),
        "The friend of {s} is {v}.",
    ),
    "met_at": Relation(
        "pair",
        ("{s} met {o} at the {v}.", "At the {v} {s} met {o}.", "{s} first saw {o} at the {v}."),
        ("Where did {s} meet {o}?", "At which spot did {s} meet {o}?"),
        "{s} met {o} at the {v}.",
    ),
    "colour": Relation(
        "thing",
        ("The {s} is {v}.", "The colour of the {s} is {v}.", "The {s} was painted {v}."),
        ("What colour is the {s}?", "What is the colour of the {s}?", "Which colour has the {s}?"),
        "The {s} is {v}.",
    ),
    "lies": Relation(
        "thing",
        ("The {s} lies {v}.", "Somebody left the {s} {v}.", "The place of the {s} is {v}."),
        ("Where is the {s}?", "Where does the {s} lie?", "Where did somebody leave the {s}?"),
        "The {s} lies {v}.",
    ),
    "maker": Relation(
        "thing",
        ("{v} made the {s}.", "The {s} was made by {v}.", "The maker of the {s} is {v}."),
        ("Who made the {s}?", "Who is the maker of the {s}?", "By whom was the {s} made?"),
        "The {s} was made by {v}.",
    ),
    NEW_RELATION: Relation(
        "person",
        ("{s} fears {v}.", "{s} is afraid of {v}.", "Nothing frightens {s} more than {v}."),
        ("What does {s} fear?", "What is {s} afraid of?", "What frightens {s}?"),
        "{s} fears {v}.",
    ),
}


@dataclass(frozen=True)
class Question:
    """A question about a story with both forms of its answer."""

    relation: str
    question: str
    sentence: str
    span: str


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
        first, second = int(len(items) * 0.78), int(len(items) * 0.84)
        return {"train": items[:first], "dev": items[first:second], "validation": items[second:]}[split]

    def values(self, relation: str) -> list[str]:
        """All possible answers of a relation in this split."""
        return {
            "lives_in": self.places, "works_as": JOBS, "pet": PETS, "owns": self.things,
            "eats": FOODS, "friend": self.people, "met_at": SPOTS, "colour": COLOURS,
            "lies": self.whereabouts, "maker": self.people, NEW_RELATION: self.fears,
        }[relation]


def story(rng: random.Random, pool: Pool, wanted: str | None = None) -> tuple[str, list[Question]]:
    """Draws a story about three relations (`wanted` among them) and all its questions."""
    others = [name for name in RELATIONS if name != wanted]
    relations = [wanted, *rng.sample(others, 2)] if wanted else rng.sample(others, 3)
    people, things = rng.sample(pool.people, 7), rng.sample(pool.things, 6)
    cast = people[:3]
    facts = []
    for name in relations:
        about = RELATIONS[name].about
        if about == "person":
            subjects = [(s, "") for s in rng.sample(cast, rng.choice((2, 3, 3)))]
        elif about == "thing":
            subjects = [(s, "") for s in things[:2]]
        else:
            subjects = [(cast[0], cast[1]), (cast[2], people[3])]
            rng.shuffle(subjects)
        named = {*cast} if name == "friend" else set()
        named |= {*things[:2]} if name == "owns" else set()
        free = [v for v in pool.values(name) if v not in named]
        for (s, o), v in zip(subjects, rng.sample(free, len(subjects)), strict=True):
            facts.append((name, {"s": s, "o": o, "v": v}))
    rng.shuffle(facts)
    text = " ".join(rng.choice(RELATIONS[name].facts).format(**slots) for name, slots in facts)
    questions = [
        Question(
            name,
            rng.choice(RELATIONS[name].questions).format(**slots),
            RELATIONS[name].sentence.format(**slots),
            RELATIONS[name].span.format(**slots),
        )
        for name, slots in facts
    ]
    return text, questions


def copy_task(rng: random.Random, pool: Pool) -> tuple[str, str]:
    """Draws a request to repeat some words, and those words."""
    names = [name for name in RELATIONS]
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
