"""Words from the labels of characters: B, M, E, S."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from nlptui.classical.schemes import allowed, bmes, cut, is_bmes
from nlptui.config import HMMConfig
from nlptui.data.readers import TaggedWord
from nlptui.tasks import task_for
from nlptui.tasks.segmentation import Segmentation
from nlptui.tokenizers import build_tokenizer

LABELS = ("B", "M", "E", "S")
SENTENCE = [
    TaggedWord("我们", "PRON", False), TaggedWord("爱", "VERB", False), TaggedWord("Tom", "PROPN", True),
    TaggedWord("和", "CCONJ", True), TaggedWord("图书馆", "NOUN", False),
]  # fmt: skip


def task() -> Segmentation:
    tokenizer = build_tokenizer("characters", ["我们爱 Tom 和图书馆"])
    config = HMMConfig(arch="hmm", task="tagging", labels=LABELS, vocab_size=tokenizer.vocab_size)
    found = task_for(config, tokenizer)
    assert isinstance(found, Segmentation)
    return found


class Says(torch.nn.Module):
    """A model that gives the labels it was told."""

    def __init__(self, *rows: str) -> None:
        super().__init__()
        self.rows = rows

    def forward(self, batch: Any) -> dict[str, torch.Tensor]:
        path = torch.tensor([[LABELS.index(label) for label in row] for row in self.rows])
        probs = torch.nn.functional.one_hot(path, 4) * 0.9 + 0.025
        return {"path": path.float(), "probs": probs}


@pytest.mark.parametrize(("length", "labels"), [(1, "S"), (2, "BE"), (3, "BME"), (5, "BMMME")])
def test_labels_of_a_word_and_back(length: int, labels: str) -> None:
    assert "".join(bmes(length)) == labels
    assert cut(labels) == [(0, length)]


@pytest.mark.parametrize(
    ("labels", "words"),
    [("BESBME", [2, 1, 3]), ("BB", [1, 1]), ("MES", [2, 1]), ("BMS", [2, 1]), ("EEM", [1, 1, 1]), ("", [])],
)
def test_what_the_scheme_forbids_is_read_kindly(labels: str, words: list[int]) -> None:
    found = cut(labels)
    assert [end - start for start, end in found] == words
    assert [start for start, _end in found] == [0, *(end for _start, end in found)][: len(found)]


def test_which_labels_may_follow_which() -> None:
    assert is_bmes("SEMB") and not is_bmes("BME") and not is_bmes(("B-X", "I-X"))
    rules = allowed(LABELS)
    pairs = {LABELS[i] + LABELS[j] for i, j in rules.pairs.nonzero().tolist()}
    assert pairs == {"BM", "BE", "MM", "ME", "EB", "ES", "SB", "SS"}
    assert rules.start.tolist() == [True, False, False, True]
    assert rules.end.tolist() == [False, False, True, True]


def test_an_example_has_a_label_for_each_character_and_white_space_is_alone() -> None:
    example = task().example(SENTENCE)
    assert example.text == "我们爱Tom 和 图书馆"
    assert "".join(LABELS[label] for label in example.labels) == "BESBMESSSBME"
    assert example.strings == tuple(example.text)


def test_accuracy_and_words_by_hand() -> None:
    found, example = task(), task().example(SENTENCE)
    right = found.metrics(Says("BESBMESSSBME"), [example], "cpu", 8)
    assert right == {"accuracy": 1.0, "segmentation_f1": 1.0}
    # 图书 and 馆 instead of one: of ten characters two labels are wrong; four of five words, six found.
    wrong = found.metrics(Says("BESBMESSSBES"), [example], "cpu", 8)
    assert wrong["accuracy"] == pytest.approx(8 / 10)
    assert wrong["segmentation_f1"] == pytest.approx(2 * 4 / (5 + 6))


def test_the_baseline_is_the_longest_match() -> None:
    found = task()
    example = found.example(SENTENCE)
    assert found.baselines([example], [example])["segmentation_f1"] == 1.0


def test_the_answer_has_a_word_an_entry() -> None:
    found = task()
    encoding = found.tokenizer.encode("我们爱 Tom")
    outputs = Says("BESSBME")(SimpleNamespace())
    tags = found.decode(outputs, encoding)["tags"]
    assert [(tag["token"], tag["tag"]) for tag in tags] == [("我们", "BE"), ("爱", "S"), ("Tom", "BME")]
    assert all(tag["prob"] == pytest.approx(0.925) for tag in tags)
