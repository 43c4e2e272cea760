"""Language models that are asked for the last token only: targets, scores by distance, baseline, learning."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from nlptui.config import RecurrentConfig
from nlptui.data import generators
from nlptui.data.recall import Recall
from nlptui.errors import UserError
from nlptui.nn import build_model
from nlptui.nn.batch import Batch
from nlptui.tasks import DataStream, texts_for_tokenizer
from nlptui.tasks.base import IGNORED, Ids, id_array
from nlptui.tasks.language_model import LanguageModel, RunningText
from nlptui.tokenizers import build_tokenizer
from nlptui.train.optimize import AdamW
from nlptui.train.recipe import TrainConfig

from .conftest import Answers, one_hot

WHO = ("ann", "bob", "cat")


def told(split: str) -> list[Recall]:
    """It is ann on on who ? ann, with as many "on" as the distance says."""
    rows = [Recall(f"it is {name} {'on ' * n}who? {name}", n) for n in range(1, 5) for name in WHO]
    return rows if split == "train" else rows[:-2]


@pytest.fixture(autouse=True)
def small_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(generators.RECALLED, "recall_en", told)


def answer_task(context: int = 16, template: str = "none", **data: Any) -> LanguageModel:
    recipe = {"corpus": "recall_en", "answer_only": True} | data
    texts = texts_for_tokenizer({"corpus": "recall_en"}, "language_model", "words")
    tokenizer = build_tokenizer("words", texts, template=template)
    config = RecurrentConfig(
        arch="lstm",
        task="language_model",
        vocab_size=tokenizer.vocab_size,
        context=context,
        d_embed=16,
        d_hidden=24,
        embed_std=1.0,
        data=recipe,
    )
    return LanguageModel(config, tokenizer)


def words(ids: Ids, task: LanguageModel) -> list[str]:
    return [task.tokenizer.token(int(i)) for i in ids]


def test_only_the_last_token_is_asked_for() -> None:
    task = answer_task()
    texts = [RunningText(id_array([5, 6, 7, 8])), RunningText(id_array([5, 6])), RunningText(id_array([5]))]
    batch, targets = task.collate(texts, "cpu")
    assert batch.ids.tolist()[:2] == [[5, 6, 7], [5, task.pad, task.pad]]
    assert targets["next"].tolist() == [[IGNORED, IGNORED, 8], [6, IGNORED, IGNORED], [IGNORED] * 3]


def test_without_the_option_every_token_is_asked_for() -> None:
    _batch, targets = answer_task(answer_only=False).collate([RunningText(id_array([5, 6, 7]))], "cpu")
    assert targets["next"].tolist() == [[6, 7]]


@pytest.mark.parametrize("template", ["none", "bos_eos"])
def test_a_text_ends_in_its_answer(template: str) -> None:
    task = answer_task(template=template)
    rows = task.load(task.config.data, "test")
    assert [row.distance for row in rows] == [row.distance for row in told("test")]
    assert [words(row.ids, task)[-2:] for row in rows] == [["?", r.text.split()[-1]] for r in told("test")]


def test_of_a_long_text_the_end_is_read() -> None:
    task = answer_task(context=4)
    for row, whole in zip(task.load(task.config.data, "test"), told("test"), strict=True):
        assert len(row.ids) == 5 and words(row.ids, task)[-1] == whole.text.split()[-1]


def test_a_book_has_no_answer_at_its_end() -> None:
    task = answer_task(corpus="en_shakespeare")
    with pytest.raises(UserError, match="answer_only"):
        task.load(task.config.data, "train")


def test_scores_by_distance_count_right_answers() -> None:
    task = answer_task()
    size = task.tokenizer.vocab_size
    ann = task.tokenizer.find("ann")
    assert ann is not None
    test = task.load(task.config.data, "test")

    def always_ann(batch: Batch) -> dict[str, Tensor]:
        return {"logits": one_hot(torch.full_like(batch.ids, ann), size, height=math.log(3))}

    scores = task.metrics(Answers(always_ann), test, "cpu", 4)
    right = -math.log(3 / (size + 2))
    wrong = math.log(size + 2)
    assert scores == {
        "accuracy": pytest.approx(4 / 10),
        "accuracy_at_1": pytest.approx(1 / 3),
        "accuracy_at_2": pytest.approx(1 / 3),
        "accuracy_at_3": pytest.approx(1 / 3),
        "accuracy_at_4": 1.0,
        "loss": pytest.approx((4 * right + 6 * wrong) / 10),
    }


def test_the_baseline_is_the_most_frequent_answer_of_train() -> None:
    task = answer_task()
    train = [
        RunningText(id_array([2, 2, 2, 5]), 1),
        RunningText(id_array([5]), 1),
        RunningText(id_array([6]), 1),
    ]
    test = [RunningText(id_array([3, 5]), 1), RunningText(id_array([3, 6]), 2)]
    size = task.tokenizer.vocab_size
    assert task.baselines(train, test) == {
        "accuracy": 0.5,
        "accuracy_at_1": 1.0,
        "accuracy_at_2": 0.0,
        "loss": pytest.approx(-(math.log(3 / (3 + size)) + math.log(2 / (3 + size))) / 2),
    }


def test_training_on_answers_alone_learns_them() -> None:
    torch.manual_seed(0)
    task = answer_task()
    model, examples = build_model(task.config), task.load(task.config.data, "train")
    before = task.metrics(model, examples, "cpu", 8)
    stream, weights = DataStream(task, examples, 6, seed=0), dict(model.named_parameters())
    optimizer = AdamW(weights, TrainConfig(steps=1))
    for _step in range(150):
        batch, targets, _tokens = stream.next()
        optimizer.zero_grad()
        task.loss(model(batch), targets)[0].backward()  # type: ignore[no-untyped-call]
        optimizer.step(0.01)
    after = task.metrics(model, examples, "cpu", 8)
    assert before["accuracy"] < 0.6 and after["accuracy"] == after["accuracy_at_4"] == 1.0
    assert after["loss"] < 0.1 * before["loss"]
