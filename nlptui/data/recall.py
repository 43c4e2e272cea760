"""Texts of our own that ask, after a while, who it was: a fact, N words of other things, a question, a name.

    The ring went to Maria. It rained all night. A dog slept by the gate. So who was it? Maria

N, the distance, is what lies between the fact's full stop and the question, each word and each mark counted
as one: 13 in the example. Nobody is named there, and nothing that a fact may be about; one noun in twenty is
made up, so that a reader learns that an unknown word is no name. Facts (who, what happened, to which thing)
are divided among the splits: none of dev or test is told in training. Everything is made from a fixed seed.
Knows nothing of tokens or models.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from itertools import product

FARTHEST = 100
DISTANCES = (1, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)
"""The distances of dev and test, each as often as the others; those of training go from 1 to FARTHEST."""
COUNTS = {"train": 30_000, "dev": 50 * len(DISTANCES), "test": 200 * len(DISTANCES)}


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


NAMES = _split(
    "Maria Tom Anna Ben Clara David Emma Felix Greta Hugo Ida Jonas Karin Leo Mina Nils Olga Paul Rosa Simon "
    "Wei Mei Yusuf Zoe"
)
VERBS = ("went to", "came from", "belongs to", "waits for", "was hidden by", "was lost by")
THINGS = _split(
    "ring key map book lamp coin letter watch box cup hat scarf ball knife drum flute candle mirror bottle "
    "basket ticket coat clock crown"
)
Fact = tuple[str, str, str]
"""Who, what happened, to which thing."""


@dataclass(frozen=True, slots=True)
class Recall:
    """One text, its last word the answer."""

    text: str
    distance: int
    """Words and marks between the fact and the question."""


_SLOTS = {
    "animal": "dog cat horse duck goose owl fox mouse cow goat sheep hen rabbit frog bee crow",
    "animals": "dogs cats horses ducks geese owls foxes mice cows goats hens rabbits frogs bees crows birds",
    "person": "teacher baker nurse driver farmer child sailor guest singer gardener painter neighbour",
    "place": "gate river bridge school garden market station church house barn well hill road wall tree lake",
    "stuff": "bread soup milk tea rice honey wood hay snow sand grass water",
    "thing": "door window wagon boat train bus kite roof wheel bell fence chair",
    "adjective": "old small young grey tired happy quiet slow tall wet",
    "colour": "red green blue yellow brown black white",
    "did": "slept waited stopped ran fell turned stood moved",
    "sang": "slept sang played rested waited ran",
    "said": "smiled laughed waved sat slept read sang walked",
    "where": "by near behind under beside",
    "when": "today yesterday tonight then again early late",
    "weather": "rained snowed thundered hailed",
    "state": "cold warm dark windy quiet wet late bright",
    "touch": "cold warm wet dry soft",
    "number": "two three four five six seven eight nine ten",
    "first": "so now and but well then",
}
_FIRST = ("<first>",)
"""One word before the question, where there is room for no more."""
_SENTENCES = """
good .
fine .
it <weather> .
<animals> <sang> .
it was <state> .
the <animal> <did> .
the <thing> was <colour> .
the <adjective> <animal> <did> .
it <weather> all night .
the <person> <said> <when> .
a <animal> <did> <where> the <place> .
the <person> <said> <where> the <place> .
<number> <animals> <sang> <where> the <place> .
there was <stuff> <where> the <place> .
the <thing> <where> the <place> was <colour> .
<when> the <adjective> <person> <said> again .
by the <place> it was <state> and <state> .
the <person> likes <stuff> , and so do we .
a <adjective> <animal> and <number> <animals> <did> <when> .
the <stuff> was <touch> , but nobody minded .
"""
_MADE_UP = 0.05
_NOUNS = frozenset({"animal", "person", "place", "stuff", "thing"})
_SYLLABLES = tuple(consonant + vowel for consonant in "bdfgklmnprtvz" for vowel in "aeiou")
_NO_SPACE_BEFORE = frozenset(".,?")


def recall_en(split: str) -> list[Recall]:
    """All texts of one split."""
    return list(_recall_en(split))


@cache
def _recall_en(split: str) -> tuple[Recall, ...]:
    rng = random.Random(f"recall {split}")
    facts, count = facts_of(split), COUNTS[split]
    texts: dict[Recall, None] = {}
    while len(texts) < count:
        # Near and far alike on a logarithmic scale: as many texts from 1 to 10 as from 10 to 100.
        drawn = int((FARTHEST + 1) ** rng.random())
        distance = drawn if split == "train" else DISTANCES[len(texts) % len(DISTANCES)]
        texts[_text(rng.choice(facts), distance, rng)] = None
    return tuple(texts)


@cache
def facts_of(split: str) -> tuple[Fact, ...]:
    """The facts that texts of a split tell: eight tenths for train, one each for dev and test."""
    facts = list(product(NAMES, VERBS, THINGS))
    random.Random("facts").shuffle(facts)
    tenth = len(facts) // 10
    parts = {"dev": facts[:tenth], "test": facts[tenth : 2 * tenth], "train": facts[2 * tenth :]}
    return tuple(parts[split])


def _text(fact: Fact, distance: int, rng: random.Random) -> Recall:
    name, verb, thing = fact
    told = ["the", thing, *verb.split(), name, "."]
    words = [*told, *filler(distance, rng), "who", "was", "it", "?", name]
    return Recall(_written(words), distance)


def filler(distance: int, rng: random.Random) -> list[str]:
    """Small sentences of `distance` words and marks altogether."""
    words: list[str] = []
    while len(words) < distance:
        room = distance - len(words)
        fitting = [sentence for sentence in _sentences() if len(sentence) <= room] if room > 1 else [_FIRST]
        words += [_word(word, rng) for word in rng.choice(fitting)]
    return words


@cache
def _sentences() -> tuple[tuple[str, ...], ...]:
    return tuple(_split(line) for line in _SENTENCES.strip().split("\n"))


@cache
def _slot(name: str) -> tuple[str, ...]:
    return _split(_SLOTS[name])


def _word(word: str, rng: random.Random) -> str:
    if not word.startswith("<"):
        return word
    name = word[1:-1]
    if name in _NOUNS and rng.random() < _MADE_UP:
        return "".join(rng.choice(_SYLLABLES) for _n in range(3))
    return rng.choice(_slot(name))


def _written(words: list[str]) -> str:
    """As people write: a capital after a full stop, no space before a mark."""
    text, begins = "", True
    for word in words:
        shown = word[0].upper() + word[1:] if begins else word
        text += shown if not text or word in _NO_SPACE_BEFORE else " " + shown
        begins = word in (".", "?")
    return text
