"""The HMM's estimates by hand, and its paths and posteriors against all paths one by one."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from nlptui.classical.features import word_class
from nlptui.classical.hmm import HMM
from nlptui.config import HMMConfig
from nlptui.errors import UserError

LABELS = ("DET", "NOUN", "VERB")
VOCABULARY = ("[UNK]", "the", "cat", "dog", "runs", "walk", "walking")
SENTENCES = [
    ("the cat runs", [0, 1, 2]),
    ("the dog runs", [0, 1, 2]),
    ("the walk", [0, 1]),
    ("dog walk", [1, 2]),
    ("the talking cat walking", [0, 2, 1, 2]),
]


def config(**more: Any) -> HMMConfig:
    settings = {"arch": "hmm", "task": "tagging", "labels": LABELS, "vocab_size": len(VOCABULARY)}
    return HMMConfig(**(settings | {"suffix": 3, "class_words": 2} | more))


def ids_of(words: list[str]) -> list[int]:
    return [VOCABULARY.index(word) if word in VOCABULARY else 0 for word in words]


def counted(**more: Any) -> HMM:
    sentences = [(ids_of(text.split()), text.split(), tags) for text, tags in SENTENCES]
    model, sized = HMM.counted(config(**more), sentences, unknown=0)
    assert sized.entries == len(model.word_count.values) and sized.n_classes == len(model.classes)
    return model


def batch(*texts: str) -> SimpleNamespace:
    words = [text.split() for text in texts]
    width = max(map(len, words))
    ids = torch.tensor([ids_of(row) + [0] * (width - len(row)) for row in words])
    mask = torch.tensor([[True] * len(row) + [False] * (width - len(row)) for row in words])
    return SimpleNamespace(ids=ids, words=words, mask=None if mask.all() else mask)


def lattice_of(model: HMM, text: str) -> Any:
    found = batch(text)
    return model.lattice(found.ids, model._classes_of(found), None)


def test_tags_after_tags_are_counted_and_smoothed() -> None:
    lattice = lattice_of(counted(), "the cat runs")
    # DET was left four times, three times to NOUN and once to VERB; k = 0.1 for three tags and the end.
    assert lattice.transition[0, 0].exp().tolist() == pytest.approx([0.1 / 4.4, 3.1 / 4.4, 1.1 / 4.4])
    assert lattice.start[0].exp().tolist() == pytest.approx([4.1 / 5.3, 1.1 / 5.3, 0.1 / 5.3])
    assert lattice.end[0].exp().tolist() == pytest.approx([0.1 / 4.4, 1.1 / 5.4, 4.1 / 5.4])
    leaving = lattice.transition[0].exp().sum(1) + lattice.end[0].exp()
    assert leaving.tolist() == pytest.approx([1.0] * 3), "from every tag something comes next"
    assert float(lattice.start.exp().sum()) == pytest.approx(1.0)


def test_words_are_smoothed_after_witten_and_bell() -> None:
    model = counted()
    # NOUN: cat 2, dog 2, walk 1 and nothing outside the vocabulary; VERB: runs 2, walk 1, walking 1, and
    # talking, which is outside.
    assert model.word_total.tolist() == [4, 5, 4]
    assert model.novel.tolist() == [1, 3, 3 + 1]
    assert model.classes == ("", "lower ", "lower g", "lower ing", "lower ng")
    # All words but the are rare; two end in ing, both verbs, and VERB has four of the rare ones, NOUN three.
    walking = (2 + 0.1) / (4 + 5 * 0.1) / (1 + 2)
    lattice = lattice_of(model, "walking")
    assert float(lattice.emission[0, 0, 2].exp()) == pytest.approx((1 + 4 * walking) / (4 + 4))
    assert float(lattice.emission[0, 0, 1].exp()) == pytest.approx(
        3 * ((0 + 0.1) / (3 + 5 * 0.1) / (1 + 2)) / (5 + 3)
    )


def test_add_k_is_there_too() -> None:
    model = counted(smoothing="add_k")
    assert model.novel.tolist() == pytest.approx([0.1 * len(VOCABULARY)] * 3)
    with pytest.raises(UserError, match="smoothing 'kneser_ney' is unknown"):
        counted(smoothing="kneser_ney")


@pytest.mark.parametrize("text", ["the cat runs", "walking", "a singing dog the walk", "Xyz 33 !"])
def test_the_path_and_the_posteriors_are_those_of_all_paths(text: str) -> None:
    model = counted()
    lattice, outputs = lattice_of(model, text), model(batch(text))
    n = len(text.split())
    scores = {}
    for path in itertools.product(range(3), repeat=n):
        score = float(lattice.start[0, path[0]] + lattice.end[0, path[-1]])
        score += sum(float(lattice.emission[0, t, tag]) for t, tag in enumerate(path))
        scores[path] = score + sum(float(lattice.transition[0, a, b]) for a, b in itertools.pairwise(path))
    assert tuple(outputs["path"][0].long().tolist()) == max(scores, key=scores.__getitem__)
    whole = sum(map(math.exp, scores.values()))
    for t, tag in itertools.product(range(n), range(3)):
        share = sum(math.exp(score) for path, score in scores.items() if path[t] == tag) / whole
        assert float(outputs["probs"][0, t, tag]) == pytest.approx(share, abs=1e-6)


def test_padding_changes_nothing() -> None:
    model = counted()
    both = model(batch("the dog walk", "runs"))
    alone = model(batch("runs"))
    assert torch.allclose(both["probs"][1, :1], alone["probs"][0])
    assert both["path"][1].tolist() == [*alone["path"][0].tolist(), -1, -1]


def test_labels_of_a_scheme_never_break_it() -> None:
    labels = ("B", "M", "E", "S")
    sentences = [([1, 2], ["天", "气"], [0, 2]), ([1], ["天"], [3])]
    made = HMMConfig(arch="hmm", task="tagging", labels=labels, vocab_size=3, suffix=0)
    model, _sized = HMM.counted(made, sentences, unknown=0)
    words = ["很", "长", "的", "句", "子"]
    found = model(SimpleNamespace(ids=torch.zeros(1, 5, dtype=torch.long), words=[words], mask=None))
    path = "".join(labels[int(tag)] for tag in found["path"][0])
    assert path[0] in "BS" and path[-1] in "ES"
    assert not any(pair in path for pair in ("BB", "BS", "MB", "MS", "EM", "EE", "SM", "SE"))


def test_classes_are_shapes_and_frequent_suffixes() -> None:
    model = counted()
    assert model.classes[model.class_of("jumping")] == "lower ing"
    assert model.classes[model.class_of("ing")] == "lower "
    assert model.class_of("2026") == 0, "no rare word was a number"
    assert word_class("Xerox", 2) == "title ox"


def test_its_lists_come_back(tmp_path: Path) -> None:
    model = counted()
    model.write_lists(tmp_path)
    sized = config(n_classes=len(model.classes), entries=len(model.word_count.values))
    again = HMM.read(sized, tmp_path)
    again.load_state_dict(model.state_dict())
    again.derive()
    assert torch.equal(again(batch("the cat"))["probs"], model(batch("the cat"))["probs"])
    with pytest.raises(UserError, match="classes.txt: has 5 lines, config.json asks for 4"):
        HMM.read(config(n_classes=4), tmp_path)
