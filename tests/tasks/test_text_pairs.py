"""Labels for pairs of texts, the whole way: rows, examples, baselines, a network that learns, an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from nlptui.config import BertConfig
from nlptui.data import inferences, stories
from nlptui.engine import Engine
from nlptui.nn import build_model
from nlptui.tasks import DataStream, labels_for, load_examples, task_for, texts_for_tokenizer
from nlptui.tasks.classification import Classification
from nlptui.tasks.question_answering import QuestionAnswering
from nlptui.tokenizers import Tokenizer, build_tokenizer

NAMES = ["pad", "unk", "cls", "sep", "mask"]
PAIRS = {"corpus": "inferences_en"}
QUESTIONS = {"corpus": "stories_en"}
SIZES: dict[str, Any] = {
    "d_model": 24, "n_layers": 1, "n_heads": 2, "d_ff": 48, "context": 96, "pooling": "mean",
}  # fmt: skip


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer rows of the same kind."""
    monkeypatch.setattr(inferences, "TRIPLES", {"train": 60, "dev": 20, "test": 20})
    monkeypatch.setattr(stories, "SIZES", {"train": 120, "dev": 20, "test": 20})
    for rows in (inferences._rows, stories._rows):
        rows.cache_clear()
    yield  # type: ignore[misc]
    for rows in (inferences._rows, stories._rows):
        rows.cache_clear()


def tokenizer(recipe: dict[str, str], task: str) -> Tokenizer:
    texts = texts_for_tokenizer(recipe, task)
    return build_tokenizer("words", texts, min_count=1, template="cls_sep", specials=NAMES)


def config(recipe: dict[str, str], task: str, vocab_size: int) -> BertConfig:
    labels = labels_for(recipe, task)
    return BertConfig(arch="bert", task=task, labels=labels, data=recipe, vocab_size=vocab_size, **SIZES)


def test_the_vocabulary_holds_both_texts_of_a_pair_and_of_a_question() -> None:
    known = set(tokenizer(PAIRS, "classification").vocabulary())
    for _label, premise, hypothesis in inferences.inferences_en("train"):
        assert {premise.split()[0], hypothesis.split()[0]} <= known
    known = set(tokenizer(QUESTIONS, "question_answering").vocabulary())
    assert {"Where", "?"} <= known


def test_a_pair_is_two_segments_in_the_order_given() -> None:
    words = tokenizer(PAIRS, "classification")
    task = task_for(config(PAIRS, "classification", words.vocab_size), words)
    assert isinstance(task, Classification)
    assert task.labels == ("contradiction", "entailment", "neutral")
    label, premise, hypothesis = inferences.inferences_en("train")[0]
    example = task.load(PAIRS, "train")[0]
    tokens = [words.token(i) for i in example.ids.tolist()]
    middle = tokens.index("[SEP]")
    assert " ".join(tokens[1:middle]) == premise.replace(".", " .").replace(",", " ,")
    assert " ".join(tokens[middle + 1 : -1]) == hypothesis.replace(".", " .").replace(",", " ,")
    assert example.segments.tolist() == [0] * (middle + 1) + [1] * (len(tokens) - middle - 1)
    assert task.labels[example.label] == label
    assert " ".join(example.second_words) == hypothesis.lower().replace(".", " .").replace(",", " ,")


def test_the_hypothesis_alone_tells_nothing_and_the_words_of_both_something() -> None:
    words = tokenizer(PAIRS, "classification")
    task = task_for(config(PAIRS, "classification", words.vocab_size), words)
    scores = task.baselines(task.load(PAIRS, "train"), task.load(PAIRS, "test"))
    assert scores["accuracy"] == scores["second_text_accuracy"] == pytest.approx(1 / 3)
    assert scores["naive_bayes_accuracy"] > 0.4
    # A hypothesis that gives its label away is found out.
    told = [task.example(label, "It rains.", f"The {label} is here.") for label in task.labels] * 2
    assert task.baselines(told, told)["second_text_accuracy"] == 1
    assert "second_text_accuracy" not in task.baselines(*[[task.example("neutral", "One text.")]] * 2)


@pytest.mark.parametrize(("recipe", "name"), [(PAIRS, "classification"), (QUESTIONS, "question_answering")])
def test_what_is_loaded_for_the_baselines_is_enough_for_them(
    recipe: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = tokenizer(recipe, name)
    task = task_for(config(recipe, name, words.vocab_size), words)
    test = task.load(recipe, "test")
    assert task.baselines(task.load_for_baselines(recipe), test) == task.baselines(
        task.load(recipe, "train"), test
    )
    monkeypatch.setattr(QuestionAnswering, "BASELINE_EXAMPLES", 50)
    assert len(task.load_for_baselines(recipe)) == (180 if name == "classification" else 50)


@pytest.mark.parametrize(
    ("recipe", "name", "metric"),
    [(PAIRS, "classification", "accuracy"), (QUESTIONS, "question_answering", "exact_match")],
)
def test_a_small_network_learns_the_rows_by_heart(recipe: dict[str, str], name: str, metric: str) -> None:
    torch.manual_seed(0)
    words = tokenizer(recipe, name)
    settings = config(recipe, name, words.vocab_size)
    task, model = task_for(settings, words), build_model(settings).train()
    examples = load_examples(recipe, "train", words, settings)[:12]
    before = task.metrics(model, examples, "cpu", 8)[metric]
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    stream = DataStream(task, examples, 12, 0, "cpu")
    for _step in range(80):
        batch, targets, _tokens = stream.next()
        loss, _numbers = task.loss(model(batch), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert before < 0.7 < 0.95 < task.metrics(model, examples, "cpu", 8)[metric]


def test_an_engine_answers_and_explains_a_pair() -> None:
    words = tokenizer(PAIRS, "classification")
    settings = config(PAIRS, "classification", words.vocab_size)
    engine = Engine(build_model(settings), settings, words, Path("pairs"))
    answer = engine.predict("All dogs are old.", "Some dogs are old.")
    assert [entry["label"] for entry in answer["output"]["labels"]] != []
    assert sum(entry["prob"] for entry in answer["output"]["labels"]) == pytest.approx(1)
    turned = engine.predict("Some dogs are old.", "All dogs are old.")
    assert turned["output"] != answer["output"]
    trace = engine.trace("All dogs are old.", pair="Some dogs are old.")
    derivation = engine.explain(trace, "probs", (0, 1))
    assert derivation.total == pytest.approx(derivation.value, abs=1e-6)
    assert trace["segments"].value[0].tolist() == list(trace.encoding.segments)


def test_questions_are_asked_first_and_answered_in_the_passage() -> None:
    words = tokenizer(QUESTIONS, "question_answering")
    task = task_for(config(QUESTIONS, "question_answering", words.vocab_size), words)
    assert isinstance(task, QuestionAnswering)
    for row, example in zip(stories.stories_en("dev"), task.load(QUESTIONS, "dev"), strict=True):
        encoding = words.encode(row[0], row[1])
        begin, finish = encoding.offsets[example.start], encoding.offsets[example.end]
        assert begin is not None and finish is not None
        assert row[1][begin[0] : finish[1]] == row[2] and begin[0] == row[3]
