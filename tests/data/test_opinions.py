"""Plain opinions of films: balanced, spelled as people do, none of those held out in the training part."""

from __future__ import annotations

import re
from collections import Counter

from nlptui.data import opinions, splits
from nlptui.data.opinions import opinions_en


def test_both_labels_are_about_as_many() -> None:
    for split, least in (("train", 1000), ("test", 30)):
        counts = Counter(label for label, _text in opinions_en(split))
        assert set(counts) == {"positive", "negative"} and sum(counts.values()) >= least
        assert min(counts.values()) > 0.4 * sum(counts.values())


def test_they_are_spelled_as_people_do() -> None:
    texts = [text for _label, text in opinions_en("train")]
    wrong = re.compile(r"[<>=+-]|  | [.,?!]| n't|\ba (?:[aeiou]|honest)|\ban (?!honest)[^aeiou]", re.I)
    assert not [text for text in texts if wrong.search(text)]
    capitals = sum(text[0].isupper() for text in texts)
    assert 0.4 * len(texts) < capitals < 0.6 * len(texts)


def test_held_out_opinions_are_unseen() -> None:
    seen = {text.lower().rstrip(".!?") for _label, text in opinions_en("train")}
    assert opinions_en("dev") == opinions_en("test")
    assert not [text for _label, text in opinions_en("test") if text.lower().rstrip(".!?") in seen]


def test_not_turns_both_words_of_praise_and_of_blame() -> None:
    labels = {
        (word, label)
        for label, text in opinions_en("train")
        for word in ("good", "bad")
        if re.fullmatch(rf"this \w+ (is not|isn't) {word}( at all)?\.?", text.lower())
    }
    assert labels <= {("good", "negative"), ("bad", "positive")} and labels


def test_they_are_the_same_each_time() -> None:
    first = opinions_en("train")
    opinions._filled.cache_clear()
    assert opinions_en("train") == first


def test_a_recipe_may_name_them_beside_a_corpus_which_alone_measures() -> None:
    named = {"corpus": ["opinions_en", "en_polarity"]}
    assert splits.labelled_texts(named, "test") == opinions_en("test")
    alone = {"corpus": "opinions_en", "repeat": {"opinions_en": 2}}
    assert splits.labelled_texts(alone, "train") == opinions_en("train") * 2
