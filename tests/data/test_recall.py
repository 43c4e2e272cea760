"""Texts that ask who it was: the distance to the word, facts kept apart, nobody named in between."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter

import pytest

from nlptui.data import recall
from nlptui.data.recall import DISTANCES, NAMES, THINGS, Recall, facts_of, filler, recall_en
from nlptui.data.splits import documents
from nlptui.tokenizers.splitter import split_words

SPLITS = ("train", "dev", "test")


def some(split: str) -> list[Recall]:
    return random.Random(1).sample(recall_en(split), 400)


def parts(row: Recall) -> tuple[list[str], list[str], list[str]]:
    """The fact, what lies between, and the question with its answer."""
    words = split_words(row.text)
    fact_ends = words.index(".") + 1
    return words[:fact_ends], words[fact_ends:-5], words[-5:]


@pytest.mark.parametrize("split", SPLITS)
def test_the_distance_is_what_lies_between_fact_and_question(split: str) -> None:
    for row in some(split):
        fact, between, question = parts(row)
        assert len(between) == row.distance and len(fact) in (6, 7)
        assert [word.lower() for word in question[:4]] == ["who", "was", "it", "?"]
        assert question[4] == fact[-2] and question[4] in NAMES


@pytest.mark.parametrize("distance", range(1, 101))
def test_any_distance_can_be_filled(distance: int) -> None:
    assert len(filler(distance, random.Random(distance))) == distance


@pytest.mark.parametrize("split", SPLITS)
def test_nothing_between_says_who_it_was_or_asks(split: str) -> None:
    told = {word.lower() for word in (*NAMES, *THINGS)}
    for row in some(split):
        between = {word.lower() for word in parts(row)[1]}
        assert not between & told
        assert not between & {"who", "?", "to", "from", "for"}


def test_splits_share_no_fact_and_no_text() -> None:
    facts = [set(facts_of(split)) for split in SPLITS]
    assert not (facts[0] & facts[1] or facts[0] & facts[2] or facts[1] & facts[2])
    texts = [{row.text for row in recall_en(split)} for split in SPLITS]
    assert not (texts[0] & texts[1] or texts[0] & texts[2] or texts[1] & texts[2])
    for split in SPLITS:
        told = {(name, thing) for name, _verb, thing in facts_of(split)}
        assert all((words[-2], words[1]) in told for words in (parts(row)[0] for row in some(split)))


def test_every_name_is_an_answer_of_every_split() -> None:
    for split in SPLITS:
        assert {row.text.rsplit(" ", 1)[-1] for row in recall_en(split)} == set(NAMES)


def test_sizes_and_distances() -> None:
    for split in ("dev", "test"):
        counts = Counter(row.distance for row in recall_en(split))
        assert set(counts) == set(DISTANCES) and len(set(counts.values())) == 1
    near = [row.distance for row in recall_en("train")]
    assert (min(near), max(near)) == (1, 100)
    assert 0.4 < sum(distance <= 10 for distance in near) / len(near) < 0.6
    assert [len(set(recall_en(split))) for split in SPLITS] == [recall.COUNTS[split] for split in SPLITS]


def test_the_same_texts_every_time() -> None:
    code = "from nlptui.data.recall import recall_en; print(repr(recall_en('test')[:50]))"
    again = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert again.stdout.strip() == repr(recall_en("test")[:50])


def test_recipes_name_them() -> None:
    rows = documents({"corpus": "recall_en"}, "dev")
    assert [(row.text, row.distance) for row in rows] == [(r.text, r.distance) for r in recall_en("dev")]
    assert all(row.whole for row in rows)
    twice = documents({"corpus": "recall_en", "repeat": {"recall_en": 2}}, "train")
    assert len(twice) == 2 * len(recall_en("train"))
