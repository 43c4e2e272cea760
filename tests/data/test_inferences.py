"""Pairs of sentences: balanced, with hypotheses that tell nothing and nouns that training never showed."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from nlptui.data import inferences, splits, stories
from nlptui.data.inferences import inferences_en, plural, with_article

RECIPE = {"corpus": "inferences_en"}
SPLITS = ("train", "dev", "test")


def words(rows: list[inferences.Inference]) -> set[str]:
    return {word for row in rows for word in re.findall(r"[a-z]+", " ".join(row[1:]).lower())}


@pytest.mark.parametrize("split", SPLITS)
def test_every_hypothesis_stands_under_each_label(split: str) -> None:
    rows = splits.labelled_texts(RECIPE, split)
    assert len(rows) == 3 * inferences.TRIPLES[split]
    labels: dict[str, Counter[str]] = {}
    for label, premise, hypothesis in rows:
        assert premise != hypothesis and not re.search(r"[{}]", premise + hypothesis)
        labels.setdefault(hypothesis, Counter())[label] += 1
    assert set(map(tuple, map(sorted, labels.values()))) == {("contradiction", "entailment", "neutral")}
    assert all(set(counts.values()) == {1} for counts in labels.values())


def test_pairs_are_the_same_each_time() -> None:
    again = list(inferences._rows.__wrapped__("test"))
    assert again == inferences_en("test")


def test_nouns_names_and_places_of_the_test_are_new() -> None:
    _groups, lists = inferences._file()
    told = stories.words_of("en").lists
    nouns: dict[str, set[str]] = {}
    for split in SPLITS:
        found = {noun for kind in ("things", "animals", "roles") for noun in lists[f"{kind} {split}"]}
        found |= {member for line in lists[f"kinds {split}"] for member in line.partition(":")[2].split(",")}
        forms = {form for noun in found for form in (noun.partition("/")[0], plural(noun))}
        places = {word for line in told[f"places {split}"] for word in line.split()[1:]}
        nouns[split] = forms | places | {name.lower() for name in told[f"people {split}"]}
    for split, other in (("train", "test"), ("train", "dev"), ("dev", "test")):
        assert not nouns[split] & nouns[other], (split, other)
        # Not even as another word: a place of the test that is a verb of training would be no new word.
        assert not words(inferences_en(split)) & nouns[other], (split, other)


def test_half_of_the_nouns_of_training_do_not_exist() -> None:
    """And none of the test: its words are all in the lists, but for what grammar adds to them."""
    listed = inferences._listed()

    def unlisted(split: str) -> set[str]:
        return {word for word in words(inferences_en(split)) if not {word, word[:-1], word[:-2]} & listed}

    assert len(unlisted("train")) > 1000
    assert {word[:-3] + "y" for word in unlisted("test") if word.endswith("ies")} <= listed
    assert not {word for word in unlisted("test") if not word.endswith("ies")}


def test_premises_are_true_to_their_label_by_hand() -> None:
    """One of every pattern that could be written wrong: numbers, kinds, opposites."""
    numbers = inferences._file()[1]["numbers"]
    for label, premise, hypothesis in inferences_en("test"):
        if (least := re.match(r"(\w+) has at least (\w+) (\w+)\.", hypothesis)) and (
            has := re.match(rf"{least[1]} has exactly (\w+) {least[3]}\.", premise)
        ):
            enough = numbers.index(has[1]) >= numbers.index(least[2])
            assert label == ("entailment" if enough else "contradiction"), (premise, hypothesis)
        if (seen := re.match(r"(\w+) saw an? (\w+)\.", hypothesis)) and (
            there := re.match(rf"{seen[1]} saw an? (\w+)\.", premise)
        ):
            assert label == ("entailment" if is_kind(there[1], seen[2]) else "neutral"), (premise, hypothesis)


def is_kind(noun: str, kind: str) -> bool:
    lists = inferences._file()[1]
    lines = [line.split(":") for split in SPLITS for line in lists[f"kinds {split}"]]
    return any(name == kind and noun in members.split(",") for name, members in lines)


def test_plurals_and_articles() -> None:
    forms = ["box/", "mouse/mice", "city", "boy", "bench", "dish", "tomato", "lamp"]
    assert [plural(form.removesuffix("/")) for form in forms] == [
        "boxes", "mice", "cities", "boys", "benches", "dishes", "tomatoes", "lamps",
    ]  # fmt: skip
    assert with_article("apple") == "an apple" and with_article("pear") == "a pear"
    _groups, lists = inferences._file()
    for kind in ("things", "animals", "roles"):
        for split in SPLITS:
            # These take the other article than their first letter says.
            assert not [noun for noun in lists[f"{kind} {split}"] if noun.startswith(("uni", "hour", "heir"))]
