"""Pairs of sentences: does the first one entail the second, contradict it, or leave it open?

    inferences_en       (label, premise, hypothesis)

Made from templates about quantifiers, negation, antonyms, colours, numbers, the passive, places,
conjunctions, kinds, comparisons and order. Each hypothesis stands three times in a row, with a premise that
entails it, one that contradicts it and one that does neither: the labels are balanced, and the hypothesis
alone tells nothing. Nouns, names and places of train, dev and test have no word in common (only the names of
kinds, such as *animal*, are shared); half of train's do not exist, so that a network learns to compare them
and not each of them by heart. Every row is made from a fixed seed; the templates stand in
`inferences_en.txt`.

Slots, each with one value for all sentences of a hypothesis:

    N M K       different things (under a name with *, animals or people too); Ns Ms Ks their plurals;
                aN aM aK with an article
    X Y Z       animals or people, I J H what people are by trade, with the same
    S T U       a noun, its kind, a noun of another kind; aS aT aU
    A -A B      an adjective, its opposite, one of another scale; aA with an article
    P Q R       people;  L G  places, prepL prepG their prepositions
    one two three   numbers in ascending order;  c d  colours;  V Ved  a verb;  more less  comparatives
"""

from __future__ import annotations

import random
import re
from functools import cache
from pathlib import Path

from nlptui.data import stories

Inference = tuple[str, str, str]
"""A label, a premise and a hypothesis."""

LABELS = {"e": "entailment", "c": "contradiction", "n": "neutral"}
TRIPLES = {"train": 10_000, "dev": 400, "test": 400}
_ANIMALS = {"animal", "bird", "insect"}
"""Kinds of which one may hold another."""
INVENTED = 0.5
"""The share of train's nouns and names that are made of syllables: there is no learning them by heart."""
SEEDS = {"train": 11, "dev": 12, "test": 13}


@cache
def _file() -> tuple[list[dict[str, list[str]]], dict[str, list[str]]]:
    """The groups of templates (h, e, c, n → sentences; living: do beings fit), and the lists of words."""
    text = Path(__file__).with_name("inferences_en.txt").read_text(encoding="utf-8")
    groups: list[dict[str, list[str]]] = []
    lists: dict[str, list[str]] = {}
    for block in re.split(r"^\[", text, flags=re.M)[1:]:
        head, _bracket, body = block.partition("]\n")
        lines = [line for line in body.split("\n") if line]
        if head.startswith("="):
            lists[head[1:]] = " ".join(lines).split()
        else:
            group = {kind: [line[2:] for line in lines if line[0] == kind] for kind in "hecn"}
            groups.append(group | {"living": ["*"] if "*" in head else []})
    return groups, lists


def plural(noun: str) -> str:
    """More than one: `mouse/mice` says how, the others by rule."""
    singular, _slash, given = noun.partition("/")
    if given:
        return given
    if singular.endswith(("s", "x", "ch", "sh")) or singular in ("tomato", "potato"):
        return singular + "es"
    if singular.endswith("y") and singular[-2] not in "aeiou":
        return singular[:-1] + "ies"
    return singular + "s"


def with_article(word: str) -> str:
    """*a* or *an*, by the first letter."""
    return ("an " if word[0] in "aeiou" else "a ") + word


def _nouns(rng: random.Random, split: str, living: bool) -> dict[str, str]:
    lists = _file()[1]
    roles = lists[f"roles {split}"]
    beings = lists[f"animals {split}"] + roles
    things = beings if living and rng.random() < 0.4 else lists[f"things {split}"]
    values: dict[str, str] = {}
    for slots, nouns in (("NMK", things), ("XYZ", beings), ("IJH", roles)):
        for slot, noun in zip(slots, _some_invented(rng, split, rng.sample(nouns, 3)), strict=True):
            values |= {slot: noun.partition("/")[0], f"{slot}s": plural(noun)}
    return values


@cache
def _listed() -> frozenset[str]:
    """Every word that the files have, in lower case: no invented word may be one of them."""
    files = (Path(__file__).with_name(f"{name}_en.txt") for name in ("inferences", "stories"))
    return frozenset(
        word for file in files for word in re.findall(r"[a-z]+", file.read_text("utf-8").lower())
    )


def _some_invented(rng: random.Random, split: str, words: list[str]) -> list[str]:
    """The words, in train some of them replaced by words that do not exist."""
    syllables, endings = (stories.words_of("en").lists[name] for name in ("syllables", "endings"))
    found: list[str] = []
    for word in words:
        wanted = split == "train" and rng.random() < INVENTED
        while wanted and (word in words or word in found or {word, word + "e", plural(word)} & _listed()):
            word = "".join(rng.choices(syllables, k=rng.randint(1, 2))) + rng.choice(endings)
        found.append(word)
    return found


def _kinds(rng: random.Random, split: str, nouns: set[str]) -> dict[str, str]:
    """A kind, one of it, and one of another kind; none of `nouns` is of that kind."""
    kinds = [kind.split(":") for kind in _file()[1][f"kinds {split}"]]
    while True:
        (kind, members), (other, others) = rng.sample(kinds, 2)
        if not nouns & {kind, *members.split(",")} and not {kind, other} <= _ANIMALS:
            return {"T": kind, "S": rng.choice(members.split(",")), "U": rng.choice(others.split(","))}


def _values(rng: random.Random, split: str, living: bool) -> dict[str, str]:
    """A value for every slot."""
    lists, told = _file()[1], stories.words_of("en").lists
    values = _nouns(rng, split, living)
    values |= _kinds(rng, split, {values[slot] for slot in "NMK"})
    adjective, other = rng.sample(lists["adjectives"], 2)
    values["A"], values["-A"] = rng.sample(adjective.split("/"), 2)
    values["B"] = rng.choice(other.split("/"))
    values |= {f"a{slot}": with_article(values[slot]) for slot in "NMKXYZIJHSTUA"}
    names = _some_invented(rng, split, rng.sample(told[f"people {split}"], 3))
    values |= dict(zip("PQR", [name.capitalize() for name in names], strict=True))
    for slot, place in zip("LG", rng.sample(told[f"places {split}"], 2), strict=True):
        values[f"prep{slot}"], values[slot] = place.split(" ", 1)
    values |= dict(zip("cd", rng.sample(lists["colours"], 2), strict=True))
    numbers = sorted(rng.sample(range(len(lists["numbers"])), 3))
    for slot, number in zip(("one", "two", "three"), numbers, strict=True):
        values[slot] = lists["numbers"][number]
    values["V"], values["Ved"] = rng.choice(lists["verbs"]).split("/")
    values["more"], values["less"] = rng.sample(rng.choice(lists["comparatives"]).split("/"), 2)
    return values


def _filled(template: str, values: dict[str, str]) -> str:
    text = re.sub(r"\{([^}]+)\}", lambda slot: values[slot[1]], template)
    return text[0].upper() + text[1:]


@cache
def _rows(split: str) -> tuple[Inference, ...]:
    rng, groups = random.Random(SEEDS[split]), _file()[0]
    rows: list[Inference] = []
    known: set[str] = set()
    while len(rows) < 3 * TRIPLES[split]:
        group = groups[len(rows) // 3 % len(groups)]
        values = _values(rng, split, bool(group["living"]))
        hypothesis = _filled(rng.choice(group["h"]), values)
        if hypothesis in known:
            continue
        known.add(hypothesis)
        rows += [
            (label, _filled(rng.choice(group[kind]), values), hypothesis) for kind, label in LABELS.items()
        ]
    return tuple(rows)


def inferences_en(split: str) -> list[Inference]:
    """English pairs; three rows in a row share their hypothesis."""
    return list(_rows(split))
